"""From pydantic's errors to what a person can act on: a path, a message, a hint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from agentoci.definition.events import MAX_FAULTS
from agentoci.definition.fields import Annotation, choices_at, keys_at, spelt_at
from agentoci.definition.inheritance import part_with
from agentoci.definition.places import Path
from agentoci.definition.wording import either, hint_for, kind_of, near_miss, short, show_path

if TYPE_CHECKING:
    from pydantic import ValidationError

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "number_type": "a number",
    "size_type": "a size with a unit, such as 100MB",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document.

    `at_key` when the key is at fault, not its value; `meant` is what a misspelt key stands for;
    `expected` the kind of value when another kind stands there.
    """

    path: Path
    message: str
    hint: str | None = None
    at_key: bool = False
    meant: str | None = None
    expected: str | None = None

    def __str__(self) -> str:
        """The path and the message."""
        shown = show_path(self.path[:-1] if self.at_key else self.path)
        return f"{shown}: {self.message}" if shown else self.message


def problems_of(error: ValidationError) -> list[Problem]:
    """The problems of a document that is not an `AgentDefinition`, MAX_FAULTS at most.

    When it is another kind of document, or of another version, that alone is said; a misspelt key
    is not also a missing one.
    """
    found = problems_in(error)
    foreign = [p for p in found if p.path in (("apiVersion",), ("kind",)) and not p.at_key]
    if foreign:
        return foreign
    misspelt = {(*p.path[:-1], p.meant) for p in found if p.meant}
    return [p for p in found if not (p.at_key and p.path in misspelt)]


def problem_with(path: Path, value: object, annotation: Annotation) -> Problem | None:
    """What is wrong with a value for a type, or None; `path` is where it stands."""
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError as exc:
        found = problems_in(exc, annotation)[0]
        return replace(found, path=(*path, *found.path))
    return None


def problems_in(error: ValidationError, within: Annotation | None = None) -> list[Problem]:
    """The problems of a definition, or of what another type is to hold: `within`."""
    entries = error.errors(include_url=False)[:MAX_FAULTS]
    return [_problem(entry["loc"], entry, within) for entry in entries]


def _problem(loc: Path, entry: Any, within: Annotation | None) -> Problem:
    if loc and loc[-1] == "[key]":
        return _of_value(loc[:-1], entry, within, at_key=True)
    match entry["type"]:
        case "missing":
            return Problem(loc, f"'{loc[-1]}' is missing", at_key=True)
        case "extra_forbidden":
            return _unknown_key(loc, within)
        case _:
            return _of_value(loc, entry, within, at_key=False)


def _of_value(path: Path, entry: Any, within: Annotation | None, *, at_key: bool) -> Problem:
    context: Mapping[str, Any] = entry.get("ctx") or {}
    value = entry["input"]
    match entry["type"]:
        case "definition":
            return Problem((*path, *context["at"]), context["message"], context["hint"], at_key)
        case "enum" | "literal_error":
            return _not_one_of(path, value, within)
        case "greater_than_equal":
            return Problem(path, f"{value} is less than {context['ge']}")
        case "less_than_equal":
            return Problem(path, f"{value} is more than {context['le']}")
        case kind if kind in _EXPECTED:
            message = f"expected {_EXPECTED[kind]}, found {kind_of(value)}"
            return Problem(path, message, at_key=at_key, expected=_EXPECTED[kind])
        case _:
            return Problem(path, str(entry["msg"]).lower(), at_key=at_key)


def _not_one_of(path: Path, value: object, within: Annotation | None) -> Problem:
    allowed = choices_at(path, within)
    message = f"expected {either(spelt_at(path, within))}, found {kind_of(value)}"
    near = near_miss(value, allowed) if isinstance(value, str) else None
    if path[:2] == ("spec", "inherit") and (part := part_with(value)) is not None:
        return Problem(path, message, f"'{value}' is a part of '{part}': inherit that")
    if path == ("apiVersion",):
        return Problem(path, message, "this program reads definitions of version agent/v1")
    return Problem(path, message, f"did you mean '{near}'?" if near else None)


def _unknown_key(path: Path, within: Annotation | None) -> Problem:
    key = str(path[-1])
    known = keys_at(path[:-1], within)
    message = f"unknown key '{short(key)}'"
    return Problem(path, message, hint_for(key, known), at_key=True, meant=near_miss(key, known))
