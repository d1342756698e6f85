from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentoci.instances.directory import Instances
from agentoci.instances.instance import ImageRef, Instance, ProcessEntry

IMAGE = ImageRef("coordinator:1.0", "sha256:" + "a" * 64, "coordinator@1.0.0", ("psm", "debug"))
ENTRY = ProcessEntry(("/agent/main",), ("--fast",), ("MODE=a",), ("TOKEN=s3cret",))


class SteppingClock:
    """Goes on by itself with every look, and when somebody sleeps."""

    def __init__(self) -> None:
        self._now = datetime(2024, 1, 15, 10, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def monotonic(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def populate(folder: Path) -> None:
    (folder / "agent").mkdir(parents=True)
    (folder / "agent" / "definition.json").write_text("{}")


Create = Callable[..., Instance]


@pytest.fixture
def instances(tmp_path: Path) -> Instances:
    return Instances(tmp_path / "instances", clock=SteppingClock())


@pytest.fixture
def create(instances: Instances) -> Create:
    def make(name: str | None = None) -> Instance:
        return instances.create(name, populate=populate, image=IMAGE, entry=ENTRY)

    return make
