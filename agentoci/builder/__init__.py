"""From a context and an Agentfile to an image: plan, pack, cache, compose.

May import `agentfile`, `store`, `content` and everything below.
"""
