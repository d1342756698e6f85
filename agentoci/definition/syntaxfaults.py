"""What is wrong with the text of an expression that does not parse, in words and with a place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from agentoci.definition.checking import InvalidExpression

if TYPE_CHECKING:
    from celpy.celparser import CELParseError

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[<>=!&|*]+|\d+|.", re.DOTALL)
_OPERATORS: Final = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "&": "&&",
    "|": "||",
    "=": "==",
    "===": "==",
    "<>": "!=",
    "=<": "<=",
    "=>": ">=",
    "is": "==",
}


def explain(text: str, error: CELParseError) -> InvalidExpression:
    """The syntax error with its line and column; a hint where another language was written."""
    line, column = error.line or 1, error.column or 1
    lines = text.split("\n")
    if _ends_too_early(error) or line > len(lines):
        last = max((i for i, each in enumerate(lines) if each.strip()), default=0)
        column = len(lines[last].rstrip()) + 1
        return InvalidExpression("the expression ends too early", line=last + 1, column=column)
    column = min(column, len(lines[line - 1]) + 1)
    match = _WORD.match(lines[line - 1], column - 1)
    word = match.group() if match else ""
    return InvalidExpression(
        f"unexpected {word!r} in the expression",
        hint=_hint(lines[line - 1][: column - 1], word),
        line=line,
        column=column,
        width=max(1, len(word)),
    )


def _ends_too_early(error: CELParseError) -> bool:
    cause = error.__context__
    token = getattr(cause, "token", None)
    return getattr(token, "type", None) == "$END"


def _hint(before: str, word: str) -> str | None:
    """What CEL writes for the operator of another language, here or just before."""
    previous = re.search(r"([A-Za-z]+|[<>=!&|]+)\s*\Z", before)
    for written in (word, previous.group(1) if previous else "", *_around(before, word)):
        if written in _OPERATORS:
            return f"CEL writes {_OPERATORS[written]} for {written}"
    return None


def _around(before: str, word: str) -> tuple[str, ...]:
    """`<` and `>` are read one by one, so an operator may have begun before the fault."""
    return (before[-1:] + word,) if before else ()
