"""Copy images between registries, layouts, archives and the local store, attachments included."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from agentoci._internal.threads import each
from agentoci.api.ends import (
    SourceEnd,
    TargetEnd,
    open_source,
    open_target,
    present_at,
    shown_target,
    target_name,
)
from agentoci.api.locations import AnyLocation, ArchiveLocation, parse_any_location, with_tag
from agentoci.api.sharing import Traffic
from agentoci.content.copy import Copied, CopyOptions, copy
from agentoci.content.graph import walk
from agentoci.content.protocols import NoProgress, Progress
from agentoci.content.recursion import (
    Attachment,
    LeftOut,
    RecursionOptions,
    copy_with_attachments,
    find_attachments,
)
from agentoci.content.standing import IfExists, NameTaken
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor, Platform
from agentoci.spec.digest import Digest
from agentoci.spec.reference import Reference, check_tag

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_LOOKS: Final = 8
"""Requests at once when a dry run looks what is there."""


class PinnedElsewise(Integrity):
    """The target pins another digest than the source has."""


class CopyOutcome(StrEnum):
    """How a copy ended: `skipped` left other content where it was."""

    COPIED = "copied"
    EXISTS = "exists"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CopyRules:
    """What to copy, and what to do with what is there.

    `recursive` brings what speaks of the image, checkpoints only with `checkpoints`; `platform`
    picks one image of an index. `if_exists` speaks of the target's own name; `tags` are given
    besides it, and always move. `workers` is for one image (None: the usual number).
    """

    recursive: bool = False
    checkpoints: bool = False
    platform: Platform | None = None
    if_exists: IfExists = IfExists.REPLACE
    workers: int | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InvalidReference for what is no tag, before anything moves."""
        for tag in self.tags:
            check_tag(tag)


