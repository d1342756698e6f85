"""Entries of a tar stream, one by one; refuses everything that an agent image has no use for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from agentoci._internal import limits
from agentoci.layers import tarheader
from agentoci.layers.decompress import Reader
from agentoci.layers.inventory import EXECUTABLE_MODE, FILE_MODE, LINK_MODE
from agentoci.layers.paths import OPAQUE, WHITEOUT, fault_of, link_fault_of
from agentoci.layers.tarheader import BLOCK, Overrides, RefusedArchive, refuse

__all__ = ["BodyReader", "Kind", "RefusedArchive", "TarMember", "iterate"]

Kind: TypeAlias = Literal["file", "dir", "symlink", "whiteout", "opaque"]

_ZEROS: Final = bytes(BLOCK)


@dataclass(slots=True)
class TarMember:
    """One entry. A whiteout's name is what it removes, an opaque one's the folder it empties.

    The mode keeps of the header's only whether the owner may execute.
    """

    name: str
    kind: Kind
    size: int
    mode: int
    link: str | None = None


class _Blocks:
    """The stream, cut at will: reads in large chunks, gives headers out of them."""

    __slots__ = ("_at", "_chunk", "_reader")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._chunk = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        end = self._at + size
        if end <= len(self._chunk):
            taken = self._chunk[self._at : end]
            self._at = end
            return taken
        parts: list[bytes] = []
        while size:
            parts.append(part := self.some(min(size, limits.COPY_BUFFER)))
            size -= len(part)
        return b"".join(parts)

    def some(self, size: int) -> bytes:
        """At least one byte and up to `size`; large wishes are read without copying."""
        if self._at == len(self._chunk):
            wanted = max(size, limits.COPY_BUFFER)
            self._chunk, self._at = self._reader.read(wanted), 0
            if not self._chunk:
                refuse("the archive is cut off")
        taken = self._chunk[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def expect_end(self) -> None:
        """Read to the end; only zeros may be left, as padding to the size of a tape record."""
        rest = self._chunk[self._at :]
        while not rest.strip(b"\0"):
            rest = self._reader.read(limits.COPY_BUFFER)
            if not rest:
                return
        refuse("there is something behind the archive's end")


class BodyReader:
    """The content of one entry; what is left unread is skipped when the next one is asked for."""

    __slots__ = ("_blocks", "_left", "_padding")

    def __init__(self, blocks: _Blocks, size: int) -> None:
        self._blocks = blocks
        self._left = size
        self._padding = -size % BLOCK

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all of them when negative; b"" at the end."""
        if size < 0:
            return self.read_whole()
        if not self._left or not size:
            return b""
        chunk = self._blocks.some(min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def read_whole(self) -> bytes:
        """The rest in one piece: for entries known to be small."""
        left, self._left = self._left, 0
        return self._blocks.take(left)

    def skip(self) -> None:
        """Go to where the next header starts."""
        left = self._left + self._padding
        self._left = self._padding = 0
        while left:
            left -= len(self._blocks.some(min(left, limits.COPY_BUFFER)))


def iterate(reader: Reader) -> Iterator[tuple[TarMember, BodyReader]]:
    """Every entry with its content, in the archive's order; reads the stream to its end.

    The folder that the archive is rooted at is left out. Raises RefusedArchive for hard links,
    devices, pipes, sparse files, names that `paths.fault_of` refuses, links that
    `paths.link_fault_of` refuses, and whatever is damaged, cut off, ambiguous or too much.
    """
    blocks = _Blocks(reader)
    for _ in range(limits.MAX_TAR_ENTRIES + 1):
        header = _next_header(blocks)
        if header is None:
            blocks.expect_end()
            return
        member = _member(*header)
        body = BodyReader(blocks, member.size)
        if member.name or member.kind != "dir":
            yield member, body
        body.skip()
    refuse(f"there are more than {limits.MAX_TAR_ENTRIES} entries")


def _next_header(blocks: _Blocks) -> tuple[bytes, bytes, Overrides] | None:
    """The block of the next real entry, its type, what records before it say; None at the end."""
    overrides = Overrides()
    extra = 0
    while True:
        block = blocks.take(BLOCK)
        if block == _ZEROS:
            if extra or blocks.take(BLOCK) != _ZEROS:
                refuse("the archive's end is damaged")
            return None
        kind = tarheader.check(block)
        if kind not in (b"x", b"g", b"L", b"K"):
            return block, kind, overrides
        size = tarheader.number(block[124:136])
        extra += BLOCK + size
        if extra > limits.MAX_TAR_HEADER_BYTES:
            refuse(f"one entry has more than {limits.MAX_TAR_HEADER_BYTES} bytes of headers")
        body = blocks.take(size + -size % BLOCK)[:size]
        _override(overrides, kind, body)


def _override(overrides: Overrides, kind: bytes, body: bytes) -> None:
    """Note what a record says; two records that say the same thing are refused."""
    if kind == tarheader.GNU_NAME:
        found = Overrides(name=tarheader.read_long(body))
    elif kind == tarheader.GNU_LINK:
        found = Overrides(link=tarheader.read_long(body))
    else:
        found = tarheader.read_pax(body)
    if kind == tarheader.PAX_GLOBAL and found != Overrides():
        refuse("a global header names or sizes every entry")
    for key in Overrides.__slots__:
        value = getattr(found, key)
        if value is not None:
            if getattr(overrides, key) is not None:
                refuse(f"two records give an entry's {key}")
            setattr(overrides, key, value)


def _member(block: bytes, kind: bytes, overrides: Overrides) -> TarMember:
    name = overrides.name if overrides.name is not None else tarheader.name(block)
    try:
        size = tarheader.number(block[124:136]) if overrides.size is None else overrides.size
        if size > limits.MAX_UNPACKED_BYTES:
            refuse(f"its size is {size} bytes")
        if kind in (tarheader.REGULAR, tarheader.REGULAR_OLD):
            mode = EXECUTABLE_MODE if tarheader.number(block[100:108]) & 0o100 else FILE_MODE
            return _file(name.removeprefix("./"), size, mode)
        if kind not in (tarheader.FOLDER, tarheader.SYMLINK):
            tarheader.refuse_type(kind)
        if size:
            refuse("has content, though it is no file")
        if kind == tarheader.FOLDER:
            return _folder(name)
        link = overrides.link if overrides.link is not None else tarheader.text(block[157:257])
        return _symlink(name.removeprefix("./"), link)
    except RefusedArchive as exc:
        raise RefusedArchive(f"entry {name[:200]!r}: {exc.message}") from exc


def _file(name: str, size: int, mode: int) -> TarMember:
    fault = fault_of(name)
    if fault is None:
        return TarMember(name, "file", size, mode)
    folder, slash, base = name.rpartition("/")
    removed = base.removeprefix(WHITEOUT)
    if removed == base or (slash and (fault := fault_of(folder))):
        refuse(fault)
    if size:
        refuse("is a whiteout with content")
    if base == OPAQUE:
        return TarMember(folder, "opaque", 0, mode)
    target = folder + slash + removed
    if fault := fault_of(target):
        refuse(f"is a whiteout of what cannot be: {fault}")
    return TarMember(target, "whiteout", 0, mode)


def _folder(name: str) -> TarMember:
    plain = name.removeprefix("./").removesuffix("/")
    if name in (".", "./"):
        plain = ""
    elif fault := fault_of(plain):
        refuse(fault)
    return TarMember(plain, "dir", 0, EXECUTABLE_MODE)


def _symlink(name: str, link: str) -> TarMember:
    if fault := fault_of(name) or link_fault_of(name, link):
        refuse(fault)
    return TarMember(name, "symlink", 0, LINK_MODE, link)
