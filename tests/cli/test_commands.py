"""What holds for every command: help, streams, quiet, JSON, completion, start-up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from agentoci.builder.replay import RACY_NS
from agentoci.cli.main import COMMANDS
from agentoci.cli.main import agent as program
from tests.cli.conftest import Agent
from tests.conftest import RunAgent
from tests.registry.fake import FakeRegistry

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\n")

HEAVY = ("pydantic", "requests", "rich", "urllib3", "yaml", "zstandard")


# Help


def command_called(name: str) -> click.Command:
    found = program.get_command(click.Context(program), name)
    assert isinstance(found, click.Command)
    return found


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself_by_an_example(agent: Agent, name: str):
    shown = agent(name, "--help")
    assert shown.out.startswith(f"Usage: agent {name}")
    assert re.search(
        rf"^  Examples?:\n(?:    .*\n)*    .*\bagent {name}\b", shown.out, re.MULTILINE
    )
    assert shown.err == ""
    assert agent(name, "-h").out == shown.out


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_table_of_commands_says_what_each_says_of_itself(name: str):
    help_text = command_called(name).help
    assert help_text is not None
    assert COMMANDS[name][1] == help_text.splitlines()[0]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_is_explained(name: str):
    for parameter in command_called(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts


def leaves(name: str) -> dict[str, click.Command]:
    """A command, or those of its group, by their whole names."""
    found = command_called(name)
    if not isinstance(found, click.Group):
        return {name: found}
    return {f"{name} {below}": command for below, command in found.commands.items()}


def option_of(command: click.Command, name: str) -> click.Parameter | None:
    return next((one for one in command.params if name in one.opts), None)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_verbs_that_ask_registries_speak_json(name: str):
    """All but those that give content, or what an agent says."""
    without = {"build", "blob get", "create", "run"}
    for whole, command in leaves(name).items():
        if whole not in without and option_of(command, "--authfile"):
            form = option_of(command, "--format")
            assert form is not None, whole
            assert isinstance(form.type, click.Choice)
            assert "json" in form.type.choices


def test_a_letter_means_one_option_in_all_verbs_of_registries():
    """`-a` is docker's --all and --annotation, `-f` its --file and --force."""
    meant: dict[str, set[str]] = {}
    for name in COMMANDS:
        for whole, command in leaves(name).items():
            if whole in {"build", "create", "diff", "run"} or not option_of(command, "--authfile"):
                continue
            for parameter in command.params:
                names = list(parameter.opts)
                if len(names) == 2 and len(names[0]) == 2:
                    meant.setdefault(names[0], set()).add(names[1])
    assert {letter: names for letter, names in meant.items() if len(names) > 1} == {
        "-a": {"--all", "--annotation"},
        "-f": {"--file", "--force"},
    }
    assert meant["-q"] == {"--quiet"}


def test_the_program_explains_itself(agent: Agent):
    shown = agent("--help")
    for name, (_, text) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", shown.out, re.MULTILINE)
    assert "130 interrupted" in " ".join(shown.out.split())
    assert re.fullmatch(r"agent, version \d+\.\d+\.\d+\S*\n", agent("--version").out)


