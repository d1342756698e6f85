"""Blobs that need not be sent: how a push finds out with few requests."""

from __future__ import annotations

import pytest

from agentoci.content.protocols import Presence
from agentoci.content.reader import BytesSource
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Fault, refuses

TYPE = "application/octet-stream"
CONTENTS = [f"blob {number}".encode() for number in range(30)]
BLOBS = [Descriptor.of(TYPE, content) for content in CONTENTS]


def push_all(repository: Repository) -> list[Presence | None]:
    """As a copy does it, one after another."""
    outcomes = []
    for desc, content in zip(BLOBS, CONTENTS, strict=True):
        outcome = repository.take_over(desc, object())
        if outcome is None:
            repository.push(desc, BytesSource(content))
        outcomes.append(outcome)
    return outcomes


def all_there(fake: FakeRegistry) -> bool:
    return all(("team/bot", str(desc.digest)) in fake.blobs for desc in BLOBS)


def test_empty_repository_costs_two_requests_a_blob(fake: FakeRegistry, open_repository: Open):
    assert set(push_all(open_repository(fake))) == {None}
    assert all_there(fake)
    assert len(fake.requests("HEAD")) == 8
    assert len(fake.requests("POST")) == len(fake.requests("PUT")) == 30


def test_what_is_there_is_found_and_not_sent(fake: FakeRegistry, open_repository: Open):
    for content in CONTENTS[20:]:
        fake.put("team/bot", content)
    outcomes = push_all(open_repository(fake))
    assert outcomes == [None] * 20 + [Presence.EXISTS] * 10
    assert len(fake.requests("PUT")) == 20
    assert len(fake.requests("HEAD")) == 8 + 10, "one that is there ends the assumption"


def test_full_repository_costs_one_request_a_blob(fake: FakeRegistry, open_repository: Open):
    push_all(open_repository(fake))
    before = len(fake.seen)
    assert set(push_all(open_repository(fake))) == {Presence.EXISTS}
    assert len(fake.seen) == before + 30


def test_registry_that_mounts_nothing_gets_everything(fake: FakeRegistry, open_repository: Open):
    fake.mounts = False
    assert set(push_all(open_repository(fake))) == {None}
    assert all_there(fake)
    assert len(fake.requests("PUT")) == 30


@pytest.mark.parametrize(
    "refusal",
    [
        refuses(401, "UNAUTHORIZED", "project not found"),
        refuses(404, "NAME_UNKNOWN", "no such repository"),
        refuses(400, "UNSUPPORTED", "no mounts"),
        refuses(405, "UNSUPPORTED", "no mounts"),
    ],
)
def test_registry_that_refuses_the_question_is_asked_otherwise(
    fake: FakeRegistry, open_repository: Open, refusal: Fault
):
    fake.on("POST", "mount=", refusal, times=100)
    assert set(push_all(open_repository(fake))) == {None}
    assert all_there(fake)


def test_large_blobs_are_always_asked_for(fake: FakeRegistry, open_repository: Open):
    repository = open_repository(fake)
    push_all(repository)
    content = bytes(1024 * 1024 + 1)
    assert repository.take_over(Descriptor.of(TYPE, content), object()) is None
    assert len(fake.requests("HEAD")) == 9


def test_neighbour_is_asked_first_where_mounting_works(fake: FakeRegistry, open_repository: Open):
    for content in CONTENTS:
        fake.put("team/base", content)
    base, own = open_repository(fake, "team/base"), open_repository(fake)
    assert own.take_over(BLOBS[0], base) is Presence.MOUNTED
    before = len(fake.seen)
    assert [own.take_over(desc, base) for desc in BLOBS[1:]] == [Presence.MOUNTED] * 29
    assert len(fake.seen) == before + 29


def test_failed_mount_still_finds_what_is_there(fake: FakeRegistry, open_repository: Open):
    for content in CONTENTS[:2]:
        fake.put("team/base", content)
    fake.put("team/bot", CONTENTS[5])
    base, own = open_repository(fake, "team/base"), open_repository(fake)
    assert own.take_over(BLOBS[0], base) is Presence.MOUNTED
    assert own.take_over(BLOBS[5], base) is Presence.EXISTS
    assert own.take_over(BLOBS[6], base) is None
    own.push(BLOBS[6], BytesSource(CONTENTS[6]))
    assert ("team/bot", str(BLOBS[6].digest)) in fake.blobs
