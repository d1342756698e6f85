"""What reaches a terminal: prompts when there is one, and nothing that steers it."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Agent
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import refuses

ON_ITS_TERMINAL = """\
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # from now on ^C is a signal
from agentoci.cli.main import main
main()
"""

ATTACK = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\r\n\b\x7f"
"""Clears the screen, sets the title, colours by the one-byte CSI, and turns the writing round."""

FORBIDDEN = frozenset(ATTACK) - set("gnp.exe2J]0;owned31m[\n")


def assert_harmless(text: str) -> None:
    assert not FORBIDDEN.intersection(text)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_ITS_TERMINAL, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        )
        os.close(theirs)
        self.shown = ""

    def expect(self, text: str, seconds: float = 20) -> None:
        """Wait until the text was shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not self._read():
                break
        assert text in self.shown

    def type(self, text: str) -> None:
        """As by a person at the keyboard."""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C, and again: one that comes as the prompt appears waits for the next key."""
        while self._process.poll() is None:
            self.type("\x03")
            pause = time.monotonic() + 1
            while self._process.poll() is None and time.monotonic() < pause:
                if select.select([self._ours], [], [], 0.05)[0] and not self._read():
                    break

    def end(self) -> int:
        """The exit code, when everything was shown."""
        while self._read():
            continue
        return self._process.wait(20)

    def close(self) -> None:
        """Whatever happened."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 20)[0]:
            return False
        try:
            block = os.read(self._ours, 65536)
        except OSError:  # Linux says EIO when the other end is closed
            return False
        self.shown += block.decode(errors="replace")
        return bool(block)


@pytest.fixture
def terminal(home: Path) -> Iterator[Callable[..., Terminal]]:
    """Start commands on terminals."""
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_login_asks_on_a_terminal_and_hides_the_password(
    terminal: Callable[..., Terminal], fake: FakeRegistry, home: Path
):
    fake.auth = Basic("ada", "hidden-word")
    screen = terminal("login", fake.host)
    screen.expect("Username:")
    screen.type("ada\n")
    screen.expect("Password:")
    screen.type("hidden-word\n")
    assert screen.end() == 0
    assert "hidden-word" not in screen.shown
    assert f"logged in to {fake.host} as ada" in screen.shown
    assert fake.host in json.loads((home / ".docker" / "config.json").read_bytes())["auths"]


def test_ctrl_c_at_a_prompt(terminal: Callable[..., Terminal], fake: FakeRegistry):
    screen = terminal("login", fake.host)
    screen.expect("Username:")
    screen.interrupt()
    assert screen.end() == 130
    assert "interrupted" in screen.shown
    assert "Traceback" not in screen.shown


def test_bars_on_a_terminal(terminal: Callable[..., Terminal], stocked: Path, home: Path):
    screen = terminal("push", "talker:1.0", f"oci:{home}/layout")
    assert screen.end() == 0
    assert "copied tools-" in screen.shown
    assert "pushed oci:" in screen.shown
    quiet = terminal("push", "-q", "talker:1.0", f"oci:{home}/layout")
    assert quiet.end() == 0
    assert quiet.shown.startswith("sha256:")


def test_an_agent_in_the_foreground_has_the_terminal(
    terminal: Callable[..., Terminal], talker: Path, agent: Agent
):
    (talker / "talk.sh").write_text('test -t 0 && test -t 1 && read -r word && echo "got $word"\n')
    agent("build", "-t", "asker:1", talker)
    screen = terminal("run", "--rm", "asker:1")
    screen.type("a-word\n")
    screen.expect("got a-word")
    assert screen.end() == 0


# Hostile images


@pytest.fixture
def hostile(fake: FakeRegistry) -> str:
    """An image whose every text tries to steer the terminal; returns its reference."""

    def put(document: dict[str, Any], media_type: str) -> dict[str, Any]:
        raw = json.dumps(document).encode()
        return {"mediaType": media_type, "digest": fake.put("evil", raw), "size": len(raw)}

    layer_type = "application/vnd.agentoci.layer.knowledge.v1.tar"
    layer = put({"no": "tar"}, layer_type)
    layer["annotations"] = {"org.opencontainers.image.title": f"knowledge{ATTACK}"}
    config = put(
        {
            "created": f"1970-01-01T00:00:00Z{ATTACK}",
            "config": {"Env": [f"A={ATTACK}"], "Entrypoint": [f"/bin/sh{ATTACK}"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            "history": [
                {"created_by": f"COPY {ATTACK}\nforged row", "empty_layer": True},
                {"created_by": f"interface{ATTACK}\nforged row"},
            ],
            "agentoci": {"definition": {"metadata": {"name": f"evil{ATTACK}"}}},
        },
        "application/vnd.agentoci.agent.config.v1+json",
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.agentoci.agent.v1",
        "config": config,
        "layers": [layer],
        "annotations": {
            "org.opencontainers.image.title": f"evil{ATTACK}\nforged row",
            f"key{ATTACK}": ATTACK,
        },
    }
    fake.put_manifest("evil", "1", str(manifest["mediaType"]), json.dumps(manifest).encode())
    return f"{fake.host}/evil:1"


def test_hostile_images_do_not_steer_the_terminal(agent: Agent, hostile: str):
    commands: list[tuple[str, ...]] = [
        ("inspect", "--remote", hostile),
        ("inspect", "--remote", "--format", "table", hostile),
        ("history", hostile),
        ("history", "--format", "json", hostile),
        ("pull", hostile),
        ("images",),
        ("images", "--format", "json"),
        ("inspect", hostile),
        ("run", hostile),
        ("ps", "-a"),
        ("push", hostile, f"{hostile.rpartition(':')[0]}:2"),
        ("rmi", hostile),
    ]
    ended: dict[str, int] = {}
    for command in commands:
        done = agent(*command, code=None)
        ended[command[0]] = done.code
        assert_harmless(done.out)
        assert_harmless(done.err)
        assert "internal error" not in done.err, (command, done.err)
        assert not [line for line in done.lines if line.startswith("forged")], command
    assert ended == dict.fromkeys(ended, 0) | {"run": 8}


def test_json_keeps_what_it_escapes(agent: Agent, hostile: str):
    document = agent("inspect", "--remote", hostile).json
    assert document["annotations"]["org.opencontainers.image.title"] == f"evil{ATTACK}\nforged row"
    assert document["config"]["Env"] == [f"A={ATTACK}"]


def test_a_hostile_registry_does_not_steer_the_terminal(agent: Agent, fake: FakeRegistry):
    fake.on("*", "/v2/", refuses(403, f"DENIED{ATTACK}", f"no {ATTACK} way"), times=9)
    denied = agent("pull", f"{fake.host}/bot:1", code=5)
    assert_harmless(denied.err)
    assert "way" in denied.err


def test_a_hostile_agentfile_does_not_steer_the_terminal(agent: Agent, talker: Path):
    (talker / "Agentfile").write_text(f"FROM scratch\nEVIL{ATTACK} x\nCOPY a{ATTACK} /agent/\n")
    refused = agent("build", talker, code=2)
    assert_harmless(refused.err)
