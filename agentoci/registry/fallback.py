"""Lists of referrers for registries that keep none: an index under a tag of its own.

distribution-spec, "Referrers Tag Schema". Every writer reads the index, changes it and writes it
back, and no registry offers compare-and-set. So writers of one host take turns, and whoever wrote
looks again whether somebody elsewhere overwrote it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from agentoci._internal import limits
from agentoci.content.reader import SizeMismatch
from agentoci.content.referrers import (
    NotAReferrerList,
    encode_list,
    key_of,
    parse_list,
    readable,
)
from agentoci.errors import Conflict
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import ManifestBlobUnknown, ManifestNotFound
from agentoci.registry.http.transport import Request
from agentoci.registry.manifests import Manifests, TagImmutable
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import referrers_tag
from agentoci.spec.jsonio import Json

_TRIES: Final = 5
"""How often a list that others keep changing is written before we give up."""

_LOOKS: Final = (0.1, 0.2, 0.4)
"""Seconds before each look after writing: whoever read the list before we wrote has overwritten
it by then, slow lines included."""


class ReferrerLost(Conflict):
    """Other clients kept overwriting the list, and what we wrote is not in it."""


@dataclass(slots=True)
class Change:
    """What a list must and must not hold.

    `seen` are entries of others that must survive us; `gone` those that the registry knows no more.
    """

    add: Sequence[Descriptor] = ()
    drop: Collection[Digest] = ()
    seen: dict[str, Json] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def applied(self, present: Iterable[Json]) -> list[Json] | None:
        """The list as it should be; None when it is that already."""
        dropped = {str(digest) for digest in self.drop} | self.gone
        given = {str(desc.digest): desc.document() for desc in self.add}
        found = {key_of(entry): entry for entry in present}
        wanted: dict[str, Json] = {**self.seen, **found, **given}
        wanted = {key: entry for key, entry in wanted.items() if key not in dropped}
        return None if wanted == found else list(wanted.values())


class FallbackIndex:
    """The lists of one repository; safe to use from several threads and processes."""

    def __init__(
        self, endpoint: Endpoint, name: str, manifests: Manifests, *, read: tuple[str, ...]
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._manifests = manifests
        self._read = read

    def read(self, subject: Digest) -> tuple[Json, ...]:
        """The raw entries of a subject's list; none when it has no list.

        Raises NotAReferrerList when the tag means something else, and registry errors.
        """
        tag = referrers_tag(subject)
        what = self._endpoint.named(self._name, tag)
        url = self._endpoint.url(f"{self._name}/manifests/{tag}")
        request = Request("GET", url, {"Accept": mediatypes.ACCEPT})
        answer = self._endpoint.request(request, self._read, expect={200, 404})
        if answer.status == 404:
            answer.discard()
            return ()
        if answer.status != 200:
            raise self._endpoint.error(answer, what=what, missing=ManifestNotFound)
        with answer:
            content = answer.content(limits.MAX_MANIFEST_BYTES)
        if len(content) > limits.MAX_MANIFEST_BYTES:
            raise SizeMismatch(f"{what}: larger than {limits.MAX_MANIFEST_BYTES} bytes")
        return parse_list(content, what=what)

    def change(
        self, subject: Digest, *, add: Sequence[Descriptor] = (), drop: Collection[Digest] = ()
    ) -> None:
        """Let the list hold entries, and others no more; what anybody else adds stays.

        Does not return before it has looked that nobody overwrote it. Raises ReferrerLost when they
        keep doing so, NotAReferrerList, and registry errors.
        """
        change = Change(add, drop)
        looks = list(_LOOKS) if self._settle(subject, change) else []
        losses = 0
        while looks:
            self._endpoint.turns.pause(looks.pop(0))
            if change.applied(self.read(subject)) is None:
                continue
            losses += 1
            if losses == _TRIES:
                raise self._lost(subject, change)
            if self._settle(subject, change):
                looks = list(_LOOKS)

    def _settle(self, subject: Digest, change: Change) -> bool:
        """Write until the list reads as it should; whether anything was written."""
        tag = referrers_tag(subject)
        with self._endpoint.turns.alone(self._endpoint.named(self._name, tag)):
            for written in range(_TRIES):
                present = self.read(subject)
                change.seen = self._alive(change, present)
                wanted = change.applied(present)
                if wanted is None:
                    return written > 0
                if written:
                    self._endpoint.patience.wait(written)
                try:
                    self._write(subject, wanted)
                except (ManifestBlobUnknown, ManifestNotFound):  # many want each entry there
                    change.gone |= {key_of(each) for each in wanted if not self._exists(each)}
                else:
                    change.seen |= {key_of(entry): entry for entry in wanted}
            if change.applied(self.read(subject)) is None:
                return True
        raise self._lost(subject, change)

    def _alive(self, change: Change, present: Sequence[Json]) -> dict[str, Json]:
        """What was seen before, without what somebody took off the list and deleted since."""
        here = {key_of(entry) for entry in present}
        ours = {str(desc.digest) for desc in change.add}
        return {
            key: entry
            for key, entry in change.seen.items()
            if key in here or key in ours or self._exists(entry)
        }

    def _exists(self, entry: Json) -> bool:
        return all(map(self._manifests.exists, readable([entry])))

    def _write(self, subject: Digest, entries: Sequence[Json]) -> None:
        content = encode_list(entries)
        tag = referrers_tag(subject)
        if len(content) > limits.MAX_MANIFEST_BYTES:
            raise NotAReferrerList(
                f"{self._name}:{tag}: {len(entries)} referrers make a list of "
                f"{len(content)} bytes, registries take {limits.MAX_MANIFEST_BYTES}",
                hint="`agent attach --replace` replaces earlier ones of the same type",
            )
        try:
            self._manifests.put(Descriptor.of(mediatypes.OCI_INDEX, content), content, (tag,))
        except TagImmutable as exc:
            raise TagImmutable(
                f"{exc.message}; what speaks of an image is listed there",
                hint=f"let tags sha256-* of {self._name} be changed",
            ) from exc

    def _lost(self, subject: Digest, change: Change) -> ReferrerLost:
        image = self._endpoint.named(self._name, str(subject))
        added = " ".join(str(desc.digest) for desc in change.add)
        return ReferrerLost(
            f"{image}: other clients keep overwriting its list of referrers"
            + (f"; {added} is stored, but not listed" if added else ""),
            hint=f"agent discover --repair {image} {added}".rstrip(),
        )
