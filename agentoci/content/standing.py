"""Names that mean something already: move them, leave them alone, or refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agentoci.content.protocols import ContentNotFound, Resolver
from agentoci.errors import Conflict
from agentoci.spec.descriptor import Descriptor


class NameTaken(Conflict):
    """The name means other content there, and was not to be moved."""


class IfExists(StrEnum):
    """What to do with a name that means other content at the destination."""

    REPLACE = "replace"
    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Standing:
    """Names by what became of them: to be `given`, and those `kept` with what they mean."""

    given: tuple[str, ...]
    kept: tuple[tuple[str, Descriptor], ...]


def weigh(
    target: Resolver, root: Descriptor, names: Sequence[str], policy: IfExists, *, where: str
) -> Standing:
    """Sort names before anything moves; with REPLACE nothing is asked.

    A name that means `root` already is given again, which changes nothing. No registry can hold a
    name while we look at it, so another writer may still come between. Raises NameTaken with FAIL.
    """
    if policy is IfExists.REPLACE:
        return Standing(tuple(names), ())
    given: list[str] = []
    kept: list[tuple[str, Descriptor]] = []
    for name in names:
        present = _meaning(target, name)
        if present is None or present.digest == root.digest:
            given.append(name)
        elif policy is IfExists.SKIP:
            kept.append((name, present))
        else:
            raise NameTaken(
                f"{where}: {name} is there already as {present.digest}, not {root.digest}",
                hint="choose another name, or --if-exists skip or replace",
            )
    return Standing(tuple(given), tuple(kept))


def _meaning(target: Resolver, name: str) -> Descriptor | None:
    try:
        return target.resolve(name)
    except ContentNotFound:
        return None
