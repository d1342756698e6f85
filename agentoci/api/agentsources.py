"""Where required agents are looked for: the local store, then repositories of registries."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agentoci._internal.threads import each
from agentoci.api.tags import split_entry_name
from agentoci.api.transfers import NoRegistry
from agentoci.content.protocols import ContentNotFound, Fetcher
from agentoci.errors import Denied
from agentoci.release.candidates import Candidate, Known, Requirement, newest_first
from agentoci.release.requirements import annotated, requirements_of
from agentoci.release.resolve import MAX_NAMES
from agentoci.release.tagversions import candidates_of
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import is_digest_tag
from agentoci.spec.manifest import AnyManifest, Manifest, parse_manifest
from agentoci.spec.mediatypes import LayerKind
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.spec.registrypath import RegistryPath
from agentoci.store.images import NotAnAgent, layer_type, read_image
from agentoci.store.index import Entry

if TYPE_CHECKING:
    from semver import Version

    from agentoci.api.engine import Engine

WORKERS: Final = 8
"""Requests at once."""

LOCAL: Final = "the local store"


@dataclass(slots=True)
class AgentSources:
    """`Candidates` over the local store and registries; everything is asked for once.

    The local store has rank 0, so that at equal versions it comes first; if `fresh`, a name's copy
    there does not count where its registry has the tag.
    """

    engine: Engine
    sources: tuple[RegistryPath, ...] = ()
    fresh: bool = False
    _entries: tuple[Entry, ...] | None = None
    _offers: dict[tuple[str, str | None], list[Candidate]] = field(default_factory=dict)
    _known: dict[str, Known | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shown(self) -> tuple[str, ...]:
        """Where names are looked for, in words."""
        return (LOCAL, *map(str, self.sources))

    def names(self) -> tuple[str, ...]:
        """Names that the local store knows, for hints."""
        found = (split_entry_name(entry.name or "")[0] for entry in self._local_entries())
        return tuple(sorted({name.rpartition("/")[2] for name in found if name}))

    def versions(self, name: str, repository: str | None) -> Sequence[Candidate]:
        """Of that repository, here and at its registry; else wherever names are looked for."""
        if (name, repository) not in self._offers:
            self._offers[name, repository] = self._look(name, repository)
        return self._offers[name, repository]

    def read(self, candidate: Candidate) -> Known | None:
        """Its manifest; the config only where the manifest leaves the needs open."""
        key = f"{candidate.name} {candidate.reference}@{candidate.digest or ''}"
        if key not in self._known:
            self._known[key] = self._read(candidate)
        return self._known[key]

    def warm(self, requirements: Iterable[Requirement], kept: Mapping[str, Candidate]) -> None:
        """Ask at once for what resolving will most likely ask for: the newest that fits of each.

        It goes on with what those need, to no more names than resolving can take. What is not
        found is left to resolving.
        """
        wanted: dict[str, list[Requirement]] = {}
        seen: set[tuple[str, str | None]] = set()
        fresh = list(requirements)
        while fresh:
            for requirement in fresh:
                wanted.setdefault(requirement.name, []).append(requirement)
            asked = sorted(
                {(r.name, r.repository) for r in fresh} - seen, key=lambda k: (k[0], k[1] or "")
            )
            if len(seen) + len(asked) > MAX_NAMES:
                return
            # The first of all alone: it teaches how the registry wants to be asked, and logs in.
            alone = 0 if seen else 1
            seen.update(asked)
            picks = self._picks(asked[:alone], wanted, kept)
            picks += self._picks(asked[alone:], wanted, kept)
            fresh = [need for pick in picks if pick is not None for need in pick.needs]
            fresh = [need for need in fresh if (need.name, need.repository) not in seen]

    def _picks(
        self,
        asked: Sequence[tuple[str, str | None]],
        wanted: Mapping[str, Sequence[Requirement]],
        kept: Mapping[str, Candidate],
    ) -> list[Known | None]:
        """The pick of each name, several at once."""
        return each(
            lambda key: self._pick(key[0], key[1], wanted[key[0]], kept),
            asked,
            workers=WORKERS,
            name="resolve",
        )

    def _pick(
        self,
        name: str,
        repository: str | None,
        wanted: Sequence[Requirement],
        kept: Mapping[str, Candidate],
    ) -> Known | None:
        ours = [kept[name]] if name in kept else []
        if ours and repository not in (None, ours[0].repository):
            ours = []  # nobody asks a registry that is wanted by the lock alone
        for candidate in (
            *ours,
            *newest_first(self.versions(name, repository) if not ours else ()),
        ):
            if all(candidate.may_be(requirement.range) for requirement in wanted):
                return self.read(candidate)
        return None

    # Looking

    def _look(self, name: str, repository: str | None) -> list[Candidate]:
        """Images of other registries that happen to be here count when there is nothing else."""
        here, there = self._local(name, repository), self._remotes(name, repository)
        if self.fresh:
            elsewhere = {candidate.reference for candidate in there}
            here = [candidate for candidate in here if candidate.reference not in elsewhere]
        found = here + there
        return [candidate for candidate in found if self._is_meant(candidate, repository)] or found

    def _is_meant(self, candidate: Candidate, repository: str | None) -> bool:
        """Whether it is from where somebody said: else whatever was pulled could outbid that."""
        if candidate.rank or repository is not None:
            return True
        place, _, _ = candidate.repository.rpartition("/")
        return Reference.parse(candidate.repository).is_local or place in map(str, self.sources)

    def _remotes(self, name: str, repository: str | None) -> list[Candidate]:
        """Of the first source that has the name: a stranger's elsewhere must not outbid it."""
        found: list[Candidate] = []
        if repository is not None:
            reference = Reference.parse(repository)
            return self._remote(name, reference, 1) if reference.registry else []
        for rank, source in enumerate(self.sources, 1):
            try:
                reference = source.repository(name)
            except InvalidReference:
                continue
            try:
                found = self._remote(name, reference, rank)
            except Denied as exc:
                self.engine.warn(f"{reference.name} was passed over: {exc.message}")
            if found:
                break
        return found

    def _local(self, name: str, repository: str | None) -> list[Candidate]:
        digests: dict[str, dict[str, Digest]] = {}
        for entry in self._local_entries():
            held, tag = split_entry_name(entry.name or "")
            if tag and (held == repository if repository else name in (held, _last(held))):
                digests.setdefault(held, {})[tag] = entry.digest
        return [
            candidate
            for held, tags in digests.items()
            for candidate in candidates_of(name, held, tags, rank=0, digests=tags)
        ]

    def _local_entries(self) -> tuple[Entry, ...]:
        with self._lock:
            if self._entries is None:
                self._entries = self.engine.store.index.read()
            return self._entries

    def _remote(self, name: str, reference: Reference, rank: int) -> list[Candidate]:
        try:
            tags = self.engine.client.repository(reference).tags()
        except ContentNotFound:
            return []
        tags = [tag for tag in tags if not is_digest_tag(tag)]
        return candidates_of(name, reference.name, tags, rank=rank)

    # Reading

    def _read(self, candidate: Candidate) -> Known | None:
        try:
            source, desc, manifest = self._manifest(candidate)
            if not _may_be_agent(manifest):
                return None
            version = candidate.version
            if candidate.span is not None:
                version = _stated(manifest) or version
            needs = _needs(source, desc, manifest, candidate.reference)
            return Known(candidate.settled(version, desc.digest), needs)
        except (ContentNotFound, NotAnAgent, NoRegistry):
            return None

    def _manifest(self, candidate: Candidate) -> tuple[Fetcher, Descriptor, AnyManifest]:
        """The manifest, here when it is here, else from its registry in one request."""
        what = candidate.reference
        if candidate.digest is not None and (here := self._held(candidate.digest)) is not None:
            from agentoci.content.graph import fetch_manifest

            return self.engine.store, here, fetch_manifest(self.engine.store, here)
        reference = self.engine.transfers.at_registry(Reference.parse(candidate.reference))
        repository = self.engine.client.repository(reference)
        selector = str(candidate.digest or reference.tag)
        desc, raw = repository.read_manifest(selector)
        return repository, desc, parse_manifest(raw, media_type=desc.media_type, what=what)

    def _held(self, digest: Digest) -> Descriptor | None:
        found = (entry.desc for entry in self._local_entries() if entry.digest == digest)
        desc = next(found, None)
        return desc.bare() if desc is not None else None


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _may_be_agent(manifest: AnyManifest) -> bool:
    if isinstance(manifest, Manifest):
        return manifest.is_agent
    return manifest.annotations.get(keys.ARTIFACT_TYPE, mediatypes.AGENT) == mediatypes.AGENT


def _stated(manifest: AnyManifest) -> Version | None:
    """The version that the image states, where its tag leaves it open."""
    from semver import Version

    text = manifest.annotations.get(keys.VERSION, "")
    return Version.parse(text) if Version.is_valid(text) else None


def _needs(
    source: Fetcher, desc: Descriptor, manifest: AnyManifest, what: str
) -> tuple[Requirement, ...]:
    """From the annotation; an image without tools needs none, and for others the config tells."""
    text = manifest.annotations.get(keys.REQUIREMENTS)
    if text is not None:
        return annotated(text, what=what)
    if isinstance(manifest, Manifest) and not any(
        layer_type(layer).kind is LayerKind.TOOLS for layer in manifest.layers
    ):
        return ()
    config = read_image(source, desc, what=what).config
    return requirements_of(config.agentoci.get("requirements", []), what=what)
