"""Several questions at once, and an end to waiting that no server can put off.

Not a ThreadPoolExecutor: Python joins its threads at exit, and one that listens to a server that
trickles would keep the command from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from agentoci._internal.clock import Clock
from agentoci.errors import AgentociError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How one job ended: with a value, or with an error."""

    value: T | None = None
    error: Exception | None = None


def gather(
    jobs: Sequence[Callable[[], T]], *, workers: int, until: float, clock: Clock
) -> list[Outcome[T] | None]:
    """The outcomes in the order of the jobs; None for what had no end in time.

    Errors of ours are outcomes, others are raised. Jobs that nobody waits for any more may go on.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[int, Outcome[T]]] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)

    def work() -> None:
        while clock.monotonic() < until:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            ended.put((number, _outcome(jobs[number])))

    for _ in range(min(workers, len(jobs))):
        threading.Thread(target=work, name="search", daemon=True).start()
    return _collect(ended, len(jobs), until, clock)


def _collect(
    ended: queue.SimpleQueue[tuple[int, Outcome[T]]], count: int, until: float, clock: Clock
) -> list[Outcome[T] | None]:
    outcomes: list[Outcome[T] | None] = [None] * count
    for _ in range(count):
        left = min(until - clock.monotonic(), threading.TIMEOUT_MAX)
        try:
            number, outcome = ended.get(timeout=max(0.0, left))
        except queue.Empty:
            break
        if outcome.error is not None and not isinstance(outcome.error, AgentociError):
            raise outcome.error
        outcomes[number] = outcome
    return outcomes


def _outcome(job: Callable[[], T]) -> Outcome[T]:
    try:
        return Outcome(job())
    except Exception as exc:  # noqa: BLE001 (raised by who collects)
        return Outcome(error=exc)
