"""The command line in this process, homes to move between, and an agent small enough to travel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import conftest as cli
from tests.cli import samples
from tests.cli.conftest import Agent

agent, move_home = cli.agent, cli.move_home


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """What the agent `talker:1.0` is built from."""
    return samples.write_talker(tmp_path / "talker")


@pytest.fixture
def talker(agent: Agent, context: Path) -> str:
    """An agent in the store, called `talker:1.0`; returns its digest."""
    return agent("build", "-q", "-t", "talker:1.0", context).out.strip()
