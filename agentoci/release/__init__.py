"""Versions and what they mean: resolving requirements, the lock, compatibility, diff, releases.

May import `store` and what lies below; knows neither the builder nor the command line.
"""
