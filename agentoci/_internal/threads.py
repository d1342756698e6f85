"""Threads that share one interpreter."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def each(act: Callable[[T], R], items: Sequence[T], *, workers: int, name: str) -> list[R]:
    """What `act` makes of each item, in their order, for up to `workers` of them at once.

    `name` is what the threads are called. Raises what `act` raises for the first item that fails;
    those that were not begun then are left.
    """
    if workers == 1 or len(items) <= 1:
        return [act(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(workers, len(items)), thread_name_prefix=name)
    try:
        return list(pool.map(act, items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def quick_switches() -> Iterator[None]:
    """Let threads hand the interpreter over ten times as often while layers are made or unpacked.

    The thread that streams a huge file needs it for microseconds between two calls that work
    without it; at the default of 5 ms it would wait longer for its turn than it works.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
