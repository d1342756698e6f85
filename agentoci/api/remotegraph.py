"""The manifests of a repository at a registry, and what hangs on what.

A registry lists tags only, so what no tag leads to is not seen, and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from agentoci._internal import limits
from agentoci._internal.threads import each
from agentoci.api.tags import resolve_tags
from agentoci.content.graph import GraphTooLarge, fetch_raw_manifest
from agentoci.content.protocols import ContentNotFound
from agentoci.content.referrers import Referrer, fetch_referrer, kind_of
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import referrers_tag, subject_of
from agentoci.spec.jsonio import loads_object

if TYPE_CHECKING:
    from agentoci.registry.repository import Repository

_WORKERS: Final = 8


@dataclass(frozen=True, slots=True)
class Node:
    """A manifest: the manifests that it lists, and the one that it speaks of."""

    children: tuple[Digest, ...] = ()
    subject: Digest | None = None


@dataclass(frozen=True, slots=True)
class RemoteGraph:
    """What a repository holds, as far as its tags lead to it.

    `pinned` stay whatever the rules say: manifests without a tag that something speaks of, for
    somebody may use them by digest; and checkpoints, which no build can make again.
    """

    tags: Mapping[str, Digest]
    nodes: Mapping[Digest, Node]
    pinned: frozenset[Digest] = frozenset()

    def tags_of(self, digest: Digest) -> list[str]:
        """The tags that mean a manifest, sorted."""
        return sorted(tag for tag, found in self.tags.items() if found == digest)

    def parents_of(self, digest: Digest) -> list[Digest]:
        """The indexes that list a manifest."""
        return [each for each, node in self.nodes.items() if digest in node.children]


def _is_list(tag: str) -> bool:
    """Whether a tag is that of a list of referrers.

    What one lists is kept with it, and goes only when it says itself what it speaks of.
    """
    subject = subject_of(tag)
    return subject is not None and tag == referrers_tag(subject)


class GraphReader:
    """Reads a repository's graph, as much of it as the caller asks for, several at a time.

    Raises registry errors, ListingIncomplete, GraphTooLarge, and Integrity for a manifest that
    cannot be read: nothing is planned on guesses.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._descriptors: dict[Digest, Descriptor] = {}
        self._nodes: dict[Digest, Node] = {}
        self._read: set[Digest] = set()
        self._looked: set[Digest] = set()
        self._pinned: set[Digest] = set()
        self.listed = frozenset(repository.tags())
        tags = resolve_tags(repository, sorted(self.listed))
        self._tags = {tag: desc.digest for tag, desc in tags.items()}
        self._lists = {desc.digest for tag, desc in tags.items() if _is_list(tag)}
        self._know(tags.values())

    @property
    def graph(self) -> RemoteGraph:
        """What has been read until now."""
        return RemoteGraph(dict(self._tags), dict(self._nodes), frozenset(self._pinned))

    def read_indexes(self) -> None:
        """Read the indexes that tags lead to, and those within them."""
        self._read_all(set())

    def read_tagged(self) -> None:
        """Read what has a tag, and every index below; look for what is spoken of."""
        self._read_all(set(self._tags.values()))
        subjects = {found for tag in self._tags if (found := subject_of(tag)) is not None}
        subjects |= {node.subject for node in self._nodes.values() if node.subject is not None}
        unknown = [str(digest) for digest in sorted(subjects - self._nodes.keys())]
        there = resolve_tags(self._repository, unknown)
        self._pinned |= {desc.digest for desc in there.values()}
        self._know(there.values())
        self._read_all(set())

    def read_around(self, digests: Iterable[Digest]) -> bool:
        """Read these, what they list and what speaks of them; whether anything was not known."""
        fresh = {digest for digest in digests if digest not in self._looked}
        self._looked |= fresh
        listed = [self._descriptors[digest] for digest in sorted(fresh)]
        for subject, entries in zip(
            listed, each(self._referrers, listed, workers=_WORKERS, name="graph"), strict=True
        ):
            for entry in entries:
                self._descriptors.setdefault(entry.digest, entry)
                self._pin_checkpoint(entry.digest, kind_of(entry))
                known = self._nodes.get(entry.digest, Node())
                self._nodes[entry.digest] = replace(known, subject=subject.digest)
        children = {child for digest in fresh for child in self._nodes[digest].children}
        self._read_all(fresh | children)
        return bool(fresh)

    def _referrers(self, subject: Descriptor) -> tuple[Descriptor, ...]:
        """What says itself that it speaks of the subject.

        Where the list is kept under a tag, everybody who may push writes what he likes into it.
        """
        try:
            listed = self._repository.referrers(subject)
        except ContentNotFound:
            return ()
        found = [self._referrer(entry) for entry in listed]
        return tuple(
            one.entry for one in found if one is not None and one.subject.digest == subject.digest
        )

    def _referrer(self, entry: Descriptor) -> Referrer | None:
        try:
            return fetch_referrer(self._repository, entry)
        except ContentNotFound:
            return None

    def _read_all(self, wanted: set[Digest]) -> None:
        """Read the wanted ones and every known index, until nothing more comes up."""
        while pending := [
            desc
            for digest, desc in self._descriptors.items()
            if digest not in self._read
            and (digest in wanted or desc.media_type in mediatypes.INDEXES)
        ]:
            for desc, content in zip(
                pending, each(self._fetch, pending, workers=_WORKERS, name="graph"), strict=True
            ):
                self._read.add(desc.digest)
                if content is not None:
                    self._take_in(desc, content)

    def _take_in(self, desc: Descriptor, content: bytes) -> None:
        what = f"{self._repository.name}@{desc.digest}"
        document = loads_object(content, what=what)
        listed = document.get("manifests")
        entries = listed if isinstance(listed, list) else []
        children = [Descriptor.parse(entry, what=what) for entry in entries]
        subject = document.get("subject")
        spoken_of = Descriptor.parse(subject, what=what).digest if subject is not None else None
        spoken_of = spoken_of or self._nodes[desc.digest].subject
        self._nodes[desc.digest] = Node(tuple(child.digest for child in children), spoken_of)
        self._pin_checkpoint(desc.digest, document.get("artifactType"))
        if desc.digest not in self._lists:
            self._know(children)

    def _pin_checkpoint(self, digest: Digest, kind: object) -> None:
        if kind == mediatypes.CHECKPOINT:
            self._pinned.add(digest)

    def _know(self, found: Iterable[Descriptor]) -> None:
        for desc in found:
            self._descriptors.setdefault(desc.digest, desc)
            self._nodes.setdefault(desc.digest, Node())
        if len(self._nodes) > limits.MAX_REMOTE_MANIFESTS:
            raise GraphTooLarge(
                f"{self._repository.name}: more than {limits.MAX_REMOTE_MANIFESTS} manifests"
            )

    def _fetch(self, desc: Descriptor) -> bytes | None:
        """The manifest; None for one that an index lists and that is not there."""
        try:
            return fetch_raw_manifest(self._repository, desc)
        except ContentNotFound:
            return None
