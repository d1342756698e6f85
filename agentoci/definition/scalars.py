"""What an unquoted YAML scalar means: the core schema of YAML 1.2, at its least surprising.

Only `true`, `false`, `null`, decimal integers and floats are more than text. What YAML 1.1 turns
into something else stays the text that it looks like: `no`, `on`, `22:22`, `010`, `2024-01-15`.
"""

from __future__ import annotations

import math
import re
from typing import Final

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_SAFE_INTEGER: Final = 2**53
_MAX_INTEGER_TEXT: Final = 17


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar.

    Raises ValueError for a number that JSON readers would not all read back as written.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_TEXT or abs(int(text)) > _MAX_SAFE_INTEGER:
        raise ValueError("the number is beyond 2^53, where JSON readers disagree")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number
