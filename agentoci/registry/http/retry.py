"""Trying again: when, how often, and how long to wait in between."""

from __future__ import annotations

import email.utils
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from agentoci._internal.clock import Clock
from agentoci.registry.errors import RegistryUnreachable

if TYPE_CHECKING:
    from agentoci.registry.http.transport import Answer

RETRIED_STATUSES: Final = frozenset({408, 425, 429, 499, 500, 502, 503, 504, 522})
"""What a server says when the same request may succeed later; a denial is never among them."""

_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST_TEXT: Final = 100
_NUMBER: Final = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(?:,.*|;.*)?")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient to be: `tries` in all, waits that double from `first_wait` to `longest_wait`.

    `longest_order` bounds what a server's Retry-After may ask for.
    """

    tries: int = 5
    first_wait: float = 0.25
    longest_wait: float = 20.0
    longest_order: float = 60.0


class Patience:
    """Carries a policy out, with a clock and a source of randomness from the caller."""

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.policy = policy
        self.clock = clock
        self._chance = chance or random.SystemRandom().random

    def wait(self, failures: int, *, order: str | None = None) -> None:
        """Sleep after the `failures`-th failure; `order` is the server's Retry-After, if any."""
        limit = min(self.policy.first_wait * 2 ** (failures - 1), self.policy.longest_wait)
        pause = limit * self._chance()
        asked = None if order is None else retry_after(order, self.clock.now())
        if asked is not None:
            pause = max(pause, min(asked, self.policy.longest_order))
        self.clock.sleep(pause)

    def run(self, attempt: Callable[[], Answer], *, done: Callable[[Answer], bool]) -> Answer:
        """Make the attempt until its answer is `done`, or the tries are used up.

        `done` says that waiting would not change the answer. The last answer is returned as it is,
        good or bad; the last connection error is raised.
        """
        for failures in range(1, self.policy.tries):
            try:
                answer = attempt()
            except RegistryUnreachable as exc:
                if not exc.transient:
                    raise
                self.wait(failures)
                continue
            if done(answer):
                return answer
            answer.discard()
            self.wait(failures, order=answer.headers.get("Retry-After"))
        return attempt()


def retry_after(text: str, now: datetime) -> float | None:
    """Seconds that a Retry-After asks for: a number, an HTTP date, or a Go duration (`1.9ms`)."""
    if len(text) > _LONGEST_TEXT:  # the patterns take hours for what a server may send
        return None
    if match := _NUMBER.fullmatch(text):
        return float(match[1])
    if parts := _DURATION.findall(text.partition(",")[0]):
        return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