def test_compose_says_that_it_is_not_there_yet():
    done = subprocess.run(
        [sys.executable, "-c", "from agentoci.cli.compose import main; main()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "agent-compose is not part of this version" in done.stderr


# Results on stdout, talk on stderr


def test_verbs_that_make_images_print_the_digest_alone(
    run_agent: RunAgent, talker: Path, home: Path
):
    layout = f"oci:{home}/layout"
    outputs = [
        run_agent(*command)
        for command in (
            ("build", "-t", "talker:1.0", talker),
            ("tag", "talker:1.0", "talker:latest"),
            ("push", "talker:1.0", layout),
            ("pull", layout, "other:1"),
        )
    ]
    assert len({done.stdout for done in outputs}) == 1
    assert DIGEST.fullmatch(outputs[0].stdout)
    built, _, pushed, pulled = (done.stderr for done in outputs)
    assert "[2/7] COPY talk.sh /agent/tools/talk.sh" in built
    assert "talker 2.1.0" in built
    assert f"pushed {layout}" in pushed
    assert "pulled other:1: everything was there already" in pulled


def test_quiet_verbs_say_the_digest_and_nothing_else(agent: Agent, talker: Path, home: Path):
    for command in (
        ("build", "-q", "-t", "talker:1.0", talker),
        ("push", "-q", "talker:1.0", f"oci:{home}/layout"),
        ("pull", "-q", f"oci:{home}/layout", "other:1"),
        ("images", "-q", "talker"),
    ):
        done = agent(*command)
        assert DIGEST.fullmatch(done.out)
        assert done.err == ""


def test_a_build_tells_steps_layers_and_what_was_cached(agent: Agent, talker: Path):
    time.sleep(2 * RACY_NS / 1e9)  # younger files are read again
    first = agent("build", "-t", "talker:1.0", talker)
    assert "CACHED" not in first.err
    for row in (r"tools +1 +\d+ B +[0-9a-f]{12}", r"knowledge +1 +\d+ B", r"interface +2 +\d+ B"):
        assert re.search(rf"^{row}", first.err, re.MULTILINE)
    (talker / "notes.md").write_text("Talk is silver.\n")
    second = agent("build", "--replace", "-t", "talker:1.0", talker)
    assert "COPY talk.sh /agent/tools/talk.sh  CACHED" in second.err
    assert "COPY notes.md /agent/knowledge/notes.md\n" in second.err
    assert second.out != first.out
    anew = agent("build", "--no-cache", "-t", "talker:1.0", talker)
    assert "CACHED" not in anew.err
    assert anew.out == second.out


def test_a_dry_run_shows_layers_and_writes_none(agent: Agent, talker: Path):
    planned = agent("build", "--dry-run", "-t", "talker:1.0", talker)
    assert planned.lines[0].split() == ["LAYER", "FILES", "SIZE", "MADE", "BY"]
    assert re.search(r"^tools +1 +\d+ B +COPY talk.sh", planned.out, re.MULTILINE)
    assert agent("images").lines[1:] == []


def test_the_digest_goes_into_a_file_too(agent: Agent, talker: Path, tmp_path: Path):
    built = agent("build", "--iidfile", tmp_path / "iid", talker)
    assert (tmp_path / "iid").read_text() == built.out


def test_build_pushes_every_tag(agent: Agent, talker: Path, fake: FakeRegistry):
    refused = agent("build", "--push", "-t", "talker:1.0", talker, code=2)
    assert "no default_registry is configured" in refused.err
    assert agent("images").lines[1:] == []
    tags = [f"{fake.host}/talker:{tag}" for tag in ("1.0", "latest")]
    built = agent("build", "--push", "-t", tags[0], "-t", tags[1], talker)
    assert DIGEST.fullmatch(built.out)
    assert {tag for _, tag in fake.manifests} == {"1.0", "latest", built.out.strip()}
    assert f"pushed {tags[0]}, also as latest: 4 of 4 blobs" in built.err


def test_build_arguments_count(agent: Agent, talker: Path):
    agentfile = (talker / "Agentfile").read_text()
    (talker / "Agentfile").write_text(
        agentfile.replace("FROM scratch", "FROM scratch\nARG WORD=nothing") + "ENV SAID=${WORD}\n"
    )
    agent("build", "-t", "talker:1.0", talker)
    assert "SAID=nothing" in agent("inspect", "talker:1.0").json["config"]["Env"]
    agent("build", "--replace", "--build-arg", "WORD=much", "-t", "talker:1.0", talker)
    assert "SAID=much" in agent("inspect", "talker:1.0").json["config"]["Env"]


# JSON


def test_images_as_json(agent: Agent, stocked: Path):
    rows = agent("images", "--format", "json").json
    assert [row["repository"] for row in rows] == sorted(row["repository"] for row in rows)
    [row] = [row for row in rows if row["repository"] == "talker"]
    assert set(row) == {
        "repository", "tag", "digest", "size", "stored", "name", "artifactType",
    }  # fmt: skip
    assert (row["tag"], row["name"]) == ("1.0", "talker")
    assert row["artifactType"] == "application/vnd.agentoci.agent.v1"
    assert row["size"] > 500
    assert agent("images", "talker:1.0", "--format", "json").json == [row]
    assert agent("images", "nothing", "--format", "json").json == []


def test_inspect_as_json(agent: Agent, stocked: Path):
    document = agent("inspect", "coordinator:1.0").json
    assert set(document) == {
        "reference", "digest", "mediaType", "artifactType", "profile", "size", "annotations",
        "manifest", "created", "config", "layers", "definition", "requirements", "healthcheck",
    }  # fmt: skip
    assert document["profile"] == "agent"
    assert document["created"] == "1970-01-01T00:00:00Z"
    assert document["definition"]["metadata"]["name"] == "coordinator_agent"
    assert document["definition"]["spec"]["behavior"]["memory"]["level"] == "SMART"
    assert [one["name"] for one in document["requirements"]] == ["psm_generator", "code_generator"]
    kinds = [layer["kind"] for layer in document["layers"]]
    assert kinds[-3:] == ["tools", "config", "interface"]
    assert set(document["layers"][0]) == {
        "kind", "mediaType", "digest", "size", "diffId", "createdBy",
    }  # fmt: skip
    table = agent("inspect", "--format", "table", "coordinator:1.0").out
    assert f"digest:       {document['digest']}" in table
    assert re.search(r"^tools +\d+ B +[0-9a-f]{12} +tool bindings$", table, re.MULTILINE)


def test_history_as_json(agent: Agent, stocked: Path):
    rows = agent("history", "--format", "json", "coordinator:1.0").json
    assert all(set(row) == {"createdBy", "kind", "digest", "size"} for row in rows)
    layers = [row["digest"] for row in rows if row["digest"]]
    inspected = agent("inspect", "coordinator:1.0").json
    assert layers == [layer["digest"] for layer in inspected["layers"]][::-1]
    assert "SET memory.level=SMART" in [row["createdBy"] for row in rows if not row["digest"]]
    assert "SET memory.level=SMART" in agent("history", "coordinator:1.0").out


def test_ps_as_json(agent: Agent, stocked: Path):
    agent("run", "--name", "one", "talker:1.0", "--code", "3", code=3)
    [row] = agent("ps", "-a", "--format", "json").json
    assert set(row) == {
        "name", "uuid", "image", "digest", "definition", "state", "health", "created", "started",
        "ended", "exitCode", "pid", "uptimeSeconds",
    }  # fmt: skip
    assert (row["name"], row["image"], row["state"], row["exitCode"]) == (
        "one", "talker:1.0", "stopped", 3,
    )  # fmt: skip
    assert row["definition"] == "talker@2.1.0"
    assert agent("ps", "--format", "json").json == []


@pytest.mark.parametrize("command", ["prune", "gc"])
def test_collections_as_json(agent: Agent, stocked: Path, command: str):
    agent("tag", "mute:1.0", "talker:1.0")  # the talker loses its name
    document = agent(command, "--dry-run", "--grace", "0", "--format", "json").json
    assert set(document) == {"images", "blobs", "size", "dryRun"}
    assert document["dryRun"] is True
    assert bool(document["images"]) is (command == "prune")
    assert len(agent("images").lines) == 1 + 7


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(agent: Agent, shell: str):
    assert f"_AGENT_COMPLETE={shell}_complete" in agent("completion", shell).out


def test_completion_of_an_unknown_shell(agent: Agent):
    assert "tcsh" in agent("completion", "tcsh", code=2).err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("agent im", "plain,images"),
        ("agent build --com", "plain,--compression"),
        ("agent build --profile i", "plain,image"),
        ("agent completion ", "plain,fish"),
    ],
)
def test_completion_answers(run_agent: RunAgent, words: str, found: str):
    environment = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "_AGENT_COMPLETE": "bash_complete",
    }
    done = run_agent(env=environment)
    assert found in done.stdout.splitlines()
    assert done.stderr == ""


