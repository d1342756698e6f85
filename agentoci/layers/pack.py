"""From entries to a layer blob: tar, hash and compress in one streaming pass.

A layer of a few MiB is made in memory; a larger one is streamed, so that memory stays small
whatever the size of files and layers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from typing import Final, Protocol

from agentoci._internal import limits
from agentoci.layers import tar
from agentoci.layers.compress import (
    SAMPLE_SIZE,
    SAMPLES,
    compress_whole,
    compresses,
    open_compressor,
)
from agentoci.layers.source import ChangedWhileReading, open_source, read_whole, reading_failed
from agentoci.layers.split import HUGE
from agentoci.layers.tar import TarEntry
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression

__all__ = [
    "ALONE",
    "BlobSink",
    "ChangedWhileReading",
    "Packed",
    "Watch",
    "contents",
    "pack",
    "with_folders",
]

ALONE: Final = "layer:"
"""Before the digest that identifies a file which is a layer of its own: hashing its content once
more beside the layer would cost a quarter of the time of packing it."""


class BlobSink(Protocol):
    """Where the packed bytes go; it hashes them."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append."""
        ...

    def digest(self) -> Digest:
        """The digest of what was written."""
        ...


Watch = Callable[[TarEntry, bytes | memoryview], None]
"""Sees the content of every file as it is packed, in order; a piece is valid during the call."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed: how, the digest of the plain tar, and what identifies each file by path.

    That is the sha256 of its content in hex; for a huge file, which is a layer of its own, ALONE
    and the digest of the plain tar, which holds one header and the content.
    """

    compression: Compression
    diff_id: Digest
    files: dict[str, str]


def pack(
    entries: Sequence[TarEntry],
    sink: BlobSink,
    *,
    compression: Compression,
    epoch: int,
    watch: Watch | None = None,
) -> Packed:
    """Write the entries, in their order, as one layer.

    Raises ChangedWhileReading when a file is not what its entry says, SourceDenied and
    SourceUnreadable.
    """
    if sum(entry.size for entry in entries) > HUGE:
        return _pack_streamed(entries, sink, compression, epoch, watch)
    return _pack_whole(entries, sink, compression, epoch, watch)


def _pack_whole(
    entries: Sequence[TarEntry],
    sink: BlobSink,
    compression: Compression,
    epoch: int,
    watch: Watch | None,
) -> Packed:
    parts: list[bytes] = []
    files: dict[str, str] = {}
    for entry in with_folders(entries):
        parts.append(tar.header(entry, epoch=epoch))
        if not _has_content(entry):
            continue
        content = read_whole(entry)
        if watch is not None:
            watch(entry, content)
        files[entry.path] = hashlib.sha256(content).hexdigest()
        parts += (content, tar.padding(entry.size))
    parts.append(tar.end())
    plain = b"".join(parts)
    del parts
    packed, used = compress_whole(plain, compression)
    sink.write(packed)
    diff_id = sink.digest() if used is Compression.NONE else Digest.of(plain)
    return Packed(used, diff_id, files)


def with_folders(entries: Sequence[TarEntry]) -> list[TarEntry]:
    """The entries, with their parent folders before them."""
    seen: set[str] = {entry.path for entry in entries if entry.is_folder}
    listed: list[TarEntry] = []
    for entry in entries:
        parents: list[TarEntry] = []
        parent = entry.path.rpartition("/")[0]
        while parent and parent not in seen:
            seen.add(parent)
            parents.append(TarEntry(parent, is_folder=True))
            parent = parent.rpartition("/")[0]
        listed += reversed(parents)
        listed.append(entry)
    return listed


def _has_content(entry: TarEntry) -> bool:
    return not entry.is_folder and entry.link is None


