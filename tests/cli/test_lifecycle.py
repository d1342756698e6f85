"""Instances through the command line: create, run, start, stop, logs, rm, and what they hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Agent, MoveHome
from tests.conftest import RunAgent
from tests.registry.fake import FakeRegistry


@pytest.fixture(autouse=True)
def nothing_left_running(agent: Agent, stocked: Path) -> Iterator[None]:
    """Instances of a test end with it."""
    yield
    running = agent("ps", "-q").lines
    if running:
        agent("rm", "-f", *running)


def document_of(home: Path, name: str) -> dict[str, object]:
    found = json.loads((home / "instances" / name / "instance.json").read_bytes())
    assert isinstance(found, dict)
    return found


def state_of(agent: Agent, name: str) -> tuple[str, int | None]:
    [row] = [row for row in agent("ps", "-a", "--format", "json").json if row["name"] == name]
    return row["state"], row["exitCode"]


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_from_create_to_rm(agent: Agent, stocked: Path):
    assert agent("create", "--name", "bot", "talker:1.0", "--sleep", "60").out == "bot\n"
    assert state_of(agent, "bot") == ("created", None)
    assert agent("ps").lines[1:] == []
    assert agent("start", "bot").out == "bot\n"
    assert re.search(r"^bot +talker:1\.0 +running", agent("ps").out, re.MULTILINE)

    assert "bot is running" in agent("start", "bot", code=7).err
    refused = agent("rm", "bot", code=7)
    assert "bot is running" in refused.err
    assert "hint: stop it first" in refused.err

    assert agent("stop", "-t", "5", "bot").out == "bot\n"
    assert state_of(agent, "bot") == ("stopped", 143)
    assert agent("rm", "bot").out == "bot\n"
    assert not (stocked / "instances" / "bot").exists()
    assert agent("ps", "-a").lines[1:] == []


def test_memory_stays_from_run_to_run_and_goes_with_rm(agent: Agent, stocked: Path):
    agent("run", "--name", "bot", "talker:1.0")
    agent("start", "bot")
    until(lambda: state_of(agent, "bot")[0] == "stopped")
    memory = stocked / "instances" / "bot" / "memory" / "runs"
    assert memory.read_text() == "run\nrun\n"
    agent("rm", "bot")
    assert not memory.exists()


def test_an_instance_has_the_shape_of_the_specification(agent: Agent, stocked: Path):
    agent("create", "--name", "bot", "coordinator:1.0")
    document = document_of(stocked, "bot")
    assert (document["apiVersion"], document["kind"]) == ("agent/v1", "AgentInstance")
    metadata, status = document["metadata"], document["status"]
    assert isinstance(metadata, dict)
    assert isinstance(status, dict)
    assert metadata["name"] == "bot"
    assert metadata["definition_ref"] == "coordinator_agent@0.0.0"
    assert [metadata["checksum"]] == agent("images", "-q", "coordinator").lines
    assert status["state"] == "created"


def test_the_exit_code_of_the_foreground_is_the_agents(agent: Agent, stocked: Path):
    done = agent("run", "--name", "bot", "talker:1.0", "--code", "42", code=42)
    assert done.out == "hello there from bot, arguments: <--code> <42>\n"
    assert "and this is stderr\n" in done.err
    assert state_of(agent, "bot") == ("stopped", 42)


def test_arguments_pass_through_as_they_are(agent: Agent, stocked: Path):
    words = ("--rm", "-d", "--help", "two words", "", "--", "--name=x", "*")
    said = agent("run", "--rm", "talker:1.0", *words).out
    assert said.endswith("arguments:" + "".join(f" <{word}>" for word in words) + "\n")
    assert agent("ps", "-aq").out == ""


def test_rm_removes_it_after_a_failure_too(agent: Agent, stocked: Path):
    agent("run", "--rm", "talker:1.0", "--code", "9", code=9)
    assert agent("ps", "-aq").out == ""
    assert not [path for path in (stocked / "instances").iterdir() if path.is_dir()]


def test_variables_of_image_and_user(
    agent: Agent, stocked: Path, monkeypatch: pytest.MonkeyPatch, talker: Path
):
    monkeypatch.setenv("HOST_SECRET", "hush")
    (talker / "talk.sh").write_text("env\n")
    agent("build", "--replace", "-t", "teller:1", talker)
    said = agent("run", "-e", "TASK=a=b c", "--env", "GREETING=hi", "teller:1").lines
    assert "TASK=a=b c" in said
    assert "GREETING=hi" in said
    assert not [line for line in said if line.startswith(("HOST_SECRET", "AGENTOCI_"))]
    assert [line for line in said if line.startswith("AGENT_INSTANCE=")]


def test_logs(agent: Agent, stocked: Path):
    agent("run", "-d", "--name", "bot", "talker:1.0", "-x")
    followed = agent("logs", "-f", "bot")
    assert followed.out == "hello there from bot, arguments: <-x>\n"
    assert followed.err == "and this is stderr\n"
    assert agent("logs", "bot").out == followed.out
    assert agent("logs", "--tail", "0", "bot").out == ""
    stamped = agent("logs", "-t", "bot").out
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\S+Z hello there from bot, arguments: <-x>\n", stamped)


def test_several_at_once_do_what_can_be_done(agent: Agent, stocked: Path):
    agent("create", "--name", "one", "talker:1.0", "--sleep", "60")
    agent("create", "--name", "two", "talker:1.0", "--sleep", "60")
    started = agent("start", "one", "none", "two", code=6)
    assert started.lines == ["one", "two"]
    assert "no instance is named 'none'" in started.err
    assert agent("stop", "-t", "0", "gone", "one", "two", code=6).lines == ["one", "two"]
    removed = agent("rm", "x", "one", "y", "two", code=6)
    assert removed.lines == ["one", "two"]
    assert "'x'" in removed.err
    assert "'y'" in removed.err


def test_names(agent: Agent, stocked: Path):
    first = agent("create", "talker:1.0").out.strip()
    assert re.fullmatch(r"[a-z]+_[a-z]+\d*", first)
    assert agent("create", "talker:1.0").out.strip() != first
    agent("create", "--name", "bot", "talker:1.0")
    taken = agent("create", "--name", "bot", "mute:1.0", code=7)
    assert "an instance named 'bot' exists already" in taken.err
    assert "agent rm bot" in taken.err
    taken = agent("run", "--name", "bot", "talker:1.0", code=7)
    assert taken.out == ""
    [row] = [row for row in agent("ps", "-a", "--format", "json").json if row["name"] == "bot"]
    assert agent("rm", row["uuid"][:13]).out == "bot\n"
    assert "did you mean" in agent("logs", first + "x", code=6).err


def test_two_processes_that_want_the_same_name(stocked: Path, tmp_path: Path):
    command = [sys.executable, "-m", "agentoci", "create", "--name", "bot", "talker:1.0"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
        for _ in range(3)
    ]
    ended = [(process.communicate(timeout=60), process.returncode) for process in both]
    assert sorted(code for _, code in ended) == [0, 7, 7]
    for (out, err), code in ended:
        assert out == (b"bot\n" if code == 0 else b"")
        assert (b"exists already" in err) is (code == 7)
    assert sorted(path.name for path in (stocked / "instances").iterdir()) == ["bot"]


def test_run_pulls_from_a_layout(agent: Agent, stocked: Path, home: Path, move_home: MoveHome):
    agent("push", "talker:1.0", f"oci:{home}/layout")
    move_home("other")
    ran = agent("run", "--name", "bot", f"oci:{home}/layout:talker:1.0", "x")
    assert "hello there from bot, arguments: <x>" in ran.out
    assert "talker" in agent("images").out
    agent("rm", "bot")


def test_run_pulls_from_a_registry_once(
    agent: Agent, stocked: Path, fake: FakeRegistry, move_home: MoveHome
):
    reference = f"{fake.host}/team/talker:1.0"
    agent("push", "talker:1.0", reference)
    move_home("other")
    first = agent("run", "--rm", reference)
    assert "hello there" in first.out
    assert "copied " not in first.out
    assert "copied knowledge-" in first.err
    asked = len(fake.seen)
    second = agent("run", "--rm", reference)
    assert "hello there" in second.out
    assert "copied " not in second.err
    assert len(fake.seen) == asked


def test_a_build_shows_the_base_that_it_pulls(
    agent: Agent, stocked: Path, fake: FakeRegistry, move_home: MoveHome, tmp_path: Path
):
    reference = f"{fake.host}/team/talker:1.0"
    agent("push", "talker:1.0", reference)
    move_home("other")
    (tmp_path / "Agentfile").write_text(f"FROM {reference}\nINTERFACE child\n")
    assert "copied knowledge-" in agent("build", "-t", "child:1", tmp_path).err
    move_home("third")
    assert "copied " not in agent("build", "-q", "-t", "child:1", tmp_path).err


def test_an_image_in_use_stays(agent: Agent, stocked: Path):
    agent("create", "--name", "bot", "talker:1.0")
    refused = agent("rmi", "talker:1.0", code=7)
    assert "instances were made from it: bot" in refused.err
    assert "agent rm" in refused.err
    agent("tag", "talker:1.0", "talker:spare")
    agent("rmi", "talker:1.0")
    agent("rmi", "talker:spare", code=7)
    agent("prune", "--all", "--grace", "0")
    assert [row.split()[0] for row in agent("images").lines[1:]] == ["talker"]
    agent("start", "bot")
    agent("rm", "-f", "bot")
    assert "deleted: sha256:" in agent("rmi", "talker:spare").out
    assert agent("images").lines[1:] == []


def test_an_instance_goes_on_without_its_image(agent: Agent, stocked: Path):
    agent("create", "--name", "bot", "talker:1.0")
    agent("rmi", "-f", "talker:1.0")
    agent("start", "bot")
    assert "hello there from bot" in agent("logs", "-f", "bot").out


def size_of(store: Path) -> int:
    return sum(path.stat().st_size for path in (store / "blobs").rglob("*") if path.is_file())


def test_rmi_frees_what_only_that_image_needed(agent: Agent, stocked: Path):
    store = stocked / "store"
    before = size_of(store)
    shared = set(blobs_of(agent, "base_agent:latest"))
    removed = agent("rmi", "coordinator:1.0")
    assert removed.lines[0] == "untagged: coordinator:1.0"
    assert removed.lines[1].startswith("deleted: sha256:")
    [freed] = re.findall(r"freed (\d.*B)", removed.err)
    assert size_of(store) < before
    assert freed
    for digest in shared:
        assert (store / "blobs" / "sha256" / digest.removeprefix("sha256:")).exists()
    assert "hello there" in agent("run", "--rm", "talker:1.0").out


def blobs_of(agent: Agent, name: str) -> list[str]:
    return [layer["digest"] for layer in agent("inspect", name).json["layers"]]


def test_rmi_by_id_takes_all_names_only_by_force(agent: Agent, stocked: Path):
    agent("tag", "talker:1.0", "talker:2.0")
    short = agent("images", "-q", "talker").out[7:19]
    refused = agent("rmi", short, code=7)
    assert "has several names: talker:1.0, talker:2.0" in refused.err
    gone = agent("rmi", "-f", short)
    assert gone.lines[:2] == ["untagged: talker:1.0", "untagged: talker:2.0"]
    assert "talker" not in agent("images").out


def test_prune_and_gc_do_what_their_dry_runs_say(agent: Agent, stocked: Path):
    agent("tag", "mute:1.0", "talker:1.0")
    store = stocked / "store"
    for command in (("prune", "--grace", "0"), ("gc", "--grace", "0")):
        before = size_of(store)
        promised = agent(*command, "--dry-run", "--format", "json").json
        assert size_of(store) == before
        done = agent(*command, "--format", "json").json
        assert done == promised | {"dryRun": False}
        assert size_of(store) == before - done["size"]
        assert agent(*command, "--format", "json").json["blobs"] == []
    assert "<none>" not in agent("images").out
    kept = {row["repository"] for row in agent("images", "--format", "json").json}
    assert kept == {
        "base_agent", "code_generator", "coordinator", "mute", "psm_generator", "talker",
    }  # fmt: skip
    assert agent("prune", "--all", "--grace", "0").lines
    assert agent("images").lines[1:] == []
    assert size_of(store) == 0


def test_young_blobs_are_spared(agent: Agent, stocked: Path):
    stray = stocked / "store" / "blobs" / "sha256" / ("ab" * 32)
    stray.write_bytes(b"somebody is writing an image")
    assert "blob" not in agent("gc").out
    assert stray.exists()
    old = time.time() - 7200
    os.utime(stray, (old, old))
    assert agent("gc").lines == [f"blob sha256:{'ab' * 32}"]
    assert not stray.exists()


def test_a_process_that_was_started_outlives_the_command(
    run_agent: RunAgent, stocked: Path, agent: Agent
):
    started = run_agent("run", "-d", "--name", "bot", "talker:1.0", "--sleep", "60")
    assert (started.stdout, started.returncode) == ("bot\n", 0)
    assert state_of(agent, "bot") == ("running", None)
    assert run_agent("stop", "-t", "0", "bot").stdout == "bot\n"
    assert state_of(agent, "bot") == ("stopped", 137)


def test_detached_runs_do_not_remove_themselves(agent: Agent, stocked: Path):
    refused = agent("run", "-d", "--rm", "talker:1.0", code=2)
    assert "--rm goes with runs in the foreground" in refused.err


def test_a_program_that_is_not_there(agent: Agent, talker: Path):
    agentfile = (talker / "Agentfile").read_text()
    (talker / "Agentfile").write_text(agentfile.replace('"/bin/sh"', '"no-such-program"'))
    agent("build", "--replace", "-t", "lame:1", talker)
    failed = agent("run", "--name", "bot", "lame:1", code=None)
    assert failed.code in (6, 127)
    assert "no-such-program" in failed.err
    assert state_of(agent, "bot")[0] in ("created", "stopped")
