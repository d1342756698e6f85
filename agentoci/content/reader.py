"""The reader that verifies size and digest, so that no caller can forget."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound, Fetcher, Reader
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest


class DigestMismatch(Integrity):
    """The bytes have another digest than the descriptor says."""


class SourceSpoiled(DigestMismatch):
    """One of several sources gave wrong bytes; fetched again, they come from another one."""


class SizeMismatch(Integrity):
    """There are more or fewer bytes than the descriptor says."""


class VerifiedReader:
    """Passes the bytes on and raises at the end unless size and digest are right.

    Stops at the declared size: one byte more raises SizeMismatch, so an endless body cannot fill a
    disk. A caller that stops before the end has verified nothing.
    """

    def __init__(self, stream: Reader, desc: Descriptor) -> None:
        self._stream = stream
        self._desc = desc
        self._hash = desc.digest.hasher()
        self._left = desc.size
        self._checked = False
        self._failure: Integrity | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; b"" only when everything was right."""
        if self._left == 0:
            self._finish()
            return b""
        if size == 0:
            return b""
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = self._stream.read(wanted)
        if not chunk:
            raise SizeMismatch(
                f"{self._desc.digest}: ended {self._left} bytes short of {self._desc.size}"
            )
        self._hash.update(chunk)
        self._left -= len(chunk)
        if self._left == 0:
            self._finish()
        return chunk

    def _finish(self) -> None:
        if not self._checked:
            self._failure = self._compare()
            self._checked = True
        if self._failure is not None:
            raise self._failure

    def _compare(self) -> Integrity | None:
        if self._stream.read(1):
            return SizeMismatch(f"{self._desc.digest}: longer than {self._desc.size} bytes")
        found = Digest.from_hash(self._hash)
        if found != self._desc.digest:
            return DigestMismatch(f"{self._desc.digest}: the content has digest {found}")
        return None


def fetch_bytes(source: Fetcher, desc: Descriptor, *, limit: int | None = None) -> bytes:
    """A whole small piece of content, verified; raises SizeMismatch above `limit` bytes."""
    ceiling = limits.MAX_MANIFEST_BYTES if limit is None else limit
    if desc.size > ceiling:
        raise SizeMismatch(f"{desc.digest}: {desc.size} bytes, more than {ceiling} are not read")
    if desc.size_is_hint:
        return _fetch_by_digest(source, desc, ceiling)
    with source.fetch(desc) as stream:
        return read_verified(stream, desc)


def read_verified(stream: Reader, desc: Descriptor) -> bytes:
    """The whole of a small stream; raises DigestMismatch, SizeMismatch."""
    reader = VerifiedReader(stream, desc)
    return b"".join(iter(lambda: reader.read(limits.NETWORK_BUFFER), b""))


def is_readable(source: Fetcher, desc: Descriptor) -> bool:
    """Whether a small piece of content is there; raises Integrity when it is not what it should."""
    try:
        fetch_bytes(source, desc)
    except ContentNotFound:
        return False
    return True


def _fetch_by_digest(source: Fetcher, desc: Descriptor, ceiling: int) -> bytes:
    """The content of this digest, however long it is up to the ceiling."""
    content = bytearray()
    with source.fetch(desc) as stream:
        while len(content) <= ceiling and (chunk := stream.read(limits.NETWORK_BUFFER)):
            content += chunk
    if len(content) > ceiling:
        raise SizeMismatch(f"{desc.digest}: more than {ceiling} bytes are not read")
    state = desc.digest.hasher()
    state.update(content)
    if (found := Digest.from_hash(state)) != desc.digest:
        raise DigestMismatch(f"{desc.digest}: the content has digest {found}")
    return bytes(content)


@dataclass(frozen=True, slots=True)
class BytesSource:
    """A source over bytes in memory."""

    content: bytes

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        """The bytes from `offset` on."""
        yield io.BytesIO(self.content[offset:] if offset else self.content)


@dataclass(frozen=True, slots=True)
class FetchedSource:
    """A source that fetches from a target each time it is opened."""

    fetcher: Fetcher
    desc: Descriptor

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        """The content from `offset` on."""
        with self.fetcher.fetch(self.desc, offset) as stream:
            yield stream
