"""The JSON Schema of `.agentinst`, generated from the model."""

from __future__ import annotations

import json

from agentoci.instances.document import AgentInstance


def render_schema() -> str:
    """The schema's text, as it stands in `schemas/agentinst.schema.json`."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **AgentInstance.model_json_schema(),
    }
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
