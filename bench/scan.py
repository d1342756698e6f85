"""`python -m bench.scan`: what the secret scan adds to a build, and how long 5,000 files take.

Each build runs in a process and a home of its own, with and without the scan in turn.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from agentoci._internal.clock import SystemClock
from agentoci.api.engine import Engine
from agentoci.builder.build import Builder
from agentoci.builder.options import BuildOptions
from agentoci.config.settings import read_settings
from agentoci.scan.content import scan_content
from agentoci.scan.findings import Kind
from agentoci.spec.reference import Reference
from agentoci.store.images import Image
from bench.payload import Shape, prepare
from tests.registries import TOOLS

SMALL = Shape(huge_mib=32, documents=500)


def main() -> int:
    """Measure and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.scan", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a small payload, to try things out")
    parser.add_argument("--build", choices=["scanned", "unscanned"], help=argparse.SUPPRESS)
    parser.add_argument("--context", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        print(build_once(options.context, scans=options.build == "scanned"))
        return 0
    cache = TOOLS.parent / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    context = prepare(cache, SMALL if options.small else Shape())
    report_builds(context, options.rounds)
    report_texts(context / "knowledge", options.rounds)
    return 0


def measure_builds(context: Path, rounds: int) -> tuple[float, float]:
    """Build without and with the scan, in turn; medians of the seconds."""
    seconds: dict[str, list[float]] = {"unscanned": [], "scanned": []}
    for _ in range(rounds):
        for how, found in seconds.items():
            command = [sys.executable, "-m", "bench.scan", "--build", how]
            command += ["--context", str(context)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(float(done.stdout))
    return median(seconds["unscanned"]), median(seconds["scanned"])


def report_builds(context: Path, rounds: int) -> None:
    """Print what the scan adds."""
    without, with_scan = measure_builds(context, rounds)
    print(f"build without the scan  {without:6.3f} s")
    print(f"build with the scan     {with_scan:6.3f} s  ({with_scan / without:.2f} times)")


def report_texts(folder: Path, rounds: int) -> None:
    """Read and scan every text as a model's: secrets, hidden Unicode, injected prompts."""
    paths = sorted(folder.rglob("*.md"))
    taken: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        for path in paths:
            scan_content(path.name, path.read_bytes(), kind=Kind.TEXT)
        taken.append(time.perf_counter() - started)
    size = sum(path.stat().st_size for path in paths) / 1e6
    print(f"{len(paths)} texts, {size:.0f} MB       {median(taken):6.3f} s")


def build_once(context: Path, *, scans: bool) -> float:
    """The seconds of one build into a new home."""
    home = Path(tempfile.mkdtemp(prefix="scan-", dir=context.parent))
    try:
        engine = Engine(read_settings({"HOME": str(home), "AGENTOCI_HOME": str(home / "agentoci")}))
        builder = Builder(
            engine.writable_store,
            engine.settings.cache,
            lookup=_no_image,
            clock=SystemClock(),
            scans=scans,
        )
        started = time.perf_counter()
        builder.build(context, BuildOptions())
        return time.perf_counter() - started
    finally:
        shutil.rmtree(home)


def _no_image(reference: Reference) -> Image:
    raise SystemExit(f"bench: the payload names no image, but {reference} was asked for")


if __name__ == "__main__":
    sys.exit(main())
