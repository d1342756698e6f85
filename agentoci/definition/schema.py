"""The JSON Schema of `.agentdef` files, made from the model, for editors and other programs."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from agentoci.definition import behavior, inheritance, model, needs, operations, tools
from agentoci.definition.fields import members
from agentoci.spec.jsonio import Json

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER: Final = "urn:agentoci:schema:agentdef:v1"
_MODULES: Final = (behavior, inheritance, model, needs, operations, tools)


def definition_schema() -> dict[str, Json]:
    """The schema of a definition, JSON Schema draft 2020-12."""
    made = model.AgentDefinition.model_json_schema(schema_generator=_Generator)
    body = {key: value for key, value in made.items() if key not in ("$defs", "title")}
    _describe(body, model.AgentDefinition)
    blocks = dict(_blocks())
    for name, inner in made["$defs"].items():
        inner.pop("title", None)
        if name in blocks:
            _describe(inner, blocks[name])
    return {
        "$schema": DIALECT,
        "$id": IDENTIFIER,
        "title": "Agent definition (.agentdef)",
        **body,
        "$defs": made["$defs"],
    }


def render_schema() -> str:
    """The text of `schemas/agentdef.schema.json`."""
    return json.dumps(definition_schema(), indent=2, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """Without titles and defaults that only repeat the key; null is no value of an `.agentdef`."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if isinstance(default, bool | str):
            made = {**made, "default": default}
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def _blocks() -> Iterator[tuple[str, type[BaseModel]]]:
    for module in _MODULES:
        for name, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, BaseModel) and found.__module__ == module.__name__:
                yield name, found


def _describe(schema: dict[str, Any], block: type[BaseModel]) -> None:
    """Add what the docstrings under the fields say."""
    notes = _field_notes(block)
    for (key, _), name in zip(members(block).items(), block.model_fields, strict=True):
        if name in notes:
            schema["properties"][key]["description"] = notes[name]


def _field_notes(block: type[BaseModel]) -> dict[str, str]:
    """The docstrings under the fields of a class.

    pydantic can collect them when it makes the class, but that doubles the time of the import.
    """
    body = ast.parse(inspect.getsource(block)).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    notes: dict[str, str] = {}
    for field, note in itertools.pairwise(statements):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(note, ast.Expr)
            and isinstance(note.value, ast.Constant)
        ):
            notes[field.target.id] = " ".join(str(note.value.value).split())
    return notes
