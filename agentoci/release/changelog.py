"""The changelog of a release, in Markdown, from what changed and what that means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from agentoci.release.changes import AgentDiff, Change
from agentoci.release.rules import Level, Section, Sign, rules
from agentoci.release.verdict import Verdict
from agentoci.release.wording import describe_values

MAX_LISTED: Final = 20
"""Files of one kind in a changelog; the diff has them all."""

_HEADINGS: Final = ("Breaking", "Added", "Changed", "Removed", "Fixed")
_FILES: Final = frozenset({Section.KNOWLEDGE, Section.FILES})


def render_changelog(
    diff: AgentDiff, verdict: Verdict, version: str, date: str | None = None
) -> str:
    """The section of one release, ending with a line end; the same changes give the same text.

    Breaking changes come first, whatever they are; then what was added, changed and removed;
    knowledge that was corrected is `Fixed`. `date` is written as it is given.
    """
    title = f"## {version} - {date}" if date else f"## {version}"
    lines = [title, ""]
    if verdict.level is Level.NONE:
        return "\n".join([*lines, "No changes.", ""])
    grouped: dict[str, list[Change]] = {heading: [] for heading in _HEADINGS}
    for change in diff.changes:
        if change.level > Level.NONE and not _says_nothing_more(change, diff):
            grouped[_heading_of(change)].append(change)
    for heading, changes in grouped.items():
        if changes:
            lines += [f"### {heading}", "", *_items(changes), ""]
    return "\n".join(lines)


def _says_nothing_more(change: Change, diff: AgentDiff) -> bool:
    """Whether other lines say how the interface was reworded."""
    reworded = change.rule.id == "interface.reworded"
    return reworded and len(diff.of(Section.INTERFACE)) > 1


def _heading_of(change: Change) -> str:
    if change.level is Level.MAJOR:
        return "Breaking"
    if change.rule.id == "knowledge.changed":
        return "Fixed"
    return {Sign.ADDED: "Added", Sign.REMOVED: "Removed", Sign.CHANGED: "Changed"}[change.rule.sign]


def _items(changes: Iterable[Change]) -> Iterator[str]:
    """One line a change, files of one kind up to a ceiling."""
    listed: dict[str, int] = {}
    for change in changes:
        kind = change.rule.id
        listed[kind] = listed.get(kind, 0) + 1
        if change.section not in _FILES or listed[kind] <= MAX_LISTED:
            yield f"- {_item(change)}"
    for kind, count in listed.items():
        if count > MAX_LISTED and kind.startswith(("knowledge", "file")):
            yield f"- {count - MAX_LISTED} more: {rules()[kind].title}"


def _item(change: Change) -> str:
    words = change.rule.title
    text = words[0].upper() + words[1:]
    if change.subject:
        text += f": `{_code(change.subject)}`"
    values = describe_values(change)
    if values:
        text += f", `{_code(values)}`"
    if change.level is Level.MAJOR:
        text += f" ({change.rule.reason})"
    return text


def _code(text: str) -> str:
    """What may stand between backquotes, on one line, and steers no terminal."""
    line = " ".join(text.replace("`", "'").split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
