"""One measurement: programs run to their end, their time on the clock and their peak memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from tests.peers import Command


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took."""

    seconds: float
    peak_bytes: int
    sent_bytes: int | None = None
    requests: int | None = None


def measure(commands: Sequence[Command], *, env: Mapping[str, str], log: Path) -> Sample:
    """Run the commands one after another and add up their times; raises when one fails.

    What earlier commands left to be written is flushed first, outside the time. A peak below this
    process' own cannot be told: Linux counts the parent's memory until the child's program starts.
    """
    os.sync()
    seconds, peak = 0.0, 0
    for command in commands:
        argv = [str(part) for part in command]
        with log.open("ab") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds += time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            tail = log.read_text(errors="replace")[-3000:]
            raise SystemExit(f"bench: {' '.join(argv)} ended with {process.returncode}:\n{tail}")
        peak = max(peak, usage.ru_maxrss * 1024)
    return Sample(seconds, peak)


@dataclass(frozen=True, slots=True)
class Series:
    """All samples of one tool at one piece of work."""

    samples: tuple[Sample, ...]

    @property
    def seconds(self) -> float:
        """The median time."""
        return median(sample.seconds for sample in self.samples)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles of the times: the noise."""
        times = [sample.seconds for sample in self.samples]
        if len(times) < 2:
            return 0.0
        low, _, high = quantiles(times, n=4, method="inclusive")
        return (high - low) / 2

    @property
    def peak_bytes(self) -> int:
        """The most memory that any run held."""
        return max(sample.peak_bytes for sample in self.samples)

    @property
    def requests(self) -> int | None:
        """The most requests that any run made, where they were counted."""
        return max((s.requests for s in self.samples if s.requests is not None), default=None)

    @property
    def sent_bytes(self) -> int | None:
        """The most bytes that any run sent, where they were counted."""
        return max(
            (sample.sent_bytes for sample in self.samples if sample.sent_bytes is not None),
            default=None,
        )
