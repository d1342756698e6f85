"""What an image requires: agents, as its annotation and its config list them, and skills."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agentoci.definition.toolkinds import tool_kind_of
from agentoci.errors import Integrity
from agentoci.release.candidates import Demand, Requirement
from agentoci.spec.jsonio import Json, canonical, loads
from agentoci.spec.ranges import InvalidRange, VersionRange
from agentoci.spec.reference import InvalidReference, Reference

ANY: Final = "*"

_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,127}"
"""As definitions have it, whose module would load all of pydantic."""


@dataclass(frozen=True, slots=True)
class SkillRequirement:
    """A skill that comes from outside the context.

    `name` is that of the requirement, `reference` where it comes from: a repository, of which
    `version` says the range, an image, or `oci:DIR[:NAME]`.
    """

    name: str
    reference: str
    version: str | None = None
    required: bool = True


class InvalidRequirements(Integrity):
    """An image says of its requirements what nobody can read."""


def annotation_of(requirements: Iterable[Json]) -> str:
    """The manifest annotation for the bindings of an image: its agents, as canonical JSON."""
    listed = [
        {key: entry[key] for key in ("name", "version", "required", "reference") if key in entry}
        for entry in requirements
        if isinstance(entry, dict) and tool_kind_of(entry) is None
    ]
    return canonical(listed).decode()


def annotated(text: str, *, what: str) -> tuple[Requirement, ...]:
    """The requirements that an annotation lists; raises InvalidRequirements, InvalidJson."""
    return requirements_of(loads(text.encode(), what=what), what=what)


def requirements_of(document: Json, *, what: str) -> tuple[Requirement, ...]:
    """The agents among bindings, from an annotation or a config; raises InvalidRequirements."""
    if not isinstance(document, list):
        raise InvalidRequirements(f"{what}: the requirements are no list")
    return tuple(
        _requirement(entry, what)
        for entry in document
        if not (isinstance(entry, dict) and tool_kind_of(entry))
    )


def _requirement(entry: Json, what: str) -> Requirement:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise InvalidRequirements(f"{what}: a requirement without a name")
    name, version = str(entry["name"]), entry.get("version", ANY)
    last = name.rpartition("/")[2]  # images built before there was `reference`
    reference = entry.get("reference")
    whole = reference if isinstance(reference, str) else name if last != name else None
    if not re.fullmatch(_NAME, last) or (whole is not None and not _leads_to(whole, last)):
        raise InvalidRequirements(f"{what}: {whole or name!r:.80} is not the name of an agent")
    try:
        wanted = VersionRange.parse(str(version))
    except InvalidRange as exc:
        raise InvalidRequirements(f"{what}: {name}: {exc.message}") from exc
    demand = Demand.OPTIONAL if entry.get("required") is False else Demand.REQUIRED
    return Requirement(last, wanted, demand, whole)


def _leads_to(whole: str, last: str) -> bool:
    """Whether it is a repository, without tag and digest, whose last part is the name."""
    try:
        return Reference.parse(whole).name == whole and whole.rpartition("/")[2] == last
    except InvalidReference:
        return False
