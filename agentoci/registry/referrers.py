"""What speaks of a manifest of one repository: asked of the registry, or kept under a tag.

distribution-spec, "Listing Referrers". Where the API is there, the tag is read too: a registry that
got the API by an upgrade may know nothing of what was listed under the tag before. What only the
tag lists is shown when it is there still.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import is_readable
from agentoci.content.referrers import (
    NotAReferrerList,
    Referrer,
    TooManyReferrers,
    fetch_referrer,
    of_type,
    parse_list,
    readable,
)
from agentoci.errors import Denied, Integrity
from agentoci.registry.deletion import Deletion, TaggedTarget
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import ManifestNotFound, RegistryFailing, Rejected
from agentoci.registry.fallback import FallbackIndex
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.links import next_page
from agentoci.registry.manifests import Manifests, stated_type
from agentoci.registry.problems import Problem
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json

_UNSUPPORTED: Final = frozenset({400, 404, 405, 406, 501})
"""What registries without the API answer."""

_NOTHING_THERE: Final = ("NAME_UNKNOWN", "MANIFEST_UNKNOWN")
"""A 404 that speaks of the image, and tells nothing of the API."""

_LOOKS: Final = (0.1, 0.2, 0.4)
"""Seconds that a registry gets to list what it said it would."""

_FILTERED: Final = "artifactType"
_TYPELESS: Final = (None, mediatypes.OCI_EMPTY)
"""Types that say nothing: some writers leave them out, and Harbor showed the config's."""


@dataclass(frozen=True, slots=True)
class _Page:
    entries: tuple[Json, ...]
    filtered: bool
    following: str | None


