"""`SET key.path=value`: which keys there are, what each takes, and the document it makes.

A key is one of `spec.behavior` (`memory.level`), of `spec` (`config_template.llm.temperature.max`),
or of a block beside it (`isolation.network`). All is asked of the model, nothing is listed here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from agentoci.definition import fields, wording
from agentoci.definition.problems import problem_with
from agentoci.errors import Invalid
from agentoci.spec.jsonio import InvalidJson, Json, loads

_WHOLE_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,17})?(?:[eE][-+]?[0-9]{1,2})?")
_NOT_SET_HERE: Final = ("apiVersion", "kind", "metadata")

Path: TypeAlias = tuple[str, ...]


class InvalidSetting(Invalid):
    """A SET whose key does not exist or whose value does not fit; `part` says which of the two."""

    def __init__(
        self, part: Literal["key", "value"], message: str, *, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.part = part


@dataclass(frozen=True, slots=True)
class Setting:
    """A key that can be set: as it was written, and its path in the whole document."""

    key: str
    path: Path
    annotation: fields.Annotation = field(compare=False, repr=False)

    def parse(self, text: str) -> Json:
        """The value that `text` means for this key; raises InvalidSetting (part "value")."""
        return _checked(_value(text, self.annotation, self.key), self)


def resolve_setting(key: str) -> Setting:
    """Find what a key of SET means; raises InvalidSetting (part "key")."""
    steps = tuple(key.split("."))
    path = _start(steps, key)
    annotation = fields.root()
    for index, step in enumerate(path):
        inner = fields.step_into(annotation, step)
        if inner is None or not step:
            written = len(steps) - len(path) + index
            raise _unknown(key, steps, written, annotation)
        if keys := fields.key_type(annotation):
            _check_key(step, keys, path, key)
        annotation = inner
    if block := fields.as_block(annotation):
        inside = ", ".join(f"{key}.{name}" for name in fields.members(block))
        raise InvalidSetting("key", f"'{key}' is a group of settings", hint=f"set one of: {inside}")
    return Setting(key, path, annotation)


def apply_setting(document: Mapping[str, Json], setting: Setting, value: Json) -> dict[str, Json]:
    """The whole definition's document with the setting in it; the given one stays as it is."""
    made = dict(document)
    around = made
    for step in setting.path[:-1]:
        inner = around.get(step)
        copied = dict(inner) if isinstance(inner, dict) else {}
        around[step] = copied
        around = copied
    around[setting.path[-1]] = value
    return made


def setting_keys() -> list[str]:
    """Every key that can be set, in its shortest spelling; open mappings by the mapping's key."""
    paths = (path for path in fields.leaves(fields.root()) if path[0] not in _NOT_SET_HERE)
    return [".".join(_shortest(path)) for path in paths]


def _shortest(path: Path) -> Path:
    for prefix in (("spec", "behavior"), ("spec",)):
        if path[: len(prefix)] == prefix:
            return path[len(prefix) :]
    return path


def _start(steps: Path, key: str) -> Path:
    """The path in the whole document of what the first step of a key names."""
    first = steps[0]
    for prefix in (("spec", "behavior"), ("spec",), ()):
        if first in fields.keys_at(prefix) and (prefix or first not in _NOT_SET_HERE):
            return (*prefix, *steps)
    if first in _NOT_SET_HERE:
        raise InvalidSetting(
            "key", f"'{key}' cannot be set", hint="it comes from the definition file (DEFINITION)"
        )
    raise InvalidSetting("key", f"unknown setting '{wording.short(key)}'", hint=_nearest(key))


def _check_key(step: str, keys: fields.Annotation, path: Path, key: str) -> None:
    """Refuse a key that an open mapping cannot have."""
    if problem := problem_with(path, step, keys):
        raise InvalidSetting("key", f"'{wording.short(key)}': {problem.message}", hint=problem.hint)


def _unknown(key: str, steps: Path, index: int, annotation: fields.Annotation) -> InvalidSetting:
    block = fields.as_block(annotation)
    if block is None:
        whole = ".".join(steps[:index])
        return InvalidSetting("key", f"'{whole}' has no keys below it", hint=f"set {whole} itself")
    near = wording.near_miss(steps[index], fields.members(block))
    hint = _nearest(key)
    if near:
        hint = f"did you mean '{'.'.join((*steps[:index], near, *steps[index + 1 :]))}'?"
    return InvalidSetting("key", f"unknown setting '{wording.short(key)}'", hint=hint)


def _nearest(key: str) -> str:
    """The setting most like a key: as a whole, or by its last step alone."""
    known = setting_keys()
    ending = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
    near = wording.near_miss(key, known) or (ending[0] if ending else None)
    if near:
        return f"did you mean '{near}'?"
    firsts = dict.fromkeys(name.partition(".")[0] for name in known)
    return f"settings start with one of: {', '.join(firsts)}"


def _value(text: str, annotation: fields.Annotation, key: str) -> Json:
    """The JSON value that a text spells for a type; whether it fits is checked after."""
    kind = fields.bare(annotation)
    if fields.origin(kind) is tuple:
        return _listed(text, annotation, key)
    if fields.origin(kind) is dict:
        return _json(text, key, "a JSON object")
    if kind is bool:
        return _flag(text, key)
    if kind in (int, float):
        return _number(text, key, whole=kind is int)
    return text


def _flag(text: str, key: str) -> bool:
    if text not in ("true", "false"):
        meant = {"yes": "true", "on": "true", "1": "true"}.get(text.lower())
        meant = meant or {"no": "false", "off": "false", "0": "false"}.get(text.lower())
        likely = meant or (text.lower() if text.lower() in ("true", "false") else None)
        raise _expected(key, "true or false", text, f"did you mean '{likely}'?" if likely else None)
    return text == "true"


def _number(text: str, key: str, *, whole: bool) -> int | float:
    if _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if whole or not _NUMBER.fullmatch(text):
        raise _expected(key, "a whole number" if whole else "a number", text, None)
    return float(text)


def _listed(text: str, annotation: fields.Annotation, key: str) -> Json:
    item = get_args(fields.bare(annotation))[0]
    if text.lstrip().startswith("["):
        return _json(text, key, "a JSON list")
    if fields.as_block(item):
        raise _expected(key, "a JSON list", text, f"such as {key}=[{{...}}]")
    if problem_with((), text, annotation) is None:
        # One word that stands for a list, as in `inherit: all`.
        return text
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    return [_value(part, item, key) for part in parts]


def _json(text: str, key: str, expected: str) -> Json:
    try:
        return loads(text.encode("utf-8"), what=key)
    except InvalidJson as exc:
        raise InvalidSetting("value", f"{key}: expected {expected}", hint=str(exc)) from exc


def _checked(value: Json, setting: Setting) -> Json:
    if problem := problem_with(setting.path, value, setting.annotation):
        where = wording.show_path((setting.key, *problem.path[len(setting.path) :]))
        raise InvalidSetting("value", f"{where}: {problem.message}", hint=problem.hint)
    return value


def _expected(key: str, expected: str, text: str, hint: str | None) -> InvalidSetting:
    return InvalidSetting(
        "value", f"{key}: expected {expected}, found '{wording.short(text)}'", hint=hint
    )
