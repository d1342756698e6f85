"""Definitions and versions: lint, the secret scan, requirements, and the diff of two images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import diffbench, lintbench, scan
from bench.payload import Shape, prepare
from bench.report import Goal
from bench.resolve import REQUIREMENTS, measure_resolving
from bench.rounds import Bench, copy_context

LINT_LIMIT = 4.0
SCAN_LIMIT = 1.5
REQUESTS_LIMIT = 2


def measure_definitions(cache: Path, shape: Shape, bench: Bench, rounds: int) -> list[Goal]:
    """All lines of the table, each of so many rounds."""
    say = bench.say
    say("lint")
    goals = [_lint(cache, shape, rounds)]
    say("builds with and without the secret scan")
    goals.append(_scan(prepare(cache, shape), rounds))
    say("requirements")
    goals.append(_resolve(say))
    say("diffs")
    goals.extend(_diffs(cache, bench))
    return goals


def _lint(cache: Path, shape: Shape, rounds: int) -> Goal:
    context = lintbench.prepare_context(cache, shape)
    with tempfile.TemporaryDirectory() as home:
        taken = median(lintbench.lint_once(context, Path(home)) for _ in range(rounds))
    work = f"lint of {shape.documents} files"
    return Goal(work, f"{taken:.2f} s", "", None, f"≤ {LINT_LIMIT:g} s", _said(taken <= LINT_LIMIT))


def _scan(context: Path, rounds: int) -> Goal:
    without, with_scan = scan.measure_builds(context, rounds)
    ratio = with_scan / without
    return Goal(
        "build with the secret scan",
        f"{with_scan:.2f} s",
        f"without {without:.2f} s",
        ratio,
        f"≤ {SCAN_LIMIT:g} x",
        _said(ratio <= SCAN_LIMIT),
    )


def _resolve(say: Callable[[str], None]) -> Goal:
    memory = Path("/dev/shm")  # 50,000 small files, which a disk takes minutes for
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        _, found, _ = measure_resolving(Path(folder), say=say)
    each = found.requests / REQUIREMENTS
    return Goal(
        f"{REQUIREMENTS} requirements, 1,000 tags each",
        f"{found.seconds:.2f} s, {found.requests} requests",
        "",
        None,
        f"≤ {REQUESTS_LIMIT} each",
        _said(each <= REQUESTS_LIMIT),
    )


def _diffs(cache: Path, bench: Bench) -> list[Goal]:
    context = copy_context(prepare(cache, diffbench.SHAPE), bench.work / "diff")
    found = diffbench.figures(Bench(bench.work, context, bench.peers, bench.say))
    return [
        Goal(
            f"diff, {where}: {what}",
            f"{one.seconds:.2f} s",
            f"{one.read_bytes / 1e6:.2f} of {one.whole_bytes / 1e6:.0f} MB read",
            None,
            "what differs",
            "",
        )
        for (where, what), one in found.items()
    ]


def _said(passes: bool) -> str:
    return "pass" if passes else "miss"
