"""`index.json` of an image layout: which manifests are held, and under which names.

Reading takes no lock: the file is replaced as a whole. Changing it is read, change, replace under
one lock, so that two processes never lose each other's names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentoci._internal import files, limits
from agentoci._internal.locks import lock
from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json, canonical, loads_object


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the index: a manifest and, unless it is untagged, one of its names."""

    desc: Descriptor
    name: str | None = None

    @classmethod
    def parse(cls, document: Json, *, what: str) -> Entry:
        """Read a line; the name is the annotation `org.opencontainers.image.ref.name`."""
        read = Descriptor.parse(document, what=what)
        rest = dict(read.annotations)
        name = rest.pop(keys.REF_NAME, None)
        desc = Descriptor(
            read.media_type, read.digest, read.size, rest, read.artifact_type, read.platform
        )
        return cls(desc, name)

    def document(self) -> dict[str, Json]:
        """The line's JSON object."""
        if self.name is None:
            return self.desc.document()
        return self.desc.annotated(**{keys.REF_NAME: self.name}).document()

    @property
    def digest(self) -> Digest:
        """The manifest's digest."""
        return self.desc.digest

    @property
    def annotations(self) -> Mapping[str, str]:
        """What the line says about the manifest, for listings."""
        return self.desc.annotations


class IndexFile:
    """The index of one layout."""

    def __init__(self, root: Path) -> None:
        self._path = root / "index.json"
        self._lock = root / "ingest" / "index.lock"

    def read(self) -> tuple[Entry, ...]:
        """All entries, as they are at this moment; none when the layout is new."""
        try:
            raw = files.read_at_most(self._path, limits.MAX_INDEX_FILE_BYTES)
        except FileNotFoundError:
            return ()
        what = str(self._path)
        document = loads_object(raw, what=what, limit=limits.MAX_INDEX_FILE_BYTES)
        found = document.get("manifests")
        if not isinstance(found, list):
            raise Integrity(f"{what}: has no list of manifests")
        return tuple(Entry.parse(entry, what=what) for entry in found)

    @contextlib.contextmanager
    def changing(self) -> Iterator[Change]:
        """Change the index: the block gets the entries, and what it leaves is written.

        Nothing is written when the block raises or changes nothing.
        """
        from agentoci.store.disk import translate_disk_errors  # listing needs nothing of it

        with contextlib.ExitStack() as held:
            with translate_disk_errors(self._lock):
                held.enter_context(lock(self._lock))
            change = Change(list(self.read()))
            yield change
            if change.touched:
                with translate_disk_errors(self._path):
                    files.write_atomically(self._path, encode_index(change.entries))


@dataclass(slots=True)
class Change:
    """The entries while the index is locked."""

    entries: list[Entry]
    touched: bool = False

    def put(self, entry: Entry) -> None:
        """Let the entry's name mean its manifest; a manifest that loses its last name stays."""
        name = entry.name
        losers = [e for e in self.entries if name is not None and e.name == name]
        kept = [e for e in self.entries if e not in losers and not _is_nameless(e, entry.digest)]
        kept.append(entry)
        for loser in losers:
            if all(e.digest != loser.digest for e in kept):
                kept.append(Entry(loser.desc))
        self.entries[:] = kept
        self.touched = True

    def remove(self, matches: Callable[[Entry], bool]) -> list[Entry]:
        """Drop entries; returns them."""
        gone = [entry for entry in self.entries if matches(entry)]
        self.entries[:] = [entry for entry in self.entries if entry not in gone]
        self.touched = self.touched or bool(gone)
        return gone


def _is_nameless(entry: Entry, digest: Digest) -> bool:
    return entry.digest == digest and entry.name is None


def encode_index(entries: Sequence[Entry]) -> bytes:
    """The bytes of an `index.json`."""
    manifests: list[Json] = [entry.document() for entry in entries]
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": manifests,
    }
    return canonical(document)
