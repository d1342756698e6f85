"""The heart: what a target is, the reader that verifies, the graph of a manifest, and copy.

Whatever holds content is a target (local store, remote repository, archive, memory); `copy` is the
only verb that moves content between targets. May import `spec`, `_internal`, `errors`.
"""
