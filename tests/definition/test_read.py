"""Definitions from files and documents: what is read, and how every mistake is told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from agentoci.definition.behavior import MemoryLevel, RetryStrategy
from agentoci.definition.inheritance import ParentRef, Part
from agentoci.definition.model import AgentDefinition
from agentoci.definition.operations import Action, Network
from agentoci.definition.read import (
    CorruptDefinition,
    InvalidDefinition,
    check_document,
    definition_document,
    parse_document,
    read_definition,
)
from agentoci.definition.size import InvalidSize, Size
from agentoci.definition.yamlio import load
from agentoci.errors import SourceFaults
from agentoci.spec.jsonio import Json, canonical, loads_object

from . import samples
from .samples import CHILD, FULL, MINIMAL, minimal_with


def read(text: str) -> AgentDefinition:
    return read_definition(text.encode(), file="a.agentdef")


def refused(text: str) -> SourceFaults:
    with pytest.raises(SourceFaults) as caught:
        read(text)
    return caught.value


def written(text: str) -> Json:
    return load(text.encode(), file="a.agentdef").data


def test_every_field_of_the_full_definition_is_there() -> None:
    definition = read(FULL)
    assert definition.metadata.tags == ("coordinator", "workflow", "zero-knowledge")
    assert definition.metadata.created == "2024-01-15"
    spec = definition.spec
    assert [tool.required for tool in spec.requires.tools] == [True, False]
    assert spec.requires.tools[0].version == ">=1.0"
    assert spec.knowledge.static == ("workflow/coordination_patterns.md",)
    assert spec.behavior.memory.level is MemoryLevel.SMART
    assert spec.behavior.memory.max_size == Size.parse("100MB")
    assert spec.behavior.execution.retry_strategy is RetryStrategy.EXPONENTIAL_BACKOFF
    assert spec.config_template.llm.temperature.max == 0.2
    assert spec.config_template.api_endpoints == {"openrouter": "https://openrouter.ai/api/v1"}
    assert spec.constraints[1].validation == "!uses_rm_command"
    assert definition.permissions.execution[1].actions == (Action.READ,)
    assert definition.permissions.resource_limits.max_memory == Size.parse("1024MB")
    assert definition.isolation.network is Network.ISOLATED
    assert definition.health_check.interval_seconds == 30
    assert definition.metrics[0].labels == ("agent_name", "task_type")
    assert definition.logging.outputs[1].endpoint == "http://logging:9200"


def test_a_child_names_its_parent_and_what_it_changes() -> None:
    definition = read(CHILD)
    assert definition.metadata.parent == ParentRef("coordinator_agent", "1.0.0")
    assert definition.spec.inherit == (Part.ALL,)
    extensions = definition.spec.extensions
    assert extensions.tools.add[0].name == "performance_monitor"
    assert (extensions.tools.add[0].version, extensions.tools.add[0].required) == ("*", True)
    assert extensions.tools.remove == ("debug_agent",)
    assert extensions.behavior.override.execution.max_parallel_tasks == 5
    assert extensions.constraints.add[0].id == "bounded"
    assert extensions.invariants.add == ("日志齐全",)


def test_what_was_not_written_is_empty_or_none() -> None:
    definition = read(MINIMAL)
    assert definition.spec.behavior.memory.level is None
    assert definition.spec.requires.tools == ()
    assert "permissions" not in definition.model_fields_set


@pytest.mark.parametrize("text", [FULL, CHILD, MINIMAL], ids=["full", "child", "minimal"])
def test_the_document_is_what_was_written(text: str) -> None:
    definition = read(text)
    document = definition_document(definition)
    assert document == written(text)
    assert canonical(document) == canonical(written(text))
    assert parse_document(document, what="the config") == definition


@pytest.mark.parametrize("text", [FULL, CHILD, MINIMAL], ids=["full", "child", "minimal"])
def test_the_document_survives_the_config_blob(text: str) -> None:
    definition = read(text)
    blob = canonical(definition_document(definition))
    back = parse_document(loads_object(blob, what="config"), what="config")
    assert back == definition
    assert canonical(definition_document(back)) == blob


def test_json_is_read_as_yaml_is() -> None:
    assert read(json.dumps(written(FULL), indent="\t")) == read(FULL)


def test_the_examples_of_the_architecture_are_valid_as_written() -> None:
    texts = list(samples.written_definitions())
    if not texts:
        pytest.skip("the architecture's text is not beside this checkout")
    assert len(texts) == 2
    for text in texts:
        assert definition_document(read(text)) == written(text)


def test_the_blocks_beside_spec_are_valid_as_written() -> None:
    blocks = list(samples.written_top_level_blocks())
    yaml_blocks = list(samples.written_yaml_blocks())
    if not blocks:
        pytest.skip("the architecture's text is not beside this checkout")
    assert (len(blocks), len(yaml_blocks)) == (3, 2)
    for block in blocks:
        base = written(MINIMAL)
        assert isinstance(base, dict)
        document = {**base, **block}
        assert definition_document(parse_document(document, what="x")) == document
    for text in yaml_blocks:
        assert definition_document(read(MINIMAL + text)) == written(MINIMAL + text)


def test_a_fault_shows_line_caret_and_hint() -> None:
    assert str(refused(minimal_with("  behaviour:", "    memory: {level: SMART}"))) == (
        "a.agentdef:8:3: spec: unknown key 'behaviour'\n"
        "  |   behaviour:\n"
        "  |   ^^^^^^^^^\n"
        "  hint: did you mean 'behavior'?"
    )


def test_the_caret_stands_under_wide_characters() -> None:
    text = minimal_with("  constraints: [{description: 必须避免, ident: x}]")
    lines = str(refused(text)).splitlines()
    at = next(i for i, line in enumerate(lines) if "unknown key 'ident'" in line)
    before = lines[at + 1].index("ident")
    assert lines[at + 2].index("^") == before + 4


def test_a_very_long_line_is_cut_around_the_caret() -> None:
    text = minimal_with(f"  invariants: ['{'x' * 5000}', 5, '{'y' * 5000}']")
    lines = str(refused(text)).splitlines()
    assert max(map(len, lines)) < 200
    assert lines[1][lines[2].index("^")] == "5"


def test_all_faults_are_told_at_once_in_order() -> None:
    text = FULL.replace("SMART", "smart").replace("1GB", "1XB").replace("gauge", "gage")
    faults = refused(text).faults
    assert [fault.line for fault in faults] == sorted(fault.line for fault in faults)
    assert len(faults) == 3


def test_a_misspelt_key_is_not_also_missing() -> None:
    faults = refused(MINIMAL.replace("version: 1.0.0", "verison: 1.0.0")).faults
    assert [fault.message for fault in faults] == ["metadata: unknown key 'verison'"]


def test_a_misspelt_key_hides_no_fault_of_the_right_one() -> None:
    faults = refused(minimal_with("  behaviour: {}", "  behavior: 5")).faults
    assert len(faults) == 2


def test_another_version_is_all_that_is_said_about_it() -> None:
    text = MINIMAL.replace("agent/v1", "agent/v2").replace("spec:", "body:")
    (fault,) = refused(text).faults
    assert fault.message == "apiVersion: expected 'agent/v1', found 'agent/v2'"


def test_a_hostile_number_of_unknown_keys_is_told_in_short() -> None:
    error = refused(MINIMAL + "".join(f"k{i}: 1\n" for i in range(5_000)))
    assert len(error.faults) == 50


@pytest.mark.parametrize("text", ["[]\n", "text\n", "5\n", "null\n"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert "expected a mapping" in refused(text).faults[0].message


def test_a_compiled_document_at_fault_is_corrupt() -> None:
    with pytest.raises(CorruptDefinition, match="the image: 'metadata' is missing") as caught:
        parse_document({"apiVersion": "agent/v1", "kind": "AgentDefinition"}, what="the image")
    assert caught.value.exit_code == 8


def test_a_document_of_the_user_at_fault_is_invalid() -> None:
    document = definition_document(read(FULL))
    document["metadata"] = {"name": "a"}
    with pytest.raises(InvalidDefinition, match="Agentfile: metadata: 'version' is missing"):
        check_document(document, what="Agentfile")


def test_a_definition_never_changes() -> None:
    definition = read(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        definition.spec.behavior.memory.level = MemoryLevel.NONE  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1B", 1),
        ("1K", 1024),
        ("100MB", 100 * 2**20),
        ("100MiB", 100 * 2**20),
        ("1GB", 2**30),
        ("1g", 2**30),
        ("1.5 GB", 3 * 2**29),
        ("2TiB", 2**41),
    ],
)
def test_sizes(text: str, amount: int) -> None:
    size = Size.parse(text)
    assert (size.bytes, str(size)) == (amount, text)


@pytest.mark.parametrize(
    "text", ["", "1", "GB", "-1GB", "1 0GB", "1GB ", "0MB", "1e3MB", "\u0661GB"]
)
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(InvalidSize):
        Size.parse(text)


@pytest.mark.parametrize(
    "text", ["1.0", ">=1.0", "^1.2", "~1.2", "1.x", "*", ">=1.0,<2", ">=1.0 <2", "1 || 2", "1 - 2"]
)
def test_ranges_of_versions(text: str) -> None:
    lines = ["  requires:", "    tools:", "      - name: a", f'        version: "{text}"']
    assert read(minimal_with(*lines)).spec.requires.tools[0].version == text


@pytest.mark.parametrize("text", ["", ">=", "latest", "1..2", "1.0,", "||", "> = 1", ">=1.0 foo"])
def test_malformed_ranges_of_versions(text: str) -> None:
    lines = ["  requires:", "    tools:", "      - name: a", f'        version: "{text}"']
    assert "is not a version or a range" in str(refused(minimal_with(*lines)))


def test_importing_the_package_costs_nothing() -> None:
    code = (
        "import sys, agentoci.definition; "
        "print([m for m in ('yaml', 'pydantic', 'semver') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "[]\n"
