"""How a definition extends its parent: `metadata.parent`, `spec.inherit`, `spec.extensions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from agentoci.definition.behavior import Behavior
from agentoci.definition.needs import Constraints, Paths
from agentoci.definition.tools import Tools
from agentoci.definition.values import NAME, Block, FullVersion, Name, Text, refused


@dataclass(frozen=True, slots=True)
class ParentRef:
    """The definition that another one extends: `name@version`."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        parts = handler.generate_schema(tuple[Name, FullVersion])

        def split(value: object, check: core_schema.ValidatorFunctionWrapHandler) -> ParentRef:
            if isinstance(value, ParentRef):
                return value
            if not isinstance(value, str) or "@" not in value:
                raise refused("expected name@version", hint="such as coordinator_agent@1.0.0")
            try:
                name, version = check(tuple(value.rsplit("@", 1)))
            except ValidationError as exc:
                raise _at(exc) from exc
            return ParentRef(name, version)

        return core_schema.no_info_wrap_validator_function(
            split, parts, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{NAME}@.+$"}


@dataclass(frozen=True, slots=True)
class _OneOrMore:
    """Reads a parent, or a list of them; it is written back as it was read."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read,
            handler.generate_schema(ParentRef),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: (
                    [str(ref) for ref in value] if isinstance(value, tuple) else str(value)
                )
            ),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        one = ParentRef.__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}

    def _read(
        self, value: object, check: core_schema.ValidatorFunctionWrapHandler
    ) -> ParentRef | tuple[ParentRef, ...]:
        if not isinstance(value, list | tuple):
            made: ParentRef = check(value)
            return made
        if not value:
            raise refused("the list names no parent", hint="leave 'parent' out")
        parents: list[ParentRef] = []
        for index, written in enumerate(value):
            try:
                parent: ParentRef = check(written)
            except ValidationError as exc:
                raise _at(exc, index) from exc
            if parent in parents:
                raise refused(f"'{parent}' is in the list twice", at=(index,))
            parents.append(parent)
        return tuple(parents)


def _at(error: ValidationError, *at: int) -> PydanticCustomError:
    """The error of a part, told of the whole."""
    context = error.errors()[0].get("ctx") or {}
    message = context.get("message") or "expected name@version"
    return refused(message, hint=context.get("hint"), at=at)


Parents = Annotated[ParentRef | tuple[ParentRef, ...], _OneOrMore()]
"""`name@version`, or a list of such."""


class Part(StrEnum):
    """What of its parent a definition takes over; `all` stands alone."""

    ALL = "all"
    INTERFACE = "interface"
    REQUIRES = "requires"
    KNOWLEDGE = "knowledge"
    BEHAVIOR = "behavior"
    CONFIG_TEMPLATE = "config_template"
    CONSTRAINTS = "constraints"
    INVARIANTS = "invariants"
    PERMISSIONS = "permissions"
    ISOLATION = "isolation"
    HEALTH_CHECK = "health_check"
    METRICS = "metrics"
    LOGGING = "logging"


_WITHIN: Final = {
    Part.REQUIRES: ("tools", "tool", "requirements", "skills", "mcp", "a2a", "http"),
    Part.KNOWLEDGE: ("static", "dynamic", "principles"),
    Part.BEHAVIOR: ("memory", "learning", "execution"),
    Part.CONFIG_TEMPLATE: ("llm", "model", "temperature", "context_window", "config"),
    Part.PERMISSIONS: ("file_access", "network_access", "resource_limits", "limits"),
    Part.ISOLATION: ("network", "filesystem", "process"),
}


def part_with(word: object) -> Part | None:
    """The part that a word stands in, which is none itself: `tools` in `requires`."""
    return next((part for part, words in _WITHIN.items() if word in words), None)


_LISTED_PARTS = [part.value for part in Part if part is not Part.ALL]


def _parts(value: object) -> object:
    if value == Part.ALL:
        return (Part.ALL,)
    if isinstance(value, str):
        raise refused(f"expected 'all' or a list of parts, found '{value[:60]}'")
    if isinstance(value, list) and Part.ALL in value:
        raise refused("'all' stands alone, not in a list", hint="inherit: all")
    return value


def _written_parts(value: Sequence[Part]) -> str | list[str]:
    return "all" if tuple(value) == (Part.ALL,) else [part.value for part in value]


Inherit = Annotated[
    tuple[Part, ...],
    BeforeValidator(_parts),
    PlainSerializer(_written_parts),
    WithJsonSchema(
        {"anyOf": [{"const": "all"}, {"type": "array", "items": {"enum": _LISTED_PARTS}}]}
    ),
]


class ToolChanges(Block):
    """Tools that a child adds to its parent's, or does without."""

    add: Tools = ()
    remove: tuple[Name, ...] = ()


class KnowledgeChanges(Block):
    """Knowledge files that a child adds to its parent's, or does without."""

    add: Paths = ()
    remove: Paths = ()


class BehaviorChanges(Block):
    """What a child does differently."""

    override: Behavior = Behavior()


class ConstraintChanges(Block):
    """Constraints that a child adds; it cannot drop its parent's."""

    add: Constraints = ()


class InvariantChanges(Block):
    """Invariants that a child adds; it cannot drop its parent's."""

    add: tuple[Text, ...] = ()


class Extensions(Block):
    """What a child adds to its parent, takes away, or overrides."""

    tools: ToolChanges = ToolChanges()
    knowledge: KnowledgeChanges = KnowledgeChanges()
    behavior: BehaviorChanges = BehaviorChanges()
    constraints: ConstraintChanges = ConstraintChanges()
    invariants: InvariantChanges = InvariantChanges()
