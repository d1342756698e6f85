"""JSON both ways: strict reading of what others wrote, canonical writing (RFC 8785) of our own."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn, TypeAlias

from agentoci._internal import limits
from agentoci.errors import Integrity

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

# A string without an end runs to the end of the text: else each of its quotes begins a new search.
_OPENING: Final = rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]'
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_EXACT: Final = 2**53


class InvalidJson(Integrity):
    """Not JSON, or JSON that two readers could understand differently."""


def loads(content: bytes, *, what: str, limit: int = limits.MAX_MANIFEST_BYTES) -> Json:
    """Read one JSON document.

    Raises InvalidJson when it is larger than `limit` bytes, deeper than MAX_JSON_DEPTH, not UTF-8,
    has a key twice in one object, or holds half a surrogate pair, NaN, Infinity or a number that no
    double reaches. `what` names the document in messages.
    """
    if len(content) > limit:
        raise InvalidJson(f"{what}: larger than {limit} bytes")
    if _depth(content) > limits.MAX_JSON_DEPTH:
        raise InvalidJson(f"{what}: nested deeper than {limits.MAX_JSON_DEPTH} levels")
    try:
        text = content.decode("utf-8")
        document: Json = json.loads(
            text,
            object_pairs_hook=_object_without_twins,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
        if _SURROGATE.search(content):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (UnicodeDecodeError, ValueError, RecursionError) as exc:
        raise InvalidJson(f"{what}: {exc}") from exc
    return document


def loads_object(
    content: bytes, *, what: str, limit: int = limits.MAX_MANIFEST_BYTES
) -> dict[str, Json]:
    """Like `loads`, and the document must be an object."""
    document = loads(content, what=what, limit=limit)
    if not isinstance(document, dict):
        raise InvalidJson(f"{what}: expected a JSON object")
    return document


_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))


def _is_shallow(content: bytes) -> bool:
    """Whether brackets close within the limit; a quick look, which those in strings may spoil."""
    brackets = content.translate(None, _NOT_BRACKETS)
    for _ in range(limits.MAX_JSON_DEPTH):
        if not brackets:
            return True
        before = len(brackets)
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(brackets) == before:
            return False
    return not brackets


def _depth(content: bytes) -> int:
    if _is_shallow(content):
        return 0
    depth = deepest = 0
    for match in re.finditer(_OPENING, content):
        first = content[match.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > limits.MAX_JSON_DEPTH:
                break
        elif first in b"]}":
            depth -= 1
    return deepest


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twin = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"key {twin!r} stands twice in one object")
    return made


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def canonical(document: object) -> bytes:
    """The one spelling of a JSON value that RFC 8785 (JCS) defines, in UTF-8.

    Takes dict with string keys, list, tuple, str, int, float, bool and None. Integers that a double
    does not hold and non-finite floats raise ValueError, for others could not read them back.
    """
    return canonical_plain(document) if _is_plain(document) else _spell(document).encode("utf-8")


def canonical_plain(document: object) -> bytes:
    """The same for a document of ASCII keys, texts and small integers, without looking for others.

    The caller knows its shape; looking costs more than writing when it lists thousands of files.
    """
    spelled = json.dumps(
        document, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )
    return spelled.encode("utf-8")


def _is_plain(document: object) -> bool:
    """Whether the standard library already spells it canonically (ASCII keys, no float)."""
    if isinstance(document, str) or document is None or isinstance(document, bool):
        return True
    if isinstance(document, int):
        return abs(document) <= _EXACT
    if isinstance(document, dict):
        return all(isinstance(k, str) and k.isascii() and _is_plain(v) for k, v in document.items())
    return isinstance(document, list | tuple) and all(map(_is_plain, document))


def _spell(value: object) -> str:
    match value:
        case dict():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return "{" + ",".join(f"{_quote(k)}:{_spell(value[k])}" for k in keys) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_spell, value)) + "]"
        case bool() | None:
            return json.dumps(value)
        case str():
            return _quote(value)
        case int():
            return _spell_int(value)
        case float():
            return _spell_float(value)
        case _:
            raise ValueError(f"{type(value).__name__} has no JSON form")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _spell_int(value: int) -> str:
    """As it is, when a reader who knows doubles only writes it back so: what it wrote itself is."""
    if abs(value) > _EXACT and (abs(value) >= 10**21 or _spell_float(float(value)) != str(value)):
        raise ValueError(f"an integer of {value.bit_length()} bits does not fit a JSON number")
    return str(value)


def _spell_float(value: float) -> str:
    """As ECMAScript's Number::toString writes it (RFC 8785, section 3.2.2.3)."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, point = _digits_and_point(repr(abs(value)))
    if 0 < point <= 21:
        whole = digits[:point].ljust(point, "0")
        fraction = digits[point:]
        return sign + whole + (f".{fraction}" if fraction else "")
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = point - 1
    head = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{head}e{'+' if power >= 0 else '-'}{abs(power)}"


def _digits_and_point(shortest: str) -> tuple[str, int]:
    """Significant digits, and where the decimal point stands before or behind them."""
    number, _, exponent = shortest.partition("e")
    whole, _, fraction = number.partition(".")
    digits = whole + fraction
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    return stripped.rstrip("0"), point
