"""Repair the list of what speaks of an image, where a registry keeps none by itself.

No registry can list its untagged manifests, so what a lost entry was must come from somewhere: the
list as it is, digests that the user names, and attachments that the local store holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentoci.api.subjects import Subject, find_subject
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.content.referrers import Referrer, fetch_referrer, readable
from agentoci.errors import Difference, Integrity, Invalid
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.repository import Repository

GONE = "not there any more"
OTHER_SUBJECT = "does not speak of this image"


class NothingToRepair(Invalid):
    """A layout has no list that could be wrong."""


class NotItsReferrer(Invalid):
    """A manifest that the user named speaks of something else."""


class ListDiffers(Difference):
    """The list is not what it should be."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What is wrong with a list: entries to add, to correct, and to drop with the reason."""

    shown: str
    add: tuple[Descriptor, ...] = ()
    correct: tuple[Descriptor, ...] = ()
    drop: Mapping[Digest, str] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.add or self.correct or self.drop)

    def check(self) -> None:
        """Raises ListDiffers when anything is wrong."""
        if self.differs:
            count = len(self.add) + len(self.correct) + len(self.drop)
            raise ListDiffers(
                f"{self.shown}: its list of referrers is wrong in {count} places",
                hint="without --dry-run they are mended",
            )


def repair(
    engine: Engine, text: str, digests: Sequence[Digest] = (), *, dry_run: bool = False
) -> Repair:
    """Mend the list of an image at its registry; `digests` are manifests that should be in it.

    Every entry is checked to be there and to speak of the image. Raises NothingToRepair for a
    layout, NotItsReferrer, ManifestNotFound, ReferrerLost, registry errors.
    """
    subject = find_subject(engine, text, change=not dry_run)
    repository = subject.holder
    if isinstance(repository, LayoutStore):
        raise NothingToRepair(
            f"{subject.shown}: a layout is asked for its manifests themselves, no list can be wrong"
        )
    known = [repository.resolve(str(digest)) for digest in digests]
    for desc in known:
        if _referrer(repository, subject, desc) is None:
            raise NotItsReferrer(f"{desc.digest} {OTHER_SUBJECT}: {subject.shown}")
    known += engine.store.referrers(subject.root)
    plan = _plan(repository, subject, known)
    if not dry_run and plan.differs:
        _carry_out(repository, subject.root, plan)
    return plan


def _plan(repository: Repository, subject: Subject, known: Iterable[Descriptor]) -> Repair:
    """What the list lacks and has too much; a registry that keeps one itself is asked for it."""
    written = readable(repository.listed.fallback.read(subject.root.digest))
    present = {desc.digest: desc for desc in written}
    drop: dict[Digest, str] = {}
    correct: list[Descriptor] = []
    for desc in written:
        reason, entry = _judged(repository, subject, desc)
        if entry is None:
            drop[desc.digest] = reason
        elif entry.artifact_type != desc.artifact_type:
            correct.append(entry)
    if repository.listed.supported(subject.root):
        present = {desc.digest: desc for desc in repository.referrers(subject.root)}
    add: dict[Digest, Descriptor] = {}
    for desc in known:
        _, entry = _judged(repository, subject, desc)
        if entry is not None and desc.digest not in present:
            add[desc.digest] = entry
    return Repair(subject.shown, tuple(add.values()), tuple(correct), drop)


def _judged(
    repository: Repository, subject: Subject, desc: Descriptor
) -> tuple[str, Descriptor | None]:
    try:
        found = _referrer(repository, subject, desc)
    except ContentNotFound:
        return GONE, None
    return OTHER_SUBJECT, found.entry if found else None


def _referrer(repository: Repository, subject: Subject, desc: Descriptor) -> Referrer | None:
    """The manifest as a referrer of the image; None when it is none. Raises ManifestNotFound."""
    with contextlib.suppress(Integrity):
        found = fetch_referrer(repository, desc.bare())
        if found is not None and found.subject.digest == subject.root.digest:
            return found
    return None


def _carry_out(repository: Repository, root: Descriptor, plan: Repair) -> None:
    """Pushing a manifest anew lists it, whoever keeps the list."""
    if plan.correct or plan.drop:
        repository.listed.fallback.change(root.digest, add=plan.correct, drop=plan.drop.keys())
    for entry in plan.add:
        repository.push(entry.bare(), BytesSource(fetch_bytes(repository, entry.bare())))
