"""One image, built once, and what others need to get at it."""

from __future__ import annotations

import os
import random
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import commandline
from tests.interop.content import digest_of, manifest_at, named
from tests.peers import PEERS, Command, Image, Peer
from tests.registries import Registry, find_tool

NAME = "bot:1"
GREETING = "measure twice, cut once"

AGENTFILE = """\
FROM scratch
COPY knowledge /agent/knowledge
COPY greet.sh /agent/tools/greet.sh
INTERFACE bot
ENTRYPOINT ["/bin/sh", "tools/greet.sh"]
"""


@dataclass(frozen=True, slots=True)
class Built:
    """The image in the store of a home of its own."""

    home: Path
    digest: str

    @property
    def store(self) -> Path:
        """The store's folder, which is an image layout."""
        return self.home / "agentoci" / "store"

    @property
    def image(self) -> Image:
        """The image as others find it in the store."""
        return Image(self.store, NAME, self.digest)

    def agent(self, *arguments: str | Path) -> str:
        """Run the command line in this home; returns what it prints."""
        done = commandline.run_agent(
            *arguments, env=commandline.environment_of(self.home), cwd=self.home
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@dataclass(frozen=True, slots=True)
class Pushed:
    """The image in a registry."""

    built: Built
    profile: str
    reference: str
    digest: str


def write_context(folder: Path) -> None:
    """Text that compresses, noise that does not, and a program that shows what it was given."""
    knowledge = folder / "knowledge"
    (knowledge / "deep").mkdir(parents=True)
    (knowledge / "rules.md").write_text(f"{GREETING}\n")
    (knowledge / "deep" / "long.md").write_text("The same line, many times over.\n" * 5000)
    (knowledge / "noise.bin").write_bytes(random.Random(7).randbytes(2 << 20))
    (folder / "greet.sh").write_text('echo "I was told: $(cat "$AGENT_HOME/knowledge/rules.md")"\n')
    (folder / "Agentfile").write_text(AGENTFILE)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The image, built by the command line."""
    home = tmp_path_factory.mktemp("builder")
    write_context(home / "context")
    making = Built(home, "")
    making.agent("build", "-t", NAME, home / "context")
    return Built(home, named(making.store)[NAME])


@pytest.fixture(scope="session", params=["agent", "image"])
def pushed(request: pytest.FixtureRequest, built: Built, registry: Registry) -> Pushed:
    """The image in each registry, in each profile."""
    reference = registry.reference(f"interop/{uuid.uuid4().hex[:12]}:1")
    built.agent("push", "--profile", request.param, NAME, reference)
    return Pushed(built, request.param, reference, digest_of(manifest_at(reference)))


def peer_called(name: str) -> Peer:
    """The peer, or a skip that says how to get it."""
    program = find_tool(name)
    if program is None:
        pytest.skip(f"no {name} on this machine; scripts/install-peers installs it")
    return PEERS[name](program)


@pytest.fixture(params=list(PEERS))
def peer(request: pytest.FixtureRequest) -> Peer:
    """Each of the other tools."""
    return peer_called(request.param)


RunPeer = Callable[[Command], bytes]


@pytest.fixture
def run_peer(home: Path) -> RunPeer:
    """Run another tool, at home where the test is; returns what it prints, as bytes."""

    def run(command: Command) -> bytes:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=os.environ,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        return done.stdout

    return run
