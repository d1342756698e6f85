"""The JSON Schemas in `schemas/` are those of the models, and agree with them on examples."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import jsonschema
import pytest

from agentoci.definition.read import check_document
from agentoci.definition.schema import DIALECT, definition_schema
from agentoci.definition.yamlio import load

from .samples import CHILD, FULL, MINIMAL, minimal_with

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = runpy.run_path(str(ROOT / "scripts" / "schemas.py"))["SCHEMAS"]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_file_is_what_the_model_says(name: str) -> None:
    path = ROOT / "schemas" / name
    assert path.read_text("utf-8") == SCHEMAS[name](), (
        f"schemas/{name} is not what the model says: run `python scripts/schemas.py`"
    )


def test_the_schema_is_one() -> None:
    schema = definition_schema()
    assert schema["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(schema)


def test_what_the_fields_mean_is_in_the_schema() -> None:
    text = json.dumps(definition_schema())
    assert "How much is kept: NONE, BASIC or SMART." in text
    assert '"null"' not in text


@pytest.mark.parametrize("text", [FULL, CHILD, MINIMAL], ids=["full", "child", "minimal"])
def test_a_good_definition_fits_the_schema(text: str) -> None:
    data = load(text.encode(), file="a").data
    jsonschema.Draft202012Validator(definition_schema()).validate(data)
    assert isinstance(data, dict)
    assert check_document(data, what="a").metadata.version == "1.0.0"


@pytest.mark.parametrize(
    "text",
    [
        minimal_with("zzz: 1"),
        MINIMAL.replace("1.0.0", "v1"),
        MINIMAL.replace("coordinator_agent", "A B"),
        minimal_with("  behavior: {memory: {level: smart}}"),
        minimal_with("  behavior: {memory: {max_size: 100}}"),
        minimal_with("  behavior: {memory: {max_size: 100XB}}"),
        minimal_with("  behavior: {learning: {enabled: 1}}"),
        minimal_with("  behavior: {learning: {enabled: }}"),
        minimal_with("  behavior: {execution: {max_recursion: 0}}"),
        minimal_with("  config_template: {llm: {temperature: {max: 3}}}"),
        minimal_with("  config_template: {api_endpoints: {a b: 'https://x'}}"),
        minimal_with("  config_template: {api_endpoints: {a: 'ftp://x'}}"),
        minimal_with("  inherit: everything"),
        minimal_with("metrics: [{name: a-b, type: gauge}]"),
        minimal_with("isolation: {network: none}"),
    ],
)
def test_a_bad_definition_does_not_fit_the_schema(text: str) -> None:
    data = load(text.encode(), file="a").data
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(definition_schema()).validate(data)
