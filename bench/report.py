"""What was measured, as a table, as markdown and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.measure import Series

MIB = 1024 * 1024
Table = Sequence[Sequence[str]]
All = Mapping[tuple[str, str], Series]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of goals."""

    work: str
    measured: str
    reference: str
    ratio: float | None
    target: str
    verdict: str


TOOLS = ("agent", "oras", "crane", "skopeo", "regctl")
BEST = None
"""Stands for the quickest peer at the same work."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A goal that compares two times; without `theirs` the quickest peer's."""

    work: str
    ours: tuple[str, str]
    theirs: tuple[str, str] | None
    called: str
    limit: float
    noise_counts: bool = False

    def judge(self, found: All) -> Goal | None:
        """The line, once both sides were measured."""
        key = self.theirs or _quickest_peer(found, self.ours[0])
        if self.ours not in found or key is None or key not in found:
            return None
        ours, theirs = found[self.ours], found[key]
        called = self.called if self.theirs else key[1]
        ratio = ours.seconds / theirs.seconds
        excess = ours.seconds - self.limit * theirs.seconds
        verdict = "pass" if excess <= 0 else "miss"
        if excess > 0 and self.noise_counts and excess <= ours.spread + theirs.spread:
            verdict = "pass, within noise"
        return Goal(
            self.work,
            _seconds(ours),
            f"{called} {_seconds(theirs)}",
            ratio,
            f"≤ {self.limit:g} x",
            verdict,
        )


RATIOS = (
    Ratio("build", ("build", "agent"), ("build", "tar"), "T", 0.9),
    Ratio("rebuild, nothing changed", ("rebuild", "agent"), ("build", "tar"), "T", 0.2),
    Ratio("one file changed: build + push", ("change", "agent"), ("build", "tar"), "T", 0.5),
    Ratio("push", ("push", "agent"), ("push", "oras"), "`oras cp`", 1.0, noise_counts=True),
    Ratio("pull", ("pull", "agent"), ("pull", "oras"), "`oras cp`", 1.0, noise_counts=True),
    Ratio("pull + unpack", ("unpack", "agent"), ("unpack", "oras"), "`oras pull`", 0.7),
    Ratio("200 layers over a line: push", ("line-push", "agent"), BEST, "best peer", 0.3),
    Ratio("200 layers over a line: pull", ("line-pull", "agent"), BEST, "best peer", 0.6),
    Ratio(
        "565 MB over a line: push",
        ("line-push-large", "agent"),
        BEST,
        "best peer",
        1.0,
        noise_counts=True,
    ),
    Ratio(
        "565 MB over a line: pull",
        ("line-pull-large", "agent"),
        BEST,
        "best peer",
        1.0,
        noise_counts=True,
    ),
    Ratio(
        "100 images over a line: sync",
        ("line-sync", "agent"),
        ("line-sync", "skopeo"),
        "`skopeo sync`",
        0.7,
    ),
    Ratio("`agent --help`", ("help", "agent"), ("click", "python"), "`import click`", 1.3),
    Ratio("`agent images`, 1,000", ("images", "agent"), ("click", "python"), "`import click`", 2.0),
)

