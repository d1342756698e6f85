from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.instances.directory import Instances
from agentoci.instances.instance import ImageRef, Instance, ProcessEntry
from agentoci.runtime import verbs

IMAGE = ImageRef("coordinator:1.0", "sha256:" + "a" * 64, "coordinator@1.0.0")
HOST = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "SECRET_TOKEN": "of the host"}
CLOCK = SystemClock()

MakeInstance = Callable[..., Instance]


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[Instances]:
    """A directory of instances; what still runs at the end is removed by force."""
    made = Instances(tmp_path / "instances", clock=CLOCK)
    yield made
    for view in made.list():
        with contextlib.suppress(Exception):
            verbs.remove(made, made.get(view.name), clock=CLOCK, force=True)


@pytest.fixture
def instance_of(instances: Instances) -> MakeInstance:
    """An instance of an image with a shell or Python program, and ENTRYPOINT to run it."""

    def make(
        *,
        sh: str = "",
        python: str = "",
        entrypoint: Sequence[str] | None = None,
        arguments: Sequence[str] = (),
        env: Sequence[str] = (),
        extra: Sequence[str] = (),
        name: str | None = None,
    ) -> Instance:
        def populate(folder: Path) -> None:
            (folder / "agent").mkdir(parents=True)
            program = folder / "agent" / "main"
            program.write_text(f"#!{sys.executable} -u\n{python}" if python else f"#!/bin/sh\n{sh}")
            program.chmod(0o755)

        entry = ProcessEntry(
            ("/agent/main",) if entrypoint is None else tuple(entrypoint),
            tuple(arguments),
            tuple(env),
            tuple(extra),
        )
        return instances.create(name, populate=populate, image=IMAGE, entry=entry)

    return make


def start(instance: Instance) -> int:
    return verbs.start(instance, host=HOST, clock=CLOCK)


def wait(instance: Instance) -> int | None:
    return verbs.wait(instance, clock=CLOCK)


def said(instance: Instance, stream: str = "stdout") -> list[str]:
    return [line.text for line in verbs.logs(instance, clock=CLOCK) if line.stream == stream]


def until(ready: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = CLOCK.monotonic() + seconds
    while not ready():
        assert CLOCK.monotonic() < deadline, "it did not happen in time"
        CLOCK.sleep(0.01)
