"""Progress of transfers: bars with rates on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from agentoci.cli import output
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from agentoci.api.engine import Engine


@contextlib.contextmanager
def showing(engine: Engine, *, quiet: bool, bars: bool = True) -> Iterator[Callable[[], float]]:
    """Show the engine's transfers in the block; gives a function that tells the seconds so far.

    Without `bars` there are lines on a terminal, too: for commands that print other lines between.
    """
    started = engine.clock.monotonic()

    def elapsed() -> float:
        return engine.clock.monotonic() - started

    if quiet:
        yield elapsed
        return
    with Bars() if bars and sys.stderr.isatty() else contextlib.nullcontext(Lines()) as progress:
        engine.progress = progress
        try:
            yield elapsed
        finally:
            engine.progress = None


class Lines:
    """A line for every blob that moved."""

    def start(self, desc: Descriptor, *, total: int) -> None:
        """Nothing yet."""

    def advance(self, desc: Descriptor, count: int) -> None:
        """Nothing."""

    def finish(self, desc: Descriptor, *, outcome: str) -> None:
        """Say what became of the blob."""
        if outcome != "exists":
            output.talk(f"{outcome} {_title(desc)} {output.size(desc.size)}")


class Bars:
    """A bar for every blob under way, with its rate; nothing is loaded before the first one."""

    def __init__(self) -> None:
        self._opened: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: object) -> None:
        if self._opened is not None:
            self._opened.stop()

    @property
    def _progress(self) -> Progress:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        made = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        made.start()
        return made

    def start(self, desc: Descriptor, *, total: int) -> None:
        """Open a bar."""
        self._tasks[str(desc.digest)] = self._progress.add_task(_title(desc), total=total)

    def advance(self, desc: Descriptor, count: int) -> None:
        """Move it on."""
        self._progress.advance(self._tasks[str(desc.digest)], count)

    def finish(self, desc: Descriptor, *, outcome: str) -> None:
        """Take it away; what moved stays as a line."""
        self._progress.remove_task(self._tasks[str(desc.digest)])
        if outcome != "exists":
            self._progress.console.print(
                f"{outcome} {_title(desc)} {output.size(desc.size)}", highlight=False, markup=False
            )


def _title(desc: Descriptor) -> str:
    return output.clean(desc.annotations.get(keys.TITLE) or f"config {desc.digest.short}")
