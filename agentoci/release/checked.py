"""JSON files of the user's against a model: every fault with its line and a caret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from agentoci.definition.wording import hint_for, kind_of, short
from agentoci.definition.yamlio import load
from agentoci.errors import SourceFaults

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from agentoci.definition.places import Located, Path
    from agentoci.errors import Fault

M = TypeVar("M", bound="BaseModel")

_MAX_FAULTS = 20
_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def located(content: bytes, *, file: str, what: str) -> Located:
    """Read a JSON (or YAML) file that holds a mapping; raises SourceFaults."""
    found = load(content, file=file)
    if not isinstance(found.data, dict):
        raise SourceFaults([found.fault((), f"expected {what}")])
    return found


def checked(model: type[M], found: Located) -> M:
    """The document as the model has it; raises SourceFaults."""
    from pydantic import ValidationError

    try:
        return model.model_validate(found.data)
    except ValidationError as exc:
        raise SourceFaults(_faults(model, found, exc)) from exc


def _faults(model: type[BaseModel], found: Located, error: ValidationError) -> list[Fault]:
    entries: list[Any] = list(error.errors(include_url=False)[:_MAX_FAULTS])
    return [_fault(model, found, entry) for entry in entries]


def _fault(model: type[BaseModel], found: Located, entry: Any) -> Fault:
    path: Path = tuple(entry["loc"])
    if path and path[-1] == "[key]":
        return found.fault(path[:-1], _said(entry), hint=_hint(entry), at_key=True)
    match entry["type"]:
        case "missing":
            return found.fault(path[:-1], f"'{path[-1]}' is missing", at_key=True)
        case "extra_forbidden":
            key = str(path[-1])
            known = _keys(model, path[:-1])
            hint = hint_for(key, known) if known else None
            return found.fault(path, f"unknown key '{short(key)}'", hint=hint, at_key=True)
        case kind if kind in _EXPECTED:
            message = f"expected {_EXPECTED[kind]}, found {kind_of(entry['input'])}"
            return found.fault(path, message)
        case _:
            return found.fault(path, _said(entry), hint=_hint(entry))


def _said(entry: Any) -> str:
    context = entry.get("ctx") or {}
    if entry["type"] in ("literal_error", "enum"):
        return f"expected {context.get('expected')}, found {kind_of(entry['input'])}"
    return str(context.get("message") or entry["msg"])


def _hint(entry: Any) -> str | None:
    found = (entry.get("ctx") or {}).get("hint")
    return str(found) if found else None


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that stand beside an unknown one."""
    from agentoci.definition.fields import as_block, key_type, members, step_into

    annotation: Any = model
    for step in path:
        inner = step_into(annotation, step)
        if inner is None and key_type(annotation) is None:
            return []
        annotation = inner
    block = as_block(annotation)
    return list(members(block)) if block else []
