"""Run an instance attached: its input and output are ours, its exit code is the result.

The process has a supervisor all the same, the same one as a detached instance has: the log, the
exit code and `agent stop` work, and the instance goes on when we are killed. Process and
supervisor live in a session of their own, so the signals of our terminal reach us only; they are
passed on, which gives Ctrl-C to the agent once and lets Ctrl-Z stop us alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Final

from agentoci.instances.instance import Instance
from agentoci.runtime.contract import ProcessSpec
from agentoci.runtime.supervision import supervise

_PASSED_ON: Final = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGWINCH,
)


def run_attached(instance: Instance, spec: ProcessSpec, *, terminal: bool) -> int:
    """Run to the end; returns the exit code, 128+n for signal n.

    `terminal` says that our stdin and stdout are one: the process then gets it as it is, colours
    and line editing included, and no log is kept. Otherwise what it says goes to our stdout and
    stderr and into the log. Raises what `supervise` raises.
    """
    with _passing_signals() as passing:
        supervision = supervise(instance, spec, attached=True, terminal=terminal)
        passing.to(supervision.supervisor)
        return supervision.wait()


class _Passing:
    """Signals on their way to the supervisor; kept while there is none yet."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._kept: list[int] = []

    def handle(self, number: int, _: object) -> None:
        if self._pid is None:
            self._kept.append(number)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def to(self, pid: int) -> None:
        self._pid = pid
        for number in self._kept:
            self.handle(number, None)


@contextlib.contextmanager
def _passing_signals() -> Iterator[_Passing]:
    passing = _Passing()
    if threading.current_thread() is not threading.main_thread():
        yield passing  # only the main thread may handle signals
        return
    before = {number: signal.signal(number, passing.handle) for number in _PASSED_ON}
    try:
        yield passing
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
