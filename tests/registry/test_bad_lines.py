"""Pulls from real registries over lines that break, stall, trickle or are not there at all.

test_upload_real.py holds the uploads.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.registry.errors import RegistryUnreachable
from agentoci.registry.http.retry import RetryPolicy
from agentoci.registry.http.transport import Timeouts
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.faultproxy import FaultProxy, Trouble, closes, resets, stalls, trickles
from tests.registries import Registry
from tests.registry.conftest import MakeClient, StepClock
from tests.registry.fake import FakeRegistry

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
CONTENT = hashlib.shake_256(b"line").digest(6 * MIB)
BLOB = Descriptor.of("application/octet-stream", CONTENT)
HEADERS = 2000
"""More than what an answer has in front of its body."""

Open = Callable[..., Repository]


@pytest.fixture
def proxy(registry: Registry) -> Iterator[FaultProxy]:
    with FaultProxy(registry.host) as proxy:
        yield proxy


@pytest.fixture
def opened(registry: Registry, proxy: FaultProxy, repository: str, make_client: MakeClient) -> Open:
    """The repository behind the proxy; the blob is there already, put in by the front door."""
    front = Reference.parse(registry.reference(f"{repository}:1"))
    make_client().repository(front, push=True).push(BLOB, BytesSource(CONTENT))

    def open_one(**options: object) -> Repository:
        return make_client(**options).repository(Reference.parse(f"{proxy.host}/{repository}:1"))

    return open_one


def pull(repository: Repository) -> bytes:
    return fetch_bytes(repository, BLOB, limit=BLOB.size)


@pytest.mark.parametrize("cut", [resets, closes])
@pytest.mark.parametrize("percent", [10, 50, 99])
def test_cut_download_goes_on(
    opened: Open, proxy: FaultProxy, registry: Registry, cut: Callable[..., Trouble], percent: int
) -> None:
    """fault 35: from where it was cut, where the registry has ranges."""
    proxy.arm(cut(BLOB.size * percent // 100))
    assert pull(opened()) == CONTENT
    assert proxy.fired
    if registry.kind != "ggcr":
        assert proxy.received < BLOB.size + MIB, "what has come is not read again"


def test_download_that_is_cut_again_and_again_arrives(opened: Open, proxy: FaultProxy) -> None:
    """fault 35: oras, crane, regctl and skopeo give up at the second cut."""
    proxy.arm(resets(2 * MIB), times=3)
    assert pull(opened()) == CONTENT
    assert proxy.fired


def test_line_that_never_brings_a_byte_ends(opened: Open, proxy: FaultProxy) -> None:
    """fault 35: bounded where there is no progress."""
    repository = opened(retry=RetryPolicy(tries=4))
    proxy.arm(resets(100), times=1000)
    with pytest.raises(RegistryUnreachable):
        pull(repository)
    assert len(proxy.fired) <= 10


def test_stalled_download_goes_on_over_another_connection(opened: Open, proxy: FaultProxy) -> None:
    """fault 38: no byte for so long means that the line is dead."""
    proxy.arm(stalls(2 * MIB))
    assert pull(opened(timeouts=Timeouts(read=0.4))) == CONTENT
    assert proxy.fired == [stalls(2 * MIB)]
    assert proxy.connections >= 2


def test_answer_that_never_begins_is_asked_for_again(opened: Open, proxy: FaultProxy) -> None:
    """fault 38: also before the first byte."""
    proxy.arm(stalls(0))
    assert pull(opened(timeouts=Timeouts(read=0.4))) == CONTENT
    assert proxy.connections >= 2


def test_trickle_is_slow_and_not_dead(opened: Open, proxy: FaultProxy) -> None:
    """fault 38: it takes three times the stall timeout, and there is no limit on the whole."""
    late = BLOB.size + HEADERS - 40_000
    proxy.arm(trickles(30_000, after=late))
    assert pull(opened(timeouts=Timeouts(read=0.4))) == CONTENT
    assert proxy.fired


def test_kept_connection_that_was_closed_is_replaced(opened: Open, proxy: FaultProxy) -> None:
    """fault 47: the part of it that HTTP/1.1 has; requests speaks no HTTP/2."""
    repository = opened()
    assert repository.exists(BLOB)
    proxy.drop()
    wait_for_close(proxy)
    assert repository.exists(BLOB)
    assert pull(repository) == CONTENT


def wait_for_close(proxy: FaultProxy) -> None:
    deadline = time.monotonic() + 20
    while proxy.open:
        assert time.monotonic() < deadline, "the connections stay open"
        time.sleep(0.005)


class ReopeningClock(StepClock):
    """While the client waits, the line comes back."""

    def __init__(self, closed: ExitStack) -> None:
        super().__init__()
        self._closed = closed

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._closed.close()


def test_registry_that_is_away_for_a_moment(opened: Open, proxy: FaultProxy) -> None:
    """fault 46: a line that flaps; connections are refused, and then they are not."""
    with ExitStack() as closed:
        clock = ReopeningClock(closed)
        repository = opened(clock=clock)
        closed.enter_context(proxy.refusing())
        assert pull(repository) == CONTENT
        assert clock.sleeps


def test_registry_that_stays_away_is_named(opened: Open, proxy: FaultProxy) -> None:
    """fault 46: after a bounded number of tries."""
    repository = opened(retry=RetryPolicy(tries=3))
    with proxy.refusing(), pytest.raises(RegistryUnreachable) as caught:
        pull(repository)
    assert proxy.host in str(caught.value)


def test_long_thin_line_brings_everything(
    registry: Registry, repository: str, make_client: MakeClient
) -> None:
    """A round trip of 20 ms, and cuts, both ways."""
    with FaultProxy(registry.host, round_trip=0.02, rate=25e6) as proxy:
        remote = make_client().repository(
            Reference.parse(f"{proxy.host}/{repository}:1"), push=True
        )
        proxy.arm(resets(4 * MIB, "up"))
        remote.push(BLOB, BytesSource(CONTENT))
        proxy.arm(resets(4 * MIB))
        assert pull(remote) == CONTENT
        assert len(proxy.fired) == 2


def test_fake_behind_the_proxy_is_no_other(make_client: MakeClient) -> None:
    """What holds for real registries holds for the fake, so that its tests mean something."""
    with FakeRegistry() as fake, FaultProxy(fake.host) as proxy:
        remote = make_client().repository(Reference.parse(f"{proxy.host}/a/b:1"), push=True)
        proxy.arm(resets(3 * MIB, "up"))
        remote.push(BLOB, BytesSource(CONTENT))
        proxy.arm(resets(3 * MIB))
        assert pull(remote) == CONTENT
        assert len(proxy.fired) == 2
