"""Instances: the `.agentinst` document, the directory of an instance, the lifecycle table.

May import `content`, `layers` and everything below.
"""
