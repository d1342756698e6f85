"""The document of a sync list, checked by pydantic; imported when one is read."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator

from agentoci.definition.values import refused
from agentoci.errors import AgentociError


def _location(text: str) -> str:
    from agentoci.api.locations import parse_any_location

    try:
        parse_any_location(text)
    except AgentociError as exc:
        raise refused(exc.message, hint=exc.hint) from exc
    return text


def _platform(text: str) -> str:
    from agentoci.spec.descriptor import Platform

    try:
        return str(Platform.parse(text))
    except AgentociError as exc:
        raise refused(exc.message, hint=exc.hint) from exc


def _newest(rule: int | str) -> str:
    from agentoci.spec.retention import Retention

    try:
        return Retention.parse(str(rule)).text
    except AgentociError as exc:
        raise refused(exc.message, hint=exc.hint) from exc


Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SyncImage(_Block):
    """An entry of `images`."""

    source: Annotated[Text, AfterValidator(_location)]
    target: Annotated[Text, AfterValidator(_location)] | None = None
    tags: tuple[Text, ...] = ()
    newest: Annotated[int | str, AfterValidator(_newest)] | None = None
    recursive: Flag = False
    checkpoints: Flag = Field(default=False, alias="with-checkpoints")
    platform: Annotated[Text, AfterValidator(_platform)] | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.tags and self.newest is not None:
            raise refused("tags and newest exclude each other", at=("newest",))
        return self


class SyncDocument(_Block):
    """The whole list."""

    images: Annotated[tuple[SyncImage, ...], Field(min_length=1)]
