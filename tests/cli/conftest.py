"""The command line in this process, and homes that hold images already."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from agentoci.api.builds import BuildOptions
from agentoci.api.engine import Engine
from agentoci.cli.main import _run
from agentoci.config.settings import read_settings
from agentoci.spec.reference import Reference
from tests import commandline
from tests.cli import samples
from tests.registry.fake import FakeRegistry


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout, read as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """Its stdout, line by line."""
        return self.out.splitlines()


class Agent(Protocol):
    """How tests call the command line without a process."""

    def __call__(self, *arguments: str | Path, stdin: bytes = b"", code: int | None = 0) -> Result:
        """Run `agent ARGUMENTS`; fails unless it ends with `code` (None: however it ends)."""
        ...


@pytest.fixture(autouse=True)
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs buffer their output as they do for users, so that flushing it late can fail."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def agent(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Agent:
    """The command line, called in this process: the same code, without 100 ms of start-up."""

    def call(*arguments: str | Path, stdin: bytes = b"", code: int | None = 0) -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capfd.readouterr()
        ended = _run([str(argument) for argument in arguments])
        result = Result(ended, *capfd.readouterr())
        assert "Traceback" not in result.err
        assert code in (None, ended), result
        return result

    return call


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with images, built once; tests get copies of it."""
    folder = tmp_path_factory.mktemp("shelf")
    contexts = {
        "base_agent:latest": samples.EXAMPLES / "base_agent",
        "psm_generator:1.0": samples.EXAMPLES / "psm_generator",
        "code_generator:1.0": samples.EXAMPLES / "code_generator",
        "coordinator:1.0": samples.write_coordinator(folder / "coordinator"),
        "talker:1.0": samples.write_talker(folder / "talker"),
        "mute:1.0": samples.write_mute(folder / "mute"),
    }
    with Engine(read_settings(commandline.home_variables(folder))) as engine:
        for name, context in contexts.items():
            engine.builds.build(context, BuildOptions(tags=(Reference.parse(name),)))
    return folder / "agentoci"


@pytest.fixture
def stocked(home: Path, shelf: Path) -> Path:
    """The test's home with the images of `shelf` in its store; returns AGENTOCI_HOME."""
    return shutil.copytree(shelf, home / "agentoci")


@pytest.fixture
def talker(tmp_path: Path) -> Path:
    """The context of an agent that talks."""
    return samples.write_talker(tmp_path / "talker")


@pytest.fixture
def coordinator(tmp_path: Path) -> Path:
    """The specification's context."""
    return samples.write_coordinator(tmp_path / "coordinator")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    """A registry that misbehaves on demand."""
    with FakeRegistry() as fake:
        yield fake


MoveHome = Callable[[str], Path]


@pytest.fixture
def move_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MoveHome:
    """Go on as on another machine: with an AGENTOCI_HOME of its own, empty at first."""

    def move(name: str) -> Path:
        folder = tmp_path / name
        monkeypatch.setenv("AGENTOCI_HOME", str(folder))
        return folder

    return move
