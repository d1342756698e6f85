"""Agentfile: tokens, nodes, parser and printer; all faults at once, each with line and caret.

May import `definition` (SET is checked against its schema) and everything below.
"""
