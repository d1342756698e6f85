"""Names that mean something already: move, leave alone, or refuse."""

from __future__ import annotations

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


def meant_by(target: Resolver, name: str) -> Descriptor | None:
    """What a name means in a target; None when it means nothing. Raises what the target raises."""
    try:
        return target.resolve(name)
    except ContentNotFound:
        return None


def taken_by(
    target: Resolver, root: Descriptor, name: str, policy: IfExists, *, where: str
) -> Descriptor | None:
    """The other content that a name means and is to go on meaning; None: let it mean `root`.

    With REPLACE nothing is asked. No registry can hold a name while we look at it, so another
    writer may still come between. Raises NameTaken with FAIL.
    """
    if policy is IfExists.REPLACE:
        return None
    present = meant_by(target, name)
    if present is None or present.digest == root.digest:
        return None
    if policy is IfExists.FAIL:
        raise NameTaken(
            f"{where}: {name} is there already as {present.digest}, not {root.digest}",
            hint="choose another name, or --if-exists skip or replace",
        )
    return present
