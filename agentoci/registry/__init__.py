"""The client of remote registries: challenges, credentials, uploads, downloads that verify.

May import `content` and everything below. Opens sockets.
"""
