"""Whether a lock fits what an Agentfile asks for, and what changed between two locks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentoci.errors import Difference
from agentoci.release.candidates import ROOT, Demand, Requirement
from agentoci.release.lock import Lock, Pin, PinKind
from agentoci.release.requirements import SkillRequirement
from agentoci.release.resolve import Limits
from agentoci.spec.ranges import VersionRange
from agentoci.spec.reference import Reference
from agentoci.spec.version import TagVersion


class LockDrift(Difference):
    """What is asked for is not what is locked."""

    shows_lines = True


@dataclass(frozen=True, slots=True)
class Needs:
    """What an Agentfile asks for; `images` are references as written."""

    images: tuple[str, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    skills: tuple[SkillRequirement, ...] = ()


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
        *_unlike_images(lock, needs.images),
        *_unlike_skills(lock, needs.skills),
        *_unfit(lock, needs.requirements),
        *_unneeded(lock, needs.requirements),
    ]


def ruled_out(lock: Lock, name: str, version: str, limits: Limits) -> Iterator[str]:
    """Which pins of agents a compatibility matrix forbids, by the rules of resolving.

    `name` and `version` are those of the agent whose lock it is.
    """
    pinned = lock.named(PinKind.AGENT)
    holders = [(name, version), *((pin.name, str(pin.version)) for pin in pinned.values())]
    for holder, of in holders:
        for limit in limits.of(holder, of):
            pin = pinned.get(limit.name)
            if limit.name not in (name, holder) and pin is not None and not fits(pin, limit):
                yield f"{holder} {of} {limit.said}, {pin.version} is locked"


def drifted(path: Path, reasons: Sequence[str]) -> LockDrift:
    """The error for a lock that does not fit."""
    listed = "\n".join(f"{path}: {reason}" for reason in reasons)
    return LockDrift(listed, hint="agent lock makes it fit")


def _unlike_images(lock: Lock, wanted: Sequence[str]) -> Iterator[str]:
    pinned = lock.named(PinKind.IMAGE)
    yield from (f"{name} is not locked" for name in wanted if name not in pinned)
    left = sorted(pinned.keys() - set(wanted))
    yield from (f"{name} is locked, and not used any more" for name in left)


def _unlike_skills(lock: Lock, wanted: Sequence[SkillRequirement]) -> Iterator[str]:
    pinned = lock.named(PinKind.SKILL)
    for skill in wanted:
        pin = pinned.pop(skill.name, None)
        if pin is None and skill.required:
            yield f"the skill {skill.name} is not locked"
        elif pin is not None and not is_of_skill(pin, skill):
            yield f"the skill {skill.name} is {skill.reference}, {pin.reference} is locked"
    yield from (f"the skill {name} is locked, and not used any more" for name in sorted(pinned))


def is_at(pinned: str, written: str) -> bool:
    """Whether a pin's reference is the written one; a short name may be at any registry."""
    if pinned == written or written.startswith("oci:"):
        return pinned == written
    short = Reference.parse(written).is_local
    return short and not pinned.startswith("oci:") and pinned.endswith(f"/{written}")


def is_of_skill(pin: Pin, wanted: SkillRequirement) -> bool:
    """Whether the pin is of the skill: the same reference, or of its repository in the range."""
    if wanted.version in (None, "*"):
        return is_at(pin.reference, wanted.reference)
    from semver import Version

    if pin.reference.startswith("oci:") or pin.version is None:
        return is_at(pin.reference, wanted.reference)
    named = Reference.parse(wanted.reference).name
    same = is_at(Reference.parse(pin.reference).name, named)
    version = TagVersion.parse(pin.version)
    found = Version(0) if version is None else version.version
    return same and VersionRange.parse(str(wanted.version)).allows(found)


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

    where = Reference.parse(pin.reference).name
    here = wanted.repository is None or is_at(where, wanted.repository)
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
