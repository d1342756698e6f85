"""Archives: an image layout in one tar (`oci-archive`), written and read as a stream."""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Final, Self, cast

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound, Reader, Source
from agentoci.content.reader import VerifiedReader
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import canonical, loads_object
from agentoci.store.index import Change, Entry, encode_index
from agentoci.store.layout import LayoutStore, check_version

_BLOB: Final = re.compile(r"(?:\./)?blobs/(sha256|sha512)/([0-9a-f]+)")
_METADATA: Final = frozenset({"index.json", "oci-layout"})
_OF_DOCKER: Final = frozenset({"manifest.json", "repositories"})
"""What `docker save` adds to a layout."""


class BadArchive(Integrity):
    """Not an archive that holds an OCI image layout."""


class ArchiveWriter:
    """A target that writes a layout archive to a stream; copy into it with one worker.

    The same content gives the same bytes: entries come in the order of the copy, without times.
    `close` writes the index; the stream stays open.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        sink = cast("IO[bytes]", _Sink(stream))
        self._tar = tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._index = Change([])
        self._written: set[Digest] = set()
        self._add("oci-layout", canonical({"imageLayoutVersion": "1.0.0"}))

    def exists(self, desc: Descriptor) -> bool:
        """Whether the archive holds it already."""
        return desc.digest in self._written

    def push(self, desc: Descriptor, source: Source) -> None:
        """Append a blob, verified while it passes."""
        if self.exists(desc):
            return
        info = tarfile.TarInfo(f"blobs/{desc.digest.algorithm}/{desc.digest.hex}")
        info.size, info.mode = desc.size, 0o644
        with source.open() as stream:
            self._tar.addfile(info, _AsFile(VerifiedReader(stream, desc)))
        self._written.add(desc.digest)

    def tag(self, desc: Descriptor, name: str) -> None:
        """Remember a name for the index; a digest as name holds the manifest untagged."""
        if name != str(desc.digest):
            self._index.put(Entry(desc.bare(), name))
        elif all(entry.digest != desc.digest for entry in self._index.entries):
            self._index.put(Entry(desc.bare()))

    def resolve(self, name: str) -> Descriptor:
        """The descriptor tagged so far; raises ContentNotFound."""
        for entry in reversed(self._index.entries):
            if name in (entry.name, str(entry.digest)):
                return entry.desc
        raise ContentNotFound(f"{name}: not in the archive")

    def fetch(self, desc: Descriptor, offset: int = 0) -> contextlib.AbstractContextManager[Reader]:
        """A stream cannot be read back."""
        raise BadArchive(f"{desc.digest}: cannot be read back (at {offset}) while being written")

    def close(self) -> None:
        """Write the index and the end of the archive."""
        self._add("index.json", encode_index(self._index.entries))
        self._tar.close()

    def _add(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        self._tar.addfile(info, io.BytesIO(content))


class _Sink:
    """The stream until it breaks: tarfile writes on when an abandoned archive is collected."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._broken = False

    def write(self, chunk: bytes) -> None:
        if self._broken or self._stream.closed:
            return
        self._broken = True
        self._stream.write(chunk)
        self._broken = False


class _AsFile(io.RawIOBase):
    """A reader with the face that tarfile copies from."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def read(self, size: int = -1, /) -> bytes:
        parts: list[bytes] = []
        while size > 0 and (chunk := self._reader.read(size)):
            parts.append(chunk)
            size -= len(chunk)
        return b"".join(parts)


class StrictInfo(tarfile.TarInfo):
    """A header whose every fault is a TarError."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            info = super().fromtarfile(tar)
        except (ValueError, OverflowError) as exc:
            raise tarfile.ReadError(f"bad header: {exc}") from exc
        if info.size < 0:
            raise tarfile.ReadError(f"{info.name!r} has {info.size} bytes")
        return info


@contextlib.contextmanager
def reading_tar(stream: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """A tar stream whose faults are BadArchive."""
    try:
        with _open(stream) as tar:
            yield tar
    except tarfile.TarError as exc:
        raise BadArchive(f"not a readable archive: {exc}") from exc


def _open(stream: IO[bytes]) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r|*", tarinfo=StrictInfo)
    except TypeError as exc:  # how tarfile takes a gzip header that ends early
        raise tarfile.ReadError("a gzip header that ends early") from exc


def load_layout(tar: tarfile.TarFile, first: tarfile.TarInfo, store: LayoutStore) -> list[Entry]:
    """Take the blobs of a layout archive into the store, each verified by its name.

    Returns the entries of the archive's index; nothing is tagged yet. Raises BadArchive.
    """
    metadata: dict[str, bytes] = {}
    member: tarfile.TarInfo | None = first
    while member is not None:
        what = belongs(member)
        if isinstance(what, Digest):
            _take_blob(tar, member, what, store)
        elif what is not None:
            metadata[what] = _read_member(tar, member, limits.MAX_INDEX_FILE_BYTES)
        # Else an archive of millions of folders would fill the memory.
        tar.members.clear()  # type: ignore[attr-defined]
        member = tar.next()
    return parse_metadata(metadata)


def belongs(member: tarfile.TarInfo) -> Digest | str | None:
    """What an entry of the archive is: a blob, `index.json` or `oci-layout`; None: of no use.

    Raises BadArchive for what has no place in a layout.
    """
    name = member.name.removeprefix("./")
    if name in _METADATA:
        return name
    if match := _BLOB.fullmatch(name):
        return Digest.parse(f"{match[1]}:{match[2]}")
    if member.isdir() or name in _OF_DOCKER:
        return None
    raise BadArchive(f"{name!r} does not belong into an OCI layout archive")


def parse_metadata(metadata: Mapping[str, bytes]) -> list[Entry]:
    """The entries of a layout's `index.json`, with its `oci-layout` checked; raises BadArchive."""
    if "oci-layout" in metadata:
        check_version(metadata["oci-layout"], what="oci-layout")
    if "index.json" not in metadata:
        raise BadArchive("the archive has no index.json")
    document = loads_object(
        metadata["index.json"], what="index.json", limit=limits.MAX_INDEX_FILE_BYTES
    )
    manifests = document.get("manifests")
    if not isinstance(manifests, list) or not manifests:
        raise BadArchive("index.json names no manifest")
    return [Entry.parse(entry, what="index.json") for entry in manifests]


def _take_blob(
    tar: tarfile.TarFile, member: tarfile.TarInfo, digest: Digest, store: LayoutStore
) -> None:
    desc = Descriptor("application/octet-stream", digest, member.size)
    store.push(desc, _Member(_regular(tar, member)))


@dataclass(frozen=True, slots=True)
class _Member:
    """A file of the archive as a source; a stream passes once, so it opens once."""

    body: IO[bytes]

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        while offset > 0 and (skipped := self.body.read(min(offset, limits.COPY_BUFFER))):
            offset -= len(skipped)
        yield self.body


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    if member.size > limit:
        raise BadArchive(f"{member.name!r} has {member.size} bytes, more than {limit} are not read")
    return _regular(tar, member).read()


def _regular(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """The member's bytes; one with holes could unpack to any size."""
    body = None if member.issparse() else tar.extractfile(member)
    if body is None:
        raise BadArchive(f"{member.name!r} is not a regular file")
    return body
