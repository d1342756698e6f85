"""From entries to a layer blob: tar, hash and compress in one streaming pass.

A layer of small files is made in memory (it is a few MiB by construction); a huge file is streamed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import FileIO
from typing import Final, Protocol

from agentoci._internal import limits
from agentoci.errors import AgentociError
from agentoci.layers import tar
from agentoci.layers.compress import compress_whole, compresses, open_compressor
from agentoci.layers.split import HUGE
from agentoci.layers.tar import TarEntry
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression

ALONE: Final = "layer:"
"""Before the digest that identifies a file which is a layer of its own: hashing its content once
more beside the layer would cost a quarter of the time of packing it."""


class ChangedWhileReading(AgentociError):
    """A file of the context got another size while it was packed."""


class BlobSink(Protocol):
    """Where the packed bytes go; it hashes them."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append."""
        ...

    def digest(self) -> Digest:
        """The digest of what was written."""
        ...


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
    entries: Sequence[TarEntry], sink: BlobSink, *, compression: Compression, epoch: int
) -> Packed:
    """Write the entries, in their order, as one layer.

    Raises ChangedWhileReading when a file has not the size that its entry says.
    """
    if len(entries) == 1 and entries[0].size > HUGE and entries[0].source is not None:
        return _pack_huge(entries[0], entries[0].source, sink, compression, epoch)
    return _pack_small(entries, sink, compression, epoch)


def _pack_small(
    entries: Sequence[TarEntry], sink: BlobSink, compression: Compression, epoch: int
) -> Packed:
    parts: list[bytes] = []
    files: dict[str, str] = {}
    for entry in with_folders(entries):
        parts.append(tar.header(entry, epoch=epoch))
        if entry.is_folder or entry.link is not None:
            continue
        content = read_whole(entry)
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


def read_whole(entry: TarEntry) -> bytes:
    """The content of a small file."""
    if entry.content is not None:
        return entry.content
    if entry.source is None:
        return b""
    descriptor = open_source(entry.source)
    try:
        content = os.read(descriptor, entry.size + 1)
        while 0 < len(content) < entry.size and (more := os.read(descriptor, entry.size)):
            content += more
    finally:
        os.close(descriptor)
    if len(content) != entry.size:
        raise ChangedWhileReading(
            f"{entry.source}: changed while it was read", hint="build again when it is quiet"
        )
    return content


def open_source(path: str) -> int:
    """Open a file of the context for reading; a symbolic link or a device is refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ChangedWhileReading(f"{path}: is no regular file any more")
    return descriptor


def _pack_huge(
    entry: TarEntry, source: str, sink: BlobSink, compression: Compression, epoch: int
) -> Packed:
    head = b"".join(tar.header(each, epoch=epoch) for each in with_folders([entry]))
    tail = tar.padding(entry.size) + tar.end()
    with FileIO(open_source(source), "rb") as stream:
        if compression is not Compression.NONE and not compresses(stream, entry.size):
            compression = Compression.NONE
        write, finish, plain_digest = _plumbing(
            sink, compression, len(head) + entry.size + len(tail)
        )
        write(memoryview(head))
        _pump(stream, entry, write)
        write(memoryview(tail))
        finish()
    diff_id = plain_digest()
    return Packed(compression, diff_id, {entry.path: f"{ALONE}{diff_id.hex}"})


def _plumbing(
    sink: BlobSink, compression: Compression, size: int
) -> tuple[Callable[[memoryview], None], Callable[[], None], Callable[[], Digest]]:
    """How a huge layer's bytes go: write, finish, and the digest of the plain tar afterwards."""
    if compression is Compression.NONE:
        return sink.write, lambda: None, sink.digest
    plain = hashlib.sha256()
    compressor = open_compressor(compression, size)

    def write(chunk: memoryview) -> None:
        plain.update(chunk)
        if packed := compressor.compress(chunk):
            sink.write(packed)

    return write, lambda: sink.write(compressor.flush()), lambda: Digest.from_hash(plain)


def _pump(stream: FileIO, entry: TarEntry, write: Callable[[memoryview], None]) -> None:
    """Pass a huge file through `write`, in pieces of one reused buffer."""
    buffer = memoryview(bytearray(limits.COPY_BUFFER))
    left = entry.size
    while left and (count := stream.readinto(buffer[: min(len(buffer), left)])):
        write(buffer[:count])
        left -= count
    if left or stream.read(1):
        raise ChangedWhileReading(
            f"{entry.source}: changed while it was read", hint="build again when it is quiet"
        )
