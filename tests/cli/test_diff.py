"""agent diff at the command line: what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci.release.rules import rules
from tests.cli.conftest import Agent
from tests.registry.fake import FakeRegistry

AGENTFILE = """\
FROM scratch
DEFINITION bot.agentdef
COPY knowledge /agent/knowledge/
"""

DEFINITION = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata:
  name: bot
  version: 1.0.0
spec:
  interface: |
    ### Output
    - result: what came of it
    - report: how it went
  requires:
    tools:
      - name: psm
        version: ">=1.0"
        required: true
permissions:
  execution:
    - user: admin
      actions: [start]
"""


@pytest.fixture
def bot(tmp_path: Path, agent: Agent) -> Path:
    """The context of bot:1.0.0, which is built, and then changed."""
    folder = tmp_path / "bot"
    (folder / "knowledge").mkdir(parents=True)
    (folder / "Agentfile").write_text(AGENTFILE)
    (folder / "bot.agentdef").write_text(DEFINITION)
    (folder / "knowledge" / "a.md").write_text("one\ntwo\n")
    agent("build", "-q", "-t", "bot:1.0.0", folder)
    changed = DEFINITION.replace("    - report: how it went\n", "").replace(">=1.0", "^1.2")
    (folder / "bot.agentdef").write_text(changed)
    (folder / "knowledge" / "a.md").write_text("one\n2\n")
    (folder / "knowledge" / "b.md").write_text("new\n")
    return folder


REPORT = """\
--- bot:1.0.0   bot 1.0.0   sha256:000000000000
+++ FOLDER      bot 1.0.0   sha256:000000000000

Interface
  - output  report
  ~ interface reworded  +0 -1
      @@ -1,3 +1,2 @@
       ### Output
       - result: what came of it
      -- report: how it went

Tools
  ~ range narrowed  psm  >=1.0 → ^1.2

Knowledge
  + file          knowledge/b.md
  ~ file changed  knowledge/a.md  +1 -1
      @@ -1,2 +1,2 @@
       one
      -two
      +2

Verdict: MAJOR, the next version is 2.0.0
  output removed: report (callers that read it get nothing)
  range narrowed: psm (a version in use may not do any more)
  and 1 MINOR, 2 PATCH more: --semantic lists them
"""


def test_the_report(agent: Agent, bot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bot)
    shown = agent("diff", "bot:1.0.0", ".")
    text = re.sub(r"sha256:[0-9a-f]{12}", "sha256:000000000000", shown.out)
    assert text == REPORT.replace("FOLDER   ", ".        ")
    assert shown.err == ""


def test_a_long_report_is_cut_where_another_shape_has_it_whole(agent: Agent, bot: Path) -> None:
    text = (bot / "bot.agentdef").read_text().replace("[start]", "[stop, read, delete]")
    actions = (
        "restart, pause, resume, execute, checkpoint, restore, commit, export, import, migrate"
    )
    grants = f"    - user: ada\n      actions: [{actions}]\n"
    (bot / "bot.agentdef").write_text(text + grants)
    (bot / "knowledge" / "a.md").rename(bot / "knowledge" / "moved.md")
    (bot / "knowledge" / "moved.md").write_text("one\ntwo\n")
    lines = agent("diff", "bot:1.0.0", bot).lines
    assert "  ~ file moved  knowledge/moved.md  from knowledge/a.md" in lines
    assert lines[-1] == "  and 4 MAJOR, 1 MINOR, 2 PATCH more: --semantic lists them"
    assert (
        sum("MAJOR" in line for line in agent("diff", "--semantic", "bot:1.0.0", bot).lines) == 17
    )


def test_a_pre_release_has_no_next_version(agent: Agent, bot: Path) -> None:
    text = (bot / "bot.agentdef").read_text()
    (bot / "bot.agentdef").write_text(text.replace("version: 1.0.0", "version: 2.0.0-rc.1"))
    agent("build", "-q", "-t", "bot:rc", bot)
    (bot / "knowledge" / "c.md").write_text("c\n")
    shown = agent("diff", "bot:rc", bot)
    assert "Verdict: MINOR" in shown.lines
    assert agent("diff", "--format", "json", "bot:rc", bot).json["verdict"]["next"] is None


def test_semantic(agent: Agent, bot: Path) -> None:
    shown = agent("diff", "--semantic", "bot:1.0.0", bot)
    assert shown.lines[0] == "MAJOR"
    assert [line.split()[0] for line in shown.lines[1:]] == [
        *("MAJOR", "MAJOR", "MINOR", "PATCH", "PATCH")
    ]
    assert {line.split()[-1] for line in shown.lines[1:]} <= rules().keys()


