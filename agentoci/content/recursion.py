"""Copy with everything that speaks of the copied: signatures, SBOMs, reports, and theirs in turn.

They are found as referrers (manifests with a `subject`) and under cosign's tags
(`sha256-<hex>.sig`), of the root and of all manifests below it. Checkpoints hold private memories:
they stay behind unless asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from agentoci._internal import limits
from agentoci._internal.threads import each
from agentoci.content.copy import Copied, CopyOptions, copy
from agentoci.content.graph import GraphTooLarge, walk
from agentoci.content.protocols import ContentNotFound, ReadableTarget, ReferrerLister, Target
from agentoci.content.reader import is_readable
from agentoci.content.referrers import fetch_referrer, kind_of
from agentoci.content.standing import meant_by
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest, InvalidDigest
from agentoci.spec.digesttags import COSIGN, cosign_tag

_PRIVATE: Final = frozenset({mediatypes.CHECKPOINT, mediatypes.INSTANCE})
"""Types of a checkpoint; some registries list a manifest by its config's type."""

GONE: Final = "it is listed, but not there"
CHECKPOINT_LEFT: Final = "a checkpoint, which may hold private memories"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How the tags beside a name are called in a target.

    In a repository a tag is the whole name; a layout may hold many repositories, there `prefix`
    (`team/bot:`) leads it. `known` are all names there, when they are known already.
    """

    prefix: str = ""
    known: frozenset[str] | None = None

    @classmethod
    def of(cls, name: str, known: Iterable[str] | None = None) -> Neighbours:
        """The neighbours of a name in a layout; a bare tag's and a digest's are bare tags."""
        before, colon, tag = name.rpartition(":")
        prefix = f"{before}:" if colon and "/" not in tag and not _is_digest(name) else ""
        return cls(prefix, None if known is None else frozenset(known))

    def name(self, tag: str) -> str:
        """What a tag is called in the target."""
        return f"{self.prefix}{tag}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A manifest that speaks of `subject`; `tag` when it is found by cosign's tag."""

    desc: Descriptor
    subject: Descriptor
    tag: str | None = None

    @property
    def kind(self) -> str | None:
        """What it is, where that is known."""
        return kind_of(self.desc)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An attachment that was not copied, and why."""

    attachment: Attachment
    reason: str


@dataclass(frozen=True, slots=True)
class RecursionOptions:
    """What to look for, where the neighbours of the name are, and how to copy.

    `named` says that the target's name means the root already, so only attachments are to come.
    """

    checkpoints: bool = False
    beside_source: Neighbours = field(default_factory=Neighbours)
    beside_target: Neighbours = field(default_factory=Neighbours)
    copying: CopyOptions = field(default_factory=CopyOptions)
    named: bool = False


@dataclass(frozen=True, slots=True)
class Attachments:
    """What speaks of a root; subjects come before what speaks of them."""

    found: tuple[Attachment, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class CopiedAll:
    """What a recursive copy did: the root, what came with it, and what stayed behind."""

    root: Copied
    attached: tuple[tuple[Attachment, Copied], ...]
    left_out: tuple[LeftOut, ...]


def _is_digest(name: str) -> bool:
    try:
        Digest.parse(name)
    except InvalidDigest:
        return False
    return True


def find_attachments(
    src: ReadableTarget, root: Descriptor, *, options: RecursionOptions | None = None
) -> Attachments:
    """What speaks of the root, of manifests below it, and of what speaks of them.

    Raises GraphTooLarge beyond MAX_REFERRERS, and what the target raises.
    """
    options = options or RecursionOptions()
    search = _Search(src, options)
    level = search.take(root)
    look = partial(attached_to, src, options.beside_source)
    while level:
        found = each(look, level, workers=options.copying.workers, name="referrers")
        level = [desc for one in found for item in one for desc in search.judge(item)]
    return Attachments(tuple(search.found.values()), tuple(search.left_out.values()))


class _Search:
    """What has been seen so far; a cycle ends at what is known."""

    def __init__(self, src: ReadableTarget, options: RecursionOptions) -> None:
        self._src = src
        self._options = options
        self._seen: set[Digest] = set()
        self.found: dict[tuple[Digest, str | None], Attachment] = {}
        self.left_out: dict[Digest, LeftOut] = {}

    def take(self, root: Descriptor) -> list[Descriptor]:
        """The manifests of a graph that were not seen before: they may have attachments, too."""
        manifests = [root]
        if root.media_type in mediatypes.INDEXES:
            manifests = [desc for desc, _ in walk(self._src, root).manifests]
        fresh = [desc for desc in manifests if desc.digest not in self._seen]
        self._seen.update(desc.digest for desc in fresh)
        return fresh

    def judge(self, item: Attachment) -> list[Descriptor]:
        """Keep an attachment or leave it out; returns the manifests to look at next."""
        digest = item.desc.digest
        if digest in self.left_out or (digest, item.tag) in self.found:
            return []
        reason = self._reason_against(item)
        if reason is not None:
            self.left_out[digest] = LeftOut(item, reason)
            return []
        self.found[digest, item.tag] = item
        if len(self.found) > limits.MAX_REFERRERS:
            raise GraphTooLarge(
                f"{item.subject.digest}: more than {limits.MAX_REFERRERS} manifests speak of it"
            )
        return self.take(item.desc)

    def _reason_against(self, item: Attachment) -> str | None:
        kind = item.kind
        try:
            if kind is None:  # lists of older tools do not say it
                referrer = fetch_referrer(self._src, item.desc)
                kind = kind_of(referrer.entry) if referrer else None
        except ContentNotFound:
            return GONE
        if kind in _PRIVATE and not self._options.checkpoints:
            return CHECKPOINT_LEFT
        return None


def attached_to(
    src: ReadableTarget, beside: Neighbours, subject: Descriptor
) -> Sequence[Attachment]:
    """What speaks of one manifest, in an order that depends on the content alone."""
    listed = src.referrers(subject) if isinstance(src, ReferrerLister) else ()
    attached = [Attachment(desc, subject) for desc in listed if desc.is_manifest]
    attached.sort(key=lambda item: str(item.desc.digest))
    return [*attached, *_tagged(src, beside, subject)]


def _tagged(src: ReadableTarget, beside: Neighbours, subject: Descriptor) -> Iterator[Attachment]:
    for suffix in COSIGN:
        tag = cosign_tag(subject.digest, suffix)
        name = beside.name(tag)
        if beside.known is not None and name not in beside.known:
            continue
        found = meant_by(src, name)
        if found is not None:
            yield Attachment(found, subject, tag)


def copy_with_attachments(
    src: ReadableTarget,
    root: Descriptor,
    dst: Target,
    dst_name: str,
    *,
    options: RecursionOptions | None = None,
) -> CopiedAll:
    """Copy the root, then what speaks of it, and give the name last.

    So nobody who reads `dst` by the name sees the image without its signatures. Copying again moves
    nothing. Raises what `copy` and `find_attachments` raise.
    """
    options = options or RecursionOptions()
    attachments = find_attachments(src, root, options=options)
    if options.named:
        done = Copied(root, None, 0, 0, 0)
        attached, gone = _bring_all(src, dst, attachments.found, options)
    elif not attachments.found:
        done = copy(src, root, dst, dst_name, options=options.copying)
        attached, gone = (), ()
    else:
        done = copy(src, root, dst, str(root.digest), options=options.copying)
        attached, gone = _bring_all(src, dst, attachments.found, options)
        copy(src, root, dst, dst_name, options=options.copying)
    return CopiedAll(done, attached, (*attachments.left_out, *gone))


def _bring_all(
    src: ReadableTarget, dst: Target, items: Sequence[Attachment], options: RecursionOptions
) -> tuple[tuple[tuple[Attachment, Copied], ...], tuple[LeftOut, ...]]:
    attached: list[tuple[Attachment, Copied]] = []
    gone: list[LeftOut] = []
    present = _listed(dst, items)
    for item in items:
        try:
            attached.append((item, _bring(src, item, dst, present, options)))
        except ContentNotFound:
            if is_readable(src, item.desc):
                raise
            gone.append(LeftOut(item, GONE))
    return tuple(attached), tuple(gone)


def _listed(dst: Target, items: Iterable[Attachment]) -> Mapping[Digest, frozenset[Digest]]:
    """For each subject, what the target lists as speaking of it."""
    if not isinstance(dst, ReferrerLister):
        return {}
    subjects = {item.subject.digest: item.subject for item in items if item.tag is None}
    return {
        digest: frozenset(desc.digest for desc in dst.referrers(subject))
        for digest, subject in subjects.items()
    }


def _bring(
    src: ReadableTarget,
    item: Attachment,
    dst: Target,
    present: Mapping[Digest, frozenset[Digest]],
    options: RecursionOptions,
) -> Copied:
    desc = item.desc.bare()
    name = str(desc.digest)
    if item.tag is not None:
        name = options.beside_target.name(item.tag)
        if meant_by(dst, name) == desc:
            return Copied(desc, None, 0, 0, 0)
    elif desc.digest in present.get(item.subject.digest, ()) and dst.exists(desc):
        return Copied(desc, None, 0, 0, 0)
    return copy(src, desc, dst, name, options=options.copying)
