"""The document of a new instance, made without pydantic: starting an agent does not pay for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentoci.instances.instance import ImageRef
from agentoci.instances.state import Event, State, advance

if TYPE_CHECKING:
    from agentoci.spec.jsonio import Json


def blank_document(*, uuid: str, name: str, created: str, image: ImageRef) -> dict[str, Json]:
    """What `instance.json` says of an instance that has not run yet."""
    metadata: dict[str, Json] = {
        "uuid": uuid,
        "name": name,
        "created": created,
        "definition_ref": image.definition,
        "checksum": image.digest,
        "image": image.reference,
    }
    status: dict[str, Json] = {
        "state": advance(State.DEFINED, Event.INSTANTIATE).value,
        "health": "unknown",
        "uptime_seconds": 0,
        "last_activity": created,
    }
    return {
        "apiVersion": "agent/v1",
        "kind": "AgentInstance",
        "metadata": metadata,
        "status": status,
        "bindings": {"tools": {tool: {"status": "unbound"} for tool in image.tools}},
        "memory": {
            "working_memory": {"context": {}, "variables": {}},
            "long_term_memory": {"learned_patterns": [], "error_patterns": []},
            "episodic_memory": [],
        },
        "metrics": {"performance": {"total_tasks": 0, "total_tokens_used": 0}},
    }
