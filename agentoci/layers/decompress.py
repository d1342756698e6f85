"""The plain tar of a packed layer: a stream in constant memory, with ceilings for bombs."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import IO, Final, Protocol, cast

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.spec.mediatypes import Compression

_GZIP_ONLY: Final = 16 + zlib.MAX_WBITS
_PACKED_CHUNK: Final = 128 * limits.KIB


class BadCompression(Integrity):
    """The packed bytes are damaged, cut off, or ask for more memory than we give."""


class ExpandsTooFar(Integrity):
    """The layer unpacks to more than any honest one does."""


class Reader(Protocol):
    """A stream of bytes; `read` returns b"" at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        ...


def open_tar(stream: Reader, compression: Compression, *, packed_size: int) -> Reader:
    """The plain tar of a layer whose packed form, of `packed_size` bytes, comes from `stream`.

    Reading raises BadCompression for what cannot be unpacked, and ExpandsTooFar as soon as there
    is more than `packed_size` explains. Reading to the end reads `stream` to its end.
    """
    if compression is Compression.NONE:
        return _Bounded(stream.read, packed_size)
    if compression is Compression.GZIP:
        return _Bounded(_Gzip(stream).read, packed_size)
    return _Bounded(_zstd(stream), packed_size)


class _Bounded:
    """Passes bytes on until there are too many of them."""

    def __init__(self, read: Callable[[int], bytes], packed_size: int) -> None:
        self._read = read
        self._packed_size = packed_size
        self._most = min(
            limits.MAX_UNPACKED_BYTES,
            max(limits.FREE_EXPANSION_BYTES, packed_size * limits.MAX_EXPANSION_RATIO),
        )
        self._passed = 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, and no more than one chunk."""
        chunk = self._read(size if size > 0 else limits.COPY_BUFFER)
        self._passed += len(chunk)
        if self._passed > self._most:
            raise ExpandsTooFar(
                f"a layer of {self._packed_size} packed bytes holds more than {self._most}"
            )
        return chunk


class _Gzip:
    """gzip members one after another (RFC 1952), nothing between or behind them."""

    def __init__(self, stream: Reader) -> None:
        self._stream = stream
        self._member = zlib.decompressobj(_GZIP_ONLY)
        self._packed = b""

    def read(self, size: int) -> bytes:
        try:
            while True:
                if not self._packed:
                    self._packed = self._stream.read(_PACKED_CHUNK)
                if not self._packed:
                    return self._drain(size)
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP_ONLY)
                chunk = self._member.decompress(self._packed, size)
                self._packed = self._member.unconsumed_tail or self._member.unused_data
                if chunk:
                    return chunk
        except zlib.error as exc:
            raise BadCompression(f"not gzip, or damaged: {exc}") from exc

    def _drain(self, size: int) -> bytes:
        """What the member still holds back once the input has ended."""
        chunk = b"" if self._member.eof else self._member.decompress(b"", size)
        if not chunk and not self._member.eof:
            raise BadCompression("the gzip stream is cut off")
        return chunk


def _zstd(stream: Reader) -> Callable[[int], bytes]:
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=limits.MAX_ZSTD_WINDOW_BYTES)
    reader = unpacker.stream_reader(
        cast("IO[bytes]", stream),  # only its `read` is called
        read_size=_PACKED_CHUNK,
        read_across_frames=True,
        closefd=False,
    )

    def read(size: int) -> bytes:
        try:
            return reader.read(size)
        except zstandard.ZstdError as exc:
            raise BadCompression(f"not zstd, damaged, or its window is too large: {exc}") from exc

    return read
