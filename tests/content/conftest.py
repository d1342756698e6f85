"""The three kinds of target, under one name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import Target
from agentoci.registry.client import ClientOptions, RegistryClient
from agentoci.registry.repository import Repository
from agentoci.spec.reference import Reference
from agentoci.store.layout import LayoutStore
from tests.registry.fake import FakeRegistry

KINDS = ["memory", "layout", "registry"]

MakeTarget = Callable[[str], Target]


@pytest.fixture
def repository() -> Iterator[Callable[[str], Repository]]:
    """Repositories of one registry, by name."""
    with FakeRegistry() as fake:
        client = RegistryClient(ClientOptions(clock=SystemClock()))
        yield lambda name: client.repository(Reference(fake.host, name, "latest"), push=True)
        client.close()


@pytest.fixture
def make_target(tmp_path: Path, repository: Callable[[str], Repository]) -> MakeTarget:
    """A new empty target of a kind."""
    made: list[str] = []

    def make(kind: str) -> Target:
        name = f"{kind}{len(made)}"
        made.append(name)
        if kind == "memory":
            return MemoryTarget()
        if kind == "layout":
            return LayoutStore.create(tmp_path / name, clock=SystemClock())
        return repository(name)

    return make


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, make_target: MakeTarget) -> Target:
    """Each kind of target, empty."""
    return make_target(request.param)
