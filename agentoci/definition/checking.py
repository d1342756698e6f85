"""Which names an expression uses and what kinds of values meet in it, seen from its syntax tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from agentoci.definition.operators import NUMBERS, WITH_ITEMS, operator_hint, result_of
from agentoci.definition.variables import VARIABLES, ValueKind
from agentoci.definition.wording import near_miss, short
from agentoci.errors import Invalid

_MACROS: Final[Mapping[str, ValueKind]] = {
    "all": ValueKind.FLAG,
    "exists": ValueKind.FLAG,
    "exists_one": ValueKind.FLAG,
    "filter": ValueKind.LIST,
    "map": ValueKind.LIST,
}
_METHODS: Final = ("contains", "endsWith", "matches", "startsWith")
_FUNCTIONS: Final[Mapping[str, ValueKind]] = {
    "size": ValueKind.WHOLE,
    "int": ValueKind.WHOLE,
    "double": ValueKind.NUMBER,
    "string": ValueKind.TEXT,
}
FUNCTIONS: Final = (*_FUNCTIONS, *_METHODS, *_MACROS)
"""All that can be called: `size(x)`, `x.contains(y)`, `list.all(x, ...)`."""

_SYMBOLS: Final = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
_LITERALS: Final = {
    "INT_LIT": ValueKind.WHOLE,
    "FLOAT_LIT": ValueKind.NUMBER,
    "STRING_LIT": ValueKind.TEXT,
    "MLSTRING_LIT": ValueKind.TEXT,
    "BOOL_LIT": ValueKind.FLAG,
    "NULL_LIT": ValueKind.NOTHING,
}
_PYTHON_WORDS: Final = {"True": "true", "False": "false", "None": "null", "len": "size"}


class InvalidExpression(Invalid):
    """Text that is no expression of ours; `column` counts from 1, `width` characters are meant.

    `line` counts from 1 as well: an expression may span lines.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        line: int = 1,
        column: int = 1,
        width: int = 1,
    ) -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column
        self.width = width


