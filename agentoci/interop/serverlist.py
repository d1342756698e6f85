"""The grammar of files in which editors and desktop programs list their MCP servers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agentoci.definition.places import Located, Path
from agentoci.definition.yamlio import load
from agentoci.spec.jsonio import Json

URL_KEYS: Final = ("url", "serverUrl", "httpUrl")
"""How programs call the URL of a server; one that has a `command` is started instead."""

_LISTS: Final[tuple[Path, ...]] = (("mcpServers",), ("servers",), ("mcp", "servers"))
"""Where the servers stand: Claude and most others; VS Code; VS Code's settings."""

_COMMENT: Final = re.compile(r""""(?:[^"\\\n]|\\[^\n])*"?|//[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL)
"""What is left open ends with its line or the text: looked through once, whatever the text."""


def load_list(content: bytes, *, file: str) -> Located:
    """The document, each value with its place; editors allow comments. Raises SourceFaults."""
    return load(_without_comments(content), file=file)


def list_of(located: Located) -> Path | None:
    """Where the mapping of names to servers is; None when there is none."""
    return next((path for path in _LISTS if isinstance(located.value(path), dict)), None)


def is_switched_off(entry: Mapping[str, Json]) -> bool:
    """Whether the program that keeps the list does not use this server."""
    return entry.get("disabled") is True or entry.get("enabled") is False


def _without_comments(content: bytes) -> bytes:
    """Blanks in their place, so that what follows keeps its own; YAML has no such comments."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"/"):
        return content

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    try:
        return _COMMENT.sub(blank, content.decode()).encode()
    except UnicodeDecodeError:
        return content
