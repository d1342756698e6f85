"""Threads that share one interpreter."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


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
