"""Names that mean something already: move, leave alone, or refuse."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from agentoci.content.protocols import ContentNotFound, Resolver
from agentoci.errors import Conflict
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.version import TagVersion


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


def check_releases(target: Resolver, root: Descriptor, names: Iterable[str], *, where: str) -> None:
    """Raise NameTaken when a name that is a full release (`1.4.2`) means other content.

    Who pulled a version must get the same content tomorrow. `1.4`, `latest` and pre-releases are
    made to move. Each full release is asked for once; another writer may still come between.
    """
    for name in names:
        if not names_release(name):
            continue
        present = meant_by(target, name)
        if present is not None and present.digest != root.digest:
            raise NameTaken(
                f"{where}: {name} is released already as {present.digest}, not {root.digest}",
                hint="raise the version; agent push --if-exists replace moves it all the same",
            )


def names_release(name: str) -> bool:
    """Whether a name, a bare tag or `NAME:TAG`, ends in a full version that is no pre-release."""
    if "@" in name:
        return False
    found = TagVersion.parse(name.rpartition(":")[2])
    return found is not None and found.is_release
