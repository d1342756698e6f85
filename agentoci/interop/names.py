"""Names in the grammar of each format, as near as it allows."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from agentoci.definition.values import NAME
from agentoci.errors import Invalid

ROOT: Final = "root"
"""What Docker Agent calls the agent that a configuration starts with."""

MAX_SKILL_NAME: Final = 64
MAX_AGENT_NAME: Final = 128
_AGENT: Final = re.compile(NAME)
_SERVER: Final = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
_MAX_SERVER: Final = 200


class InvalidServerName(Invalid):
    """Not a name that MCP registries take."""


def agent_name(text: str, *, otherwise: str = "agent") -> str:
    """A name as definitions have it: lower-case letters, digits, `.`, `_`, `-`; at most 128."""
    if _AGENT.fullmatch(text):
        return text
    made = re.sub(r"[^a-z0-9._-]+", "-", _plain(text)).strip("._-")
    return made[:MAX_AGENT_NAME].rstrip("._-") or otherwise


def skill_name(text: str, *, otherwise: str = "agent") -> str:
    """A name as Agent Skills have it: lower-case letters and digits, single hyphens; at most 64."""
    made = re.sub(r"[^a-z0-9]+", "-", _plain(text)).strip("-")
    return made[:MAX_SKILL_NAME].rstrip("-") or otherwise


def server_name(text: str) -> str:
    """The name of an MCP server, reverse DNS and a name; raises InvalidServerName."""
    if _SERVER.fullmatch(text) and 3 <= len(text) <= _MAX_SERVER:
        return text
    raise InvalidServerName(
        f"{text[:80]!r} is not the name of an MCP server",
        hint="a domain of yours backwards, '/', and a name: io.github.YOU/NAME",
    )


def _plain(text: str) -> str:
    """Lower-case, and letters without their accents."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(char for char in parts if not unicodedata.combining(char)).lower()
