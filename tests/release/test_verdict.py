"""The verdict, the gates and the changelog: what follows from a diff."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from agentoci.errors import Difference, Invalid
from agentoci.release.changelog import MAX_LISTED, render_changelog
from agentoci.release.changes import AgentDiff, Change, Side
from agentoci.release.gates import GATES, GateFailed, UnknownGate, check_gates, parse_gate
from agentoci.release.rules import Level, Section, rules
from agentoci.release.verdict import judge
from agentoci.release.view import AgentView
from tests.release.agents import agent, agents, diff, spec

TOOLS = spec(requires={"tools": [{"name": "psm"}, {"name": "log", "required": False}]})
NOTES = {"agent/knowledge/notes.md": b"notes\n"}


def test_no_change_is_none() -> None:
    verdict = judge(diff(agent(), agent()))
    assert (verdict.level, verdict.reasons) == (Level.NONE, ())


def test_the_largest_change_decides_and_leads() -> None:
    verdict = judge(diff(agent(files=NOTES), agent(TOOLS)))
    assert verdict.level is Level.MAJOR
    assert [reason.rule for reason in verdict.reasons] == [
        *("tool.required-added", "tool.optional-added", "knowledge.removed")
    ]
    (decisive,) = verdict.decisive
    assert str(decisive) == "required tool added: psm (whoever runs the agent must provide it)"


def test_a_version_alone_is_none() -> None:
    old = agent({"metadata": {"name": "bot", "version": "1.0.0"}})
    new = agent({"metadata": {"name": "bot", "version": "2.0.0"}})
    assert not diff(old, new).is_empty
    assert judge(diff(old, new)).level is Level.NONE


def test_the_table_of_rules_is_sound() -> None:
    for rule in rules().values():
        assert rules()[rule.inverse].inverse == rule.id
        assert rule.words, rule
        assert re.fullmatch(r"[^.:]+(?::[^.:]+)?", rule.reason), rule
    assert {rule.section for rule in rules().values()} == set(Section)
    assert {rule.level for rule in rules().values()} == set(Level)


def test_what_needs_consent_is_major() -> None:
    asking = [rule for rule in rules().values() if "consent" in rule.reason]
    assert len(asking) > 5
    assert {rule.level for rule in asking} == {Level.MAJOR}


# Gates


def single(rule_id: str) -> AgentDiff:
    """A diff of one change."""
    side = Side("bot", "sha256:00", "bot", "1.0.0")
    return AgentDiff(side, side, (Change(rules()[rule_id], "x"),))


STOPPED = {
    "widened-permission": "permission.granted",
    "narrowed-permission": "permission.revoked",
    "new-tool": "tool.optional-added",
    "required-tool": "tool.became-required",
    "removed-tool": "tool.required-removed",
    "changed-tool": "tool.range-narrowed",
    "new-egress": "egress.added",
    "removed-input": "interface.input-removed",
    "required-input": "interface.needed-input-added",
    "removed-output": "interface.output-removed",
    "changed-interface": "interface.reworded",
    "model-changed": "temperature.widened",
    "removed-constraint": "invariant.removed",
    "changed-knowledge": "listed-knowledge.added",
    "removed-knowledge": "knowledge.removed",
    "changed-entrypoint": "entrypoint.changed",
    "new-executable": "file.became-executable",
    "major": "invariant.removed",
    "minor": "invariant.added",
    "patch": "label.added",
    "any": "agent.version-changed",
}
"""Gate → a rule that it stops."""


def test_every_gate_has_an_example_and_stops_rules_of_the_table() -> None:
    assert STOPPED.keys() == GATES.keys()
    for gate in GATES.values():
        assert gate.rules <= rules().keys()
        assert gate.rules or gate.level is not None
        assert gate.help


@pytest.mark.parametrize("name", GATES)
def test_gates(name: str) -> None:
    with pytest.raises(GateFailed, match=rf"^gate not passed: {name} \(.*: x\)$") as caught:
        check_gates(single(STOPPED[name]), [parse_gate(name)])
    assert isinstance(caught.value, Difference)
    assert caught.value.exit_code == 3
    if name != "any":
        check_gates(single("agent.version-changed"), [parse_gate(name)])


def test_levels_let_smaller_changes_pass() -> None:
    check_gates(single("invariant.added"), [parse_gate("major")])
    check_gates(single("label.added"), [parse_gate("minor"), parse_gate("major")])


def test_a_rule_is_a_gate() -> None:
    gate = parse_gate("tool.range-widened")
    check_gates(single("tool.range-narrowed"), [gate])
    with pytest.raises(GateFailed):
        check_gates(single("tool.range-widened"), [gate])


def test_all_gates_that_fail_are_named() -> None:
    gates = [parse_gate(name) for name in ("new-tool", "removed-output", "required-tool")]
    with pytest.raises(GateFailed) as caught:
        check_gates(diff(agent(), agent(TOOLS)), gates)
    assert caught.value.message == (
        "gates not passed: new-tool (required tool added: psm, optional tool added: log); "
        "required-tool (required tool added: psm)"
    )


def test_an_unknown_gate_is_told_with_the_nearest_one() -> None:
    with pytest.raises(UnknownGate, match="'new-tol'") as caught:
        parse_gate("new-tol")
    assert isinstance(caught.value, Invalid)
    assert caught.value.hint == "did you mean 'new-tool'?"
    with pytest.raises(UnknownGate) as caught:
        parse_gate("???")
    assert "widened-permission" in str(caught.value.hint)


# The changelog


def test_a_changelog_groups_by_what_readers_look_for() -> None:
    before = agent(
        spec(invariants=["keeps order"], behavior={"memory": {"level": "BASIC"}}),
        files=NOTES | {"agent/knowledge/a.md": b"a", "agent/knowledge/b.md": b"b"},
    )
    after = agent(
        TOOLS | {"spec": TOOLS["spec"] | {"behavior": {"memory": {"level": "SMART"}}}},
        files={"agent/knowledge/a.md": b"A", "agent/knowledge/`c`.md": b"c", **NOTES},
    )
    found = diff(before, after)
    assert render_changelog(found, judge(found), "2.0.0", "2024-01-15") == (
        "## 2.0.0 - 2024-01-15\n"
        "\n"
        "### Breaking\n"
        "\n"
        "- Required tool added: `psm`, `*` (whoever runs the agent must provide it)\n"
        "- Invariant removed: `keeps order` (a promise was taken back)\n"
        "\n"
        "### Added\n"
        "\n"
        "- Optional tool added: `log`, `*`\n"
        "- File added: `agent/knowledge/'c'.md`\n"
        "\n"
        "### Changed\n"
        "\n"
        "- Setting changed: `memory.level`, `BASIC → SMART`\n"
        "\n"
        "### Removed\n"
        "\n"
        "- File removed: `agent/knowledge/b.md`\n"
        "\n"
        "### Fixed\n"
        "\n"
        "- File changed: `agent/knowledge/a.md`\n"
    )


def test_a_changelog_of_nothing_says_so() -> None:
    found = diff(agent(), agent())
    assert render_changelog(found, judge(found), "1.0.0") == "## 1.0.0\n\nNo changes.\n"


def test_a_changelog_does_not_list_a_thousand_files() -> None:
    files = {f"agent/knowledge/{at:04}.md": b"%d" % at for at in range(1000)}
    found = diff(agent(), agent(files=files))
    lines = render_changelog(found, judge(found), "1.1.0").splitlines()
    assert sum(line.startswith("- File added") for line in lines) == MAX_LISTED
    assert f"- {1000 - MAX_LISTED} more: file added" in lines


@pytest.mark.property
@given(agents, agents)
def test_a_changelog_is_markdown_of_one_section(one: AgentView, other: AgentView) -> None:
    found = diff(one, other)
    text = render_changelog(found, judge(found), "1.0.0")
    assert text == render_changelog(found, judge(found), "1.0.0")
    assert text.endswith("\n")
    for line in text.splitlines():
        assert re.fullmatch(r"## 1\.0\.0|### [A-Z][a-z]+|- [A-Z].*|No changes\.|", line), line
        assert line.count("`") % 2 == 0


def test_no_name_steers_the_terminal_that_shows_a_changelog() -> None:
    """Notes go to the terminal, and into what forges show."""
    evil = {"metadata": {"name": "x\x1b[2J`\n## 9.0.0\u202e", "version": "1.0.0"}}
    found = diff(agent(evil), agent())
    lines = render_changelog(found, judge(found), "2.0.0").splitlines()
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.startswith("## ")] == ["## 2.0.0"]
