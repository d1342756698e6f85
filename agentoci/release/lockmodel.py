"""`agent.lock` as it is written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

from agentoci.definition.values import refused
from agentoci.errors import AgentociError
from agentoci.spec.digest import Digest
from agentoci.spec.ranges import VersionRange
from agentoci.spec.reference import Reference


def _by(parse: Any) -> AfterValidator:
    """A check that a text is what `parse` reads."""

    def check(value: str) -> str:
        try:
            parse(value)
        except AgentociError as exc:
            raise refused(exc.message, hint=exc.hint) from None
        return value

    return AfterValidator(check)


def _check_place(text: str) -> None:
    """A reference, or a layout (`oci:DIR`), where skills may be; raises InvalidReference."""
    if not text.startswith("oci:"):
        Reference.parse(text)


def _version(value: str) -> str:
    import semver

    if not semver.Version.is_valid(value):
        raise refused(f"'{value[:60]}' is not a full version")
    return value


_Text = Annotated[str, Strict(), Field(min_length=1)]
_Wanted = dict[_Text, Annotated[str, Strict(), _by(VersionRange.parse)]]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PinDocument(_Part):
    """One name and the image that it stands for."""

    kind: Literal["image", "agent", "skill"]
    name: _Text
    version: Annotated[str, Strict(), AfterValidator(_version)] | None = None
    reference: Annotated[str, Strict(), _by(_check_place)]
    digest: Annotated[str, Strict(), _by(Digest.parse)]
    required: Annotated[bool, Strict()] = True
    wanted_by: _Wanted = {}


class MissingDocument(_Part):
    """An optional requirement for which there was nothing."""

    name: _Text
    wanted_by: _Wanted


class LockDocument(_Part):
    """The whole file."""

    version: Literal[1]
    pins: tuple[PinDocument, ...]
    missing: tuple[MissingDocument, ...] = ()