def _pack_streamed(
    entries: Sequence[TarEntry],
    sink: BlobSink,
    compression: Compression,
    epoch: int,
    watch: Watch | None,
) -> Packed:
    listed = [(entry, tar.header(entry, epoch=epoch)) for entry in with_folders(entries)]
    size = sum(len(head) + entry.size + -entry.size % tar.BLOCK for entry, head in listed)
    if compression is not Compression.NONE and not compresses(_samples(entries)):
        compression = Compression.NONE
    write, finish, plain_digest = _plumbing(sink, compression, size + len(tar.end()))
    files: dict[str, str] = {}
    for entry, head in listed:
        write(memoryview(head))
        if _has_content(entry):
            files[entry.path] = _write_content(entry, write, watch, hashed=len(entries) > 1)
            write(memoryview(tar.padding(entry.size)))
    write(memoryview(tar.end()))
    finish()
    diff_id = plain_digest()
    if len(entries) == 1:
        files = {entries[0].path: f"{ALONE}{diff_id.hex}"}
    return Packed(compression, diff_id, files)


def _plumbing(
    sink: BlobSink, compression: Compression, size: int
) -> tuple[Callable[[memoryview], None], Callable[[], None], Callable[[], Digest]]:
    """How a streamed layer's bytes go: write, finish, and the digest of the plain tar then."""
    if compression is Compression.NONE:
        return sink.write, lambda: None, sink.digest
    plain = hashlib.sha256()
    compressor = open_compressor(compression, size)

    def write(chunk: memoryview) -> None:
        plain.update(chunk)
        if packed := compressor.compress(chunk):
            sink.write(packed)

    return write, lambda: sink.write(compressor.flush()), lambda: Digest.from_hash(plain)


def _write_content(
    entry: TarEntry, write: Callable[[memoryview], None], watch: Watch | None, *, hashed: bool
) -> str:
    """Pass a file's content on; its sha256 in hex, or nothing unless `hashed`."""
    state = hashlib.sha256() if hashed else None
    for chunk in contents(entry):
        write(chunk)
        if watch is not None:
            watch(entry, chunk)
        if state is not None:
            state.update(chunk)
    return state.hexdigest() if state is not None else ""


def contents(entry: TarEntry) -> Iterator[memoryview]:
    """A file's content, in pieces of one reused buffer when it is large.

    Raises as `pack` does.
    """
    if entry.source is None or entry.size <= limits.COPY_BUFFER:
        yield memoryview(read_whole(entry))
        return
    buffer = memoryview(bytearray(limits.COPY_BUFFER))
    left = entry.size
    with FileIO(open_source(entry.source), "rb") as stream:
        before = os.fstat(stream.fileno())
        while left and (
            count := _read_into(stream, buffer[: min(len(buffer), left)], entry.source)
        ):
            yield buffer[:count]
            left -= count
        after = os.fstat(stream.fileno())
    if left or after.st_size != entry.size or after.st_mtime_ns != before.st_mtime_ns:
        raise ChangedWhileReading(entry.source)


def _samples(entries: Sequence[TarEntry]) -> Iterator[bytes]:
    """Content from the start, the quarters and the middle of all entries together."""
    total = sum(entry.size for entry in entries)
    wanted = [total * number // SAMPLES for number in range(SAMPLES)]
    start = 0
    for entry in entries:
        while wanted and wanted[0] < start + entry.size:
            yield _read_at(entry, wanted.pop(0) - start)
        start += entry.size


def _read_at(entry: TarEntry, offset: int) -> bytes:
    if entry.source is None:
        return (entry.content or b"")[offset : offset + SAMPLE_SIZE]
    with FileIO(open_source(entry.source), "rb") as stream:
        stream.seek(offset)
        buffer = bytearray(SAMPLE_SIZE)
        return bytes(buffer[: _read_into(stream, memoryview(buffer), entry.source)])


def _read_into(stream: FileIO, buffer: memoryview, path: str) -> int:
    try:
        return stream.readinto(buffer) or 0
    except OSError as exc:
        raise reading_failed(path, exc) from exc
