"""However much is wrong with a folder, all of it is told in one run, and nothing but that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Agent
from tests.definition.samples import MINIMAL, minimal_with
from tests.lint.conftest import Files, Lint, write
from tests.lint.test_bad_files import GITHUB, GOOD, INTERFACE

ZERO_WIDTH = chr(0x200B)

MANY: Files = {
    "Agentfile": "\n".join(
        (
            "FROM Bad//name",
            "ARG unused",
            "DEFINITION bot.agentdef",
            "SET memory.level=SOMETIMES",
            "COPY docs/ nothere.md neither.md /agent/knowledge/",
            "COPPY a b",
            "COPY skills/ /agent/knowledge/skills/",
            "REQUIRE mcp:servers.json",
            "REQUIRE mcp:nowhere.json",
            "REQUIRE skill:./none",
            "HEALTHCHECK --interval=3x CMD true",
            "ENV API_TOKEN=abc",
            "",
        )
    ),
    "bot.agentdef": minimal_with(
        "  constraint: []",
        "  behavior:",
        "    learning:",
        "      enabled: yes",
        "  constraints:",
        "    - id: ends-early",
        "      validation: max_iterations <",
        "    - id: misspelt",
        "      validation: max_iteration < 3",
    ),
    "other.agentdef": f"# a{ZERO_WIDTH}b\nkind: [\n",
    "docs/key.md": f"\n{GITHUB}\n",
    "servers.json": "{}",
    "skills/notes/SKILL.md": "---\nname: notes\n---\ntext\n",
    "agent.lock": "{}",
    "compatibility.json": '{"compatibility": {"a": {"1.0": 3}}}',
}

FOUND = [
    ("Agentfile", 1, 6, "agentfile-invalid"),
    ("Agentfile", 2, 1, "arg-unused"),
    ("Agentfile", 4, 18, "agentfile-invalid"),
    ("Agentfile", 5, 12, "copy-invalid"),
    ("Agentfile", 5, 23, "copy-invalid"),
    ("Agentfile", 6, 1, "agentfile-invalid"),
    ("Agentfile", 9, 9, "build-invalid"),
    ("Agentfile", 10, 9, "skill-invalid"),
    ("Agentfile", 11, 24, "agentfile-invalid"),
    ("Agentfile", 12, 1, "env-secret"),
    ("agent.lock", 1, 1, "lock-invalid"),
    ("agent.lock", 1, 1, "lock-invalid"),
    ("bot.agentdef", 7, 3, "interface-headings"),
    ("bot.agentdef", 8, 3, "definition-invalid"),
    ("bot.agentdef", 11, 16, "definition-invalid"),
    ("bot.agentdef", 14, 35, "constraint-invalid"),
    ("bot.agentdef", 16, 19, "constraint-invalid"),
    ("compatibility.json", 1, 33, "compatibility-invalid"),
    ("docs/key.md", 2, 1, "secret/github-token"),
    ("other.agentdef", 1, 4, "text/hidden-unicode"),
    ("other.agentdef", 3, 1, "definition-invalid"),
    ("servers.json", 1, 1, "build-invalid"),
    ("skills/notes/SKILL.md", 2, 1, "skill-invalid"),
]


def places(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(each["file"], each["line"], each["column"], each["rule"]) for each in found]


def errors(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(e["line"], e["rule"]) for e in found if e["severity"] == "error"]


def test_everything_is_told_in_one_run(lint: Lint) -> None:
    assert places(lint(MANY, code=2)) == FOUND


@pytest.mark.parametrize(
    "gone", ["FROM Bad//name\n", "SET memory.level=SOMETIMES\n", "COPPY a b\n"]
)
def test_what_is_mended_takes_nothing_else_along(lint: Lint, gone: str) -> None:
    """One fault less is one finding less: no fault hides another one."""
    text = str(MANY["Agentfile"])
    line = text[: text.index(gone)].count("\n") + 1
    mended = "FROM scratch\n" if gone.startswith("FROM") else "# gone\n"
    left = [place for place in FOUND if place[:2] != ("Agentfile", line)]
    assert places(lint({**MANY, "Agentfile": text.replace(gone, mended)}, code=2)) == left


LISTED = minimal_with("  knowledge:", "    static: [a.md]").replace("coordinates", "input, output")

QUIET: dict[str, tuple[Files, list[tuple[int, str]]]] = {
    "no FROM": ({"Agentfile": "COPY a.md /agent/\n", "a.md": "a"}, [(1, "agentfile-invalid")]),
    "no FROM, and a bad COPY": (
        {"Agentfile": "LABEL a=b\nCOPY a.md /agent/\n"},
        [(1, "agentfile-invalid"), (2, "copy-invalid")],
    ),
    "a misspelt FROM": ({"Agentfile": "FORM scratch\nENV A=1\n"}, [(1, "agentfile-invalid")]),
    "a stage that a bad COPY uses": (
        {"Agentfile": f"FROM scratch AS one\n{GOOD}COPY --from=one --chmod=9 a /agent/\n"},
        [(5, "agentfile-invalid")],
    ),
    "listed knowledge that a bad COPY brings": (
        {
            "Agentfile": "FROM scratch\nDEFINITION x.agentdef\nCOPY kno /agent/knowledge/\n",
            "x.agentdef": LISTED,
        },
        [(3, "copy-invalid")],
    ),
    "a version in a bad LABEL": (
        {"Agentfile": "FROM scratch\nINTERFACE interface.md\nLABEL version=1.0.0 =x\n"},
        [(3, "agentfile-invalid")],
    ),
    "a definition by a bad instruction": (
        {"Agentfile": "FROM scratch\nDEFINITION a.agentdef b.agentdef\nREQUIRE? tool\n"},
        [(2, "agentfile-invalid"), (3, "agentfile-invalid")],
    ),
    "an open heredoc": (
        {"Agentfile": "FROM scratch\nCOPY <<EOF /agent/a\nLABEL a=b\n"},
        [(2, "agentfile-invalid")],
    ),
    "variables whose own values are at fault": (
        {
            "Agentfile": "ARG g=${u}\nFROM scratch\nINTERFACE interface.md\nARG g\n"
            "ENV y=$u\nCOPY $g $y /agent/\nLABEL a=$y\nCOPY none /agent/\n"
        },
        [(1, "agentfile-invalid"), (5, "agentfile-invalid"), (8, "copy-invalid")],
    ),
    "an undeclared build argument": ({"Agentfile": GOOD}, [(1, "agentfile-invalid")]),
}


@pytest.mark.parametrize(("files", "told"), QUIET.values(), ids=QUIET.keys())
def test_what_follows_from_a_fault_is_not_told(
    lint: Lint, files: Files, told: list[tuple[int, str]]
) -> None:
    more = ("--build-arg", "other=1") if files == {"Agentfile": GOOD} else ()
    found = lint({"interface.md": INTERFACE, **files}, *more, code=2)
    assert errors(found) == told
    assert [each["rule"] for each in found if each["severity"] != "error"] == []


def test_knowledge_of_a_lone_definition_with_faults_is_looked_at(lint: Lint) -> None:
    listed = "    static: [key.md, none.md, ../up.md]"
    files = {
        "x.agentdef": minimal_with("  knowledge:", listed, "  constraint: []"),
        "knowledge/key.md": f"{GITHUB}\n",
    }
    assert places(lint(files, code=2)) == [
        ("knowledge/key.md", 1, 1, "secret/github-token"),
        ("x.agentdef", 7, 3, "interface-headings"),
        ("x.agentdef", 9, listed.index("none.md") + 1, "knowledge-missing"),
        ("x.agentdef", 9, listed.index("../up.md") + 1, "definition-invalid"),
        ("x.agentdef", 10, 3, "definition-invalid"),
    ]


def test_a_missing_parent_may_bring_the_knowledge(lint: Lint) -> None:
    child = LISTED.replace("metadata:\n", "metadata:\n  parent: elsewhere@1.0.0\n")
    files = {"x.agentdef": child, "knowledge/b.md": "b"}
    assert {each["rule"] for each in lint(files)} == {"parent-unknown"}


def test_a_missing_parent_hides_no_bad_instruction(lint: Lint) -> None:
    child = MINIMAL.replace("metadata:\n", "metadata:\n  parent: elsewhere@1.0.0\n")
    files = {
        "Agentfile": "FROM scratch\nDEFINITION x.agentdef\nREQUIRE mcp:none.json\n",
        "x.agentdef": child,
    }
    found = {(each["file"], each["rule"]) for each in lint(files, code=2)}
    assert {("Agentfile", "build-invalid"), ("x.agentdef", "parent-unknown")} <= found


def test_a_build_tells_definition_copies_and_tools_together(agent: Agent, context: Path) -> None:
    files = {
        "Agentfile": "\n".join(
            (
                "FROM scratch",
                "DEFINITION x.agentdef",
                "COPY nothere.md /agent/",
                "REQUIRE mcp:nowhere.json",
                "REQUIRE mcp:neither.json",
                "",
            )
        ),
        "x.agentdef": minimal_with("  constraint: []"),
    }
    write(context, files)
    told = agent("build", ".", code=2).err
    for place in ("Agentfile:3:6: ", "Agentfile:4:9: ", "Agentfile:5:9: ", "x.agentdef:8:3: "):
        assert place in told


def test_paths_are_those_that_the_user_can_open(
    agent: Agent, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "Agentfile": "FROM scratch\nDEFINITION x.agentdef\nCOPY notes /agent/notes\n",
        "x.agentdef": minimal_with("  constraint: []"),
        "notes/SKILL.md": "---\nname: notes\n---\ntext\n",
    }
    write(context, files)
    monkeypatch.chdir(context.parent)
    told = agent("build", context.name, code=2).err
    assert f"{context.name}/x.agentdef:8:3: " in told
    assert f"{context.name}/notes/SKILL.md:2:1: " in told
    for verb in (("build",), ("show", "--effective")):
        file = f"{context.name}/x.agentdef"
        arguments = (*verb, file) if verb[0] == "show" else (*verb, "-f", file, context.name)
        assert f"{file}:8:3: " in agent(*arguments, code=2).err


def test_a_folder_that_is_no_skill_is_a_fault_of_the_file(agent: Agent, context: Path) -> None:
    write(context, {"Agentfile": "FROM scratch\nREQUIRE skill:./none\n"})
    assert "Agentfile:2:9: " in agent("build", ".", code=2).err
