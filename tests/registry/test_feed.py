"""Blobs on their way out: parts, going back, and no last byte of what is wrong."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci.content.protocols import Reader
from agentoci.content.reader import BytesSource, DigestMismatch, SizeMismatch
from agentoci.registry.blobs.feed import Feed
from agentoci.spec.descriptor import Descriptor

CONTENT = bytes(range(256)) * (10 * limits.MIB // 256)
BLOB = Descriptor.of("application/octet-stream", CONTENT)
SIZE = BLOB.size


class RecordingSource:
    """Remembers where it was opened, and how much was read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened: list[int] = []
        self.closed = 0
        self.read_bytes = 0

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        self.opened.append(offset)
        stream = io.BytesIO(self.content[offset:])
        try:
            yield stream
        finally:
            self.closed += 1
            self.read_bytes += stream.tell()


def sent(feed: Feed, start: int, stop: int) -> bytes:
    with feed.part(start, stop).open() as reader:
        return b"".join(iter(lambda: reader.read(limits.NETWORK_BUFFER), b""))


def send_all(feed: Feed, step: int) -> bytes:
    starts = range(0, feed.desc.size, step)
    return b"".join(sent(feed, start, min(start + step, feed.desc.size)) for start in starts)


def test_parts_that_follow_each_other_are_read_in_one_go() -> None:
    source = RecordingSource(CONTENT)
    with contextlib.closing(Feed(source, BLOB)) as feed:
        assert send_all(feed, 3_000_000) == CONTENT
    assert source.opened == [0]
    assert source.closed == 1
    assert feed.sent == SIZE


def test_part_is_sent_again_from_its_start() -> None:
    source = RecordingSource(CONTENT)
    feed = Feed(source, BLOB)
    sent(feed, 0, 3_000_000)
    assert sent(feed, 3_000_000, SIZE) == sent(feed, 3_000_000, SIZE) == CONTENT[3_000_000:]
    assert source.opened == [0, 3_000_000]


def test_going_back_reads_from_the_nearest_known_place() -> None:
    source = RecordingSource(CONTENT)
    feed = Feed(source, BLOB)
    sent(feed, 0, SIZE)
    assert sent(feed, 9 * limits.MIB, SIZE) == CONTENT[9 * limits.MIB :]
    assert source.opened == [0, 8 * limits.MIB]


def test_restart_forgets_what_was_read() -> None:
    source = RecordingSource(CONTENT)
    feed = Feed(source, BLOB)
    sent(feed, 0, 4_000_000)
    feed.restart()
    assert feed.sent == 0
    assert sent(feed, 0, SIZE) == CONTENT
    assert source.opened == [0, 0]
    assert source.closed == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (CONTENT[:-1] + b"x", DigestMismatch),
        (b"x" + CONTENT[1:], DigestMismatch),
        (CONTENT[:-1], SizeMismatch),
        (CONTENT + b"x", SizeMismatch),
    ],
    ids=["last", "first", "shorter", "longer"],
)
@pytest.mark.parametrize("step", [SIZE, 3_000_000])
@pytest.mark.parametrize("again", [None, 5_000_000, 9_000_000])
def test_last_byte_of_wrong_content_is_not_given(
    content: bytes, error: type[Exception], step: int, again: int | None
) -> None:
    feed = Feed(BytesSource(content), BLOB)
    with pytest.raises(error):
        send_all(feed, step)
    assert feed.sent < SIZE
    if again is not None:
        with pytest.raises(error):
            sent(feed, again, SIZE)


def test_empty_blob_is_checked_too() -> None:
    empty = Descriptor.of("application/octet-stream", b"")
    assert sent(Feed(BytesSource(b""), empty), 0, 0) == b""
    with pytest.raises(SizeMismatch):
        sent(Feed(BytesSource(b"x"), empty), 0, 0)


@given(st.lists(st.integers(0, SIZE - 1), max_size=6), st.integers(0, 255))
def test_any_way_back_and_forth_ends_in_the_right_digest(places: list[int], flaw: int) -> None:
    right, wrong = Feed(BytesSource(CONTENT), BLOB), bytearray(CONTENT)
    wrong[-1] = flaw
    spoiled = Feed(BytesSource(bytes(wrong)), BLOB)
    for place in places:
        stop = min(place + limits.MIB, SIZE - 1)
        assert sent(right, place, stop) == sent(spoiled, place, stop) == CONTENT[place:stop]
    place = max(places, default=0)
    assert sent(right, place, SIZE) == CONTENT[place:]
    if flaw != CONTENT[-1]:
        with pytest.raises(DigestMismatch):
            sent(spoiled, place, SIZE)
