"""Big blobs over several connections: the same bytes, in order, whatever the server does."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from agentoci._internal.limits import MIB
from agentoci.content.reader import DigestMismatch, VerifiedReader
from agentoci.registry.errors import RegistryUnreachable
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Reply, adds, answers, cuts, ignores_range

BLOB = b"".join(number.to_bytes(8, "big") * 512 for number in range(80 * MIB // 4096))
DESC = Descriptor(
    "application/octet-stream", Digest("sha256", hashlib.sha256(BLOB).hexdigest()), len(BLOB)
)
pytestmark = pytest.mark.slow

PART = r"bytes=[1-9]\d*-\d+"


class SlowClock(StepClock):
    """A second passes between two looks, so that every line seems slow."""

    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds


@pytest.fixture
def stocked() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.blobs["team/bot", str(DESC.digest)] = BLOB
        yield fake


def timed(repository: Repository, clock: StepClock) -> Repository:
    """With a clock of its own for judging speed; waits for the registry go by another."""
    repository._endpoint.patience.clock = clock
    return repository


def read(repository: Repository, offset: int = 0) -> bytes:
    with repository.fetch(DESC, offset) as stream:
        reader: Any = stream if offset else VerifiedReader(stream, DESC)
        return b"".join(iter(lambda: reader.read(MIB), b""))


def asked(fake: FakeRegistry) -> list[str | None]:
    return [seen.headers.get("range") for seen in fake.requests("GET", "/blobs/")]


def parts(fake: FakeRegistry) -> list[tuple[int, int]]:
    """The bounded ranges that were asked for, sorted."""
    return sorted(
        (int(found[1]), int(found[2]))
        for each in asked(fake)
        if (found := re.search(r"(\d+)-(\d+)", each or ""))
    )


def test_slow_line_gets_more_connections(stocked: FakeRegistry, open_repository: Open):
    repository = timed(open_repository(stocked), SlowClock())
    assert read(repository) == BLOB
    fetched = parts(stocked)
    assert fetched[0] == (0, 8 * MIB - 1)
    assert fetched[-1][1] == len(BLOB) - 1
    assert all(end + 1 == start for (_, end), (start, _) in itertools.pairwise(fetched))
    assert all(end - start < 8 * MIB for start, end in fetched)
    assert repository._endpoint.facts.ranges is True
    assert stocked.connections <= 4


def test_quick_line_keeps_one_connection(stocked: FakeRegistry, open_repository: Open):
    assert read(open_repository(stocked)) == BLOB  # on a clock that stands still
    assert parts(stocked) == [(0, 8 * MIB - 1)]
    assert [seen.headers["range"] for seen in stocked.seen][1:] == [f"bytes={8 * MIB}-"]
    assert stocked.connections == 1


class FullClock(StepClock):
    """Four parts take five times as long as the one of the trial: they hinder each other."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = iter([0, 1, 5])

    def monotonic(self) -> float:
        self.seconds += next(self.steps)
        return self.seconds


def test_line_that_several_connections_slow_down_gets_one_again(
    stocked: FakeRegistry, open_repository: Open
):
    assert read(timed(open_repository(stocked), FullClock())) == BLOB
    fetched = parts(stocked)
    assert len(fetched) == 1 + 3 + 4, "those under way are still taken"
    rest = stocked.seen[-1].headers["range"]
    assert rest == f"bytes={fetched[-1][1] + 1}-"


def test_rest_of_a_blob_comes_over_several_connections(
    stocked: FakeRegistry, open_repository: Open
):
    offset = 5 * MIB + 17
    assert read(timed(open_repository(stocked), SlowClock()), offset) == BLOB[offset:]
    assert parts(stocked)


def test_server_without_ranges_is_read_on_one_connection(
    stocked: FakeRegistry, open_repository: Open
):  # fault 36
    stocked.on("GET", "/blobs/", ignores_range(), times=50)
    repository = timed(open_repository(stocked), SlowClock())
    assert read(repository) == BLOB
    assert repository._endpoint.facts.ranges is False
    before = len(stocked.seen)
    assert read(repository) == BLOB
    assert len(stocked.seen) == before + 1, "it is not tried again"


