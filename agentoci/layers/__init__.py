"""Layers in and out: reproducible tars, compression, splitting, and unpacking that trusts nothing.

May import `spec`, `_internal`, `errors`.
"""
