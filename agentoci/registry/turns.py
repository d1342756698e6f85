"""Taking turns: one writer at a time among the threads and processes of this host.

No registry offers compare-and-set: what is read, changed and written back must not be changed
meanwhile by somebody else. Here locks see to that; other hosts need looks afterwards.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from agentoci._internal.clock import Clock, SystemClock
from agentoci._internal.locks import lock
from agentoci.spec.digest import Digest


class Turns:
    """Locks by name, as files of `folder`; without a folder among the threads only."""

    def __init__(self, folder: Path | None = None, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._threads: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Be the only one who works on `what`; waits for others.

        A folder that cannot be written to counts as none: those who cannot lock are as strangers
        on another host.
        """
        with self._guard:
            mine = self._threads.setdefault(what, threading.Lock())
        with mine, contextlib.ExitStack() as held:
            if self._folder is not None:
                with contextlib.suppress(OSError):
                    self._folder.mkdir(parents=True, exist_ok=True)
                    name = Digest.of(what.encode()).hex[:32]
                    held.enter_context(lock(self._folder / f"{name}.lock"))
            yield

    def pause(self, seconds: float) -> None:
        """Let time pass for the others."""
        self._clock.sleep(seconds)
