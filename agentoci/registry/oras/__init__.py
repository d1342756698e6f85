"""oras-py's API on our client: `OrasRegistry`, for people who change one import.

May import all of `registry`, and oras; nothing else of ours may import it.
"""
