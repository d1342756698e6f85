"""The keys of a definition in the order of its model: how people write it, and not the alphabet."""

from __future__ import annotations

from collections.abc import Mapping

from agentoci.definition import fields
from agentoci.spec.jsonio import Json


def ordered(document: Mapping[str, Json]) -> dict[str, Json]:
    """The same document, its keys as the model has them; others follow as they came."""
    made = _ordered(dict(document), fields.root())
    assert isinstance(made, dict)  # noqa: S101 (it was one before)
    return made


def _ordered(value: Json, annotation: fields.Annotation | None) -> Json:
    if annotation is None:
        return value
    if isinstance(value, list):
        return [_ordered(inner, fields.step_into(annotation, i)) for i, inner in enumerate(value)]
    if not isinstance(value, dict):
        return value
    block = fields.as_block(annotation)
    known = fields.members(block) if block else dict.fromkeys(value)
    keys = [*(key for key in known if key in value), *(key for key in value if key not in known)]
    return {key: _ordered(value[key], fields.step_into(annotation, key)) for key in keys}
