"""The bytes of one blob on their way out: hashed as they are read, and able to go back."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agentoci._internal import limits
from agentoci.content.protocols import Reader, Source
from agentoci.content.reader import DigestMismatch, SizeMismatch
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest

_MARK_EVERY: Final = 8 * limits.MIB
"""Bytes between kept states of the hash; what is read again to go on between two of them."""


class Feed:
    """Gives parts of a blob to requests, and never the last byte of content that is wrong.

    Parts that follow each other are read from one stream; another one reads again from the nearest
    place whose hash is known. Close it.
    """

    def __init__(self, source: Source, desc: Descriptor) -> None:
        self.desc = desc
        self.position = 0
        self.sent = 0
        self._source = source
        self._stream: Reader = io.BytesIO(b"")
        self._open = False
        self._closing = contextlib.ExitStack()
        self._hash = desc.digest.hasher()
        self._marks = {0: self._hash.copy()}
        self._next_mark = _MARK_EVERY

    def part(self, start: int, stop: int) -> Source:
        """The bytes from `start` to before `stop`, to be opened as often as it is sent."""
        return _Part(self, start, stop)

    def restart(self) -> None:
        """Nothing has been sent: what was read before counts for nothing."""
        self.close()
        self.sent = 0
        self._marks = {0: self._marks[0]}

    def close(self) -> None:
        """Close the source."""
        self._open = False
        self._closing.close()

    def seek(self, start: int) -> None:
        """Go where the next bytes are wanted from."""
        if self._open and self.position == start:
            return
        self.close()
        nearest = max(mark for mark in self._marks if mark <= start)
        self._stream = self._closing.enter_context(self._source.open(nearest))
        self._open = True
        self._hash = self._marks[nearest].copy()
        self.position = nearest
        while self.position < start:
            self.take(min(start - self.position, limits.NETWORK_BUFFER))

    def take(self, size: int) -> bytes:
        """Up to `size` bytes, once it has been told where; raises SizeMismatch, DigestMismatch."""
        chunk = self._stream.read(size)
        if not chunk:
            raise SizeMismatch(
                f"{self.desc.digest}: ended {self.desc.size - self.position} bytes short of "
                f"{self.desc.size}"
            )
        self._hash.update(chunk)
        self.position += len(chunk)
        if self.position >= self._next_mark:
            self.mark()
        if self.position == self.desc.size:
            self.check()
        return chunk

    def mark(self) -> None:
        """Keep the state of the hash, to go on from here."""
        self._marks[self.position] = self._hash.copy()
        self._next_mark = self.position + _MARK_EVERY

    def check(self) -> None:
        """Compare at the end; raises SizeMismatch, DigestMismatch."""
        if self._stream.read(1):
            raise SizeMismatch(f"{self.desc.digest}: longer than {self.desc.size} bytes")
        found = Digest.from_hash(self._hash)
        if found != self.desc.digest:
            raise DigestMismatch(f"{self.desc.digest}: the content has digest {found}")


@dataclass(frozen=True, slots=True)
class _Part:
    feed: Feed
    start: int
    stop: int

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        """The part again; the feed keeps its stream open for the next one."""
        self.feed.seek(self.start + offset)
        self.feed.mark()
        yield _PartReader(self.feed, self.stop)


class _PartReader:
    def __init__(self, feed: Feed, stop: int) -> None:
        self._feed = feed
        self._stop = stop

    def read(self, size: int = -1, /) -> bytes:
        feed = self._feed
        left = self._stop - feed.position
        if left == 0:
            if feed.desc.size == 0:
                feed.check()
            return b""
        chunk = feed.take(left if size < 0 else min(size, left))
        feed.sent = max(feed.sent, feed.position)
        return chunk
