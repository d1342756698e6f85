"""The Python API: one verb per function, and the engine that composes the parts.

The command line speaks to this package only. May import everything below.
"""
