"""A big blob over several connections, where one connection is slower than the line.

Object stores and long lines give each connection a share only. The parts come in order, so who
reads sees one stream: it is verified, written and resumed as any other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from agentoci._internal import limits
from agentoci._internal.clock import Clock
from agentoci.errors import AgentociError, Integrity
from agentoci.registry.blobs.download import Download, NoRanges

LEAST: Final = 64 * limits.MIB
"""Bytes that must be left of a blob before more connections are worth their handshakes."""

_PART: Final = 8 * limits.MIB
_PARTS: Final = 3
"""Parts fetched at once beside the stream that is read: 32 MiB in memory at the most."""

_TRIAL: Final = 4 * limits.MIB
"""Bytes after which the speed of the single connection is judged, and once more with each part."""

_QUICK: Final = 64 * limits.MIB
"""Bytes per second above which one connection is as good as several: disk and hash end here."""

Open = Callable[[int, int | None], Download]
"""Opens the stream of a blob from an offset to an end (None: to its last byte)."""


class ParallelDownload:
    """A raw stream like Download's; begins on one connection and adds others when that is slow.

    `spare` bounds what all downloads of a registry add. Whatever goes wrong with a part, the rest
    is read on one connection again; that one's errors are the errors of the whole.
    """

    def __init__(
        self, open_stream: Open, size: int, offset: int, *, clock: Clock, spare: threading.Semaphore
    ) -> None:
        self._open_stream = open_stream
        self._size = size
        self._clock = clock
        self._spare = spare
        self._stream: Download | None = open_stream(offset, None)
        self._position = offset
        self._judged_at = offset
        self._judged_when = clock.monotonic()
        self._single = False
        self._ahead: _Ahead | None = None
        self._buffer = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        if not self._buffer and self._ahead is not None and self._ahead.start == self._position:
            self._take_part()
        if self._buffer:
            chunk = bytes(self._buffer[:size] if size >= 0 else self._buffer)
            self._buffer = self._buffer[len(chunk) :]
        else:
            chunk = self._read_stream(size)
        self._position += len(chunk)
        return chunk

    def close(self) -> None:
        """Free all connections."""
        if self._ahead is not None:
            self._ahead.stop()
        if self._stream is not None:
            self._stream.close()

    def _read_stream(self, size: int) -> bytes:
        if self._stream is None:
            if self._position >= self._size:
                return b""
            self._stream = self._open_stream(self._position, None)
        if self._ahead is None:
            self._judge()
        if self._ahead is not None:
            left = self._ahead.start - self._position
            size = left if size < 0 else min(size, left)
        return self._stream.read(size)

    def _judge(self) -> None:
        """Add connections when this one has been slow, and enough is left."""
        passed = self._position - self._judged_at
        if self._single or passed < _TRIAL or self._size - self._position < LEAST:
            return
        now = self._clock.monotonic()
        slow = passed < _QUICK * (now - self._judged_when)
        self._judged_at, self._judged_when = self._position, now
        if slow:
            self._ahead = _Ahead(
                self._open_stream, self._position + _PART, self._size, spare=self._spare
            )

    def _take_part(self) -> None:
        """Go on with the next part; without one, on a connection of our own."""
        assert self._ahead is not None  # noqa: S101 (asked by the only caller)
        try:
            part = self._ahead.take()
        except Integrity:
            raise
        except AgentociError:
            part = None
            self._single = True
        if part is None:
            self._ahead.stop()
            self._ahead = None
            return
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._buffer = memoryview(part)


class _Ahead:
    """Parts that are fetched before their turn; `start` is the offset of the next one."""

    def __init__(
        self, open_stream: Open, start: int, size: int, *, spare: threading.Semaphore
    ) -> None:
        self.start = start
        self._open_stream = open_stream
        self._next = start
        self._size = size
        self._spare = spare
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(_PARTS, thread_name_prefix="part")
        self._parts: deque[Future[bytearray]] = deque()
        self._held = 0
        while self._held < _PARTS and spare.acquire(blocking=False):
            self._held += 1
            self._order()

    def take(self) -> bytearray | None:
        """The next part; None when there is none ordered. Raises what fetching it raised."""
        if not self._parts:
            return None
        part = self._parts.popleft().result()
        self.start += len(part)
        self._order()
        return part

    def stop(self) -> None:
        """Fetch nothing more; safe to call twice."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        while self._held:
            self._held -= 1
            self._spare.release()

    def _order(self) -> None:
        start, end = self._next, min(self._next + _PART, self._size)
        if start < end:
            self._next = end
            self._parts.append(self._pool.submit(self._fetch, start, end))

    def _fetch(self, start: int, end: int) -> bytearray:
        stream = self._open_stream(start, end)
        try:
            part, filled = bytearray(end - start), 0  # grown or copied, it would count twice
            while filled < len(part) and not self._stopped.is_set():
                chunk = stream.read(limits.NETWORK_BUFFER)
                if not chunk:
                    raise NoRanges(f"a part ended {len(part) - filled} bytes early")
                part[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
            del part[filled:]
            return part
        finally:
            stream.close()
