"""The patterns of COPY and of `.agentignore`: `*`, `?` and `[…]` within one part of a path."""

from __future__ import annotations

import re

from agentoci.errors import Invalid


class BadPattern(Invalid):
    """A pattern whose `[…]` is no set of characters."""


def part_expression(part: str) -> str:
    """The regular expression of a pattern for one part of a path; raises BadPattern."""
    made = ""
    position = 0
    while position < len(part):
        char = part[position]
        position += 1
        if char == "*":
            made += "[^/]*"
        elif char == "?":
            made += "[^/]"
        elif char == "[" and (closing := part.find("]", position + 1)) > 0:
            made += _set_expression(part[position:closing])
            position = closing + 1
        elif char == "\\" and position < len(part):
            made += re.escape(part[position])
            position += 1
        else:
            made += re.escape(char)
    try:
        re.compile(made)
    except re.error as exc:
        raise BadPattern(f"{part!r} is no pattern: {exc.msg}") from exc
    return made


def _set_expression(inner: str) -> str:
    """The expression of `[…]`: of its characters only `-`, and a leading `!` or `^`, mean more."""
    negated = inner[:1] in ("!", "^") and len(inner) > 1
    members = re.sub(r"([\\\[\]&~|^]|-(?=-))", r"\\\1", inner[1:] if negated else inner)
    return f"(?!/)[{'^' if negated else ''}{members}]"
