"""What starts the process of an instance. The plain process is one driver; sandboxes are others.

Further abilities (pause, resume, limits, process checkpoints) are protocols of their own, so that
a driver that lacks one need not pretend.
"""

from __future__ import annotations

from typing import Protocol

from agentoci.runtime.contract import Exit, ProcessSpec, Stdio


class Process(Protocol):
    """A process that was started; the one who started it must poll it to its end."""

    @property
    def pid(self) -> int:
        """The process as the host numbers it."""
        ...

    def signal(self, number: int) -> None:
        """Signal it and everything that it started; nothing happens when none is left."""
        ...

    def poll(self) -> Exit | None:
        """How it ended, None while it runs."""
        ...


class Driver(Protocol):
    """Starts processes."""

    @property
    def name(self) -> str:
        """How users call it."""
        ...

    def start(self, spec: ProcessSpec, stdio: Stdio) -> Process:
        """Start it; returns when the program runs, raises CannotStart."""
        ...
