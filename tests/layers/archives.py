"""Tar archives made by hand, byte for byte, so that they can say what no tar writer would."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import zstandard

from agentoci.layers.decompress import Reader
from agentoci.layers.inventory import FileEntry, Inventory
from agentoci.layers.unpack import PackedLayer
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression

END = bytes(1024)
POSIX = b"ustar\x0000"
GNU = b"ustar  \0"


def header(
    name: str | bytes,
    *,
    kind: bytes = b"0",
    size: int | bytes = 0,
    mode: int | bytes = 0o644,
    link: str | bytes = b"",
    prefix: bytes = b"",
    magic: bytes = POSIX,
    checksum: int | None = None,
) -> bytes:
    """One header block; sizes and modes given as bytes stand there literally."""
    block = bytearray(512)

    def put(at: int, value: bytes) -> None:
        block[at : at + len(value)] = value

    put(0, os.fsencode(name)[:100])
    put(100, mode if isinstance(mode, bytes) else b"%07o\0" % mode)
    put(108, b"%07o\0" % 0)
    put(116, b"%07o\0" % 0)
    put(124, size if isinstance(size, bytes) else b"%011o\0" % size)
    put(136, b"%011o\0" % 0)
    put(148, b" " * 8)
    put(156, kind)
    put(157, os.fsencode(link)[:100])
    put(257, magic)
    put(345, prefix)
    put(148, b"%06o\0 " % (sum(block) if checksum is None else checksum))
    return bytes(block)


def padded(content: bytes) -> bytes:
    """The content, filled up to a whole block."""
    return content + bytes(-len(content) % 512)


def file(name: str | bytes, content: bytes = b"", *, mode: int = 0o644) -> bytes:
    """A regular file."""
    return header(name, size=len(content), mode=mode) + padded(content)


def folder(name: str | bytes, *, mode: int = 0o755) -> bytes:
    """A folder."""
    return header(name, kind=b"5", mode=mode)


def symlink(name: str | bytes, target: str | bytes) -> bytes:
    """A symbolic link."""
    return header(name, kind=b"2", link=target, mode=0o777)


def hardlink(name: str | bytes, target: str | bytes) -> bytes:
    """A hard link."""
    return header(name, kind=b"1", link=target)


def record(key: bytes, value: bytes) -> bytes:
    """One line of a PAX header."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """A PAX header with these records."""
    return pax_raw(b"".join(record(*pair) for pair in records), kind=kind)


def pax_raw(body: bytes, *, kind: bytes = b"x") -> bytes:
    """A PAX header with this body."""
    return header("PaxHeader", kind=kind, size=len(body)) + padded(body)


def long_name(name: bytes, *, kind: bytes = b"L") -> bytes:
    """A GNU long name (`L`) or long link (`K`)."""
    return header("././@LongLink", kind=kind, size=len(name), magic=GNU) + padded(name)


def archive(*parts: bytes) -> bytes:
    """The parts and the two blocks of zeros behind them."""
    return b"".join(parts) + END


def compress(raw: bytes, compression: Compression) -> bytes:
    """Pack a tar."""
    if compression is Compression.ZSTD:
        return zstandard.ZstdCompressor(level=1).compress(raw)
    if compression is Compression.GZIP:
        return gzip.compress(raw, compresslevel=1)
    return raw


def layer(
    raw: bytes, compression: Compression = Compression.NONE, *, diff_id: Digest | None = None
) -> PackedLayer:
    """A layer in memory."""
    return packed_layer(compress(raw, compression), compression, diff_id or Digest.of(raw))


def packed_layer(packed: bytes, compression: Compression, diff_id: Digest) -> PackedLayer:
    """A layer in memory, whatever its bytes are."""

    @contextmanager
    def opened() -> Iterator[Reader]:
        yield io.BytesIO(packed)

    return PackedLayer(opened, compression, len(packed), diff_id)


def tree_layer(*parts: bytes, compression: Compression = Compression.ZSTD) -> PackedLayer:
    """A layer of these entries."""
    return layer(archive(*parts), compression)


def entry(path: str, content: bytes, at: int, *, mode: int = 0o644) -> FileEntry:
    """A file's entry in the inventory."""
    return FileEntry(path, len(content), mode, hashlib.sha256(content).hexdigest(), at)


def inventory(*entries: FileEntry) -> Inventory:
    """An inventory of these entries."""
    return Inventory.of(entries)


def snapshot(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Everything below a folder: kind and mode, and the content or target."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for folder_name, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder_name, name)
            mode = path.lstat().st_mode
            content: bytes | str = b""
            if stat.S_ISLNK(mode):
                content = str(path.readlink())
            elif stat.S_ISREG(mode):
                content = path.read_bytes()
            found[str(path.relative_to(root))] = (mode, content)
    return found


def contents(root: Path) -> dict[str, bytes | str | None]:
    """Files by path with their bytes, links with `-> target`, empty folders with None."""
    found: dict[str, bytes | str | None] = {}
    for path, (mode, content) in snapshot(root).items():
        if stat.S_ISDIR(mode):
            if not any((root / path).iterdir()):
                found[path] = None
        elif stat.S_ISLNK(mode):
            found[path] = f"-> {content!s}"
        else:
            found[path] = content
    return found


Unpack = Callable[[Sequence[PackedLayer], Path], None]
