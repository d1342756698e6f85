"""Referrers: manifests that speak of another manifest, their `subject`.

Signatures, SBOMs and reports are found by lists of them (distribution-spec, "Listing Referrers"):
image indexes whose entries carry what a reader chooses by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from agentoci._internal import limits
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor, parse_annotations
from agentoci.spec.jsonio import Json, loads_object


class NotAReferrerList(Integrity):
    """Something else stands where a list of referrers belongs."""


class TooManyReferrers(Integrity):
    """A list that is longer than any honest one."""


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest with a subject; `entry` is its line in a list, with type and annotations."""

    subject: Descriptor
    entry: Descriptor


def referrer_of(desc: Descriptor, content: bytes) -> Referrer | None:
    """Read a manifest's subject; None when it speaks of nothing else.

    Reads no more than a list needs, so that manifests of types to come are listed too. Raises
    InvalidJson, InvalidDescriptor.
    """
    if not desc.is_manifest or b'"subject"' not in content:
        return None
    what = str(desc.digest)
    document = loads_object(content, what=what)
    subject = document.get("subject")
    if subject is None:
        return None
    entry = Descriptor(
        desc.media_type,
        desc.digest,
        desc.size,
        parse_annotations(document.get("annotations"), what=what),
        _type_of(document),
    )
    return Referrer(Descriptor.parse(subject, what=f"{what}: subject").bare(), entry)


def _type_of(document: dict[str, Json]) -> str | None:
    """`artifactType`, else the config's type (distribution-spec, "Listing Referrers")."""
    config = document.get("config")
    stated = document.get("artifactType")
    found = stated or (config.get("mediaType") if isinstance(config, dict) else None)
    return found if isinstance(found, str) and found else None


def fetch_referrer(source: Fetcher, desc: Descriptor) -> Referrer | None:
    """Fetch a manifest and read its subject; raises ContentNotFound and what `referrer_of` does."""
    return referrer_of(desc, fetch_bytes(source, desc))


def kind_of(entry: Descriptor) -> str | None:
    """What a referrer is: the image profile says it by an annotation, the others by their type."""
    return entry.annotations.get(keys.ARTIFACT_TYPE) or entry.artifact_type


def of_type(entries: Iterable[Descriptor], artifact_type: str | None) -> tuple[Descriptor, ...]:
    """The entries of a type; None keeps all."""
    return tuple(
        entry
        for entry in entries
        if artifact_type is None or artifact_type in (entry.artifact_type, kind_of(entry))
    )


def parse_list(content: bytes, *, what: str) -> tuple[Json, ...]:
    """The raw entries of a list of referrers; raises NotAReferrerList for anything else.

    Raw, because whoever adds one writes the others back: nothing of theirs may be lost.
    """
    try:
        document = loads_object(content, what=what)
    except Integrity as exc:
        raise NotAReferrerList(f"{what}: not an index: {exc.message}") from exc
    media_type = document.get("mediaType", mediatypes.OCI_INDEX)
    entries = document.get("manifests", ())
    known = isinstance(media_type, str) and media_type in mediatypes.INDEXES
    if not known or "manifests" not in document:
        raise NotAReferrerList(f"{what}: not an index, but {media_type!r}")
    if entries is None:  # Go writes an empty list so
        return ()
    if not isinstance(entries, list):
        raise NotAReferrerList(f"{what}: an index without a list of manifests")
    if len(entries) > limits.MAX_REFERRERS:
        raise TooManyReferrers(f"{what}: lists {len(entries)}, more than {limits.MAX_REFERRERS}")
    return tuple(entries)


def readable(entries: Iterable[Json]) -> tuple[Descriptor, ...]:
    """The entries that this program can read, one per digest: manifests with a digest it knows."""
    found: dict[str, Descriptor] = {}
    for entry in entries:
        try:
            desc = Descriptor.parse(entry, what="referrer")
        except Integrity:
            continue
        if desc.is_manifest:
            found.setdefault(str(desc.digest), desc)
    return tuple(found.values())


def encode_list(entries: Iterable[Json]) -> bytes:
    """The bytes of a list, sorted, so that two writers of the same list write the same bytes."""
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": sorted(entries, key=key_of),
    }
    return _spelled(document).encode()


def _spelled(document: Json) -> str:
    """Strange numbers of others pass, where RFC 8785 would refuse them."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def key_of(entry: Json) -> str:
    """What tells one raw entry from another: its digest, as it is written."""
    found = entry.get("digest") if isinstance(entry, dict) else None
    return found if isinstance(found, str) else _spelled(entry)
