"""How many requests at once, and who waits for whom."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentoci.content.reader import fetch_bytes
from agentoci.registry.errors import RegistryFailing
from agentoci.registry.hosts import HostOptions
from agentoci.registry.http.limiter import Limiter
from agentoci.registry.http.retry import RetryPolicy
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.registry.conftest import MakeClient, Open, StepClock
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Reply, answers, refuses

CONTENT = b"asked for politely" * 100
BLOB = Descriptor.of("application/octet-stream", CONTENT)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def limiter(clock: StepClock, said: list[str]) -> Limiter:
    return Limiter("ghcr.io", clock, most=8, longest_order=60, warn=said.append)


def ask(limiter: Limiter, status: int, order: str | None = None) -> None:
    with limiter.slot(carries=False) as slot:
        slot.answered(status, order)


def test_no_more_than_so_many_are_out_at_once(clock: StepClock) -> None:
    limiter = Limiter("x", clock, most=3, longest_order=60, warn=print)
    guard, out, most = threading.Lock(), [0], [0]
    arrived = threading.Barrier(3)

    def work(number: int) -> None:
        with limiter.slot(carries=True) as slot:
            with guard:
                out[0] += 1
                most[0] = max(most[0], out[0])
            arrived.wait(20)
            with guard:
                out[0] -= 1
            slot.answered(200, None)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    assert most == [3]


def test_who_reads_where_it_writes_is_not_kept_waiting(clock: StepClock) -> None:
    limiter = Limiter("x", clock, most=1, longest_order=60, warn=print)
    with limiter.slot(carries=True), limiter.slot(carries=False) as inner:
        inner.answered(200, None)
    assert limiter.limit == 1
    assert clock.sleeps == []


def test_complaint_halves_once_for_all_that_were_out(limiter: Limiter) -> None:
    slots = [limiter.slot(carries=False) for _ in range(4)]
    entered = [one.__enter__() for one in slots]
    for slot in entered:
        slot.answered(429, None)
    for one in slots:
        one.__exit__(None, None, None)
    assert limiter.limit == 4
    for _ in range(5):
        ask(limiter, 429)
    assert limiter.limit == 1


def test_speed_comes_back_slowly(limiter: Limiter) -> None:
    ask(limiter, 429)
    assert limiter.limit == 4
    for _ in range(19):
        ask(limiter, 200)
    assert limiter.limit == 4
    for _ in range(500):
        ask(limiter, 404)
    assert limiter.limit == 8


@pytest.mark.parametrize(
    ("status", "order", "pause"),
    [
        (429, "7", 7),
        (429, "Mon, 15 Jan 2024 10:00:30 GMT", 30),
        (429, "1.889377ms, allowed: 2000/minute", 0.001889377),
        (429, "3600", 60),
        (503, "5", 5),
        (429, None, 0),
        (429, "soon", 0),
        (503, None, 0),
        (500, "5", 0),
    ],
)
def test_everybody_keeps_the_pause(
    limiter: Limiter, clock: StepClock, status: int, order: str | None, pause: float
) -> None:
    ask(limiter, status, order)
    assert not clock.sleeps
    ask(limiter, 200)
    assert sum(clock.sleeps) == pytest.approx(pause)
    assert limiter.limit == (4 if status == 429 or pause else 8)


def test_long_pauses_are_said_once(limiter: Limiter, said: list[str]) -> None:
    ask(limiter, 429, "1")
    assert not said
    slots = [limiter.slot(carries=False) for _ in range(4)]
    entered = [one.__enter__() for one in slots]
    for slot in entered:
        slot.answered(429, "30")
    for one in slots:
        one.__exit__(None, None, None)
    assert said == ["ghcr.io asks for fewer requests; going on in 30 s"]


def test_all_threads_of_a_client_wait_for_the_ordered_moment(
    fake: FakeRegistry, open_repository: Open, clock: StepClock, said: list[str]
) -> None:
    fake.put("team/bot", CONTENT)
    fake.put("other/bot", CONTENT)
    fake.on("GET", "/v2/team/bot/blobs/", answers(429, Retry_After="12"))
    repository = open_repository(fake, user=None, warn=said.append, retry=RetryPolicy(tries=1))
    with pytest.raises(RegistryFailing):
        fetch_bytes(repository, BLOB)
    assert not clock.sleeps
    assert fetch_bytes(repository, BLOB) == CONTENT
    assert clock.sleeps == [12]
    assert said == [f"{fake.host} asks for fewer requests; going on in 12 s"]


@pytest.mark.parametrize("order", [None, "3"])
def test_denial_that_means_too_many_is_waited_for(
    fake: FakeRegistry, open_repository: Open, clock: StepClock, order: str | None
) -> None:
    fake.put("team/bot", CONTENT)
    words = "You have exceeded a secondary rate limit." if order is None else "wait"
    denial = answers(403, words, **({} if order is None else {"Retry_After": order}))
    fake.on("GET", "/blobs/", denial)
    assert fetch_bytes(open_repository(fake), BLOB) == CONTENT
    assert clock.sleeps == [0.25 if order is None else 3]


def test_registry_may_be_settled_to_be_asked_less_at_once(
    fake: FakeRegistry, make_client: MakeClient
) -> None:
    fake.put("team/bot", CONTENT)
    out, most, guard = [0], [0], threading.Lock()

    def count(exchange: Exchange) -> Reply:
        with guard:
            out[0] += 1
            most[0] = max(most[0], out[0])
        try:
            return exchange.serve()
        finally:
            with guard:
                out[0] -= 1

    fake.on("HEAD", "/blobs/", count, times=40)
    client = make_client(hosts={fake.host: HostOptions(max_concurrency=2)})
    repository = client.repository(Reference(fake.host, "team/bot", "latest"))
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: repository.exists(BLOB), range(40)))
    assert most[0] <= 2
    assert fake.connections <= 2


def test_denial_keeps_its_words(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("GET", "/blobs/", refuses(403, "DENIED", "not for you"))
    with pytest.raises(Exception, match="not for you"):
        fetch_bytes(open_repository(fake), BLOB)


def test_used_up_limit_is_told(fake: FakeRegistry, open_repository: Open) -> None:
    limit = {"RateLimit_Limit": "100;w=21600", "RateLimit_Remaining": "0;w=21600"}
    fake.on("GET", "/blobs/", answers(429, "slow down", **limit), times=9)
    with pytest.raises(RegistryFailing, match=r"all 100 requests in 6 hours are used up") as caught:
        fetch_bytes(open_repository(fake), BLOB)
    assert "agent login" in (caught.value.hint or "")