class Referrers:
    """The lists of one repository; safe to use from several threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        name: str,
        manifests: Manifests,
        *,
        source: TaggedTarget,
        read: tuple[str, ...],
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._source = source
        self._read = read
        self.fallback = FallbackIndex(endpoint, name, manifests, read=read)
        self._without_api = False

    def of(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """The referrers of a manifest, of one type or all, each once.

        An entry carries `artifact_type` and annotations. Raises registry errors, NotAReferrerList.
        """
        listed = self._asked(subject.digest, artifact_type)
        if listed is None:
            entries = readable(self.fallback.read(subject.digest))
            return of_type(map(self._typed, entries), artifact_type)
        present = {entry.digest for entry in listed}
        with contextlib.suppress(Integrity):
            entries = of_type(readable(self.fallback.read(subject.digest)), artifact_type)
            left_over = [entry for entry in entries if entry.digest not in present]
            listed += tuple(entry for entry in left_over if is_readable(self._source, entry))
        return listed

    def supported(self, subject: Descriptor) -> bool:
        """Whether the registry lists referrers by itself; asks it."""
        return self._pages(subject.digest, "")[0] is not None

    def store(self, referrer: Referrer, put: Callable[[], Answer]) -> None:
        """Store a manifest with a subject by `put`, and see to it that it is listed.

        The answer tells whether the registry does so by itself (distribution-spec, "Pushing
        Manifests with Subject"); one that says so and does not is told again, for it may have
        served two writers at once. What it leaves out all the same is listed under the tag. Raises
        ReferrerLost, what `put` raises, and registry errors.
        """
        subject = referrer.subject.digest
        for pause in _LOOKS:
            with self._endpoint.turns.alone(self._what(subject)):
                stored = put()
                if stored.headers.get("OCI-Subject", "").strip() != str(subject):
                    break
                self._learn(supported=True)
                listed, _ = self._pages(subject, "")
            if listed is None or referrer.entry in listed:
                return
            self._endpoint.turns.pause(pause)
        self.fallback.change(subject, add=[referrer.entry])

    def remove(self, subject: Descriptor, gone: Collection[Descriptor]) -> tuple[Descriptor, ...]:
        """Let referrers be listed no more; returns those that the registry lists all the same.

        They are taken off the tag's list. Where the API lists them they are deleted; else they are
        left to the registry's own collection, for another tag may mean them.
        """
        digests = {desc.digest for desc in gone}
        listed = readable(self.fallback.read(subject.digest))
        if any(entry.digest in digests for entry in listed):
            self.fallback.change(subject.digest, drop=digests)
        asked = self._pages(subject.digest, "")[0] or ()
        return tuple(
            entry for entry in asked if entry.digest in digests and not self._delete(entry)
        )

    # The registry's own list

    def _asked(self, subject: Digest, artifact_type: str | None) -> tuple[Descriptor, ...] | None:
        """What the registry lists; None when it keeps no lists.

        Its own filter finds what it lists under a wrong type, ours what says its type by an
        annotation.
        """
        if artifact_type is None:
            entries, _ = self._pages(subject, "")
            return None if entries is None else tuple(map(self._typed, entries))
        query = f"?artifactType={quote(artifact_type, safe='')}"
        entries, filtered = self._pages(subject, query)
        if entries is None:
            return None
        if not filtered:
            return of_type(map(self._typed, entries), artifact_type)
        known = {entry.digest for entry in entries}
        everything = self._pages(subject, "")[0] or ()
        others = [entry for entry in everything if entry.digest not in known]
        return entries + of_type(map(self._typed, others), artifact_type)

    def _pages(self, subject: Digest, query: str) -> tuple[tuple[Descriptor, ...] | None, bool]:
        """All pages of a list, and whether the registry filtered them by itself."""
        first = self._endpoint.url(f"{self._name}/referrers/{subject}{query}")
        url: str | None = first
        found: dict[Digest, Descriptor] = {}
        filtered = False
        for _ in range(limits.MAX_REFERRER_PAGES):
            if url is None:
                return tuple(found.values()), filtered
            page = None if self._without_api else self._page(url, subject)
            if page is None and url != first:
                host, what = self._endpoint.host, self._what(subject)
                raise RegistryFailing(host, f"{what}: it does not give the rest of its list")
            if page is None:
                return None, False
            found |= {entry.digest: entry for entry in readable(page.entries)}
            filtered = filtered or page.filtered
            url = page.following
            if len(found) > limits.MAX_REFERRERS:
                break
        raise TooManyReferrers(f"{self._what(subject)}: its list of referrers does not end")

    def _page(self, url: str, subject: Digest) -> _Page | None:
        request = Request("GET", url, {"Accept": mediatypes.OCI_INDEX})
        answer = self._endpoint.request(request, self._read, expect={200})
        if answer.status in _UNSUPPORTED:
            if Problem.read(answer).code not in _NOTHING_THERE:
                self._learn(supported=False)
            return None
        if answer.status != 200:
            raise self._endpoint.error(answer, what=self._what(subject), missing=ManifestNotFound)
        with answer:
            content = answer.content(limits.MAX_MANIFEST_BYTES)
        entries = self._entries(answer, content, subject)
        if entries is None:
            self._learn(supported=False)
            return None
        self._learn(supported=True)
        filtered = _FILTERED in answer.headers.get("OCI-Filters-Applied", "")
        return _Page(entries, filtered, next_page(answer, self._endpoint.origin))

    def _entries(self, answer: Answer, content: bytes, subject: Digest) -> tuple[Json, ...] | None:
        """None for what is no list: a proxy's page, the word of another protocol."""
        if stated_type(answer) not in mediatypes.INDEXES:
            return None
        if len(content) > limits.MAX_MANIFEST_BYTES:
            raise RegistryFailing(
                self._endpoint.host,
                f"{self._what(subject)}: a page of its referrers is larger than "
                f"{limits.MAX_MANIFEST_BYTES} bytes",
            )
        try:
            return parse_list(content, what=self._what(subject))
        except NotAReferrerList:
            return None

    def _learn(self, *, supported: bool) -> None:
        self._without_api = not supported
        self._endpoint.learn(referrers=supported)

    def _typed(self, entry: Descriptor) -> Descriptor:
        """An entry with its type, from the manifest itself where the list does not say it."""
        if entry.artifact_type not in _TYPELESS:
            return entry
        with contextlib.suppress(ContentNotFound, Integrity):
            found = fetch_referrer(self._source, entry)
            if found is not None:
                known = {**found.entry.annotations, **entry.annotations}
                return replace(entry, artifact_type=found.entry.artifact_type, annotations=known)
        return entry

    def _delete(self, desc: Descriptor) -> bool:
        """Delete a manifest; False when the registry does not."""
        try:
            Deletion(self._endpoint, self._name, self._source).manifest(desc.digest)
        except ManifestNotFound:
            return True
        except (Denied, Rejected):
            return False
        return True

    def _what(self, subject: Digest) -> str:
        return self._endpoint.named(self._name, str(subject))
