"""An archive on disk (`oci-archive:FILE`), read at random: its blobs are fetched where they lie."""

from __future__ import annotations

import contextlib
import functools
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from agentoci._internal import files, limits
from agentoci.content.protocols import ContentNotFound, Reader
from agentoci.content.referrers import fetch_referrer, of_type
from agentoci.errors import Invalid
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.store.archive import (
    ArchiveWriter,
    BadArchive,
    StrictInfo,
    belongs,
    parse_metadata,
)
from agentoci.store.index import Entry

_A_LAYOUT: Final = "oci:DIR is a layout in a folder"


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a member's bytes lie in the file."""

    start: int
    size: int


class ArchiveFile:
    """A layout archive as a source of copies; safe for several threads. Close it.

    The file is kept open, so a copy goes on from the old content when somebody replaces it.
    """

    def __init__(self, path: Path) -> None:
        """Read the archive's headers and its index; raises ContentNotFound, BadArchive."""
        self.path = path
        self._file = _open(path)
        try:
            self._spans = _spans(self._file, path)
            self.entries = tuple(parse_metadata(self._metadata()))
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> ArchiveFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        """The blob's bytes from `offset` on; raises ContentNotFound."""
        span = self._spans.get(desc.digest)
        if span is None:
            raise ContentNotFound(f"{desc.digest}: not in {self.path}")
        skipped = min(offset, span.size)
        yield _Slice(self._file, _Span(span.start + skipped, span.size - skipped))

    def exists(self, desc: Descriptor) -> bool:
        """Whether the archive holds content of this digest and size."""
        span = self._spans.get(desc.digest)
        return span is not None and span.size == desc.size

    def find(self, name: str) -> Entry | None:
        """The index entry with this name or digest, or None."""
        for entry in self.entries:
            if name in (entry.name, str(entry.digest)):
                return entry
        return None

    def resolve(self, name: str) -> Descriptor:
        """The manifest behind a name or a digest; raises ContentNotFound."""
        entry = self.find(name)
        if entry is None:
            raise ContentNotFound(f"{name}: not in {self.path}")
        return replace(entry.desc, annotations={})

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """The manifests of the index whose subject this is; what the archive lacks is not one."""
        return of_type(self._referrers.get(subject.digest, ()), artifact_type)

    @functools.cached_property
    def _referrers(self) -> Mapping[Digest, tuple[Descriptor, ...]]:
        found: dict[Digest, dict[Digest, Descriptor]] = {}
        for entry in self.entries:
            with contextlib.suppress(ContentNotFound):
                referrer = fetch_referrer(self, entry.desc)
                if referrer is not None:
                    found.setdefault(referrer.subject.digest, {})[entry.digest] = referrer.entry
        return {subject: tuple(listed.values()) for subject, listed in found.items()}

    def _metadata(self) -> dict[str, bytes]:
        read: dict[str, bytes] = {}
        for name, span in self._spans.items():
            if isinstance(name, str):
                if span.size > limits.MAX_INDEX_FILE_BYTES:
                    raise BadArchive(f"{name!r} has {span.size} bytes, more than are read")
                read[name] = _Slice(self._file, span).read()
        return read


@contextlib.contextmanager
def writing_archive(path: Path) -> Iterator[ArchiveWriter]:
    """A writer whose archive replaces the file at `path` when the block ends well.

    Readers see the old archive or the whole new one.
    """
    if not path.absolute().parent.is_dir():
        raise ContentNotFound(f"{path.parent}: no such folder")
    if path.is_dir():
        raise Invalid(f"{path}: a folder, where an archive is to be written", hint=_A_LAYOUT)
    with files.replacing(path.absolute()) as stream:
        writer = ArchiveWriter(stream)
        yield writer
        writer.close()


class _Slice:
    """A part of a file, read without moving the file's position."""

    def __init__(self, file: IO[bytes], span: _Span) -> None:
        self._descriptor = file.fileno()
        self._span = span
        self._passed = 0

    def read(self, size: int = -1, /) -> bytes:
        left = self._span.size - self._passed
        wanted = left if size < 0 else min(size, left)
        chunk = os.pread(self._descriptor, wanted, self._span.start + self._passed)
        self._passed += len(chunk)
        return chunk


def _open(path: Path) -> IO[bytes]:
    if path.exists() and not path.is_file():
        raise BadArchive(f"{path}: not a file", hint=_A_LAYOUT)
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        raise ContentNotFound(
            f"{path}: no such archive", hint="`agent cp SRC oci-archive:FILE` writes one"
        ) from None


def _spans(file: IO[bytes], path: Path) -> dict[Digest | str, _Span]:
    """Where blobs and metadata lie, from the headers alone; the first of two counts."""
    found: dict[Digest | str, _Span] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=StrictInfo) as tar:
            for seen, member in enumerate(_members(tar)):
                if seen >= limits.MAX_ARCHIVE_MEMBERS:
                    raise BadArchive(f"{path}: more than {limits.MAX_ARCHIVE_MEMBERS} entries")
                if (what := belongs(member)) is not None:
                    found.setdefault(what, _span(member))
    except tarfile.TarError as exc:
        raise BadArchive(
            f"{path}: not a readable archive: {exc}",
            hint="a compressed one must be unpacked first (gunzip, zstd -d)",
        ) from exc
    return found


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # else it keeps every header
        yield member


def _span(member: tarfile.TarInfo) -> _Span:
    """A link could lead elsewhere, and a file with holes could unpack to any size."""
    if not member.isreg() or member.issparse():
        raise BadArchive(f"{member.name!r} is not a regular file")
    return _Span(member.offset_data, member.size)
