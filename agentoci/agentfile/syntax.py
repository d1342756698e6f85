"""The first line: `# syntax=agentoci/v1` says whose language the file is in."""

from __future__ import annotations

import re
from typing import Final

from agentoci.agentfile.hints import foreign_syntax
from agentoci.agentfile.places import Mistake, Place, Text

SYNTAX: Final = "agentoci/v1"

_LINE: Final = re.compile(r"[ \t]*#[ \t]*syntax[ \t]*=[ \t]*([^ \t]*)", re.IGNORECASE)


def check_syntax(first_line: str) -> None:
    """Raise Mistake when the first line names another language than ours."""
    match = _LINE.match(first_line)
    if match and match[1].lower() != SYNTAX:
        text = Text.of_line(first_line, Place(1, 1))
        message = f"the syntax {match[1][:80]!r} is not known"
        hint = foreign_syntax(match[1], SYNTAX)
        raise Mistake(text, match.start(1), match.end(), message, hint=hint)
