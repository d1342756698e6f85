"""The schemas of the lock and of the matrix, for editors and other programs."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from agentoci.release.schema import render_lock_schema, render_matrix_schema
from tests.release.test_compat import SPEC
from tests.release.test_lock import LOCK

SCHEMAS = Path(__file__).parents[2] / "schemas"


def test_files_are_as_the_models_are() -> None:
    lock, matrix = SCHEMAS / "agent-lock.schema.json", SCHEMAS / "compatibility.schema.json"
    assert lock.read_text("utf-8") == render_lock_schema()
    assert matrix.read_text("utf-8") == render_matrix_schema()


def test_what_is_right_is_valid_and_what_is_not_is_not() -> None:
    lock, matrix = json.loads(render_lock_schema()), json.loads(render_matrix_schema())
    jsonschema.Draft202012Validator.check_schema(lock)
    jsonschema.validate(json.loads(LOCK.encode()), lock)
    jsonschema.validate(json.loads(SPEC), matrix)
    for document, schema in (({"version": 2, "pins": []}, lock), ({"compat": {}}, matrix)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema)