def test_the_completion_script_works_in_bash(tmp_path: Path, agent: Agent):
    script = tmp_path / "completion"
    script.write_text(agent("completion", "bash").out)
    program = tmp_path / "agent"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m agentoci "$@"\n')
    program.chmod(0o755)
    lines = (
        f". {script}; COMP_WORDS=(agent verif); COMP_CWORD=1; _agent_completion agent; "
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", lines],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("verify\n", "")


# Start-up: a command pays for nothing that it does not use


def modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\n"
        "from agentoci.cli.main import _run\n"
        f"code = _run({list(arguments)!r})\n"
        "print(*sys.modules, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_listing_a_thousand_images_imports_nothing_heavy(agent: Agent, stocked: Path):
    index = stocked / "store" / "index.json"
    document = json.loads(index.read_bytes())
    [first, *_] = document["manifests"]
    document["manifests"] = [
        first
        | {
            "annotations": first["annotations"]
            | {"org.opencontainers.image.ref.name": f"image{number}:1.0"}
        }
        for number in range(1000)
    ]
    index.write_text(json.dumps(document))
    assert len(agent("images").lines) == 1001
    loaded = modules_after("images")
    assert not loaded.intersection(HEAVY)
    assert "agentoci.store.index" in loaded
    assert "agentoci.registry" not in loaded


def test_help_imports_no_command():
    loaded = modules_after("--help")
    assert not loaded.intersection(HEAVY)
    assert not [name for name in loaded if name.startswith(("agentoci.store", "agentoci.api"))]
    assert "agentoci.cli.images" not in loaded


# Faults of ours


def test_an_internal_error_is_told_in_a_line_and_in_full_when_asked(
    run_agent: RunAgent, tmp_path: Path
):
    """A module that cannot be imported stands for any fault of ours."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['tomllib'] = None\n")
    config = tmp_path / "config.toml"
    config.write_text("")
    broken = {"PYTHONPATH": str(tmp_path), "AGENTOCI_CONFIG": str(config)}
    plain = run_agent("images", env=broken)
    assert plain.returncode == 1
    assert plain.stderr.startswith("error: internal error: ModuleNotFoundError: import of tomllib")
    assert "hint: AGENTOCI_DEBUG=1 shows where" in plain.stderr
    assert "Traceback" not in plain.stderr
    full = run_agent("images", env={**broken, "AGENTOCI_DEBUG": "1"})
    assert full.returncode == 1
    assert "Traceback (most recent call last)" in full.stderr
    assert "settings.py" in full.stderr


def test_a_terminal_that_lacks_the_letters_gets_escapes(run_agent: RunAgent, talker: Path):
    with (talker / "Agentfile").open("a", encoding="utf-8") as agentfile:
        agentfile.write("ENV MOTTO=多说无益\n")
    assert run_agent("build", "-t", "talker:1.0", talker).returncode == 0
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    document = run_agent("inspect", "talker:1.0", env=ascii_only)
    assert document.returncode == 0, document.stderr
    assert "MOTTO=多说无益" in json.loads(document.stdout)["config"]["Env"]
    history = run_agent("history", "talker:1.0", env=ascii_only)
    assert "\\u591a" in history.stdout
    assert "多说无益" in run_agent("history", "talker:1.0").stdout
