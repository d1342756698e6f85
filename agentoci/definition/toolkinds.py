"""What a tool of a definition may be, besides an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from agentoci.spec.jsonio import Json

ToolKind: TypeAlias = Literal["mcp", "a2a", "http", "skill"]
"""The key of a tool's entry that says what it is; an agent has none of them."""

TOOL_KINDS: Final[tuple[ToolKind, ...]] = get_args(ToolKind)


def tool_kind_of(tool: Mapping[str, Json]) -> ToolKind | None:
    """What a tool is, by its entry in a definition's document or among bindings; None: an agent."""
    return next((kind for kind in TOOL_KINDS if kind in tool), None)
