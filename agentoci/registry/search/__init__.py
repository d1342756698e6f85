"""Search: the portable index of agents, and drivers for what registries offer to find them by.

May import `registry` and what that may. No two registries search alike, and most do not at all; the
index artifact works on every one.
"""
