"""What every test gets: a home of its own, no network beyond loopback, real registries."""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Protocol

import hypothesis
import pytest

from tests import certificates, commandline, registries
from tests.certificates import Authority
from tests.registries import KINDS, Registry

hypothesis.settings.register_profile(
    "dev",
    max_examples=25,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "ci",
    hypothesis.settings.get_profile("dev"),
    max_examples=300,
    derandomize=True,
    print_blob=True,
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def is_loopback(host: object) -> bool:
    """Whether a socket address' host stays on this machine."""
    if not isinstance(host, str):
        return False
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_others(host: object) -> None:
    """Fail the test that looks up or connects to another machine."""
    if isinstance(host, bytes):
        host = host.decode("idna")
    if not is_loopback(host or "localhost"):
        pytest.fail(f"tests stay on this machine, but this one went to {host}")


def refuse_network() -> None:
    """Guard the ways out of this process.

    Not by an audit hook: with one written in Python, CPython lets no two threads set their trace
    functions at once (under coverage a thread that starts would die of it, now and then).
    """
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    look_up = socket.getaddrinfo

    def check(address: object) -> None:
        if isinstance(address, tuple):  # else a Unix socket
            refuse_others(address[0])

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        refuse_others(host)
        return look_up(host, *arguments, **options)

    socket.socket.connect = guarded_connect  # type: ignore[assignment,method-assign]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[assignment,method-assign]
    socket.getaddrinfo = guarded_look_up


def pytest_configure() -> None:
    """Refuse the network from here on."""
    refuse_network()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own home; nothing of the tester's settings is seen, nor changed."""
    for name in filter(commandline.is_foreign, list(os.environ)):
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name, value in commandline.home_variables(home).items():
        monkeypatch.setenv(name, value)
    return home


class RunAgent(Protocol):
    """How tests call the command line."""

    def __call__(
        self,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run `agent ARGUMENTS` to its end; `env` is added to the test's environment."""
        ...


@pytest.fixture
def run_agent(tmp_path: Path) -> RunAgent:
    """Run the command line as a process of its own, in the test's folder or in `cwd`."""

    def run(
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: bytes = b"",
        stdout: IO[bytes] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        return commandline.run_agent(
            *arguments,
            env={**os.environ, **(env or {})},
            cwd=cwd or tmp_path,
            stdin=stdin,
            stdout=stdout,
            timeout=timeout,
        )

    return run


def run_registry(name: str, factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One registry for the session: a running one that the environment names, else our own."""
    kind = KINDS[name]
    running = registries.running(kind)
    if running is not None:
        yield running
        return
    if kind.program() is None:
        pytest.skip(kind.missing)
    with registries.serve(kind, factory.mktemp(name)) as registry:
        yield registry


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Debian's docker-registry 2.8: the strict old one."""
    yield from run_registry("docker-registry", tmp_path_factory)


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Distribution v3, the reference."""
    yield from run_registry("distribution", tmp_path_factory)


@pytest.fixture(scope="session")
def ggcr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The go-containerregistry registry, which leaves out much that others have."""
    yield from run_registry("ggcr", tmp_path_factory)


@pytest.fixture(scope="session")
def olareg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Olareg, which knows referrers and what else is new in the specification."""
    yield from run_registry("olareg", tmp_path_factory)


@pytest.fixture(scope="session", params=["docker_registry", "distribution", "ggcr", "olareg"])
def registry(request: pytest.FixtureRequest) -> Registry:
    """Each of the four, one after another."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Registry)
    return found


@pytest.fixture(scope="session")
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Distribution v3 that lets in `registries.USER` with `registries.PASSWORD` alone (Basic)."""
    kind = KINDS["distribution"]
    if kind.program() is None:
        pytest.skip(kind.missing)
    with registries.serve(kind, tmp_path_factory.mktemp("private"), private=True) as registry:
        yield registry


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that nobody trusts by himself; its `cert` is what to trust."""
    reason = certificates.missing()
    if reason is not None:
        pytest.skip(reason)
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls_registry(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """Distribution v3 over TLS, with a certificate of the `authority` for 127.0.0.1."""
    kind = KINDS["distribution"]
    if kind.program() is None:
        pytest.skip(kind.missing)
    folder, certificate = tmp_path_factory.mktemp("tls-registry"), authority.issue("registry")
    with registries.serve(kind, folder, certificate=certificate) as registry:
        yield registry


@pytest.fixture
def repository() -> str:
    """A repository's name that no other test uses: registries outlive a test."""
    return f"tests/{uuid.uuid4().hex[:12]}"
