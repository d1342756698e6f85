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
    from rich.progress import TaskID

    from agentoci.api.engine import Engine


@contextlib.contextmanager
def showing(engine: Engine, *, quiet: bool) -> Iterator[Callable[[], float]]:
    """Show the engine's transfers in the block; gives a function that tells the seconds so far."""
    started = engine.clock.monotonic()

    def elapsed() -> float:
        return engine.clock.monotonic() - started

    if quiet:
        yield elapsed
        return
    with Bars() if sys.stderr.isatty() else contextlib.nullcontext(Lines()) as progress:
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
    """A bar for every blob under way, with its rate."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def start(self, desc: Descriptor, *, total: int) -> None:
        """Open a bar."""
        with self._lock:
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
