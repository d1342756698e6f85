"""`python -m bench`: see the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import report
from bench.definitions import measure_definitions
from bench.line import made_ready, run_line_round
from bench.memory import fill_page_cache
from bench.payload import Shape, prepare
from bench.rounds import Bench, Prepared, copy_context, prepared, run_round, run_startups
from bench.tools import versions
from tests.peers import find_peers
from tests.registries import KINDS, TOOLS

SMALL = Shape(huge_mib=32, documents=500)
STARTUPS_PER_ROUND = 4
LARGE_ROUNDS = 2


def main() -> int:
    """Measure, print the tables, and keep the numbers."""
    options = parse_arguments()
    if KINDS["distribution"].program() is None:
        raise SystemExit(f"bench: {KINDS['distribution'].missing}")
    cache = TOOLS.parent / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    shape = SMALL if options.small else Shape()
    say(f"payload: {shape.huge_mib} MiB in one file, {shape.documents} markdown files")
    payload = prepare(cache, shape)
    with working_folder(options.work or cache) as work:
        say(f"memory: {fill_page_cache(work) >> 30} GiB of page cache filled")
        bench = Bench(work, copy_context(payload, work), find_peers(), say)
        if options.part != "definitions":
            run_transfers(bench, options)
        more: list[report.Goal] = []
        if options.part in ("all", "definitions"):
            more = measure_definitions(cache, shape, bench, options.rounds)
        finish(bench, options, shape, more)
        say("removing the folders of the rounds")
    return 0


def run_transfers(bench: Bench, options: argparse.Namespace) -> None:
    """Build, push, pull and what belongs to them: on loopback, over a line, or both."""
    with prepared(bench) as ready:
        if options.part != "line":
            for number in range(options.rounds):
                say(f"round {number + 1} of {options.rounds}")
                run_round(bench, ready, number)
        if options.part != "local":
            run_line(bench, ready, options.rounds)
    if options.part != "line":
        run_startups(bench, STARTUPS_PER_ROUND * options.rounds)


def run_line(bench: Bench, ready: Prepared, rounds: int) -> None:
    """The rounds over a line; the big payload takes half a minute each time, so not in all."""
    with made_ready(bench) as fleet:
        for number in range(rounds):
            say(f"line: round {number + 1} of {rounds}")
            run_line_round(bench, ready, fleet, number, large=number < LARGE_ROUNDS)


def parse_arguments() -> argparse.Namespace:
    """The command line of the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each command runs (5)")
    parser.add_argument(
        "--part",
        choices=["all", "local", "line", "definitions"],
        default="all",
        help="transfers on loopback, over a line, or lint, scan, requirements and diff (all)",
    )
    parser.add_argument("--small", action="store_true", help="a small payload, to try things out")
    parser.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    parser.add_argument("--work", type=Path, help="where to work (8 GB; the tools' cache folder)")
    parser.add_argument("--json", type=Path, help="where to keep the numbers (bench/results/…)")
    return parser.parse_args()


@contextlib.contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """A folder of this run, removed whole at the end."""
    folder = Path(tempfile.mkdtemp(prefix="work-", dir=parent))
    try:
        yield folder
    finally:
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)


def finish(
    bench: Bench, options: argparse.Namespace, shape: Shape, more: list[report.Goal]
) -> None:
    """Print the tables and write the JSON; `more` are goals that no peer has a part in."""
    found = bench.series()
    write = report.as_markdown if options.markdown else report.as_text
    goals = [*report.goals(found), *more]
    tables = [write(report.goal_table(goals))]
    if found:
        tables.append(write(report.peer_table(found)))
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    note = f"Medians of {options.rounds}. Peak memory below {floor:.0f} MB cannot be told apart."
    print("\n\n".join(["", *tables, note]))
    path = (
        options.json or Path(__file__).parent / "results" / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "rounds": options.rounds,
        "payload": shape.name,
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "versions": dict(versions()),
    }
    path.write_text(json.dumps(report.as_document(found, goals, facts), indent=1) + "\n")
    say(f"numbers in {path}")


def say(line: str) -> None:
    """Progress, apart from the tables."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