# Peak memory counts where blobs pass.
HEAVY = (
    *("build", "rebuild", "change", "push", "mount", "pull", "unpack"),
    *("line-push", "line-pull", "line-sync", "line-push-large", "line-pull-large"),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A goal that is a plain number."""

    work: str
    value: Callable[[All], float | None]
    limit: float
    shown: str

    def judge(self, found: All) -> Goal | None:
        """The line, once it was measured."""
        value = self.value(found)
        if value is None:
            return None
        verdict = "pass" if value <= self.limit else "miss"
        return Goal(
            self.work,
            self.shown.format(value),
            "",
            None,
            "≤ " + self.shown.format(self.limit),
            verdict,
        )


def _quickest_peer(found: All, work: str) -> tuple[str, str] | None:
    peers = [(work, tool) for tool in TOOLS if tool != "agent" and (work, tool) in found]
    return min(peers, key=lambda key: found[key].seconds, default=None)


def _retag_requests(found: All) -> float | None:
    series = found.get(("line-retag", "agent"))
    return None if series is None else series.requests


def _mount_seconds(found: All) -> float | None:
    series = found.get(("mount", "agent"))
    return series.seconds if series else None


def _sent_megabytes(found: All) -> float | None:
    series = found.get(("change", "agent"))
    sent = series.sent_bytes if series else None
    return None if sent is None else sent / 1e6


def _peak_megabytes(found: All) -> float | None:
    peaks = [found[work, "agent"].peak_bytes for work in HEAVY if (work, "agent") in found]
    return max(peaks) / 1e6 if peaks else None


LIMITS = (
    Limit("one file changed: bytes sent", _sent_megabytes, 2.0, "{:.2f} MB"),
    Limit("another tag for an image: requests", _retag_requests, 3, "{:.0f}"),
    Limit("push into a second repository", _mount_seconds, 0.5, "{:.2f} s"),
    Limit("peak memory, all of the above", _peak_megabytes, 150, "{:.0f} MB"),
)

PEER_WORK = {
    "push": "push",
    "mount": "into a second repository",
    "pull": "pull",
    "unpack": "pull + unpack",
    "push-folders": "pack + push (gzip)",
    "line-push": "line: push of 200 layers",
    "line-pull": "line: pull of 200 layers",
    "line-retag": "line: another tag",
    "line-sync": "line: sync of 100 images",
    "line-push-large": "line: push of 565 MB",
    "line-pull-large": "line: pull of 565 MB",
}


def goals(found: All) -> list[Goal]:
    """Every goal that could be judged, in the order of the work."""
    judged = [goal.judge(found) for goal in (*RATIOS, *LIMITS)]
    return [goal for goal in judged if goal is not None]


def goal_table(judged: Sequence[Goal]) -> Table:
    """The goals as rows, a heading first."""
    rows = [["work", "agentoci", "reference", "ratio", "target", ""]]
    for goal in judged:
        ratio = "" if goal.ratio is None else f"{goal.ratio:.2f}"
        rows.append([goal.work, goal.measured, goal.reference, ratio, goal.target, goal.verdict])
    return rows


def peer_table(found: All) -> Table:
    """Seconds (and peak memory) of every tool, side by side."""
    tools = [tool for tool in TOOLS if _works(found, tool)]
    rows = [["work", *("agentoci" if tool == "agent" else tool for tool in tools)]]
    for work, title in PEER_WORK.items():
        if any((work, tool) in found for tool in tools):
            rows.append([title, *(_cell(found.get((work, tool))) for tool in tools)])
    return rows


def _works(found: All, tool: str) -> bool:
    return any((work, tool) in found for work in PEER_WORK)


def _cell(series: Series | None) -> str:
    if series is None:
        return ""
    asked = "" if series.requests is None else f", {series.requests} requests"
    return f"{series.seconds:.2f} s, {series.peak_bytes / 1e6:.0f} MB{asked}"


def _seconds(series: Series) -> str:
    digits = 3 if series.seconds < 0.5 else 2
    return f"{series.seconds:.{digits}f} s"


def as_text(table: Table) -> str:
    """Columns of equal width."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def as_markdown(table: Table) -> str:
    """A markdown table."""
    heading, *rows = table
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def as_document(
    found: All, judged: Sequence[Goal], facts: Mapping[str, object]
) -> dict[str, object]:
    """Everything, for a JSON file."""
    return {
        **facts,
        "goals": [asdict(goal) for goal in judged],
        "samples": [
            {"work": work, "tool": tool, "runs": [asdict(run) for run in series.samples]}
            for (work, tool), series in found.items()
        ],
    }
