"""What speaks of an image in a layout, and what becomes of it when the image goes.

An attachment is an entry of the index without a name whose manifest has a subject. It stays as long
as its subject is held, and goes with it; one that has a name of its own holds its subject instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import fetch_bytes
from agentoci.content.referrers import (
    Referrer,
    fetch_referrer,
    of_type,
    parse_list,
    readable,
)
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import referrers_tag
from agentoci.store.collect import reachable
from agentoci.store.index import Entry

if TYPE_CHECKING:
    from agentoci.store.layout import LayoutStore


def referrers_in(
    store: LayoutStore, subject: Descriptor, *, artifact_type: str | None = None
) -> tuple[Descriptor, ...]:
    """The held manifests with this subject, and those that another tool's list names."""
    found: dict[Digest, Descriptor] = {}
    for entry in store.index.read():
        if (referrer := _referrer(store, entry)) and referrer.subject.digest == subject.digest:
            found[entry.digest] = referrer.entry
        elif _is_list(entry, subject.digest):
            for listed in _listed(store, entry.desc):
                found.setdefault(listed.digest, listed)
    return of_type(found.values(), artifact_type)


def _referrer(store: LayoutStore, entry: Entry) -> Referrer | None:
    with contextlib.suppress(ContentNotFound, Integrity):
        return fetch_referrer(store, entry.desc)
    return None


def _is_list(entry: Entry, subject: Digest) -> bool:
    """Whether it is a list of the referrers tag schema, which regctl writes into layouts too."""
    tag = referrers_tag(subject)
    return entry.name is not None and (entry.name == tag or entry.name.endswith(f":{tag}"))


def _listed(store: LayoutStore, desc: Descriptor) -> Iterator[Descriptor]:
    with contextlib.suppress(ContentNotFound, Integrity):
        for entry in readable(parse_list(fetch_bytes(store, desc), what=str(desc.digest))):
            if store.exists(entry):
                yield entry


def attachments_of(
    store: LayoutStore, entries: Iterable[Entry], subjects: Iterable[Digest]
) -> list[Entry]:
    """Of the entries, the attachments of these subjects, and the attachments of those."""
    speaking = [
        (entry, referrer.subject.digest)
        for entry in entries
        if entry.name is None and (referrer := _referrer(store, entry))
    ]
    spoken_of, found = set(subjects), list[Entry]()
    while fresh := [each for each in speaking if each[1] in spoken_of]:
        found += [entry for entry, _ in fresh]
        spoken_of |= {entry.digest for entry, _ in fresh}
        speaking = [each for each in speaking if each not in fresh]
    return found


def orphaned(store: LayoutStore, gone: Sequence[Descriptor]) -> list[Entry]:
    """The attachments of manifests that have left the index and that nothing else leads to."""
    entries = store.index.read()
    candidates = attachments_of(store, entries, reachable(store, gone, tolerant=True))
    if not candidates:
        return []
    held = reachable(store, [entry.desc for entry in entries if entry not in candidates])
    lost = reachable(store, gone, tolerant=True) - held
    return attachments_of(store, candidates, lost)