@dataclass(frozen=True, slots=True)
class CopyDone:
    """What a copy did, by `requests` to registries; `digest` is what the target's name means.

    `names` are those that mean the source now: none when the target was left alone.
    """

    source: str
    target: str
    digest: Digest
    outcome: CopyOutcome = CopyOutcome.COPIED
    blobs: int = 0
    moved_blobs: int = 0
    moved_bytes: int = 0
    requests: int = 0
    attached: tuple[Attachment, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """What a copy would move, and what is there already."""

    source: str
    target: str
    digest: Digest
    moves: tuple[Descriptor, ...] = ()
    present: tuple[Descriptor, ...] = ()
    attached: tuple[Attachment, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def moved_bytes(self) -> int:
        """Bytes of what would move."""
        return sum(desc.size for desc in self.moves)


class Copies:
    """The verb `cp`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def copy(self, source: str, target: str, rules: CopyRules | None = None) -> CopyDone:
        """Copy an image from one location to another, bit for bit; the name appears last.

        A location is a reference, `oci:DIR[:NAME]` or `oci-archive:FILE[:NAME]`; a short name is
        one of the local store. An archive is written anew, as a whole. Raises ContentNotFound,
        NameTaken, PinnedElsewise, and what registries and disks say.
        """
        ends = parse_any_location(source), parse_any_location(target)
        if all(not isinstance(end, Reference) or end.is_local for end in ends):
            return self.copy_between(*ends, rules)
        before = self._engine.client.requests
        done = self.copy_between(*ends, rules)
        return replace(done, requests=self._engine.client.requests - before)

    def copy_between(
        self,
        source: AnyLocation,
        target: AnyLocation,
        rules: CopyRules | None = None,
        *,
        known_tags: frozenset[str] | None = None,
        traffic: Traffic | None = None,
        progress: Progress | None = None,
    ) -> CopyDone:
        """Like `copy`, for locations that were read already.

        `known_tags` are all tags of the source; `traffic` is shared with copies that run beside.
        """
        rules = rules or CopyRules()
        progress = progress or self._engine.progress or NoProgress()
        with open_source(self._engine, source, known_tags=known_tags) as found:
            start = _for_platform(found, rules, what=str(source))
            name = _checked_name(start, target)
            shown = shown_target(target, name)
            done = CopyDone(str(source), shown, start.root.digest, names=(name,))
            anew = isinstance(target, ArchiveLocation)
            blind = anew and rules.if_exists is IfExists.REPLACE
            present = None if blind else present_at(self._engine, target, name)
            ended = None if blind else _settled(done, present, target, rules)
            if ended is not None:
                return ended
            named = present == done.digest and not anew
            with open_target(self._engine, target, name, traffic=traffic) as end:
                recursion = _recursion(start, end, rules, progress, named=named)
                names = _all_names(end.name, target, rules.tags)
                return _copied(done, start, end, names, rules, recursion)

    def look(
        self, source: AnyLocation, target: AnyLocation, rules: CopyRules | None = None
    ) -> CopyDone:
        """Whether the target's name means the source already (EXISTS), or a copy would be made.

        Asks each side once; what speaks of the image is not looked at.
        """
        rules = rules or CopyRules()
        with open_source(self._engine, source) as found:
            start = _for_platform(found, rules, what=str(source))
            name = _checked_name(start, target)
        present = present_at(self._engine, target, name)
        same = present == start.root.digest
        outcome = CopyOutcome.EXISTS if same else CopyOutcome.COPIED
        return CopyDone(str(source), shown_target(target, name), start.root.digest, outcome)

    def plan(self, source: str, target: str, rules: CopyRules | None = None) -> CopyPlan:
        """What `copy` would move; nothing is changed or made."""
        rules = rules or CopyRules()
        to = parse_any_location(target)
        with open_source(self._engine, parse_any_location(source)) as found:
            start = _for_platform(found, rules, what=source)
            name = _checked_name(start, to)
            with open_target(self._engine, to, name, dry=True) as end:
                plan = CopyPlan(source, shown_target(to, name), start.root.digest)
                return _planned(plan, start, end, rules)


def _settled(
    done: CopyDone, present: Digest | None, target: AnyLocation, rules: CopyRules
) -> CopyDone | None:
    """The end of a copy that has nothing to do, or must not; None: go on.

    `present` is what the target's name means. Raises NameTaken.
    """
    if present == done.digest:
        more = (rules.recursive or rules.tags) and not isinstance(target, ArchiveLocation)
        return None if more else replace(done, outcome=CopyOutcome.EXISTS)
    if rules.if_exists is IfExists.REPLACE:
        return None
    if present is not None and rules.if_exists is IfExists.SKIP:
        return replace(done, digest=present, outcome=CopyOutcome.SKIPPED, names=())
    if present is not None:
        raise NameTaken(
            f"{done.target} is {present} already, and {done.source} is {done.digest}",
            hint="--if-exists replace moves the name",
        )
    if isinstance(target, ArchiveLocation) and target.file.exists():
        raise NameTaken(
            f"{target.file} exists, and an archive is written as a whole",
            hint="--if-exists replace writes it anew, or name another file",
        )
    return None


def _for_platform(start: SourceEnd, rules: CopyRules, *, what: str) -> SourceEnd:
    if rules.platform is None:
        return start
    from agentoci.store.images import manifest_for

    return replace(start, root=manifest_for(start.target, start.root, rules.platform, what=what))


def _checked_name(start: SourceEnd, target: AnyLocation) -> str:
    """The name that the target gets; raises PinnedElsewise."""
    pinned = target.digest if isinstance(target, Reference) else None
    if pinned is not None and pinned != start.root.digest:
        raise PinnedElsewise(
            f"{target}: the source is {start.root.digest}",
            hint="leave the digest out of the target",
        )
    return target_name(target, start)


def _recursion(
    start: SourceEnd, end: TargetEnd, rules: CopyRules, progress: Progress, *, named: bool = False
) -> RecursionOptions:
    copying = CopyOptions(progress=progress)
    workers = (rules.workers or copying.workers) if end.parallel else 1
    return RecursionOptions(
        checkpoints=rules.checkpoints,
        beside_source=start.beside,
        beside_target=end.beside,
        copying=replace(copying, workers=workers),
        named=named,
    )


def _all_names(name: str, target: AnyLocation, tags: tuple[str, ...]) -> tuple[str, ...]:
    """The target's name, and the same with the other tags; in a repository a tag is the name."""
    if isinstance(target, Reference) and not target.is_local:
        return tuple(dict.fromkeys((name, *tags)))
    return tuple(dict.fromkeys((name, *(with_tag(name, tag) for tag in tags))))


def _copied(
    done: CopyDone,
    start: SourceEnd,
    end: TargetEnd,
    names: tuple[str, ...],
    rules: CopyRules,
    options: RecursionOptions,
) -> CopyDone:
    done = replace(done, names=names)
    ends = start.target, start.root, end.target
    if not rules.recursive:
        return _summed(done, [copy(*ends, names, options=options.copying)])
    ended = copy_with_attachments(*ends, end.name, options=options)
    if names[1:]:
        copy(*ends, names[1:], options=options.copying)
    return replace(
        _summed(done, [ended.root, *(one for _, one in ended.attached)]),
        attached=tuple(item for item, _ in ended.attached),
        left_out=ended.left_out,
    )


def _summed(done: CopyDone, parts: list[Copied]) -> CopyDone:
    moved = any(one.manifest is not None for one in parts)
    return replace(
        done,
        outcome=CopyOutcome.COPIED if moved else CopyOutcome.EXISTS,
        blobs=sum(one.blobs for one in parts),
        moved_blobs=sum(one.moved_blobs for one in parts),
        moved_bytes=sum(one.moved_bytes for one in parts),
    )


def _planned(plan: CopyPlan, start: SourceEnd, end: TargetEnd, rules: CopyRules) -> CopyPlan:
    if rules.recursive:
        options = _recursion(start, end, rules, NoProgress())
        found = find_attachments(start.target, start.root, options=options)
        plan = replace(plan, attached=found.found, left_out=found.left_out)
    needed = _needed(start, [start.root, *(item.desc.bare() for item in plan.attached)])
    there = each(end.target.exists, needed, workers=_LOOKS, name="look")
    return replace(
        plan,
        moves=tuple(desc for desc, here in zip(needed, there, strict=True) if not here),
        present=tuple(desc for desc, here in zip(needed, there, strict=True) if here),
    )


def _needed(start: SourceEnd, roots: Iterable[Descriptor]) -> list[Descriptor]:
    """Everything below the roots, each once."""
    found: dict[Digest, Descriptor] = {}
    for root in roots:
        for desc in walk(start.target, root, workers=_LOOKS).descriptors():
            found.setdefault(desc.digest, desc)
    return list(found.values())
