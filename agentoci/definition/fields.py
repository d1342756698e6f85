"""What may stand where in a definition, asked of the model itself."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Literal, TypeAlias, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agentoci.definition.places import Path

Annotation: TypeAlias = Any
"""A type annotation, with or without its checks."""


def root() -> Annotation:
    """The type of a whole definition."""
    from agentoci.definition.model import AgentDefinition

    return AgentDefinition


def origin(annotation: Annotation) -> Any:
    """What a generic type was made of: `tuple` for `tuple[str, ...]`."""
    return get_origin(annotation)


def bare(annotation: Annotation) -> Annotation:
    """The type without its checks and without `| None`."""
    while True:
        if origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif origin(annotation) in (Union, types.UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not types.NoneType)
        else:
            return annotation


def as_block(annotation: Annotation) -> type[BaseModel] | None:
    """The model class when a mapping with known keys stands there."""
    found = bare(annotation)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def members(block: type[BaseModel]) -> dict[str, Annotation]:
    """The keys of a block as they are written, each with its type and checks."""
    return {info.alias or name: _whole(info) for name, info in block.model_fields.items()}


def step_into(annotation: Annotation, step: str | int) -> Annotation | None:
    """The type of what stands below a key or in a list; None where nothing can."""
    if block := as_block(annotation):
        return members(block).get(str(step))
    args = get_args(bare(annotation))
    match origin(bare(annotation)):
        case made if made is dict:
            return args[1]
        case made if made is tuple and isinstance(step, int):
            return args[0]
        case _:
            return None


def at(path: Path, within: Annotation | None = None) -> Annotation | None:
    """The type of what stands at a path of a definition, or of `within`."""
    annotation = within or root()
    for step in path:
        annotation = step_into(annotation, step)
        if annotation is None:
            return None
    return annotation


def keys_at(path: Path, within: Annotation | None = None) -> list[str]:
    """The keys that the mapping at a path may have; none for an open mapping."""
    block = as_block(at(path, within))
    return list(members(block)) if block else []


def key_type(annotation: Annotation) -> Annotation | None:
    """The type of the keys of an open mapping; None for other types."""
    found = bare(annotation)
    return get_args(found)[0] if origin(found) is dict else None


def choices(annotation: Annotation) -> list[str]:
    """The words that a choice allows; none for other types."""
    found = bare(annotation)
    if origin(found) is Literal:
        return [str(arg) for arg in get_args(found)]
    if isinstance(found, type) and issubclass(found, Enum):
        return [str(member.value) for member in found]
    return []


def choices_at(path: Path, within: Annotation | None = None) -> list[str]:
    """The words that may stand at a path."""
    return choices(at(path, within))


def spelt_at(path: Path, within: Annotation | None = None) -> list[str]:
    """The same as messages show them: what must be written to the letter is in quotes."""
    found = bare(at(path, within))
    return [repr(arg) for arg in get_args(found)] if origin(found) is Literal else choices(found)


def leaves(annotation: Annotation, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all keys below that hold a value rather than further known keys."""
    block = as_block(annotation)
    if block is None:
        yield prefix
        return
    for name, inner in members(block).items():
        yield from leaves(inner, (*prefix, name))


def _whole(info: FieldInfo) -> Annotation:
    if not info.metadata:
        return info.annotation
    return cast(Any, Annotated)[(info.annotation, *info.metadata)]