def test_stat_and_names(agent: Agent, bot: Path) -> None:
    stat = agent("diff", "--stat", "bot:1.0.0", bot)
    assert [line.split() for line in stat.lines[1:]] == [
        ["interface", "0", "1", "1", "+0", "-1", "MAJOR"],
        ["tools", "0", "0", "1", "MAJOR"],
        ["knowledge", "1", "0", "1", "+1", "-1", "MINOR"],
    ]
    names = agent("diff", "--name-only", "bot:1.0.0", bot)
    assert names.lines == [
        *("interface/report", "interface", "tools/psm"),
        *("agent/knowledge/b.md", "agent/knowledge/a.md"),
    ]


def test_json(agent: Agent, bot: Path) -> None:
    found = agent("diff", "--format", "json", "bot:1.0.0", bot).json
    assert found.keys() == {"version", "before", "after", "verdict", "changes"}
    assert found["before"].keys() == {"reference", "digest", "name", "version"}
    assert (found["verdict"]["level"], found["verdict"]["next"]) == ("MAJOR", "2.0.0")
    assert found["verdict"]["reasons"][0] == {
        "level": "MAJOR",
        "rule": "interface.output-removed",
        "subject": "report",
        "title": "output removed: report",
        "why": "callers that read it get nothing",
    }
    narrowed = next(one for one in found["changes"] if one["subject"] == "psm")
    assert narrowed == {
        "rule": "tool.range-narrowed",
        "section": "tools",
        "sign": "changed",
        "level": "MAJOR",
        "subject": "psm",
        "title": "range narrowed: psm",
        "before": ">=1.0",
        "after": "^1.2",
        "text": None,
    }
    text = next(one["text"] for one in found["changes"] if one["rule"] == "knowledge.changed")
    assert text == {
        "lines": ["@@ -1,2 +1,2 @@", " one", "-two", "+2"],
        "added": 1,
        "removed": 1,
        "note": None,
    }


def test_markdown(agent: Agent, bot: Path) -> None:
    shown = agent("diff", "--format", "markdown", "bot:1.0.0", bot)
    assert shown.lines[:3] == ["## 2.0.0", "", "### Breaking"], "B still calls itself 1.0.0"
    text = (bot / "bot.agentdef").read_text()
    (bot / "bot.agentdef").write_text(text.replace("version: 1.0.0", "version: 3.0.0"))
    shown = agent("diff", "--format", "markdown", "bot:1.0.0", bot)
    assert shown.lines[0] == "## 3.0.0"


def test_nothing_changed(agent: Agent, bot: Path) -> None:
    same = agent("diff", "--exit-code", "--fail-on", "any", "bot:1.0.0", "bot:1.0.0")
    assert (same.out, same.err) == ("", "nothing changed\n")
    assert agent("diff", "--semantic", "bot:1.0.0", "bot:1.0.0").out == "NONE\n"
    agent("build", "-q", "--replace", "--profile", "image", "-t", "bot:image", bot)
    packed = agent("diff", "bot:image", bot)
    assert (packed.out, packed.err) == ("", "nothing changed, though the digests differ\n")
    assert agent("diff", "--name-only", "bot:1.0.0", "bot:1.0.0").out == ""
    found = agent("diff", "--format", "json", "bot:1.0.0", "bot:1.0.0").json
    assert (found["changes"], found["verdict"]) == (
        [],
        {"level": "NONE", "next": "1.0.0", "reasons": []},
    )
    assert bot.exists()


def test_gates(agent: Agent, bot: Path) -> None:
    passed = agent("diff", "-q", "--fail-on", "widened-permission,new-tool", "bot:1.0.0", bot)
    assert (passed.out, passed.err) == ("", "")
    gates = ("--fail-on", "new-tool, removed-output", "--fail-on", "major")
    stopped = agent("diff", *gates, "bot:1.0.0", bot, code=3)
    assert "Verdict: MAJOR" in stopped.out, "the report comes all the same"
    assert stopped.err == (
        "error: gates not passed: removed-output (output removed: report); "
        "major (output removed: report, range narrowed: psm)\n"
    )
    text = (bot / "bot.agentdef").read_text()
    (bot / "bot.agentdef").write_text(text.replace("[start]", "[start, delete]"))
    widened = agent("diff", "-q", "--fail-on", "widened-permission", "bot:1.0.0", bot, code=3)
    assert "widened-permission (permission granted: admin: delete)" in widened.err


def test_exit_code(agent: Agent, bot: Path) -> None:
    assert agent("diff", "-q", "--exit-code", "bot:1.0.0", bot, code=3).out == ""
    assert agent("diff", "-q", "bot:1.0.0", bot).out == ""


