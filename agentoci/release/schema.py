"""The JSON Schemas of `agent.lock` and `compatibility.json`, generated from their models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agentoci.release.compatmodel import MatrixDocument
from agentoci.release.lockmodel import LockDocument

if TYPE_CHECKING:
    from pydantic import BaseModel


def render_lock_schema() -> str:
    """The text of `schemas/agent-lock.schema.json`."""
    return _rendered(LockDocument, "agent-lock", "What names stand for (agent.lock)")


def render_matrix_schema() -> str:
    """The text of `schemas/compatibility.schema.json`."""
    return _rendered(MatrixDocument, "compatibility", "What works together (compatibility.json)")


def _rendered(model: type[BaseModel], name: str, title: str) -> str:
    schema = {
        **model.model_json_schema(),
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:agentoci:schema:{name}:v1",
        "title": title,
    }
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
