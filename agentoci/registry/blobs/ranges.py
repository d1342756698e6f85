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
from agentoci.errors import AgentociError, Denied, Integrity
from agentoci.registry.blobs.download import Download, NoRanges
from agentoci.registry.errors import Rejected

LEAST: Final = 64 * limits.MIB
"""Bytes that must be left of a blob before more connections are worth their handshakes."""

_PART: Final = 8 * limits.MIB
_PARTS: Final = 3
"""Parts fetched at once: with the one that is read, 32 MiB in memory at the most."""

_QUICK: Final = 32 * limits.MIB
"""Bytes per second above which one connection is as good as several: the machine sets the limit."""

_PAYS: Final = 1.0
"""How quick several connections must be beside one to be kept: slower, they hinder each other."""

Open = Callable[[int, int | None], Download]
"""Opens the stream of a blob from an offset to an end (None: to its last byte)."""


class ParallelDownload:
    """A raw stream like Download's: a trial part on one connection, then what the trial tells.

    Where it was slow, further parts come over several connections, unless those turn out to be
    slower; else, and for the rest, there is one connection again. `spare` bounds what all
    downloads of a registry add. Whatever goes wrong with a part, the rest is read on one
    connection; that one's errors are the errors of the whole.
    """

    def __init__(
        self, open_stream: Open, size: int, offset: int, *, clock: Clock, spare: threading.Semaphore
    ) -> None:
        self._open_stream = open_stream
        self._size = size
        self._clock = clock
        self._spare = spare
        self._position = offset
        self._buffer = memoryview(b"")
        self._ahead: _Ahead | None = None
        self._trial_rate = 0.0
        self._since = clock.monotonic()
        self._trial_end = min(offset + _PART, size)
        self._stream: Download | None
        try:
            self._stream = open_stream(offset, self._trial_end)
        except (NoRanges, Denied, Rejected):  # signed addresses may be for the whole only
            self._trial_end = size
            self._stream = open_stream(offset, None)

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        if not self._buffer and self._ahead is not None:
            self._take_part()
        if self._buffer:
            chunk = bytes(self._buffer[:size] if size >= 0 else self._buffer)
            self._buffer = self._buffer[len(chunk) :]
        else:
            chunk = self._read_stream(size)
        self._position += len(chunk)
        if self._position == self._trial_end < self._size:
            self._judge_trial()
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
        try:
            return self._stream.read(size)
        except NoRanges:  # the trial was cut, and the server gives no rest of it
            self._stream.close()
            self._trial_end = self._size
            self._stream = self._open_stream(self._position, None)
            return self._stream.read(size)

    def _judge_trial(self) -> None:
        """One connection was slow: several may be quicker."""
        assert self._stream is not None  # noqa: S101 (the trial was read from it)
        self._stream.close()
        self._stream = None
        self._trial_rate = self._rate(_PART)
        if self._trial_rate < _QUICK and self._size - self._position >= LEAST:
            self._ahead = _Ahead(self._open_stream, self._position, self._size, spare=self._spare)

    def _rate(self, passed: int) -> float:
        """Bytes per second since the last look; endless on a clock that stands still."""
        now = self._clock.monotonic()
        seconds, self._since = now - self._since, now
        return passed / seconds if seconds > 0 else float("inf")

    def _take_part(self) -> None:
        """Go on with the next part; without one, on a connection of our own."""
        assert self._ahead is not None  # noqa: S101 (asked by the only caller)
        try:
            part = self._ahead.take()
        except Integrity:
            raise
        except AgentociError:
            part = None
        if part is None:
            self._ahead.stop()
            self._ahead = None
            return
        self._buffer = memoryview(part)
        if self._ahead.taken == _PARTS + 1 and self._rate_of_parts() < _PAYS * self._trial_rate:
            self._ahead.order_no_more()

    def _rate_of_parts(self) -> float:
        return self._rate((_PARTS + 1) * _PART)


class _Ahead:
    """Parts that are fetched before their turn; `taken` have had it."""

    def __init__(
        self, open_stream: Open, start: int, size: int, *, spare: threading.Semaphore
    ) -> None:
        self.taken = 0
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
        self.taken += 1
        self._order()
        return part

    def order_no_more(self) -> None:
        """Let those that are under way be the last."""
        self._size = self._next

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