def test_wrong_usage(agent: Agent, bot: Path) -> None:
    unknown = agent("diff", "--fail-on", "new-tol", "bot:1.0.0", bot, code=2)
    assert "hint: did you mean 'new-tool'?" in unknown.err
    for two in (["--stat", "--semantic"], ["--name-only", "--format", "json"]):
        clash = agent("diff", *two, "bot:1.0.0", bot, code=2)
        assert "exclude each other" in clash.err
    assert "no such file or folder" in agent("diff", "bot:1.0.0", "./nowhere", code=6).err
    assert agent("diff", "bot:1.0.0", code=2).out == ""


@pytest.mark.parametrize("words", [("diff", "bot:1.0.0"), ("show",), ("convert", "--to", "skill")])
def test_an_archive_is_no_agentfile(
    agent: Agent, bot: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    archive = tmp_path / "bot.tar"
    agent("save", "-o", archive, "bot:1.0.0")
    assert f"hint: an image in an archive is written oci-archive:{archive}" in (
        agent(*words, archive, code=2).err
    )
    agent("diff", "--exit-code", "bot:1.0.0", f"oci-archive:{archive}")


def test_faults_of_the_folder_are_shown_as_by_build(agent: Agent, bot: Path) -> None:
    (bot / "Agentfile").write_text("FROM scratch\nCOPPY a b\n")
    assert "Agentfile:2:1" in agent("diff", "bot:1.0.0", bot, code=2).err


def test_another_file_and_arguments(agent: Agent, bot: Path) -> None:
    (bot / "Other").write_text(f"ARG MOOD\n{AGENTFILE}ARG MOOD\nENV MOOD=$MOOD\n")
    shown = agent(
        *("diff", "-f", bot / "Other", "--build-arg", "MOOD=calm", "--name-only"),
        *("bot:1.0.0", bot),
    )
    assert "image/MOOD" in shown.lines


def test_the_rules_can_be_read(agent: Agent) -> None:
    shown = agent("diff", "--rules")
    for rule in rules().values():
        assert re.search(rf"^  {re.escape(rule.id)} +{rule.level} ", shown.out, re.MULTILINE)
    assert re.search(r"^  widened-permission +\w", shown.out, re.MULTILINE)
    for words in (("--rules", "--format", "json"), ("--format", "json", "--rules")):
        told = agent("diff", *words).json
        assert [each["rule"] for each in told["rules"]] == list(rules())
        assert "widened-permission" in {each["gate"] for each in told["gates"]}
    assert "Missing argument 'A'" in agent("diff", code=2).err
    assert "Missing argument 'B'" in agent("diff", "bot:1.0.0", code=2).err


def test_at_a_registry(agent: Agent, bot: Path, fake: FakeRegistry) -> None:
    name = f"{fake.host}/team/bot:1.0.0"
    agent("push", "bot:1.0.0", name)
    agent("rmi", "bot:1.0.0")
    shown = agent("diff", "--semantic", name, bot)
    assert shown.lines[0] == "MAJOR"
    assert agent("images", "--format", "json").json == []


# Colours


def test_colors_are_for_terminals(agent: Agent, bot: Path) -> None:
    assert "\x1b[" not in agent("diff", "bot:1.0.0", bot).out
    colored = agent("diff", "--color", "always", "bot:1.0.0", bot).out
    assert "\x1b[31m\x1b[1m-\x1b[0m" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == agent("diff", "bot:1.0.0", bot).out


@pytest.mark.parametrize(("said", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colors_unless_it_says_no(
    agent: Agent, bot: Path, said: dict[str, str], *, colored: bool
) -> None:
    command = [sys.executable, "-m", "agentoci", "diff", "bot:1.0.0", str(bot)]
    environment = {**os.environ, "TERM": "xterm", **said}
    shown = b"".join(on_a_terminal(command, environment))
    assert b"Verdict" in shown
    assert (b"\x1b[31m" in shown) is colored


def on_a_terminal(command: list[str], environment: dict[str, str]) -> Iterator[bytes]:
    """What a command prints on a terminal of its own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        try:
            while select.select([ours], [], [], 30)[0] and (chunk := os.read(ours, 65536)):
                yield chunk
        except OSError:
            pass  # the terminal is gone when its last writer is
        finally:
            os.close(ours)
        assert process.wait(30) == 0


def test_what_an_image_says_does_not_steer_the_terminal(agent: Agent, bot: Path) -> None:
    text = (bot / "bot.agentdef").read_text()
    evil = json.dumps("evil \x1b[2J\r\nVerdict: NONE")
    (bot / "bot.agentdef").write_text(
        f"{text}metrics: []\n".replace("spec:", f"spec:\n  invariants: [{evil}]")
    )
    for shape in ([], ["--semantic"], ["--name-only"], ["--format", "markdown"]):
        shown = agent("diff", *shape, "bot:1.0.0", bot)
        assert "\x1b" not in shown.out + shown.err
        assert "\nVerdict: NONE" not in shown.out
