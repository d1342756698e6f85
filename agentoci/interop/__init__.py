"""Formats of other tools, read and written: Agent Skills, MCP, A2A, AGENTS.md, Docker Agent.

May import `store` and everything below. Nothing that these formats name is executed or downloaded
here.
"""
