"""README's recipes: read out of the page, and what it takes to run them.

The page is not changed on the way. What differs from the real thing is what differs between any two
users: a registry's address, its account, the tag that is released.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.commandline import home_variables

README: Final = Path(__file__).parents[1] / "README.md"
EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "base_agent"

DAY: Final = "2026-01-02T03:04:05Z"
"""When everything is committed."""

_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LABEL: Final = "LABEL org.opencontainers.image.version"
_WHO: Final = {"NAME": "ada", "EMAIL": "ada@example.com", "DATE": DAY}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of the page."""

    language: str
    text: str


def section(title: str) -> str:
    """The section of this title."""
    sections = re.split(r"^## ", README.read_text(), flags=re.MULTILINE)
    [found] = [text for text in sections if text.partition("\n")[0] == title]
    return found


def blocks(title: str) -> list[Block]:
    """The blocks of the section of this title, in their order."""
    text = section(title)
    found = [Block(*groups) for groups in _FENCE.findall(text)]
    assert len(found) * 2 == text.count("```"), "a fence without language, or without end"
    return found


def quoted(title: str, *starts: str) -> list[str]:
    """What the section quotes within its sentences, of those that start so."""
    prose = _FENCE.sub("", section(title))
    return [code for code in re.findall(r"`([^`]+)`", prose) if code.startswith(starts)]


def take_version(folder: Path, *, name: str = "base_agent") -> None:
    """Let the example's Agentfile take its version as the page says."""
    argument, label = quoted("Release pipelines", "ARG ", "LABEL ")
    file = folder / "Agentfile"
    written = file.read_text()
    assert _LABEL in written
    written = written.replace(f"{_LABEL}=1.0.0\n", f"{argument}\n{label}\n")
    file.write_text(written.replace("INTERFACE base_agent\n", f"INTERFACE {name}\n"))


def git(folder: Path, *arguments: str) -> str:
    """Run git, as somebody, on a day of its own."""
    told = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in _WHO.items()
    }
    done = subprocess.run(
        ["git", "-c", "advice.detachedHead=false", *arguments],
        cwd=folder,
        env={**os.environ, **told, "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@dataclass
class Machine:
    """A machine with a home of its own, on which nothing was done yet."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True)
        self.home.mkdir()
        program = self.folder / "bin" / "agent"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agentoci "$@"\n')
        program.chmod(0o755)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        """Where scripts are run."""
        return self.folder / "work"

    def run(self, script: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a script to its end, with nothing of the tester's environment but PATH and LANG."""
        passed = {
            name: os.environ[name]
            for name in ("LANG", "COVERAGE_PROCESS_CONFIG")
            if name in os.environ
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.work,
            env={
                **passed,
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                **home_variables(self.home),
                **self.variables,
                **variables,
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    """What a script printed that had to succeed."""
    assert done.returncode == 0, done.stderr
    return done.stdout
