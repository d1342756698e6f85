"""The operators of an expression: which kinds of values each takes, and what it makes of them."""

from __future__ import annotations

from typing import Final

from agentoci.definition.variables import ValueKind

NUMBERS: Final = (ValueKind.WHOLE, ValueKind.NUMBER)
WITH_ITEMS: Final = (ValueKind.LIST, ValueKind.MAPPING, ValueKind.ANY)


def result_of(symbol: str, left: ValueKind, right: ValueKind) -> ValueKind | None:
    """The kind that an operator makes of two, or None for two that it does not take."""
    if symbol == "in":
        return ValueKind.FLAG if right in WITH_ITEMS else None
    if ValueKind.ANY in (left, right):
        return ValueKind.ANY if symbol in "+-*/%" else ValueKind.FLAG
    if symbol in ("==", "!="):
        return ValueKind.FLAG if left is right else None
    if symbol in ("<", "<=", ">", ">="):
        comparable = left is right and left in (*NUMBERS, ValueKind.TEXT)
        return ValueKind.FLAG if comparable or {left, right} == set(NUMBERS) else None
    return _sum(symbol, left, right)


def _sum(symbol: str, left: ValueKind, right: ValueKind) -> ValueKind | None:
    if left is not right:
        return None
    takes = (*NUMBERS, ValueKind.TEXT, ValueKind.LIST) if symbol == "+" else NUMBERS
    if symbol == "%" and left is not ValueKind.WHOLE:
        return None
    return left if left in takes else None


def operator_hint(symbol: str, left: ValueKind, right: ValueKind) -> str | None:
    """How to mend what `result_of` refused, where that can be told."""
    if {left, right} == set(NUMBERS):
        return "write the whole number with a fraction: 1.0"
    if symbol == "in":
        return 'a list stands on the right: memory_level in ["BASIC", "SMART"]'
    if ValueKind.TEXT in (left, right) and {left, right} & set(NUMBERS):
        return "numbers stand without quotes"
    return None