@pytest.mark.parametrize("after", [0, 100_000, 8 * MIB - 1])
def test_cut_parts_are_mended(stocked: FakeRegistry, open_repository: Open, after: int):
    spoil_parts(stocked, cuts(after), cuts(after // 2))  # fault 35
    assert read(timed(open_repository(stocked), SlowClock())) == BLOB


@pytest.mark.parametrize("status", [400, 403, 501])
def test_trial_that_is_refused_leads_to_the_whole(
    stocked: FakeRegistry, open_repository: Open, status: int
):
    stocked.on("GET", "/blobs/", answers(status))
    assert read(open_repository(stocked)) == BLOB
    assert asked(stocked) == [f"bytes=0-{8 * MIB - 1}", None]


def test_trial_that_is_cut_where_no_rest_is_given_leads_to_the_whole(
    stocked: FakeRegistry, open_repository: Open
):
    stocked.on("GET", "/blobs/", cuts(3 * MIB), ignores_range(), ignores_range())
    assert read(open_repository(stocked)) == BLOB


def test_part_that_is_refused_is_read_otherwise(stocked: FakeRegistry, open_repository: Open):
    spoil_parts(stocked, *[answers(403)] * 3)  # a signed URL that expired, fault 37
    assert read(timed(open_repository(stocked), SlowClock())) == BLOB


def test_parts_of_a_server_that_fails_under_load_are_read_one_by_one(
    stocked: FakeRegistry, open_repository: Open
):
    spoil_parts(stocked, *[answers(503)] * 60)
    assert read(timed(open_repository(stocked), SlowClock())) == BLOB


@pytest.mark.parametrize(
    "spoilt", ["bytes 0-99/83886080", "bytes 1-8388608/83886080", "nonsense", ""]
)
def test_wrong_part_is_never_stitched(
    stocked: FakeRegistry, open_repository: Open, spoilt: str
):  # fault 36
    spoil_parts(stocked, adds(Content_Range=spoilt), adds(Content_Range=spoilt))
    assert read(timed(open_repository(stocked), SlowClock())) == BLOB


def test_wrong_bytes_of_a_part_are_found(stocked: FakeRegistry, open_repository: Open):
    def flips(exchange: Exchange) -> Reply:
        reply = exchange.serve()
        reply.body = bytes([reply.body[0] ^ 1]) + reply.body[1:]
        return reply

    spoil_parts(stocked, flips)  # fault 33
    with pytest.raises(DigestMismatch):
        read(timed(open_repository(stocked), SlowClock()))


def test_stream_left_early_stops_the_parts(stocked: FakeRegistry, open_repository: Open):
    repository = timed(open_repository(stocked), SlowClock())
    with repository.fetch(DESC) as stream:
        while not parts(stocked):
            stream.read(MIB)
    taken = [repository._endpoint.spare_streams.acquire(blocking=False) for _ in range(6)]
    assert all(taken), "connections are given back"


def test_downloads_share_what_may_be_added(stocked: FakeRegistry, open_repository: Open):
    repository = timed(open_repository(stocked), SlowClock())
    with contextlib.ExitStack() as held:
        streams = [held.enter_context(repository.fetch(DESC)) for _ in range(4)]
        for stream in streams:
            for _ in range(9):
                stream.read(MIB)
        assert not repository._endpoint.spare_streams.acquire(blocking=False)
        for stream in streams:
            rest = b"".join(iter(lambda s=stream: s.read(MIB), b""))  # type: ignore[misc]
            assert rest == BLOB[-len(rest) :]


def test_registry_that_goes_away_is_told(stocked: FakeRegistry, open_repository: Open):
    repository = timed(open_repository(stocked), SlowClock())
    stocked.on("GET", "/blobs/", cuts(6 * MIB))
    stocked.on("GET", "/blobs/", answers(500), times=200)
    with pytest.raises(RegistryUnreachable):
        read(repository)


def spoil_parts(fake: FakeRegistry, *faults: Any) -> None:
    """Spoil requests for bounded ranges only, one fault each, but not the trial."""
    left = list(faults)

    def fault(exchange: Exchange) -> Reply:
        if left and re.fullmatch(PART, exchange.seen.headers.get("range", "")):
            reply: Reply = left.pop(0)(exchange)
            return reply
        return exchange.serve()

    fake.on("GET", "/blobs/", fault, times=200)
