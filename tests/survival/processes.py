"""Programs of ours that run in the background, and end as a test says."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_PATIENCE = 60.0


def environment(home: Path) -> dict[str, str]:
    """The test's environment, with this AGENTOCI_HOME."""
    return {**os.environ, "AGENTOCI_HOME": str(home)}


@contextlib.contextmanager
def agent_process(
    home: Path, *arguments: str | Path, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`agent ARGUMENTS`, its output in `log`; it is killed if it still runs as the block ends."""
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agentoci", *map(str, arguments)],
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(moment: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait for the moment; False when the program ended first."""
    deadline = time.monotonic() + _PATIENCE
    while not moment():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "nothing moves"
        time.sleep(0.0005)
    return True
