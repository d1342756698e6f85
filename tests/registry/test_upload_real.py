"""Uploads to real registries behind a line that breaks."""

from __future__ import annotations

import contextlib
import hashlib
import tracemalloc
from collections.abc import Iterator

import pytest

from agentoci._internal import limits
from agentoci._internal.clock import SystemClock
from agentoci.content.protocols import Reader
from agentoci.content.reader import BytesSource, DigestMismatch
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, UPLOAD_METHODS, RunMemory
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.reference import Reference
from tests.faultproxy import FaultProxy, closes, resets
from tests.registries import Registry
from tests.registry.conftest import MakeClient

pytestmark = pytest.mark.integration

MIB = limits.MIB
OCTETS = "application/octet-stream"
CONTENT = bytes(range(256)) * (24 * MIB // 256)
CUT = 13_000_000


class Line:
    """A repository behind a fault proxy, and a blob that no other test uses."""

    def __init__(self, proxy: FaultProxy, make_client: MakeClient, name: str) -> None:
        self.proxy = proxy
        self.client = make_client
        self.name = name
        self.memory = RunMemory()
        self.content = CONTENT + name.encode()
        self.blob = Descriptor.of(OCTETS, self.content)

    def push(self, method: str) -> bytes:
        """Push the blob, and fetch it again."""
        repository = self.open(method)
        repository.push(self.blob, BytesSource(self.content))
        return self.fetched(repository)

    def fetched(self, repository: Repository) -> bytes:
        """The blob as it is stored."""
        with repository.fetch(self.blob) as stream:
            return b"".join(iter(lambda: stream.read(limits.NETWORK_BUFFER), b""))

    def open(self, method: str) -> Repository:
        """The repository; waits are real, for a registry needs a moment to notice a cut."""
        self.memory.learn(self.proxy.host, upload=method)
        reference = Reference(self.proxy.host, self.name, "latest")
        client = self.client(memory=self.memory, clock=SystemClock())
        return client.repository(reference, push=True)


@contextlib.contextmanager
def line_to(registry: Registry, make_client: MakeClient, name: str) -> Iterator[Line]:
    with FaultProxy(registry.host) as proxy:
        yield Line(proxy, make_client, name)


@pytest.fixture
def line(registry: Registry, make_client: MakeClient, repository: str) -> Iterator[Line]:
    with line_to(registry, make_client, repository) as line:
        yield line


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_every_method_stores_the_blob(line: Line, method: str) -> None:
    assert line.push(method) == line.content
    assert line.memory.facts(line.proxy.host).upload == method


@pytest.mark.parametrize("method", UPLOAD_METHODS)
@pytest.mark.parametrize("cut", [resets, closes])
def test_cut_upload_ends_right(line: Line, method: str, cut: object) -> None:
    """faults 13 and 14: by resuming or by starting anew, as the registry can."""
    line.proxy.arm(cut(CUT, "up"))  # type: ignore[operator]
    assert line.push(method) == line.content
    assert line.proxy.fired


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_distribution_goes_on_where_it_was_cut(
    distribution: Registry, make_client: MakeClient, repository: str, method: str
) -> None:
    """fault 13: the rest alone is sent."""
    with line_to(distribution, make_client, repository) as line:
        line.proxy.arm(closes(CUT, "up"))
        assert line.push(method) == line.content
        assert line.proxy.fired
        assert line.proxy.sent < line.blob.size + 3 * MIB


def test_docker_registry_starts_a_new_session(
    docker_registry: Registry, make_client: MakeClient, repository: str
) -> None:
    """fault 14: its session is dead after a cut."""
    with line_to(docker_registry, make_client, repository) as line:
        line.proxy.arm(closes(CUT, "up"))
        assert line.push(STREAMED) == line.content
        assert line.proxy.sent >= line.blob.size + CUT


def test_registry_without_status_is_sent_the_blob_again(
    ggcr: Registry, make_client: MakeClient, repository: str
) -> None:
    with line_to(ggcr, make_client, repository) as line:
        line.proxy.arm(closes(CUT, "up"))
        assert line.push(CHUNKED) == line.content
        assert line.proxy.sent >= line.blob.size + CUT


def test_three_cuts_are_survived(line: Line) -> None:
    line.proxy.arm(resets(5_000_000, "up"), times=3)
    assert line.push(MONOLITHIC) == line.content
    assert len(line.proxy.fired) == 3


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_wrong_bytes_are_not_stored(line: Line, method: str) -> None:
    repository = line.open(method)
    with pytest.raises(DigestMismatch):
        repository.push(line.blob, BytesSource(line.content[:-1] + b"!"))
    assert not repository.exists(line.blob)
    repository.push(line.blob, BytesSource(line.content))
    assert repository.exists(line.blob)


def test_mount_is_checked_and_a_session_is_used(line: Line, make_client: MakeClient) -> None:
    """fault 27: on registries that mount, and on ggcr, which opens a session instead."""
    source = line.open(MONOLITHIC)
    source.push(line.blob, BytesSource(line.content))
    reference = Reference(line.proxy.host, f"{line.name}/other", "latest")
    target = line.client(memory=line.memory).repository(reference, push=True)
    if target.mount(line.blob, source):
        assert line.memory.facts(line.proxy.host).mount is True
    else:
        target.push(line.blob, BytesSource(line.content))
    assert line.fetched(target) == line.content


class Zeros:
    """Many bytes that take no memory."""

    def __init__(self, size: int) -> None:
        self.size = size

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        yield _ZeroReader(self.size - offset)


class _ZeroReader:
    def __init__(self, left: int) -> None:
        self.left = left

    def read(self, size: int = -1, /) -> bytes:
        count = self.left if size < 0 else min(size, self.left)
        self.left -= count
        return bytes(count)


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_large_upload_takes_a_few_mebibytes(
    distribution: Registry, make_client: MakeClient, repository: str, method: str
) -> None:
    size = 96 * MIB
    desc = Descriptor(OCTETS, Digest.from_hash(hashlib.sha256(bytes(size))), size)
    memory = RunMemory()
    memory.learn(distribution.host, upload=method)
    target = make_client(memory=memory).repository(
        Reference(distribution.host, repository, "latest"), push=True
    )
    target.exists(desc)
    tracemalloc.start()
    try:
        target.push(desc, Zeros(size))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert target.exists(desc)
    assert peak < 6 * MIB
