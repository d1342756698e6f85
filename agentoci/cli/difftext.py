"""How `agent diff` looks: sections with +, - and ~, texts line by line, and the verdict."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from agentoci.api.diffing import AgentDiff, Change, Level, Section, Sign, Verdict, describe_values
from agentoci.cli import output

if TYPE_CHECKING:
    from agentoci.api.diffing import Reason, Side, TextDiff

MAX_REASONS: Final = 12
"""Reasons shown below a whole diff; `--semantic` lists all."""

MAX_SUBJECT: Final = 48
"""Cells of the column of subjects; longer ones stick out."""

_MARKS: Final = {Sign.ADDED: "+", Sign.REMOVED: "-", Sign.CHANGED: "~"}
_SIGN_COLORS: Final = {Sign.ADDED: "green", Sign.REMOVED: "red", Sign.CHANGED: "yellow"}
_LINE_COLORS: Final = {"+": "green", "-": "red", "@": "cyan"}
_LEVEL_COLORS: Final = {
    Level.NONE: "green",
    Level.PATCH: "green",
    Level.MINOR: "yellow",
    Level.MAJOR: "red",
}


@dataclass(frozen=True, slots=True)
class Painter:
    """Cleans what images say, and colours it where colours are wanted."""

    colored: bool = False

    def __call__(self, text: str, color: str | None = None, *, bold: bool = False) -> str:
        """The text on one line; `color` is one of click's."""
        plain = output.clean(" ".join(text.splitlines()).replace("\t", "    "))
        return click.style(plain, fg=color, bold=bold or None) if self.colored else plain

    def level(self, level: Level) -> str:
        """The name of a level in its colour."""
        return self(str(level), _LEVEL_COLORS[level], bold=True)


def whole(
    diff: AgentDiff, verdict: Verdict, following: str | None, paint: Painter
) -> Iterator[str]:
    """The report: both sides, the sections, the verdict, the version that follows from it."""
    yield from _sides(diff, paint)
    for section in Section:
        changes = diff.of(section)
        if changes:
            yield ""
            yield paint(section.value.capitalize(), bold=True)
            yield from _section(changes, paint)
    yield ""
    after = f", the next version is {following}" if following else ""
    yield f"{paint('Verdict:', bold=True)} {paint.level(verdict.level)}{paint(after)}"
    yield from _reasons(verdict, paint)


def semantic(verdict: Verdict, paint: Painter) -> Iterator[str]:
    """The level alone on the first line, then every reason with the id of its rule."""
    yield paint.level(verdict.level)
    for reason in verdict.reasons:
        level = paint.level(reason.level) + " " * (5 - len(str(reason.level)))
        yield f"  {level}  {_reason(reason, paint)}  {paint(reason.rule, 'cyan')}"


def names(diff: AgentDiff) -> list[str]:
    """What changed, each once: files by their paths, all else as SECTION/SUBJECT."""
    return list(dict.fromkeys(_name(change) for change in diff.changes))


def stat_rows(diff: AgentDiff) -> list[tuple[str, ...]]:
    """Section, added, removed, changed, lines, level."""
    rows: list[tuple[str, ...]] = []
    for section in Section:
        changes = diff.of(section)
        if changes:
            counts = [sum(one.rule.sign is sign for one in changes) for sign in Sign]
            texts = [one.text for one in changes if one.text is not None]
            lines = f"+{sum(t.added for t in texts)} -{sum(t.removed for t in texts)}"
            level = max(one.level for one in changes)
            rows.append((section, *map(str, counts), lines if texts else "", str(level)))
    return rows


def _sides(diff: AgentDiff, paint: Painter) -> Iterator[str]:
    rows = [_side(side) for side in (diff.before, diff.after)]
    widths = [max(_cells(row[at]) for row in rows) for at in range(2)]
    for mark, color, row in zip("-+", ("red", "green"), rows, strict=True):
        cells = (_padded(cell, width) for cell, width in zip(row, (*widths, 0), strict=True))
        yield f"{paint(mark * 3, color)} {paint('   '.join(cells).rstrip(), bold=True)}"


def _side(side: Side) -> tuple[str, str, str]:
    return side.reference, f"{side.name} {side.version}", side.digest[:19]


def _section(changes: Sequence[Change], paint: Painter) -> Iterator[str]:
    """Columns: what changed, of what, and the values; what has no subject needs no columns."""
    rows = [(one.rule.words, _shown(one), _values(one)) for one in changes]
    words = max((_cells(row[0]) for row in rows if row[1]), default=0)
    widths = [_cells(row[1]) for row in rows]
    subjects = max((width for width in widths if width <= MAX_SUBJECT), default=0)
    for one, (what, subject, values) in zip(changes, rows, strict=True):
        mark = paint(_MARKS[one.rule.sign], _SIGN_COLORS[one.rule.sign], bold=True)
        cells = [what, values]
        if subject:
            cells = [_padded(what, words), _padded(subject, subjects), values]
        yield f"  {mark} {paint('  '.join(cells).rstrip())}"
        if one.text is not None:
            yield from _text(one.text, paint)


def _shown(change: Change) -> str:
    """A file's path from the agent's folder on, which all files share."""
    if change.section in (Section.KNOWLEDGE, Section.FILES):
        return change.subject.removeprefix("agent/")
    return change.subject


def _values(change: Change) -> str:
    values = describe_values(change).removeprefix("from agent/")
    if change.rule.id.endswith(".moved"):
        values = f"from {values}"
    text = change.text
    if text is None:
        return values
    counts = f"+{text.added} -{text.removed}" if text.lines else ""
    return "  ".join(filter(None, (values, counts, text.note and f"({text.note})")))


def _text(text: TextDiff, paint: Painter) -> Iterator[str]:
    for line in text.lines:
        yield f"      {paint(line, _LINE_COLORS.get(line[:1]))}".rstrip()


def _reasons(verdict: Verdict, paint: Painter) -> Iterator[str]:
    decisive = verdict.decisive
    yield from (f"  {_reason(reason, paint)}" for reason in decisive[:MAX_REASONS])
    rest = [f"{len(decisive) - MAX_REASONS} {verdict.level}"] if len(decisive) > MAX_REASONS else []
    for level in (Level.MINOR, Level.PATCH):
        count = sum(reason.level is level for reason in verdict.reasons)
        if count and level < verdict.level:
            rest.append(f"{count} {level}")
    if rest:
        yield f"  and {', '.join(rest)} more: --semantic lists them"


def _reason(reason: Reason, paint: Painter) -> str:
    return f"{paint(reason.title)} {paint(f'({reason.why})')}"


def _name(change: Change) -> str:
    if change.section in (Section.KNOWLEDGE, Section.FILES) and "/" in change.subject:
        return change.subject
    return f"{change.section}/{change.subject}" if change.subject else str(change.section)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))


def _cells(text: str) -> int:
    """Terminal cells: wide characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )
