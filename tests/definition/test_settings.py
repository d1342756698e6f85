"""SET: keys, values, and the documents they make."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.definition import fields
from agentoci.definition.model import AgentDefinition, Spec
from agentoci.definition.read import (
    InvalidDefinition,
    check_document,
    definition_document,
    parse_document,
    read_definition,
)
from agentoci.definition.settings import (
    InvalidSetting,
    apply_setting,
    resolve_setting,
    setting_keys,
)
from agentoci.spec.jsonio import Json

from .samples import FULL, MINIMAL


def document_of(text: str) -> dict[str, Json]:
    return definition_document(read_definition(text.encode(), file="a.agentdef"))


def set_in(document: dict[str, Json], key: str, text: str) -> dict[str, Json]:
    setting = resolve_setting(key)
    return apply_setting(document, setting, setting.parse(text))


def value_at(document: Json, path: tuple[str, ...]) -> Json:
    for step in path:
        assert isinstance(document, dict)
        document = document[step]
    return document


@pytest.mark.parametrize(
    ("key", "text", "path", "value"),
    [
        ("memory.level", "SMART", ("spec", "behavior", "memory", "level"), "SMART"),
        ("behavior.memory.level", "NONE", ("spec", "behavior", "memory", "level"), "NONE"),
        ("spec.behavior.memory.level", "NONE", ("spec", "behavior", "memory", "level"), "NONE"),
        ("learning.enabled", "true", ("spec", "behavior", "learning", "enabled"), True),
        ("learning.enabled", "false", ("spec", "behavior", "learning", "enabled"), False),
        (
            "execution.timeout_seconds",
            "60",
            ("spec", "behavior", "execution", "timeout_seconds"),
            60,
        ),
        ("memory.max_size", "200MB", ("spec", "behavior", "memory", "max_size"), "200MB"),
        (
            "config_template.llm.temperature.max",
            "0.2",
            ("spec", "config_template", "llm", "temperature", "max"),
            0.2,
        ),
        (
            "config_template.llm.temperature.max",
            "1",
            ("spec", "config_template", "llm", "temperature", "max"),
            1,
        ),
        (
            "config_template.api_endpoints.openai",
            "https://api.openai.com/v1",
            ("spec", "config_template", "api_endpoints", "openai"),
            "https://api.openai.com/v1",
        ),
        (
            "config_template.api_endpoints",
            '{"a": "https://x"}',
            ("spec", "config_template", "api_endpoints"),
            {"a": "https://x"},
        ),
        ("knowledge.static", "a.md, b/c.md", ("spec", "knowledge", "static"), ["a.md", "b/c.md"]),
        ("knowledge.static", '["a,b.md"]', ("spec", "knowledge", "static"), ["a,b.md"]),
        ("knowledge.static", "", ("spec", "knowledge", "static"), []),
        ("inherit", "all", ("spec", "inherit"), "all"),
        ("inherit", "interface,knowledge", ("spec", "inherit"), ["interface", "knowledge"]),
        ("interface", "I coordinate", ("spec", "interface"), "I coordinate"),
        (
            "requires.tools",
            '[{"name": "a", "version": "^1.2"}]',
            ("spec", "requires", "tools"),
            [{"name": "a", "version": "^1.2"}],
        ),
        (
            "permissions.resource_limits.max_memory",
            "1GB",
            ("permissions", "resource_limits", "max_memory"),
            "1GB",
        ),
        ("isolation.network", "isolated", ("isolation", "network"), "isolated"),
        ("logging.level", "DEBUG", ("logging", "level"), "DEBUG"),
        ("health_check.endpoint", "/health", ("health_check", "endpoint"), "/health"),
        (
            "metrics",
            '[{"name": "a", "type": "gauge"}]',
            ("metrics",),
            [{"name": "a", "type": "gauge"}],
        ),
    ],
)
def test_a_setting_lands_at_its_place(
    key: str, text: str, path: tuple[str, ...], value: Json
) -> None:
    made = set_in(document_of(MINIMAL), key, text)
    found = value_at(made, path)
    assert found == value
    assert type(found) is type(value)
    assert definition_document(parse_document(made, what="x")) == made


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("memory.lvel", "unknown setting 'memory.lvel'", "did you mean 'memory.level'?"),
        ("level", "unknown setting 'level'", "did you mean 'memory.level'?"),
        ("Memory.level", "unknown setting", "did you mean 'memory.level'?"),
        ("behaviour.memory.level", "unknown setting", "'memory.level'"),
        ("isolation.netwerk", "unknown setting", "did you mean 'isolation.network'?"),
        ("config_template.llm.temprature.max", "unknown setting", "llm.temperature.max'"),
        ("zzz", "unknown setting 'zzz'", "settings start with one of: interface, requires"),
        ("", "unknown setting ''", "settings start with"),
        ("memory.", "unknown setting 'memory.'", "memory.level"),
        ("memory..level", "unknown setting", "memory.level"),
        ("memory", "'memory' is a group of settings", "memory.level, memory.persistence"),
        ("memory.level.x", "'memory.level' has no keys below it", "set memory.level itself"),
        ("knowledge.static.0", "'knowledge.static' has no keys below it", "itself"),
        ("metadata.name", "'metadata.name' cannot be set", "DEFINITION"),
        ("kind", "'kind' cannot be set", "DEFINITION"),
        ("config_template.api_endpoints.a b", "'a b' is not an identifier", "letters"),
    ],
)
def test_a_key_that_does_not_exist(key: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        resolve_setting(key)
    assert caught.value.part == "key"
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "text", "message", "hint"),
    [
        ("memory.level", "smart", "expected NONE, BASIC or SMART", "did you mean 'SMART'?"),
        ("memory.level", "", "expected NONE, BASIC or SMART", ""),
        ("learning.enabled", "True", "expected true or false, found 'True'", "'true'"),
        ("learning.enabled", "yes", "expected true or false", "'true'"),
        ("learning.enabled", "0", "expected true or false", "'false'"),
        ("learning.enabled", "maybe", "expected true or false", ""),
        ("execution.timeout_seconds", "soon", "expected a whole number, found 'soon'", ""),
        ("execution.timeout_seconds", "1.5", "expected a whole number", ""),
        ("execution.timeout_seconds", "010", "expected a whole number", ""),
        ("execution.timeout_seconds", "0", "0 is less than 1", ""),
        ("execution.timeout_seconds", "9999999999999999", "is more than", ""),
        ("memory.max_size", "100", "'100' is not a size", "100MB"),
        ("config_template.llm.temperature.max", "hot", "expected a number, found 'hot'", ""),
        ("config_template.llm.temperature.max", "nan", "expected a number", ""),
        ("config_template.llm.temperature.max", "5", "5 is not a temperature", "0 to 2"),
        ("config_template.api_endpoints.a", "x", "'x' is not an http URL", "https://"),
        ("config_template.api_endpoints", "x", "expected a JSON object", ""),
        ("config_template.api_endpoints", "[]", "expected a mapping, found a list", ""),
        ("knowledge.static", "a.md,../b.md", "knowledge.static[1]: '../b.md' leaves", "'..'"),
        ("knowledge.static", "a.md,,b.md", "knowledge.static[1]: expected text", ""),
        ("knowledge.static", "[a.md]", "expected a JSON list", ""),
        ("knowledge.static", '["a", "a"]', "in the list twice", ""),
        ("metrics", "latency", "expected a JSON list", "metrics=[{...}]"),
        ("metrics", '[{"name": "a", "typ": "gauge"}]', "metrics[0]", ""),
        ("inherit", "behaviour", "inherit[0]: expected", "'behavior'"),
        ("isolation.network", "none", "expected isolated or host, found 'none'", ""),
        ("interface", " ", "expected text", ""),
    ],
)
def test_a_value_that_does_not_fit(key: str, text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        resolve_setting(key).parse(text)
    assert caught.value.part == "value"
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert key in caught.value.message


def test_applying_leaves_the_given_document_alone() -> None:
    document = document_of(FULL)
    before = copy.deepcopy(document)
    made = set_in(document, "memory.level", "BASIC")
    assert document == before
    assert value_at(made, ("spec", "behavior", "memory", "level")) == "BASIC"
    assert value_at(made, ("spec", "behavior", "memory", "max_size")) == "100MB"


def test_settings_that_contradict_each_other_are_found_at_the_end() -> None:
    made = set_in(document_of(MINIMAL), "config_template.llm.temperature.min", "0.9")
    made = set_in(made, "config_template.llm.temperature.max", "0.1")
    with pytest.raises(InvalidDefinition, match=r"min 0\.9 is greater than max 0\.1"):
        check_document(made, what="Agentfile")


def test_every_key_resolves_to_itself() -> None:
    for key in setting_keys():
        setting = resolve_setting(key)
        assert setting.key == key
        assert fields.at(setting.path) is not None


def test_every_leaf_of_the_model_can_be_set() -> None:
    paths = {resolve_setting(key).path for key in setting_keys()}
    leaves = {
        path
        for path in fields.leaves(AgentDefinition)
        if path[0] not in ("apiVersion", "kind", "metadata")
    }
    assert paths == leaves


def test_no_first_step_of_a_key_is_ambiguous() -> None:
    behavior = set(fields.keys_at(("spec", "behavior")))
    spec = set(fields.members(Spec))
    top = set(fields.members(AgentDefinition))
    assert not behavior & spec
    assert not spec & top
    assert not behavior & top


EXAMPLES = (
    ("memory.level", "SMART"),
    ("memory.max_size", "1.5GiB"),
    ("learning.enabled", "false"),
    ("execution.retry_strategy", "none"),
    ("execution.max_recursion", "9"),
    ("config_template.llm.temperature.default", "0.10"),
    ("config_template.api_endpoints.a-b", "https://x"),
    ("knowledge.dynamic", "a.md,b.md"),
    ("inherit", "all"),
    ("extensions.tools.add", '[{"name": "a", "required": false}]'),
    ("permissions.execution", '[{"user": "a", "actions": []}]'),
    ("isolation.process", "host"),
    ("logging.outputs", '[{"type": "stdout"}]'),
)


@given(st.lists(st.sampled_from(EXAMPLES)))
def test_any_settings_make_a_definition_that_says_just_them(chosen: list[tuple[str, str]]) -> None:
    made = document_of(MINIMAL)
    for key, text in chosen:
        made = set_in(made, key, text)
    definition = check_document(made, what="Agentfile")
    assert definition_document(definition) == made
    assert parse_document(definition_document(definition), what="config") == definition
    for key, text in chosen:
        setting = resolve_setting(key)
        assert value_at(made, setting.path) == setting.parse(text)
