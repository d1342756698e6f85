"""What lint leaves alone, what it mends, and how its findings look to other programs."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import jsonschema
import pytest

from agentoci.api.engine import Engine
from agentoci.api.linting import RULES, Edit, LintOptions, fix, lint, mend, to_sarif
from agentoci.config.settings import read_settings
from agentoci.errors import Fault
from agentoci.lint.findings import Finding, Severity
from tests import commandline
from tests.cli import samples
from tests.cli.conftest import Agent
from tests.definition.samples import FULL, MINIMAL, minimal_with
from tests.lint.conftest import Lint, write
from tests.lint.test_bad_files import BAD, GOOD, INTERFACE, OPENAI, agentfile

SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {"type": "object", "required": ["id"]},
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {
                                    "type": "object",
                                    "required": ["text"],
                                    "properties": {"text": {"type": "string", "minLength": 1}},
                                },
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {"$ref": "#/$defs/place"}
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {
        "place": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {"uri": {"type": "string", "pattern": r"^[^\s\\]+$"}},
                },
                "region": {
                    "type": "object",
                    "required": ["startLine", "startColumn", "endColumn"],
                    "additionalProperties": {"type": "integer", "minimum": 1},
                },
            },
        }
    },
}
"""What SARIF 2.1.0 asks of a file, as far as lint makes use of it."""


@pytest.fixture
def engine(home: Path) -> Engine:
    return Engine(read_settings(commandline.home_variables(home)))


# What is found


def test_the_specifications_context_has_warnings_only(lint: Lint, context: Path, agent: Agent):
    samples.write_coordinator(context)
    found = lint({}, code=0)
    assert [(each["rule"], each["line"]) for each in found] == [
        ("version-missing", 2),
        ("base-unpinned", 2),
    ]
    assert agent("lint", "--strict", code=3).err.startswith("error: 2 warnings")


def test_the_specifications_definition_lints_clean_but_for_its_knowledge(lint: Lint):
    found = lint({"coordinator.agentdef": FULL})
    assert {each["severity"] for each in found} <= {"warning", "note"}
    assert {each["rule"] for each in found} <= {
        "knowledge-missing",
        "interface-headings",
        "isolation-missing",
    }


def test_faults_of_all_files_are_told_at_once(lint: Lint):
    found = lint(
        {
            "Agentfile": "FROM scratch\nDEFINITION bot.agentdef\nCOPY b /agent/\nCOPY a /etc/\n",
            "a": "a",
            "bot.agentdef": minimal_with("  zzz: 1", "  yyy: 2"),
            "agent.lock": "{",
            "compatibility.json": "[]",
        },
        code=2,
    )
    errors = {(each["file"], each["line"]) for each in found if each["severity"] == "error"}
    assert errors >= {
        ("Agentfile", 3),
        ("Agentfile", 4),
        ("agent.lock", 1),
        ("bot.agentdef", 8),
        ("bot.agentdef", 9),
        ("compatibility.json", 1),
    }


def test_parents_beside_and_in_the_store_count(lint: Lint, agent: Agent, context: Path):
    child = (
        "apiVersion: agent/v1\nkind: AgentDefinition\n"
        "metadata: {name: child, version: 1.0.0, parent: coordinator_agent@1.0.0}\n"
        "spec:\n  inherit: all\n  behavior: {execution: {max_recursion: 9}}\n"
    )
    parent = minimal_with("  constraints:", "    - id: deep", "      validation: max_recursion > 9")
    files = {"child.agentdef": child, "base/parent.agentdef": parent}
    assert [each["rule"] for each in lint(files, "-f", "child.agentdef")] == ["parent-unknown"]
    agent("build", "-q", "-t", "coordinator_agent:1.0.0", context / "base")
    stored = lint({}, "-f", "child.agentdef", code=2)
    assert "never true: max_recursion is 9" in stored[0]["message"]
    beside = lint({"parent.agentdef": parent}, "-f", "child.agentdef", code=2)
    assert ("constraint-false", "parent.agentdef", 10) in [
        (each["rule"], each["file"], each["line"]) for each in beside
    ]


def test_a_lock_pins_the_base(lint: Lint):
    files = {**agentfile(), "Agentfile": "FROM base:latest\nINTERFACE interface.md\n"}
    assert "base-unpinned" in {each["rule"] for each in lint(files)}
    lock = {"version": 1, "pins": []}
    assert "base-unpinned" not in {each["rule"] for each in lint({"agent.lock": json.dumps(lock)})}


def test_the_lock_of_another_file_is_called_after_it(lint: Lint):
    text = "FROM base:latest\nINTERFACE interface.md\n"
    files = {**agentfile(), "test.Agentfile": text, "agent.lock": '{"version": 1, "pins": []}'}
    given = ("-f", "test.Agentfile")
    [unpinned] = [each for each in lint(files, *given) if each["rule"] == "base-unpinned"]
    assert "pin it in test.Agentfile.lock" in unpinned["hint"]
    bad = lint({"test.Agentfile.lock": "{}"}, *given, code=2)
    assert ("lock-invalid", "test.Agentfile.lock") in [(one["rule"], one["file"]) for one in bad]
    assert "base-unpinned" not in {each["rule"] for each in bad}


def test_knowledge_that_is_not_listed_is_noted(lint: Lint):
    text = minimal_with("  knowledge:", "    static: [a.md]")
    files = {
        "Agentfile": "FROM scratch\nDEFINITION b.agentdef\nCOPY k/ /agent/knowledge/\n",
        "b.agentdef": text,
        "k/a.md": "a",
        "k/b.md": "b",
    }
    found = [(each["rule"], each["line"]) for each in lint(files)]
    assert ("knowledge-unlisted", 3) in found
    assert "knowledge-missing" not in dict(found)


def test_a_large_file_without_rules_what_to_ignore_is_told(lint: Lint, context: Path):
    with (context / "big.bin").open("wb") as stream:
        stream.truncate(33 << 20)
    files = agentfile("COPY big.bin /agent/")
    assert [each["rule"] for each in lint(files)] == ["large-file"]
    assert lint({".agentignore": "*.log\n"}) == []


@pytest.mark.parametrize(
    "line",
    [
        f"ENV MODEL={OPENAI}",
        f"env API_KEY={OPENAI} ",
        f"{OPENAI} x",
        f"COPY {OPENAI} /agent/",
        f"REQUIRE {OPENAI}@^x",
        f"DEFINITION {OPENAI}",
        f"LABEL org.opencontainers.image.version={OPENAI}",
    ],
)
def test_secrets_are_never_shown(agent: Agent, context: Path, line: str):
    write(context, agentfile(line))
    for form in ("text", "json", "sarif"):
        shown = agent("lint", "--format", form, code=2)
        assert "OpenAI" in shown.out
        assert OPENAI[8:40] not in shown.out + shown.err
    for shown in (agent("validate", "Agentfile", code=None), agent("lint", "--fix", code=2)):
        assert OPENAI[8:40] not in shown.out + shown.err


def test_a_finding_that_is_no_secret_is_let_through_by_its_id(lint: Lint):
    (found,) = lint(agentfile(f"ENV MODEL={OPENAI}"), code=2)
    assert lint({}, "--allow-secret", found["id"], code=0) == []


def test_a_build_argument_is_scanned_as_a_build_does(lint: Lint, agent: Agent, context: Path):
    files = agentfile("ARG KEY", "ENV NAME=$KEY")
    given = ("--build-arg", f"KEY={OPENAI}")
    (found,) = lint(files, *given, code=2)
    assert (found["line"], found["rule"]) == (4, "secret/openai-key")
    assert "is given by --build-arg KEY" in found["message"]
    assert "KEY:1:5: secret/openai-key: an OpenAI key" in agent("build", *given, ".", code=5).err
    allowed = ("--allow-secret", found["id"])
    assert lint({}, *given, *allowed, code=0) == []
    agent("build", "-q", *given, *allowed, ".")


def test_an_interface_is_told_of_where_it_is_written(lint: Lint):
    files = {"Agentfile": "FROM scratch\n\nINTERFACE <<EOF\nHelps.\nEOF\n"}
    (found,) = [each for each in lint(files) if each["rule"] == "interface-headings"]
    assert (found["line"], found["width"]) == (3, len("INTERFACE"))


def test_a_definition_under_another_file_name_is_looked_at(lint: Lint):
    definition = (
        "apiVersion: agent/v1\nkind: AgentDefinition\nmetadata: {name: talker, version: 1.0.0}\n"
    )
    files = {
        "Agentfile": "FROM scratch\nINTERFACE talker\n",
        "bot.agentdef": f"{definition}spec: {{interface: takes input}}\n",
    }
    (found,) = lint(files)
    assert (found["rule"], found["file"], found["line"]) == (
        "interface-headings",
        "bot.agentdef",
        4,
    )
    two = lint({"other.agentdef": f"{definition}spec: {{}}\n"})
    (found,) = [each for each in two if each["severity"] == "error"]
    assert (found["rule"], found["line"]) == ("build-invalid", 2)
    assert "bot.agentdef and other.agentdef are both called talker" in found["message"]
    (broken,) = lint(
        {"other.agentdef": "[", "bot.agentdef": "metadata: {name: talker\n"}, "-f", "Agentfile"
    )[:1]
    assert broken["rule"] == "definition-invalid"


def test_every_place_of_a_secret_is_told(lint: Lint):
    """In the hint: the message is part of a fingerprint, which stays when lines move."""
    files = agentfile("COPY a.md /agent/knowledge/", a_md=f"one {OPENAI}\n{OPENAI}\n")
    (found,) = [each for each in lint(files) if each["rule"].startswith("secret/")]
    assert (found["line"], found["column"]) == (1, 5)
    assert found["hint"].startswith("also at 2:1; ")
    assert "also at" not in found["message"]


def test_rules_are_switched_off(lint: Lint, agent: Agent):
    files = agentfile("REQUIRE tool", f"ENV MODEL={OPENAI}")
    every = {each["rule"] for each in lint(files)}
    left = {each["rule"] for each in lint({}, "--disable", "require-any", "--disable", "secret")}
    assert every - left == {"require-any", *(rule for rule in every if rule.startswith("secret/"))}
    wrong = agent("lint", "--disable", "require-all", code=2)
    assert "there is no rule 'require-all'" in wrong.err
    assert "did you mean require-any?" in wrong.err


def test_comments_switch_rules_off_where_they_stand(lint: Lint):
    files = agentfile(
        "# lint: disable=arg-unused,require-any",
        "ARG A",
        "ARG B",
        "# lint: disable=isolation-missing, require-any",
        "REQUIRE tool",
        "# lint: disable=secret,agentfile-invalid",
        f"ENV MODEL={OPENAI}",
    )
    found = [(each["rule"].partition("/")[0], each["line"]) for each in lint(files)]
    assert found == [("isolation-missing", 1), ("arg-unused", 6), ("secret", 10)]


def test_comments_in_definitions_count_but_not_those_of_texts(lint: Lint):
    text = minimal_with(
        "  requires:  # lint: disable=isolation-missing",
        "    tools:",
        "      - name: a  # lint: disable=tool-purpose",
        "        required: false",
    )
    found = {each["rule"] for each in lint({"bot.agentdef": text})}
    assert found == {"interface-headings"}
    hidden = "# lint: disable=text/hidden-unicode\na \u202e b\n"
    files = agentfile("COPY a.md /agent/knowledge/", a_md=hidden)
    assert [each["rule"] for each in lint(files)] == ["text/hidden-unicode"]


def test_every_rule_is_in_the_table_of_bad_files_or_tested_here():
    here = {"knowledge-unlisted", "large-file"}
    tabled = {bad.rule.rstrip("/").partition("/")[0] for bad in BAD.values()}
    named = {name.partition("/")[0] for name in RULES} - here
    assert named <= tabled


# How it is told


@pytest.mark.parametrize("name", BAD)
def test_findings_are_sarif(engine: Engine, context: Path, name: str):
    write(context, BAD[name].files)
    document = to_sarif(lint(engine, Path()))
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    for result in run["results"]:
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
        assert result["ruleId"].startswith(rule)


def test_findings_are_text_with_carets(agent: Agent, lint: Lint):
    lint(agentfile("REQUIRE tool"))
    shown = agent("lint")
    assert (
        "Agentfile:4:9: warning: any version of 'tool' will do [require-any]\n"
        "  | REQUIRE tool\n"
        "  |         ^^^^\n"
        "  hint: name a range: REQUIRE tool@^1.0\n"
    ) in shown.out
    assert shown.err == "1 warning, 1 note\n"


def test_paths_are_told_as_the_user_would_write_them(agent: Agent, tmp_path: Path, context: Path):
    write(context, agentfile("REQUIRE tool", "COPY a.md /agent/knowledge/", a_md="a \u202e\n"))
    found = agent("lint", "--format", "json", "../bot").json
    assert {each["file"] for each in found} == {"../bot/Agentfile", "../bot/a.md"}
    found = agent("lint", "--format", "json", context).json
    assert {each["file"] for each in found} == {f"{context}/Agentfile", f"{context}/a.md"}


def test_rules_and_variables_are_listed(agent: Agent):
    assert len(agent("lint", "--rules").lines) == len(RULES) + 1
    assert "max_iterations" in agent("lint", "--variables").out
    rules = agent("lint", "--rules", "--format", "json").json
    assert [each["rule"] for each in rules] == list(RULES)
    variables = agent("lint", "--format", "json", "--variables").json
    assert {"name", "kind", "known", "meaning"} == variables[0].keys()


def test_what_is_not_there_is_not_linted(agent: Agent, context: Path):
    assert "no Agentfile" in agent("lint", code=6).err
    assert "no such folder" in agent("lint", "nowhere", code=6).err
    assert agent("lint", "-f", "nothing", code=6).err.startswith("error: nothing: No such file")
    write(context, {"Agentfile": "FROM scratch\n"})
    for verb in ("lint", "build", "lock"):
        refused = agent(verb, "Agentfile", code=6).err
        assert "Agentfile: a file, where a folder is meant" in refused
        assert "-f Agentfile ." in refused


# --fix


MENDED = {
    "case": ("from scratch\nenv A=1\n", "FROM scratch\nENV A=1\n"),
    "blanks": ("FROM scratch  \nENV A=1\t\n", "FROM scratch\nENV A=1\n"),
    "continued": ("FROM scratch\nenv A=1 \\  \n    B=2 \n", "FROM scratch\nENV A=1 \\\n    B=2 \n"),
    "maintainer": (
        'FROM scratch\nMAINTAINER "A" <a@b.example>\n',
        'FROM scratch\nLABEL org.opencontainers.image.authors="\\"A\\" <a@b.example>"\n',
    ),
    "required twice": (
        "FROM scratch\nREQUIRE a:1.0\nREQUIRE b:1.0\nREQUIRE a:1.0\n",
        "FROM scratch\nREQUIRE a:1.0\nREQUIRE b:1.0\n",
    ),
    "directive": ("# x\n# syntax=agentoci/v1\nFROM scratch\n", "# x\nFROM scratch\n"),
    "mark": ("\ufeffFROM scratch\n", "FROM scratch\n"),
    "mark and case": ("\ufefffrom scratch\n", "FROM scratch\n"),
    "windows": ("from scratch\r\nENV A=1\r\n", "FROM scratch\r\nENV A=1\r\n"),
    "no last line end": ("FROM scratch\nenv A=1", "FROM scratch\nENV A=1"),
    "heredoc": (
        "FROM scratch\nINTERFACE <<EOF  \nfrom here \nEOF\n",
        "FROM scratch\nINTERFACE <<EOF\nfrom here \nEOF\n",
    ),
    "nothing": ("FROM scratch\nENV A='b  '\n", "FROM scratch\nENV A='b  '\n"),
}


@pytest.mark.parametrize("name", MENDED)
def test_safe_edits_are_made_and_nothing_else(agent: Agent, context: Path, name: str):
    before, after = MENDED[name]
    (context / "Agentfile").write_bytes(before.encode())
    agent("lint", "--fix", code=None)
    assert (context / "Agentfile").read_bytes() == after.encode()


DEFINITIONS_MENDED = {
    "version": (MINIMAL.replace("1.0.0", "1.0"), MINIMAL.replace("1.0.0", '"1.0.0"')),
    "flag": (
        minimal_with("  behavior:", "    learning:", "      enabled: yes  # please"),
        minimal_with("  behavior:", "    learning:", "      enabled: true  # please"),
    ),
    "number": (
        minimal_with("  behavior:", "    execution:", "      max_recursion: '5'"),
        minimal_with("  behavior:", "    execution:", "      max_recursion: 5"),
    ),
    "text": (
        minimal_with("  requires:", "    tools:", "      - {name: a, version: 1.1}"),
        minimal_with("  requires:", "    tools:", '      - {name: a, version: "1.1"}'),
    ),
    "misspelt": (minimal_with("  constraint: []"), minimal_with("  constraint: []")),
}


@pytest.mark.parametrize("name", DEFINITIONS_MENDED)
def test_definitions_are_mended_where_one_thing_is_meant(agent: Agent, context: Path, name: str):
    before, after = DEFINITIONS_MENDED[name]
    (context / "bot.agentdef").write_text(before)
    agent("lint", "--fix", code=None)
    assert (context / "bot.agentdef").read_text() == after


def test_what_was_mended_is_shown_and_the_rest_is_told(agent: Agent, context: Path):
    write(context, agentfile("env A=1", "REQUIRE tool"))
    done = agent("lint", "--fix")
    assert done.err.splitlines() == [
        "Agentfile:4",
        "  - env A=1",
        "  + ENV A=1",
        "mended 1 line",
        "1 warning, 1 note",
    ]
    assert "env" not in done.out


def test_mending_builds_the_same_image(agent: Agent, context: Path):
    mendable = "from scratch \nCopy a.md /agent/knowledge/ \nrequire a:1.0\nrequire a:1.0\n"
    write(context, {"Agentfile": mendable, "a.md": "a"})
    labels = ("inspect", "--format", "json", "x:1")
    agent("build", "-q", "-t", "x:1", ".")
    before = agent(*labels).json
    agent("lint", "--fix")
    agent("build", "-q", "-t", "x:1", "--replace", ".")
    after = agent(*labels).json
    assert before["definition"] == after["definition"]
    assert (context / "Agentfile").read_text().startswith("FROM scratch\nCOPY a.md")


def test_no_link_out_of_the_folder_is_mended(agent: Agent, context: Path, tmp_path: Path):
    """A folder of a stranger's must not have files of one's own written."""
    own = tmp_path / "own"
    own.write_text("from scratch\ninterface bot\n")
    (context / "Agentfile").unlink(missing_ok=True)
    (context / "Agentfile").symlink_to(own)
    agent("lint", "--fix", context, code=None)
    assert own.read_text() == "from scratch\ninterface bot\n"


def test_mode_and_links_stay(agent: Agent, context: Path):
    real = write(context, {"real/Agentfile": "from scratch\n"}) / "real/Agentfile"
    real.chmod(0o640)
    (context / "Agentfile").symlink_to("real/Agentfile")
    agent("lint", "--fix")
    assert (context / "Agentfile").is_symlink()
    assert real.read_text() == "FROM scratch\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_file_that_became_shorter_is_left_alone(context: Path):
    (context / "Agentfile").write_text("FROM scratch\n")
    edit = Edit("Agentfile", 9, 1, 3, "X")
    finding = Finding("instruction-case", Severity.NOTE, Fault("Agentfile", 9, 1, "x"), edit)
    assert fix([finding]) == []
    assert (context / "Agentfile").read_text() == "FROM scratch\n"


def test_what_comes_to_light_by_mending_is_mended_too(engine: Engine, context: Path):
    write(context, {"Agentfile": "from scratch\nMAINTAINER me \n"})
    mended = mend(engine, context)
    assert [(each.line, each.before) for each in mended.fixed] == [
        (1, "from scratch"),
        (2, "MAINTAINER me "),
        (2, 'LABEL org.opencontainers.image.authors="me" '),
    ]
    assert not any(finding.fix for finding in mended.left)


@hypothesis.given(
    st.lists(
        st.sampled_from(
            [
                "env A=1 ",
                "COPY a.md /agent/a.md",
                "REQUIRE a:1.0",
                "require b",
                "label x=1\t",
                "# c ",
            ]
        ),
        max_size=8,
    )
)
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_mending_twice_is_mending_once(context: Path, engine: Engine, lines: list[str]):
    write(context, {"Agentfile": GOOD + "\n".join(lines), "interface.md": INTERFACE, "a.md": "a"})
    fix(lint(engine, Path()))
    once = (context / "Agentfile").read_bytes()
    again = lint(engine, Path())
    assert not any(each.fix for each in again)
    assert fix(again) == []
    assert (context / "Agentfile").read_bytes() == once


# validate


def test_files_are_validated_by_their_names(agent: Agent, context: Path):
    write(
        context,
        {
            "bot.agentdef": minimal_with(
                "  constraints:", "    - id: a", "      validation: max_iterations < 9"
            ),
            "Agentfile": GOOD,
            "agent.lock": '{"version": 1, "pins": []}',
            "compatibility.json": '{"compatibility": {}}',
            "notes/SKILL.md": "---\nname: notes\ndescription: Notes.\n---\ntext\n",
        },
    )
    names = ("bot.agentdef", "Agentfile", "agent.lock", "compatibility.json", "notes/SKILL.md")
    assert agent("validate", *names).lines == [
        "bot.agentdef: ok (1 of 1 constraints are checked at run)",
        *(f"{name}: ok" for name in names[1:]),
    ]
    kinds = [each["kind"] for each in agent("validate", "--format", "json", *names).json]
    assert kinds == ["definition", "Agentfile", "lock", "compatibility matrix", "skill"]


def test_the_locks_of_other_programs_are_not_taken_for_ours(agent: Agent, context: Path):
    lock = '{"version": 1, "pins": []}'
    ours = ("agent.lock", "test.Agentfile.lock", "bot.agentdef.lock", "other.lock")
    write(context, {**dict.fromkeys((*ours, "poetry.lock"), lock), "other": "FROM scratch\n"})
    assert agent("validate", *ours).lines == [f"{name}: ok" for name in ours]
    assert "does not say what it is" in agent("validate", "poetry.lock", code=2).err


def test_all_faults_of_all_files_are_told(agent: Agent, context: Path):
    write(
        context,
        {
            "a.agentdef": minimal_with("  zzz: 1", "  yyy: 2"),
            "b.agentdef": minimal_with("  constraints: [{id: a, validation: '1 > 2'}]"),
            "c.agentinst": "{}",
            "Agentfile": "FORM x\n",
        },
    )
    names = ("a.agentdef", "b.agentdef", "c.agentinst", "Agentfile")
    shown = agent("validate", *names, code=2)
    assert "a.agentdef:8:3: spec: unknown key 'zzz'" in shown.out
    assert "a.agentdef:9:3: spec: unknown key 'yyy'" in shown.out
    assert "is never true" in shown.out
    assert "c.agentinst" in shown.out
    assert "Agentfile:1:1: unknown instruction 'FORM'" in shown.out
    assert "in 4 files" in shown.err
    found = agent("validate", "--format", "json", *names, code=2).json
    assert [each["valid"] for each in found] == [False] * 4
    assert (found[0]["faults"][0]["line"], found[0]["faults"][0]["column"]) == (8, 3)


def test_a_file_of_no_kind_is_refused(agent: Agent, context: Path):
    write(context, {"x.txt": ""})
    assert "does not say what it is" in agent("validate", "x.txt", code=2).err
    write(context, {"bad.agentdef": "a: 1\n"})
    both = agent("validate", "x.txt", "bad.agentdef", code=2)
    assert "x.txt:1:1: the name does not say what it is" in both.out
    assert "bad.agentdef:1:1: " in both.out
    found = agent("validate", "--format", "json", "x.txt", "bad.agentdef", code=2).json
    assert [each["kind"] for each in found] == ["unknown", "definition"]
    assert "No such file" in agent("validate", "x.agentdef", code=6).err


def test_options_are_values():
    assert LintOptions() == LintOptions(disabled=frozenset())
