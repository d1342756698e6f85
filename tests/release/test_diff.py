"""What `agent diff` finds: each kind of change, by the rule that it falls under."""

from __future__ import annotations

import time
from typing import Any

import pytest

from agentoci.definition.read import read_definition
from agentoci.release.filediff import MAX_COMPARED_TOTAL
from agentoci.release.interfacediff import Interface
from agentoci.release.rules import Level, rules
from agentoci.release.textdiff import (
    MAX_COMPARED_BYTES,
    MAX_COMPARED_LINES,
    MAX_SHOWN_LINES,
    diff_bytes,
    diff_texts,
)
from agentoci.release.view import AgentView
from agentoci.release.wording import describe_values
from tests.definition.samples import written_definitions
from tests.release.agents import MemoryFiles, agent, changes, diff, found
from tests.release.diffcases import CASES, EVERYTHING_BUT_ONE, TOOL, interface, tools


@pytest.mark.parametrize("name", CASES)
def test_definitions(name: str) -> None:
    before, after, expected = CASES[name]
    assert found(agent(before), agent(after)) == expected


FILES = {
    "agent/knowledge/a.md": b"one\ntwo\n",
    "agent/knowledge/b.md": b"b\n",
    "agent/tools/run.sh": b"echo\n",
}


WRITTEN = [
    "### Input\n- {}: words\n### Output\n- other: words",
    "### Input\n\nWhat I take:\n\n#### Inputs\n* `{}` - words\n",
    "**Inputs**\n1. **{}**: words\n\nNotes:\n- none: yet\n",
    "Inputs:\n- {} (a text)\n  - deep: down\n",
    "## 输入\N{FULLWIDTH COLON}\n- {}\N{FULLWIDTH COLON}说明\n## 示例\n输入: x",
    "# Parameters #\n+ {}\n",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_inputs_as_people_write_them(text: str) -> None:
    read = Interface.read(text.format("task"))
    assert list(read.inputs) == ["task"]
    renamed = found(agent(interface(text.format("task"))), agent(interface(text.format("job"))))
    assert renamed == {
        "interface.input-added job": "MINOR",
        "interface.input-removed task": "MAJOR",
        "interface.reworded": "PATCH",
    }


def test_the_interface_of_the_specification() -> None:
    written = [text for text in written_definitions() if "### 输入" in text]
    if not written:
        pytest.skip("the architecture's text is not here")
    read = Interface.read(str(read_definition(written[0].encode(), file="it").spec.interface))
    assert read.headings == ["零知识协调器", "示例"]
    assert list(read.inputs) == ["task_description", "success_criteria"]
    assert list(read.outputs) == ["execution_result", "status_report"]


def test_files_that_come_go_and_change() -> None:
    after = FILES | {
        "agent/knowledge/a.md": b"one\n2\n",
        "agent/knowledge/new.md": b"new\n",
        "agent/tools/run.sh": b"echo 2\n",
        "agent/other": b"other",
    }
    del after["agent/knowledge/b.md"]
    assert found(agent(files=FILES), agent(files=after)) == {
        "knowledge.added agent/knowledge/new.md": "MINOR",
        "knowledge.removed agent/knowledge/b.md": "MINOR",
        "knowledge.changed agent/knowledge/a.md": "PATCH",
        "file.changed agent/tools/run.sh": "PATCH",
        "file.added agent/other": "PATCH",
    }


def test_long_lists_are_compared_in_linear_time() -> None:
    def bot(start: int) -> AgentView:
        principles = [f"rule {number}" for number in range(start, start + 20_000)]
        return agent({"spec": {"knowledge": {"principles": principles}}})

    before, after = bot(0), bot(1)
    began = time.perf_counter()
    subjects = {change.subject for change in changes(before, after)}
    assert time.perf_counter() - began < 5
    assert subjects == {"rule 0", "rule 20000"}


def test_a_file_that_moved_is_no_loss() -> None:
    after = {path.replace("b.md", "deep/b.md"): content for path, content in FILES.items()}
    (change,) = changes(agent(files=FILES), agent(files=after))
    assert change.rule.id == "knowledge.moved"
    assert (change.before, change.after) == ("agent/knowledge/b.md", "agent/knowledge/deep/b.md")


def test_a_program_that_moved() -> None:
    after = {path.replace("run.sh", "go.sh"): content for path, content in FILES.items()}
    assert found(agent(files=FILES), agent(files=after)) == {
        "file.moved agent/tools/go.sh": "PATCH"
    }


def test_a_file_that_becomes_executable() -> None:
    path = "agent/tools/run.sh"
    runs = agent(files=FILES, executable=frozenset({path}))
    assert found(agent(files=FILES), runs) == {f"file.became-executable {path}": "PATCH"}
    assert found(runs, agent(files=FILES)) == {f"file.became-plain {path}": "PATCH"}


def test_links() -> None:
    path = "agent/knowledge/link.md"
    before = agent(files=FILES, links={path: "a.md"})
    after = agent(files=FILES, links={path: "b.md"})
    (change,) = changes(before, after)
    assert (change.rule.id, change.before, change.after) == (
        *("knowledge.changed", {"link": "a.md"}, {"link": "b.md"}),
    )
    assert change.text is None
    assert describe_values(change) == "→ b.md"
    was_file = agent(files=FILES | {path: b"a"})
    assert found(was_file, after) == {f"knowledge.changed {path}": "PATCH"}


def test_there_is_an_end_of_what_is_read() -> None:
    size = MAX_COMPARED_BYTES - 10
    names = [f"agent/knowledge/{at:03}.md" for at in range(MAX_COMPARED_TOTAL // size // 2 + 2)]
    before = agent(files=dict.fromkeys(names, b"a" * size) | {"agent/x": b"x" * (size + 11)})
    after = agent(files=dict.fromkeys(names, b"b" * size) | {"agent/x": b"y" * (size + 11)})
    texts = {one.subject: one.text for one in changes(before, after)}
    notes = [text.note for text in texts.values() if text is not None]
    assert notes == [None] * (len(names) - 2) + ["not compared: there are too many"] * 2 + [
        "too large"
    ]
    assert isinstance(before.reader, MemoryFiles)
    assert len(before.reader.asked) == len(names) - 2


def test_what_the_builder_writes_itself_is_told_as_what_it_is() -> None:
    generated = {"agent/definition.json": b"1", "agent/config.json": b"2"}
    assert found(agent(files=generated), agent()) == {}


def test_only_files_that_changed_are_read() -> None:
    before = agent(files=FILES)
    after = agent(files=FILES | {"agent/knowledge/a.md": b"one\n2\n"})
    (change,) = changes(before, after)
    assert change.text is not None
    assert change.text.lines == ("@@ -1,2 +1,2 @@", " one", "-two", "+2")
    for view in (before, after):
        assert isinstance(view.reader, MemoryFiles)
        assert view.reader.asked == ["agent/knowledge/a.md"]


def test_configs() -> None:
    labels = {"x": "1", "y": "1"}
    before = agent(env=("A=1", "B=1"), labels=labels, entrypoint=("/bin/a",), base="b@1")
    revision = {"org.opencontainers.image.revision": "abc"}
    labels = {"x": "2", "z": "1"} | revision
    after = agent(env=("A=2", "C=1"), labels=labels, base="b@2", working_dir="/")
    assert found(before, after) == {
        "agent.base-changed": "NONE",
        "env.added C": "MINOR",
        "env.removed B": "MINOR",
        "env.changed A": "PATCH",
        "entrypoint.changed": "MAJOR",
        "working-dir.changed": "MINOR",
        "label.added z": "PATCH",
        "label.removed y": "PATCH",
        "label.changed x": "PATCH",
        "provenance.changed org.opencontainers.image.revision": "NONE",
    }


def test_a_healthcheck_of_the_agentfile() -> None:
    after = agent(agentoci={"healthcheck": {"command": ["true"]}})
    assert found(agent(), after) == {"health-check.added command": "MINOR"}


def test_what_a_tool_was_locked_to() -> None:
    def locked(version: str) -> dict[str, Any]:
        entry = {**TOOL, "resolved": {"version": version, "digest": "sha256:00"}}
        return {"requirements": [entry]}

    before = agent(tools(TOOL), agentoci=locked("1.0.0"))
    after = agent(tools(TOOL), agentoci=locked("1.1.0"))
    assert found(before, after) == {"tool.pin-changed psm": "PATCH"}
    assert found(agent(tools(TOOL)), after) == {"tool.pin-changed psm": "PATCH"}


def test_every_rule_has_an_example() -> None:
    """Here or in what follows from the inverse of one here."""
    seen = {key.partition(" ")[0] for _, _, expected in CASES.values() for key in expected}
    elsewhere = {
        *("knowledge.added", "knowledge.changed", "knowledge.moved", "file.added", "file.changed"),
        *("file.became-executable", "agent.base-changed", "env.added", "env.changed"),
        *("entrypoint.changed", "label.changed", "provenance.changed", "tool.pin-changed"),
        *("label.added", "file.moved", "working-dir.changed"),
    }
    known = seen | elsewhere
    assert known <= rules().keys()
    left = {rule.id for rule in rules().values() if not {rule.id, rule.inverse} & known}
    assert left == set()


def test_texts_are_bounded() -> None:
    many = "".join(f"{at}\n" for at in range(1000))
    cut = diff_texts(many, many.upper().replace("\n", "x\n"))
    assert (len(cut.lines), cut.added, cut.removed) == (MAX_SHOWN_LINES, 1000, 1000)
    assert cut.note is not None
    assert diff_texts("x\n" * (MAX_COMPARED_LINES + 1), "").note == "too large"
    assert diff_bytes(b"\xff", b"a").note == "binary"
    assert diff_bytes(b"a\0", b"a").note == "binary"
    assert diff_texts("a", "a\n").note == "line ends only"


def test_levels_compare_by_size() -> None:
    assert Level.NONE < Level.PATCH < Level.MINOR < Level.MAJOR
    assert [str(level) for level in Level] == ["NONE", "PATCH", "MINOR", "MAJOR"]


def test_the_same_digest_is_the_same_agent() -> None:
    one = agent(EVERYTHING_BUT_ONE, FILES)
    assert diff(one, one).is_empty
