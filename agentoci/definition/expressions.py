"""Expressions of constraints: CEL, compiled and checked, never `eval`.

The language is the Common Expression Language less what no constraint needs: fields, messages,
bytes, times and functions beyond FUNCTIONS. Whatever passes `compile_expression` ends soon: it has
no loops but over lists of bounded length, and those are not nested.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from agentoci.definition.checking import FUNCTIONS, Checker, InvalidExpression
from agentoci.definition.values import MAX_EXPRESSION
from agentoci.definition.variables import VARIABLES, ValueKind
from agentoci.errors import Invalid
from agentoci.spec.jsonio import Json

if TYPE_CHECKING:
    import celpy
    import lark

__all__ = [
    "FUNCTIONS",
    "EvaluationFailed",
    "Expression",
    "InvalidExpression",
    "MissingValues",
    "compile_expression",
]

MAX_DEPTH: Final = 140
"""Of the syntax tree: 12 nested parentheses, or 130 terms of one `&&`; the evaluator recurs."""

MAX_ITEMS: Final = 1000
"""Of a list that an expression is given: `all` and `exists` go through it."""

MAX_LOOP_WORK: Final = 100_000
"""Items times parts of the tree that are gone through for each: about a second."""

MAX_TEXT: Final = 64 * 1024
"""Characters of a text that an expression is given."""


class EvaluationFailed(Invalid):
    """An expression gave no truth value: a division by zero, a value of another kind."""


class MissingValues(EvaluationFailed):
    """The truth depends on variables that were given no value; `names` are they."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        self.names = tuple(sorted(names))
        super().__init__(f"{text}: no value is known for {', '.join(self.names)}")


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; `variables` are the names that it speaks of, sorted."""

    text: str
    variables: tuple[str, ...]
    _program: celpy.Runner = field(compare=False, repr=False)
    _loop_nodes: int = field(compare=False, repr=False, default=0)
    _longest_list: int = field(compare=False, repr=False, default=0)

    def evaluate(self, values: Mapping[str, Json]) -> bool:
        """Whether it holds for these values of its variables; others are not looked at.

        A truth that does not depend on a missing value is given (`false && x` is false). Raises
        MissingValues, and EvaluationFailed for all else, whatever the values are.
        """
        given = {name: values[name] for name in self.variables if name in values}
        missing = [name for name in self.variables if name not in given]
        activation = {name: self._converted(name, value) for name, value in given.items()}
        try:
            result = self._run(activation)
        except EvaluationFailed as exc:
            if missing:
                raise MissingValues(self.text, missing) from exc
            raise
        if not isinstance(result, bool | int) or type(result).__name__ != "BoolType":
            raise EvaluationFailed(f"{self.text}: gives {result!s:.60}, which is not true or false")
        return bool(result)

    def _run(self, activation: dict[str, Any]) -> object:
        from celpy.evaluation import CELEvalError

        lists = [len(value) for value in activation.values() if isinstance(value, list)]
        if self._loop_nodes * max(self._longest_list, *lists, 0) > MAX_LOOP_WORK:
            raise EvaluationFailed(f"{self.text}: the lists are too long for it")
        try:
            return self._program.evaluate(activation)
        except CELEvalError as exc:
            raise EvaluationFailed(f"{self.text}: {_reason(exc)}") from exc
        except RecursionError as exc:
            raise EvaluationFailed(f"{self.text}: nested too deeply") from exc
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            raise EvaluationFailed(f"{self.text}: {exc!s:.200}") from exc

    def _converted(self, name: str, value: Json) -> Any:
        try:
            return _converted(value, VARIABLES[name].kind)
        except EvaluationFailed as exc:
            raise EvaluationFailed(f"{self.text}: {name} {exc.message}") from exc


def compile_expression(text: str) -> Expression:
    """Parse and check an expression; raises InvalidExpression with the place in the text.

    It imports `celpy`, which takes a tenth of a second the first time.
    """
    if len(text) > MAX_EXPRESSION:
        raise InvalidExpression(f"the expression is longer than {MAX_EXPRESSION} characters")
    if not text.strip():
        raise InvalidExpression("the expression is empty", hint="such as max_iterations < 1000")
    tree = _parse(text)
    _check_depth(tree)
    checker = Checker()
    kind = checker.kind_of(tree)
    if kind not in (ValueKind.FLAG, ValueKind.ANY):
        raise InvalidExpression(
            f"the expression gives {kind}, not true or false",
            hint="compare it: such as max_iterations < 1000",
            width=len(text.split("\n", maxsplit=1)[0]),
        )
    return Expression(
        text,
        tuple(sorted(checker.variables)),
        _environment().program(tree),
        checker.loop_nodes,
        checker.longest_list,
    )


@functools.cache
def _environment() -> celpy.Environment:
    """One for the process. It interprets: celpy's other runner would make Python source of it.

    Where neither side of `&&` or `||` is known, celpy spells out both errors within another one, so
    that their text doubles with each: forty in a row took all time and memory. Here an error is
    spelled by its name alone.
    """
    import celpy
    from celpy.evaluation import CELEvalError

    CELEvalError.__repr__ = _spelled_shortly  # type: ignore[method-assign]
    limit = sys.getrecursionlimit()
    try:
        return celpy.Environment(runner_class=celpy.InterpretedRunner)
    finally:
        sys.setrecursionlimit(limit)  # celpy raises it for the whole process; MAX_DEPTH needs not


def _spelled_shortly(error: Exception) -> str:
    return type(error).__name__


def _parse(text: str) -> lark.Tree[lark.Token]:
    from celpy.celparser import CELParseError

    from agentoci.definition.syntaxfaults import explain

    try:
        return _environment().compile(text)
    except CELParseError as exc:
        raise explain(text, exc) from exc
    except RecursionError as exc:
        raise _too_deep() from exc


def _check_depth(tree: lark.Tree[lark.Token]) -> None:
    waiting: list[tuple[Any, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        waiting += [(child, depth + 1) for child in getattr(node, "children", ())]


def _too_deep() -> InvalidExpression:
    return InvalidExpression("the expression is nested too deeply", hint="split the constraint")


def _converted(value: Json, kind: ValueKind) -> Any:
    """A value as celpy takes it; raises EvaluationFailed (`is ...`) for one of another kind."""
    from celpy import celtypes

    match kind, value:
        case ValueKind.FLAG, bool():
            return celtypes.BoolType(value)
        case ValueKind.WHOLE, int() if not isinstance(value, bool) and abs(value) < 2**63:
            return celtypes.IntType(value)
        case ValueKind.NUMBER, int() | float() if not isinstance(value, bool):
            return celtypes.DoubleType(float(value))
        case ValueKind.TEXT, str() if len(value) <= MAX_TEXT:
            return celtypes.StringType(value)
        case ValueKind.LIST, list() if len(value) <= MAX_ITEMS:
            return celtypes.ListType([_converted(item, ValueKind.TEXT) for item in value])
        case (ValueKind.TEXT, str()) | (ValueKind.LIST, list()):
            raise EvaluationFailed("is too long")
        case _:
            raise EvaluationFailed(f"is {value!r:.60}, not {kind}")


def _reason(error: Exception) -> str:
    """What celpy says, without its innermost: of an undeclared name it prints the whole world."""
    said = str(error.args[0]) if error.args else "cannot be evaluated"
    if said.startswith("found no matching overload"):
        return "the values are of kinds that do not go together"
    return said.partition(" (in activation")[0][:200]
