"""A packed layer as unpacking sees it: opened once per reading, its diff ID checked at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from agentoci.errors import AgentociError, Integrity
from agentoci.layers.decompress import BadCompression, ExpandsTooFar, Reader, open_tar
from agentoci.layers.untar import BodyReader, RefusedArchive, TarMember, iterate
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression


class DiffIdMismatch(Integrity):
    """The plain tar of a layer has another digest than the image's config says."""


class LayerUnreadable(AgentociError):
    """The machine could not read a layer's bytes."""


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """One layer: how to open its packed bytes, how many they are, and what they unpack to."""

    open: Callable[[], AbstractContextManager[Reader]]
    compression: Compression
    size: int
    diff_id: Digest


def no_progress(count: int, /) -> None:
    """Tells nobody."""


def read_members(
    layer: PackedLayer, *, advance: Callable[[int], None] = no_progress
) -> Generator[tuple[TarMember, BodyReader], None, None]:
    """The layer's entries, as `untar.iterate` gives them.

    Close it (`contextlib.closing`) when you stop early: it holds the layer open. `advance` is told
    of packed bytes as they are read. After the last entry DiffIdMismatch is
    raised unless the digest of the plain tar is right; whoever stops before has verified nothing.
    """
    with layer.open() as stream:
        packed = _Counted(stream, advance)
        plain = open_tar(packed, layer.compression, packed_size=layer.size)
        yield from iterate(_Hashed(plain, layer.diff_id))


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Put the name of the layer before messages about its content."""
    try:
        yield
    except (BadCompression, DiffIdMismatch, ExpandsTooFar, RefusedArchive) as exc:
        raise type(exc)(f"{what}: {exc.message}", hint=exc.hint) from exc


class _Counted:
    """Tells how many packed bytes have been read."""

    def __init__(self, stream: Reader, advance: Callable[[int], None]) -> None:
        self._stream = stream
        self._advance = advance

    def read(self, size: int = -1, /) -> bytes:
        try:
            chunk = self._stream.read(size)
        except OSError as exc:
            raise LayerUnreadable(f"cannot read a layer: {exc.strerror or exc}") from exc
        if chunk:
            self._advance(len(chunk))
        return chunk


class _Hashed:
    """Passes the plain tar on; raises at its end unless the digest is right."""

    def __init__(self, plain: Reader, diff_id: Digest) -> None:
        self._plain = plain
        self._diff_id = diff_id
        self._hash = diff_id.hasher()

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._plain.read(size)
        if chunk:
            self._hash.update(chunk)
            return chunk
        found = Digest.from_hash(self._hash)
        if found != self._diff_id:
            raise DiffIdMismatch(f"unpacks to {found}, the image's config says {self._diff_id}")
        return b""
