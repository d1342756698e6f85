"""`compatibility.json` as it is written."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict

from agentoci.definition.values import NAME, refused
from agentoci.spec.ranges import InvalidRange, VersionRange

_HINT: Final = "write NAME@VERSION, such as psm_gen@1.0 (any 1.0.z) or psm_gen@>=1.0,<2"


def _range(value: str) -> str:
    try:
        VersionRange.parse(value)
    except InvalidRange as exc:
        raise refused(exc.message, hint=exc.hint) from None
    return value


def _name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise refused(f"'{value[:60]}' is not the name of an agent")
    return value


def _partner(value: str) -> str:
    name, at, version = value.partition("@")
    if not re.fullmatch(NAME, name):
        raise refused(f"'{value[:60]}' does not name an agent", hint=_HINT)
    if at:
        try:
            VersionRange.parse(version)
        except InvalidRange as exc:
            raise refused(exc.message, hint=_HINT) from None
    return value


def _model(value: str) -> str:
    if not value.strip():
        raise refused("expected the name of a model, found none")
    return value


_Name = Annotated[str, Strict(), AfterValidator(_name)]
_Version = Annotated[str, Strict(), AfterValidator(_range)]
_Partner = Annotated[str, Strict(), AfterValidator(_partner)]
_Model = Annotated[str, Strict(), AfterValidator(_model)]


class RowDocument(BaseModel):
    """What one version of an agent works with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    compatible_with: tuple[_Partner, ...] | None = None
    llm_models: tuple[_Model, ...] | None = None


class MatrixDocument(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    compatibility: dict[_Name, dict[_Version, RowDocument]]
