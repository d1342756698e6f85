"""`python -m bench.resolve`: 50 requirements over repositories of 1,000 tags each.

Prints how many requests a first lock takes, how long, and the same for one that keeps its pins.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentoci.api.builds import BuildOptions
from agentoci.api.engine import Engine
from agentoci.api.locking import EVERYTHING, Locked, make_lock
from agentoci.config.settings import read_settings
from tests.commandline import home_variables
from tests.manytags import VERSIONS, put_agent, tag_often
from tests.registries import KINDS, Registry, serve

REQUIREMENTS = 50


@dataclass(frozen=True, slots=True)
class Figure:
    """What one lock took."""

    work: str
    requests: int
    seconds: float
    pins: int


def measure_resolving(
    folder: Path, count: int = REQUIREMENTS, say: Callable[[str], None] = print
) -> list[Figure]:
    """Lock an agent with so many requirements: at first, anew with a warm store, and as it is."""
    with serve(KINDS["distribution"], folder / "registry") as registry:
        say(f"{count} repositories of {len(VERSIONS)} tags")
        _fill(registry, folder, count)
        context = folder / "coordinator"
        context.mkdir()
        lines = [f"REQUIRE {registry.reference(name)}@>=1.2,<9" for name in _names(count)]
        text = "\n".join(["FROM scratch", *lines, "INTERFACE coordinator", ""])
        (context / "Agentfile").write_text(text)
        return [
            _timed("first lock", folder / "user", context, ()),
            _timed("lock --upgrade", folder / "user", context, (EVERYTHING,)),
            _timed("lock that fits", folder / "user", context, ()),
        ]


def _names(count: int) -> list[str]:
    return [f"team/agent-{number:02}" for number in range(count)]


def _fill(registry: Registry, folder: Path, count: int) -> None:
    """Each agent needs the two that follow it, so that requirements are transitive."""
    names = _names(count)
    with Engine(read_settings(home_variables(folder / "maker"))) as engine:
        for number, name in enumerate(names):
            after = [f"{registry.reference(other)}@^8" for other in names[number + 1 : number + 3]]
            put_agent(engine, registry, folder / "contexts", name, requires=after)
            tag_often(folder / "registry" / "data", name)


def _timed(work: str, home: Path, context: Path, upgrade: tuple[str, ...]) -> Figure:
    with Engine(read_settings(home_variables(home))) as engine:
        start = time.perf_counter()
        done: Locked = make_lock(engine, context, BuildOptions(), upgrade=upgrade)
        seconds = time.perf_counter() - start
    return Figure(work, done.requests, seconds, len(done.lock.pins))


def main() -> int:
    """Measure and print."""
    if KINDS["distribution"].program() is None:
        raise SystemExit(f"bench: {KINDS['distribution'].missing}")
    memory = Path("/dev/shm")  # 50,000 small files, which a disk takes minutes for
    parent = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="resolve-", dir=parent) as folder:
        for found in measure_resolving(Path(folder)):
            print(
                f"{found.work:16} {found.pins} pins  {found.requests:4} requests  "
                f"{found.seconds:.3f} s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
