"""How much a host is asked at once: a ceiling that falls when it says "too many" (429).

One for all threads, so that a pause that a registry orders is kept by everybody, not only by the
thread that was told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from agentoci._internal.clock import Clock
from agentoci.registry.http.retry import retry_after

USUAL: Final = 16
"""Requests at once per host; registries allow more for a while only."""

_RUN: Final = 20
"""Answers without a complaint after which one more request at once is tried."""

_WORTH_SAYING: Final = 2.0
"""Seconds of an ordered pause from which on the user is told."""

_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Slot:
    """Leave to send one request; tell it what was answered."""

    limiter: Limiter
    round: int

    def answered(self, status: int, order: str | None) -> None:
        """The status of the answer, and its Retry-After if there is one."""
        self.limiter.learn(self, status, order)


class Limiter:
    """Lets `most` requests at once to one host; safe to use from several threads.

    A request that carries a body counts until it is answered. Since it may read from the very host
    that it writes to, one request without a body passes always: so nobody waits for ever.
    """

    def __init__(
        self,
        host: str,
        clock: Clock,
        *,
        most: int = USUAL,
        longest_order: float,
        warn: Callable[[str], None],
    ) -> None:
        self._host = host
        self._clock = clock
        self._most = most
        self._limit = most
        self._longest = longest_order
        self._warn = warn
        self._changed = threading.Condition()
        self._busy = 0
        self._bodiless = 0
        self._resume = 0.0
        self._round = 0
        self._run = 0

    @property
    def limit(self) -> int:
        """How many requests at once are let out now."""
        return self._limit

    @contextmanager
    def slot(self, *, carries: bool) -> Iterator[Slot]:
        """Wait for leave to send; `carries` when the request has a body."""
        with self._changed:
            while self._busy >= self._limit and (carries or self._bodiless):
                self._changed.wait()
            self._busy += 1
            self._bodiless += not carries
            slot = Slot(self, self._round)
        try:
            self._pause()
            yield slot
        finally:
            with self._changed:
                self._busy -= 1
                self._bodiless -= not carries
                self._changed.notify_all()

    def learn(self, slot: Slot, status: int, order: str | None) -> None:
        """Slow down after a complaint, once for all requests that were out; else speed up again."""
        seconds = None if order is None else retry_after(order, self._clock.now())
        if status == _TOO_MANY or (status == _UNAVAILABLE and seconds is not None):
            self._slow_down(slot, min(seconds or 0.0, self._longest))
        elif self._limit < self._most:
            with self._changed:
                self._run += 1
                if self._run >= _RUN:
                    self._run = 0
                    self._limit = min(self._limit + 1, self._most)
                    self._changed.notify_all()

    def _slow_down(self, slot: Slot, seconds: float) -> None:
        with self._changed:
            if slot.round == self._round:
                self._round += 1
                self._limit = max(1, self._limit // 2)
            self._run = 0
            moment = self._clock.monotonic() + seconds
            told = moment - self._resume > _WORTH_SAYING and seconds > _WORTH_SAYING
            self._resume = max(self._resume, moment)
        if told:
            self._warn(f"{self._host} asks for fewer requests; going on in {seconds:.0f} s")

    def _pause(self) -> None:
        """Until the moment that the host has named, which may move on meanwhile."""
        while (left := self._resume - self._clock.monotonic()) > 0:
            self._clock.sleep(left)