@dataclass(slots=True)
class Checker:
    """Goes through one tree; raises InvalidExpression at the first thing that cannot be right."""

    variables: set[str] = field(default_factory=set)
    loop_nodes: int = 0
    """Parts of the tree that are gone through once for every item of a list."""
    longest_list: int = 0
    """Items of the longest list that is written out."""
    _local: dict[str, ValueKind] = field(default_factory=dict)

    def kind_of(self, node: Any) -> ValueKind:
        """The kind of value that a part of the tree gives."""
        node = _innermost(node)
        handler = self._HANDLERS.get(node.data)
        if handler is None:
            raise _fault(node, "this is not supported in constraints", _allowed())
        return handler(self, node)

    def _condition(self, node: Any) -> ValueKind:
        test, then, other = node.children
        self._want(test, ValueKind.FLAG, "the condition of ?:")
        kinds = {self.kind_of(then), self.kind_of(other)}
        return kinds.pop() if len(kinds) == 1 else ValueKind.ANY

    def _logical(self, node: Any) -> ValueKind:
        symbol = "||" if node.data == "conditionalor" else "&&"
        for side in node.children:
            self._want(side, ValueKind.FLAG, f"a side of {symbol}")
        return ValueKind.FLAG

    def _binary(self, node: Any) -> ValueKind:
        """`relation`, `addition` or `multiplication`: [operator with its left side], right side."""
        operator, right = node.children
        symbol = _SYMBOLS[operator.data]
        kinds = self.kind_of(operator.children[0]), self.kind_of(right)
        made = result_of(symbol, *kinds)
        if made is None:
            raise _fault(
                node,
                f"{kinds[0]} {symbol} {kinds[1]} makes no sense",
                operator_hint(symbol, *kinds),
            )
        return made

    def _unary(self, node: Any) -> ValueKind:
        operator, operand = node.children
        if operator.data == "unary_not":
            self._want(operand, ValueKind.FLAG, "the operand of !")
            return ValueKind.FLAG
        kind = self.kind_of(operand)
        if kind not in (*NUMBERS, ValueKind.ANY):
            raise _fault(operand, f"the operand of - is {kind}, not a number")
        return kind

    def _literal(self, node: Any) -> ValueKind:
        token = node.children[0]
        kind = _LITERALS.get(token.type)
        if kind is None:
            raise _fault(node, f"{short(str(token))} is of a kind that constraints do not have")
        if kind is ValueKind.WHOLE and not -(2**63) <= int(str(token), 0) < 2**63:
            raise _fault(node, f"{short(str(token))} is beyond 64 bits")
        return kind

    def _ident(self, node: Any) -> ValueKind:
        name = str(node.children[0])
        if name in self._local:
            return self._local[name]
        if name not in VARIABLES:
            near = _PYTHON_WORDS.get(name) or near_miss(name, VARIABLES)
            hint = f"did you mean '{near}'?" if near else f"one of: {', '.join(VARIABLES)}"
            raise _fault(node, f"unknown variable '{short(name)}'", hint)
        self.variables.add(name)
        return VARIABLES[name].kind

    def _written_out(self, node: Any) -> ValueKind:
        """`list_lit` or `map_lit`."""
        items = _arguments(node.children)
        self.longest_list = max(self.longest_list, len(items))
        for item in items:
            self.kind_of(item)
        return ValueKind.LIST if node.data == "list_lit" else ValueKind.MAPPING

    def _index(self, node: Any) -> ValueKind:
        around, key = node.children
        if (kind := self.kind_of(around)) not in WITH_ITEMS:
            raise _fault(around, f"{kind} has no [ ]")
        self.kind_of(key)
        return ValueKind.ANY

    def _field(self, node: Any) -> ValueKind:
        around, name = node.children
        raise _fault(node, f"there is no field '{short(str(name))}'", _without_fields(around))

    def _call(self, node: Any) -> ValueKind:
        name, *rest = node.children
        arguments = _arguments(rest)
        if str(name) not in _FUNCTIONS:
            raise self._unknown(node, str(name), _FUNCTIONS)
        if len(arguments) != 1:
            raise _fault(node, f"{name}() takes one argument")
        if name == "size":
            return self._size(arguments[0])
        self.kind_of(arguments[0])
        return _FUNCTIONS[str(name)]

    def _method(self, node: Any) -> ValueKind:
        around, name, *rest = node.children
        arguments = _arguments(rest)
        if str(name) in _MACROS:
            return self._macro(node, around, str(name), arguments)
        if name == "size" and not arguments:
            return self._size(around)
        if str(name) not in _METHODS:
            raise self._unknown(node, str(name), (*_METHODS, *_MACROS))
        self._want(around, ValueKind.TEXT, f"what .{name}() is asked of")
        if len(arguments) != 1:
            raise _fault(node, f".{name}() takes one argument")
        self._want(arguments[0], ValueKind.TEXT, f"the argument of .{name}()")
        return ValueKind.FLAG

    def _size(self, node: Any) -> ValueKind:
        if (kind := self.kind_of(node)) not in (ValueKind.TEXT, *WITH_ITEMS):
            raise _fault(node, f"{kind} has no size")
        return _FUNCTIONS["size"]

    def _macro(self, node: Any, around: Any, name: str, arguments: list[Any]) -> ValueKind:
        """`list.all(x, expression)`: one at a time, so that the work grows with the list only."""
        if self._local:
            raise _fault(node, f".{name}() inside of another one is not supported")
        kind = self.kind_of(around)
        if kind not in WITH_ITEMS:
            raise _fault(around, f"{kind} has no items", "all, exists, ... go through a list")
        if len(arguments) != 2:
            raise _fault(node, f".{name}() takes a name and an expression", f"x.{name}(t, ...)")
        variable = _plain_name(arguments[0])
        if variable is None:
            raise _fault(arguments[0], "a plain name is expected", f"x.{name}(t, ...)")
        self.loop_nodes += _count(arguments[1])
        self._local[variable] = ValueKind.TEXT if _is_variable(around) else ValueKind.ANY
        try:
            if name == "map":
                self.kind_of(arguments[1])
            else:
                self._want(arguments[1], ValueKind.FLAG, f"the expression of .{name}()")
        finally:
            self._local.clear()
        return _MACROS[name]

    def _want(self, node: Any, wanted: ValueKind, what: str) -> None:
        kind = self.kind_of(node)
        if kind not in (wanted, ValueKind.ANY):
            raise _fault(node, f"{what} is {kind}, not {wanted}")

    def _unknown(self, node: Any, name: str, known: Any) -> InvalidExpression:
        near = _PYTHON_WORDS.get(name) or near_miss(name, known)
        hint = f"did you mean '{near}'?" if near else _allowed()
        return _fault(node, f"there is no function '{short(name)}'", hint)

    _HANDLERS: ClassVar[Mapping[str, Callable[[Checker, Any], ValueKind]]] = {
        "expr": _condition,
        "conditionalor": _logical,
        "conditionaland": _logical,
        "relation": _binary,
        "addition": _binary,
        "multiplication": _binary,
        "unary": _unary,
        "literal": _literal,
        "ident": _ident,
        "list_lit": _written_out,
        "map_lit": _written_out,
        "member_index": _index,
        "member_dot": _field,
        "member_dot_arg": _method,
        "ident_arg": _call,
    }


_THROUGH: Final = frozenset(
    {"expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication"}
    | {"unary", "member", "primary", "paren_expr"}
)


def _arguments(rest: list[Any]) -> list[Any]:
    """The expressions of an optional `exprlist`."""
    return list(rest[0].children) if rest else []


def _count(node: Any) -> int:
    return sum(1 for _ in node.iter_subtrees())


def _innermost(node: Any) -> Any:
    while len(node.children) == 1 and node.data in _THROUGH:
        node = node.children[0]
    return node


def _plain_name(node: Any) -> str | None:
    inner = _innermost(node)
    return str(inner.children[0]) if inner.data == "ident" else None


def _is_variable(node: Any) -> bool:
    return _plain_name(node) in VARIABLES


def _without_fields(around: Any) -> str | None:
    variable = VARIABLES.get(_plain_name(around) or "")
    return f"'{variable.name}' is {variable.kind}, without fields" if variable else None


def _allowed() -> str:
    return f"constraints know: {', '.join(FUNCTIONS)}"


def _fault(node: Any, message: str, hint: str | None = None) -> InvalidExpression:
    meta = node.meta
    same_line = meta.line == meta.end_line
    width = meta.end_column - meta.column if same_line else 1
    return InvalidExpression(
        message, hint=hint, line=meta.line, column=meta.column, width=max(1, width)
    )
