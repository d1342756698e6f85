"""A table of bad definitions: message, line, column, hint."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from agentoci.definition.read import read_definition
from agentoci.errors import SourceFaults

from .samples import MINIMAL, minimal_with


class Bad(NamedTuple):
    """A definition and the one fault expected of it."""

    text: str
    message: str
    line: int
    column: int
    hint: str = ""


def meta(line: str) -> str:
    """The minimal definition with a line after `version`, line 6."""
    return MINIMAL.replace("  version: 1.0.0\n", f"  version: 1.0.0\n  {line}\n")


def tool(*lines: str) -> str:
    """A definition whose one tool has these lines, from line 10 on."""
    return minimal_with("  requires:", "    tools:", *lines)


BAD = {
    "no api version": Bad(
        MINIMAL.replace("apiVersion: agent/v1\n", ""), "'apiVersion' is missing", 1, 1
    ),
    "no kind": Bad(MINIMAL.replace("kind: AgentDefinition\n", ""), "'kind' is missing", 1, 1),
    "no metadata": Bad(
        "apiVersion: agent/v1\nkind: AgentDefinition\nspec: {}\n", "'metadata' is missing", 1, 1
    ),
    "no spec": Bad(MINIMAL[: MINIMAL.index("spec:")], "'spec' is missing", 1, 1),
    "no name": Bad(
        MINIMAL.replace("  name: coordinator_agent\n", ""), "metadata: 'name' is missing", 3, 1
    ),
    "other version": Bad(
        MINIMAL.replace("agent/v1", "agent/v9"), "expected 'agent/v1'", 1, 13, "agent/v1"
    ),
    "other kind": Bad(
        MINIMAL.replace("AgentDefinition", "AgentInstance"),
        "expected 'AgentDefinition', found 'AgentInstance'",
        2,
        7,
    ),
    "key in wrong case": Bad(
        MINIMAL.replace("apiVersion", "apiversion"),
        "unknown key 'apiversion'",
        1,
        1,
        "did you mean 'apiVersion'?",
    ),
    "unknown top-level key": Bad(
        minimal_with("permission: {}"),
        "unknown key 'permission'",
        8,
        1,
        "did you mean 'permissions'?",
    ),
    "unknown key like no other": Bad(
        minimal_with("zzz: 1"), "unknown key 'zzz'", 8, 1, "one of: apiVersion, kind, metadata"
    ),
    "unknown key with a hyphen": Bad(
        minimal_with("health-check: {}"),
        "unknown key 'health-check'",
        8,
        1,
        "did you mean 'health_check'?",
    ),
    "unknown key deep inside": Bad(
        minimal_with("  behavior:", "    memory:", "      levle: SMART"),
        "spec.behavior.memory: unknown key 'levle'",
        10,
        7,
        "did you mean 'level'?",
    ),
    "unknown key in a list": Bad(
        tool("      - name: a", "        requierd: true"),
        "spec.requires.tools[0]: unknown key 'requierd'",
        11,
        9,
        "did you mean 'required'?",
    ),
    "name with a capital": Bad(
        MINIMAL.replace("coordinator_agent", "Coordinator Agent"),
        "metadata.name: 'Coordinator Agent' is not a name",
        4,
        9,
        "did you mean 'coordinator_agent'?",
    ),
    "name that starts with a dot": Bad(
        MINIMAL.replace("coordinator_agent", ".agent"), "is not a name", 4, 9, "lower-case letters"
    ),
    "version as a number": Bad(
        MINIMAL.replace("1.0.0", "1.0"),
        "metadata.version: expected text, found the number 1.0",
        5,
        12,
        "did you mean '1.0.0'?",
    ),
    "version not full": Bad(
        MINIMAL.replace("1.0.0", "v1.2"), "is not a full version", 5, 12, "did you mean '1.2.0'?"
    ),
    "version that is a word": Bad(
        MINIMAL.replace("1.0.0", "latest"), "'latest' is not a full version", 5, 12, "MAJOR.MINOR"
    ),
    "author as a number": Bad(
        meta("author: 42"),
        "metadata.author: expected text, found the number 42",
        6,
        11,
        'write "42"',
    ),
    "author as a flag": Bad(
        meta("author: true"), "expected text, found true", 6, 11, 'write "true"'
    ),
    "author empty": Bad(meta("author: ''"), "metadata.author: expected text, found none", 6, 11),
    "key without a value": Bad(
        meta("author:"), "metadata.author: no value is given", 6, 10, "leave the key out"
    ),
    "tags not a list": Bad(
        meta("tags: a"), "metadata.tags: expected a list, found 'a'", 6, 9, "write a list: [a]"
    ),
    "tag not text": Bad(
        meta("tags: [a, 2]"), "metadata.tags[1]: expected text", 6, 13, 'write "2"'
    ),
    "not a date": Bad(meta("created: yesterday"), "'yesterday' is not a date", 6, 12, "2024-01-15"),
    "a date that never was": Bad(meta("created: 2024-02-30"), "is not a date", 6, 12),
    "parent without a version": Bad(
        meta("parent: base"), "metadata.parent: expected name@version", 6, 11, "@1.0.0"
    ),
    "parent with half a version": Bad(
        meta("parent: base@1.0"), "'1.0' is not a full version", 6, 11, "did you mean '1.0.0'?"
    ),
    "an empty list of parents": Bad(
        meta("parent: []"), "metadata.parent: the list names no parent", 6, 11, "leave 'parent' out"
    ),
    "a parent of a list without a version": Bad(
        meta("parent: [a@1.0.0, b]"), "metadata.parent[1]: expected name@version", 6, 21, "@1.0.0"
    ),
    "a parent of a list with half a version": Bad(
        meta("parent: [a@1.0.0, b@1]"), "'1' is not a full version", 6, 21, "'1.0.0'?"
    ),
    "a parent twice": Bad(
        meta("parent: [a@1.0.0, a@1.0.0]"), "'a@1.0.0' is in the list twice", 6, 21
    ),
    "parents as a mapping": Bad(
        meta("parent: {a: 1.0.0}"), "metadata.parent: expected name@version", 6, 11, "@1.0.0"
    ),
    "a grant twice": Bad(
        minimal_with(
            "permissions:",
            "  execution:",
            "    - {user: a, actions: [read]}",
            "    - {user: a, actions: [stop]}",
        ),
        "permissions.execution[1].user: 'a' is in the list twice",
        11,
        14,
    ),
    "metadata as a list": Bad(
        MINIMAL.replace(
            "metadata:\n  name: coordinator_agent\n  version: 1.0.0\n", "metadata: [a]\n"
        ),
        "metadata: expected a mapping, found a list",
        3,
        11,
    ),
    "memory level in wrong case": Bad(
        minimal_with("  behavior: {memory: {level: smart}}"),
        "spec.behavior.memory.level: expected NONE, BASIC or SMART, found 'smart'",
        8,
        30,
        "did you mean 'SMART'?",
    ),
    "memory level as null word": Bad(
        minimal_with("  behavior: {memory: {level: }}"), "no value is given", 8, 30
    ),
    "flag in quotes": Bad(
        minimal_with("  behavior: {learning: {enabled: 'true'}}"),
        "expected true or false, found 'true'",
        8,
        34,
        "without quotes",
    ),
    "flag as yes": Bad(
        minimal_with("  behavior: {learning: {enabled: yes}}"),
        "expected true or false, found 'yes'",
        8,
        34,
        "did you mean true?",
    ),
    "flag as 0": Bad(
        minimal_with("  behavior: {learning: {enabled: 0}}"),
        "expected true or false, found the number 0",
        8,
        34,
        "did you mean false?",
    ),
    "size as a number": Bad(
        minimal_with("  behavior: {memory: {max_size: 100}}"),
        "expected a size with a unit, such as 100MB, found the number 100",
        8,
        33,
    ),
    "size with a strange unit": Bad(
        minimal_with("  behavior: {memory: {max_size: 100XB}}"),
        "'100XB' is not a size",
        8,
        33,
        "100MB",
    ),
    "count in quotes": Bad(
        minimal_with("  behavior: {execution: {timeout_seconds: '60'}}"),
        "expected a whole number, found '60'",
        8,
        43,
        "without quotes",
    ),
    "count of zero": Bad(
        minimal_with("  behavior: {execution: {timeout_seconds: 0}}"), "0 is less than 1", 8, 43
    ),
    "count with a fraction": Bad(
        minimal_with("  behavior: {execution: {max_recursion: 1.5}}"),
        "expected a whole number, found the number 1.5",
        8,
        41,
    ),
    "count with a leading zero": Bad(
        minimal_with("  behavior: {execution: {max_recursion: 010}}"),
        "expected a whole number, found '010'",
        8,
        41,
    ),
    "retry strategy nearly right": Bad(
        minimal_with("  behavior: {execution: {retry_strategy: exponential-backoff}}"),
        "found 'exponential-backoff'",
        8,
        42,
        "did you mean 'exponential_backoff'?",
    ),
    "temperature as text": Bad(
        minimal_with("  config_template: {llm: {temperature: {min: '0'}}}"),
        "expected a number, found '0'",
        8,
        46,
        "without quotes",
    ),
    "temperature too hot": Bad(
        minimal_with("  config_template: {llm: {temperature: {max: 3}}}"),
        "3 is not a temperature",
        8,
        46,
        "from 0 to 2",
    ),
    "temperature in wrong order": Bad(
        minimal_with("  config_template: {llm: {temperature: {min: 0.5, max: 0.2}}}"),
        "spec.config_template.llm.temperature.max: min 0.5 is greater than max 0.2",
        8,
        56,
        "min <= default <= max",
    ),
    "default temperature out of range": Bad(
        minimal_with("  config_template: {llm: {temperature: {max: 0.2, default: 1}}}"),
        "default 1 is greater than max 0.2",
        8,
        46,
    ),
    "context window in wrong order": Bad(
        minimal_with("  config_template: {context_window: {min: 9, recommended: 5}}"),
        "min 9 is greater than recommended 5",
        8,
        59,
        "min <= recommended <= max",
    ),
    "endpoint not http": Bad(
        minimal_with("  config_template: {api_endpoints: {a: 'ftp://x'}}"),
        "spec.config_template.api_endpoints.a: 'ftp://x' is not an http URL",
        8,
        40,
        "https://",
    ),
    "endpoint with a password": Bad(
        minimal_with("  config_template: {api_endpoints: {a: 'https://u:p@x'}}"),
        "is not an http URL",
        8,
        40,
        "without user or password",
    ),
    "endpoint name with a space": Bad(
        minimal_with("  config_template: {api_endpoints: {a b: 'https://x'}}"),
        "spec.config_template.api_endpoints: 'a b' is not an identifier",
        8,
        37,
    ),
    "tool without a name": Bad(
        tool("      - interface: x"), "spec.requires.tools[0]: 'name' is missing", 10, 9
    ),
    "tool version without a number": Bad(
        tool("      - name: a", '        version: ">="'),
        "spec.requires.tools[0].version: '>=' is not a version",
        11,
        18,
        "'>=1.0'",
    ),
    "tool version of spaces": Bad(
        tool("      - name: a", '        version: "  "'), "is not a version or a range", 11, 18
    ),
    "tool version as a number": Bad(
        tool("      - name: a", "        version: 1.10"),
        "spec.requires.tools[0].version: expected text",
        11,
        18,
        'write "1.10"',
    ),
    "tool listed twice": Bad(
        tool("      - name: a", "      - name: a"),
        "spec.requires.tools[1].name: 'a' is in the list twice",
        11,
        15,
    ),
    "tools as a mapping": Bad(
        tool("      a: 1"), "spec.requires.tools: expected a list, found a mapping", 10, 7
    ),
    "knowledge outside": Bad(
        minimal_with("  knowledge: {static: [a.md, ../b.md]}"),
        "spec.knowledge.static[1]: '../b.md' leaves the agent's own files",
        8,
        30,
        "without '..'",
    ),
    "knowledge absolute": Bad(
        minimal_with("  knowledge: {static: [/etc/passwd]}"), "leaves the agent's own files", 8, 24
    ),
    "knowledge twice": Bad(
        minimal_with("  knowledge: {static: [a.md, a.md]}"),
        "spec.knowledge.static[1]: 'a.md' is in the list twice",
        8,
        30,
    ),
    "constraint without an id": Bad(
        minimal_with("  constraints: [{description: x}]"),
        "spec.constraints[0]: 'id' is missing",
        8,
        17,
    ),
    "constraint with a long expression": Bad(
        minimal_with(f"  constraints: [{{id: a, validation: '{'1+' * 600}1'}}]"),
        "longer than 1024 characters",
        8,
        37,
    ),
    "unquoted negation is a tag": Bad(
        minimal_with("  constraints:", "    - id: a", "      validation: !uses_rm_command"),
        "tags are not supported",
        10,
        19,
        "in quotes",
    ),
    "inherit a word": Bad(
        minimal_with("  inherit: everything"), "expected 'all' or a list of parts", 8, 12
    ),
    "inherit an unknown part": Bad(
        minimal_with("  inherit: [interface, behaviour]"),
        "found 'behaviour'",
        8,
        24,
        "did you mean 'behavior'?",
    ),
    "inherit what is in a part": Bad(
        minimal_with("  inherit: [interface, tools]"),
        "found 'tools'",
        8,
        24,
        "'tools' is a part of 'requires'",
    ),
    "inherit all in a list": Bad(
        minimal_with("  inherit: [all, interface]"), "'all' stands alone", 8, 12, "inherit: all"
    ),
    "unknown action": Bad(
        minimal_with("permissions: {execution: [{user: a, actions: [creat]}]}"),
        "found 'creat'",
        8,
        47,
        "did you mean 'create'?",
    ),
    "user without actions": Bad(
        minimal_with("permissions: {execution: [{user: a}]}"),
        "permissions.execution[0]: 'actions' is missing",
        8,
        27,
    ),
    "unknown isolation": Bad(
        minimal_with("isolation: {network: none}"), "expected isolated or host, found 'none'", 8, 22
    ),
    "health endpoint without a slash": Bad(
        minimal_with("health_check: {endpoint: health}"),
        "'health' is not an endpoint",
        8,
        26,
        "/health",
    ),
    "metric of an unknown type": Bad(
        minimal_with("metrics: [{name: a, type: guage}]"),
        "metrics[0].type: expected counter, gauge, histogram or summary",
        8,
        27,
        "did you mean 'gauge'?",
    ),
    "metric name with a hyphen": Bad(
        minimal_with("metrics: [{name: a-b, type: gauge}]"), "'a-b' is not a metric name", 8, 18
    ),
    "metric twice": Bad(
        minimal_with("metrics: [{name: a, type: gauge}, {name: a, type: gauge}]"),
        "metrics[1].name: 'a' is in the list twice",
        8,
        42,
    ),
    "log level in lower case": Bad(
        minimal_with("logging: {level: info}"), "found 'info'", 8, 18, "did you mean 'INFO'?"
    ),
    "file output without a path": Bad(
        minimal_with("logging: {outputs: [{type: file}]}"), "needs 'path'", 8, 21
    ),
    "console output with a path": Bad(
        minimal_with("logging: {outputs: [{type: stdout, path: /x}]}"), "has no 'path'", 8, 42
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_definition(bad: Bad) -> None:
    with pytest.raises(SourceFaults) as caught:
        read_definition(bad.text.encode(), file="bad.agentdef")
    (fault,) = caught.value.faults
    assert bad.message in fault.message
    assert (fault.line, fault.column) == (bad.line, bad.column)
    assert bad.hint in (fault.hint or "")
    lines = bad.text.splitlines()
    assert fault.text == lines[bad.line - 1]
    assert fault.render().startswith(f"bad.agentdef:{bad.line}:{bad.column}: ")


def test_a_short_word_is_near_to_nothing() -> None:
    """`level: on` is no way to write NONE, though most of the letters are there."""
    with pytest.raises(SourceFaults) as caught:
        read_definition(minimal_with("  behavior: {memory: {level: on}}").encode(), file="x")
    [fault] = caught.value.faults
    assert (fault.message[-10:], fault.hint) == ("found 'on'", None)
