"""The patterns of COPY and of `.agentignore`: `*`, `?` and `[…]` within one part of a path."""

from __future__ import annotations

import re

from agentoci.errors import Invalid


class BadPattern(Invalid):
    """A pattern whose `[…]` is no set of characters."""


def part_expression(part: str) -> str:
    """The regular expression of a pattern for one part of a path; raises BadPattern.

    It has to match up to the end of the part. Matching takes time by the lengths of both, not by
    the number of `*` besides: what stands between two of them is taken where it first occurs.
    """
    first, *others = _between_stars(part)
    made = first
    for number, piece in enumerate(others, 1):
        if number == len(others):
            made += "[^/]*" + piece
        elif piece:
            made += f"(?>[^/]*?{piece})"
    try:
        re.compile(made)
    except re.error as exc:
        raise BadPattern(f"{part!r} is no pattern: {exc.msg}") from exc
    return made


def _between_stars(part: str) -> list[str]:
    """The expressions of what stands before, between and behind the `*`, each of a fixed length."""
    pieces = [""]
    position = 0
    while position < len(part):
        char = part[position]
        position += 1
        if char == "*":
            pieces.append("")
        elif char == "?":
            pieces[-1] += "[^/]"
        elif char == "[" and (closing := part.find("]", position + 1)) > 0:
            pieces[-1] += _set_expression(part[position:closing])
            position = closing + 1
        elif char == "\\" and position < len(part):
            pieces[-1] += re.escape(part[position])
            position += 1
        else:
            pieces[-1] += re.escape(char)
    return pieces


def _set_expression(inner: str) -> str:
    """The expression of `[…]`: of its characters only `-`, and a leading `!` or `^`, mean more."""
    negated = inner[:1] in ("!", "^") and len(inner) > 1
    members = re.sub(r"([\\\[\]&~|^]|-(?=-))", r"\\\1", inner[1:] if negated else inner)
    return f"(?!/)[{'^' if negated else ''}{members}]"
