"""Fakes that are real servers, a clock that does not wait, and clients for both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.client import ClientOptions, RegistryClient
from agentoci.registry.probing import Ground
from agentoci.registry.repository import Repository
from agentoci.spec.reference import Reference
from tests.registry.fake import FakeRegistry
from tests.registry.grounds import MakeGround

if TYPE_CHECKING:
    from agentoci.registry.oras.bridge import OrasRegistry


class StepClock:
    """Time moves only when somebody sleeps, or by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return datetime(2024, 1, 15, 10, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


MakeClient = Callable[..., RegistryClient]
Open = Callable[..., Repository]


@pytest.fixture
def make_client(clock: StepClock) -> Iterator[MakeClient]:
    """Clients on the stepping clock, closed in the end; options as in ClientOptions."""
    clients: list[RegistryClient] = []

    def make(**options: Any) -> RegistryClient:
        options.setdefault("clock", clock)
        options.setdefault("chance", lambda: 1.0)
        clients.append(RegistryClient(ClientOptions(**options)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def ground(make_client: MakeClient) -> MakeGround:
    """Grounds of probes."""

    def make(
        host: str, name: str | None = "team/doctor", *, writes: bool = True, **options: Any
    ) -> Ground:
        endpoint = make_client(**options).endpoint(host)
        return Ground(endpoint, name, seed=host.encode(), writes=writes)

    return make


@pytest.fixture
def open_repository(make_client: MakeClient) -> Open:
    """A repository of a fake, by default as its user `ada`."""

    def open_one(
        fake: FakeRegistry,
        name: str = "team/bot",
        *,
        user: tuple[str, str] | None = ("ada", "secret"),
        push: bool = False,
        **options: Any,
    ) -> Repository:
        if user is not None:
            options.setdefault("credentials", OneCredential(fake.host, Credential(*user)))
        client = make_client(**options)
        return client.repository(Reference(fake.host, name, "latest"), push=push)

    return open_one


MakeOras = Callable[..., "OrasRegistry"]


@pytest.fixture
def make_oras(clock: StepClock) -> Iterator[MakeOras]:
    """oras-py's API on the stepping clock, over plain http, as nobody or as `user`."""
    from agentoci.registry import OrasRegistry

    made: list[OrasRegistry] = []

    def make(
        host: str | None = None,
        *,
        user: tuple[str, str] | None = None,
        insecure: bool = True,
        tls_verify: bool | str = True,
        auth_backend: str = "token",
        **options: Any,
    ) -> OrasRegistry:
        if user is not None:
            options["credentials"] = OneCredential(host or "", Credential(*user))
        chosen = ClientOptions(clock=clock, chance=lambda: 1.0, **options)
        one = OrasRegistry(host, insecure, tls_verify, auth_backend, options=chosen)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; what is left over is found in `tmp` beside it."""
    for name in ("work", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"
