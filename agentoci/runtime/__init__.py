"""Drivers and supervision: start the process of an instance, keep its exit code and its logs.

May import `instances` and everything below.
"""
