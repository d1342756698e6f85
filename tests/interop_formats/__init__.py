"""Formats of other tools: skills and where MCP servers are listed."""
