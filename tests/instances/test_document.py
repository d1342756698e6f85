from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agentoci.errors import Integrity
from agentoci.instances import schema
from agentoci.instances.blank import blank_document
from agentoci.instances.document import AgentInstance, InvalidInstance, encode, read_instance
from agentoci.instances.instance import ImageRef
from agentoci.instances.state import State
from agentoci.spec.jsonio import InvalidJson

EXAMPLE = (Path(__file__).parent / "golden" / "architecture.agentinst").read_bytes()
SCHEMAS = Path(__file__).parents[2] / "schemas"


def changed(path: str, value: Any) -> bytes:
    document = json.loads(EXAMPLE)
    *parents, last = path.split(".")
    place = document
    for key in parents:
        place = place[int(key) if isinstance(place, list) else key]
    place[last] = value
    return json.dumps(document).encode()


def test_the_architectures_example_is_read_as_written() -> None:
    read = read_instance(EXAMPLE, what="example")
    assert read.metadata.name == "coordinator_prod_001"
    assert read.status.state is State.RUNNING
    assert read.bindings.tools["psm_generation_agent"].status == "connected"
    assert read.memory.episodic_memory[0].tokens_used == 15000


def test_the_example_comes_back_field_by_field_when_written() -> None:
    written = encode(read_instance(EXAMPLE, what="example"))
    assert json.loads(written) == json.loads(EXAMPLE)
    assert b'"temperature": 0,' in written  # an integer stays one
    assert encode(read_instance(written, what="again")) == written


def test_the_agents_own_null_values_survive() -> None:
    content = changed("memory.working_memory.variables.last", None)
    assert json.loads(encode(read_instance(content, what="x"))) == json.loads(content)


@pytest.mark.parametrize(
    ("path", "value", "message", "hint"),
    [
        ("status.stat", "x", "status.stat: unknown field", "did you mean 'state'?"),
        ("status.state", "walking", "status.state: input should be 'defined'", None),
        ("metadata.uuid", "zz", "metadata.uuid: ", None),
        ("metadata.name", "../etc", "metadata.name: ", None),
        ("metadata.created", "2024", "metadata.created: value error, expected an RFC 3339", None),
        ("metadata.created", "2024-01-15T10:00:00", "metadata.created: ", None),
        ("bindings.llm.temperature", "0", "bindings.llm.temperature: ", None),
        ("bindings.llm.api_key_ref", "sk-secret", "bindings.llm.api_key_ref: ", None),
        ("metrics.performance.success_rate", 1.5, "metrics.performance.success_rate: ", None),
        ("status.current_task", 7, "status.current_task: input should be a valid string", None),
        ("apiVersion", "agent/v2", "apiVersion: input should be 'agent/v1'", None),
    ],
)
def test_a_wrong_field_is_named(path: str, value: Any, message: str, hint: str | None) -> None:
    with pytest.raises(InvalidInstance) as caught:
        read_instance(changed(path, value), what="a.agentinst")
    assert isinstance(caught.value, Integrity)
    assert f"a.agentinst: {message}" in str(caught.value)
    assert caught.value.hint == hint


def test_a_missing_field_is_named() -> None:
    document = json.loads(EXAMPLE)
    del document["metadata"]["checksum"]
    with pytest.raises(InvalidInstance, match=r"metadata\.checksum: is missing"):
        read_instance(json.dumps(document).encode(), what="x")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"kind":1,"kind":2}', b"\xff", b"[" * 5000])
def test_what_is_not_one_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidJson):
        read_instance(content, what="x")


def test_the_blank_document_is_a_valid_instance() -> None:
    blank = blank_document(
        uuid="550e8400-e29b-41d4-a716-446655440000",
        name="coord_001",
        created="2024-01-15T10:00:00Z",
        image=ImageRef("coordinator:1.0", "sha256:" + "a" * 64, "coordinator@1.0.0", ("psm",)),
    )
    read = read_instance(json.dumps(blank).encode(), what="blank")
    assert read.status.state is State.CREATED
    assert read.metadata.image == "coordinator:1.0"
    assert read.bindings.tools["psm"].status == "unbound"
    assert json.loads(encode(read)) == blank


def test_the_schema_in_the_repository_is_the_models() -> None:
    assert (SCHEMAS / "agentinst.schema.json").read_text(encoding="utf-8") == schema.render_schema()


def test_the_schema_accepts_the_example_and_refuses_a_typo() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema.render_schema()))
    assert not list(validator.iter_errors(json.loads(EXAMPLE)))
    assert list(validator.iter_errors(json.loads(changed("status.stat", "x"))))


def test_a_document_cannot_be_changed_in_place() -> None:
    read = read_instance(EXAMPLE, what="example")
    assert isinstance(read, AgentInstance)
    with pytest.raises(ValueError, match="frozen"):
        read.status.state = State.STOPPED  # type: ignore[misc]
