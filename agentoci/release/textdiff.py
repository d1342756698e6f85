"""Unified diffs of texts, bounded: a diff is for people, and large files are no reading."""

from __future__ import annotations

import difflib
from itertools import islice
from typing import Final

from agentoci.release.changes import TextDiff

MAX_COMPARED_BYTES: Final = 256 * 1024
"""Of one file; a larger one is told by size and digest."""

MAX_COMPARED_LINES: Final = 5_000
"""Of one text: comparing costs the product of both numbers of lines where much is alike."""

MAX_SHOWN_LINES: Final = 400
"""Of one diff; the counts are those of the whole."""

_CONTEXT: Final = 2


def diff_bytes(before: bytes, after: bytes) -> TextDiff:
    """The diff of two files, or why there is none."""
    try:
        texts = before.decode("utf-8"), after.decode("utf-8")
    except UnicodeDecodeError:
        return TextDiff(note="binary")
    if "\0" in texts[0] or "\0" in texts[1]:
        return TextDiff(note="binary")
    return diff_texts(*texts)


def diff_texts(before: str, after: str) -> TextDiff:
    """The diff of two texts, line by line; a last line without an end is one all the same."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MAX_COMPARED_LINES:
        return TextDiff(note="too large")
    whole = difflib.unified_diff(old, new, n=_CONTEXT, lineterm="")
    lines = tuple(islice(whole, 2, None))
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    if not lines:
        return TextDiff(note="line ends only")
    cut = len(lines) - MAX_SHOWN_LINES
    note = f"{cut} more lines" if cut > 0 else None
    return TextDiff(lines[:MAX_SHOWN_LINES], added, removed, note)


def _lines(text: str) -> list[str]:
    """Lines by `\\n` only: what else Python takes for a line end is content."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines
