"""The local store: an OCI image layout that many processes use at once, and archives of it.

May import `content` and everything below.
"""
