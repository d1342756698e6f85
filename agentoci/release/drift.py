"""Whether a lock fits what an Agentfile asks for, and what changed between two locks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentoci.errors import Difference
from agentoci.release.candidates import ROOT, Demand, Requirement
from agentoci.release.lock import Lock, Pin, PinKind
from agentoci.spec.reference import Reference


class LockDrift(Difference):
    """What is asked for is not what is locked."""

    shows_lines = True


@dataclass(frozen=True, slots=True)
class Needs:
    """What an Agentfile asks for.

    `images` and `skills` are references as written, `parents` are `name@version`, None when nobody
    said; `name` and `version` are the agent's own.
    """

    name: str
    version: str
    images: tuple[str, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    skills: tuple[str, ...] = ()
    parents: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A name whose pin is another one; None where there is, or was, none."""

    kind: PinKind
    name: str
    old: Pin | None
    new: Pin | None

    def __str__(self) -> str:
        return f"{self.name}: {_shown(self.old, self.new)} → {_shown(self.new, self.old)}"


def _shown(pin: Pin | None, other: Pin | None) -> str:
    """The version; the digest where only that tells the two apart."""
    if pin is None:
        return "none"
    if pin.version is None or (other is not None and other.version == pin.version):
        return f"{pin.version or ''} {pin.digest.short}".strip()
    return pin.version


def changes(old: Lock, new: Lock) -> list[Change]:
    """Every name that stands for something else now."""
    made: list[Change] = []
    for kind in PinKind:
        before, after = old.named(kind), new.named(kind)
        for name in sorted(before.keys() | after.keys()):
            one, other = before.get(name), after.get(name)
            if one is None or other is None or one.digest != other.digest:
                made.append(Change(kind, name, one, other))
    return made


def drift(lock: Lock, needs: Needs) -> list[str]:
    """Why the lock does not fit; empty when it does."""
    return [
        *_unlike(lock, PinKind.IMAGE, needs.images),
        *_unlike(lock, PinKind.SKILL, needs.skills),
        *(_unlike(lock, PinKind.PARENT, needs.parents) if needs.parents is not None else ()),
        *_unfit(lock, needs.requirements),
        *_unneeded(lock, needs.requirements),
    ]


def _unlike(lock: Lock, kind: PinKind, wanted: Sequence[str]) -> Iterator[str]:
    pinned = lock.named(kind)
    yield from (f"{name} is not locked" for name in wanted if name not in pinned)
    left = sorted(pinned.keys() - set(wanted))
    yield from (f"{name} is locked, and not used any more" for name in left)


def _unfit(lock: Lock, requirements: Sequence[Requirement]) -> Iterator[str]:
    pinned = lock.named(PinKind.AGENT)
    known_missing = {one.name for one in lock.missing if ROOT in one.wanted_by}
    for wanted in requirements:
        pin = pinned.get(wanted.name)
        if pin is not None and not fits(pin, wanted):
            where = f" from {wanted.repository}" if wanted.repository else ""
            yield f"{wanted.name} {wanted.range}{where} is required, {pin.version} is locked"
        elif pin is None and not (
            wanted.demand is Demand.OPTIONAL and wanted.name in known_missing
        ):
            yield f"{wanted.name} {wanted.range} is not locked"


def fits(pin: Pin, wanted: Requirement) -> bool:
    """Whether the pin is of a version, and from a place, that the requirement takes."""
    from semver import Version

    here = wanted.repository in (None, Reference.parse(pin.reference).name)
    return here and pin.version is not None and wanted.range.allows(Version.parse(pin.version))


def _unneeded(lock: Lock, requirements: Sequence[Requirement]) -> Iterator[str]:
    """Pins that nobody leads to who is still wanted."""
    wanted = {requirement.name for requirement in requirements}
    pinned = lock.named(PinKind.AGENT)
    reached = {name for name in pinned if name in wanted}
    waiting = sorted(reached)
    while waiting:
        key = pinned[waiting.pop()].key
        more = [n for n, pin in pinned.items() if n not in reached and key in pin.wanted_by]
        reached.update(more)
        waiting += more
    yield from (
        f"{name} is locked, and nothing requires it any more"
        for name in sorted(pinned.keys() - reached)
    )
    gone = (one.name for one in lock.missing if ROOT in one.wanted_by and one.name not in wanted)
    yield from (f"{name} is noted as missing, and not required any more" for name in gone)
