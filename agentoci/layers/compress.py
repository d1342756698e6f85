"""Compression of layers, with parameters that are part of format version 1.

zstd level 3 of the pinned library; gzip level 6 without name and time. What does not get at least
5 % smaller is kept as it is: a small layer is tried, a large one is judged by four samples.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from agentoci.spec.mediatypes import Compression

ZSTD_LEVEL: Final = 3
GZIP_LEVEL: Final = 6
_GAIN: Final = 0.95
SAMPLES: Final = 4
SAMPLE_SIZE: Final = 64 * 1024

_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Compressor(Protocol):
    """Compresses a stream piece by piece."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """What is ready after this piece."""
        ...

    def flush(self) -> bytes:
        """The rest."""
        ...


def format_id(compression: Compression) -> str:
    """Names the library and parameters that decide the bytes, for cache keys."""
    if compression is Compression.ZSTD:
        import zstandard

        return f"zstd-{'.'.join(map(str, zstandard.ZSTD_VERSION))}-{ZSTD_LEVEL}"
    if compression is Compression.GZIP:
        return f"zlib-{zlib.ZLIB_RUNTIME_VERSION}-{GZIP_LEVEL}"
    return "none"


def compress_whole(tar: bytes, wanted: Compression) -> tuple[bytes, Compression]:
    """Compress a small layer, unless that gains less than 5 %."""
    if wanted is Compression.NONE:
        return tar, wanted
    if wanted is Compression.ZSTD:
        import zstandard

        packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(tar)
    else:
        compressor = open_compressor(wanted, len(tar))
        packed = compressor.compress(tar) + compressor.flush()
    if len(packed) > len(tar) * _GAIN:
        return tar, Compression.NONE
    return packed, wanted


def open_compressor(wanted: Compression, size: int) -> Compressor:
    """A compressor for a stream of `size` bytes; zstd's two threads are part of the format."""
    if wanted is Compression.ZSTD:
        import zstandard

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=2).compressobj(size=size)
    return _Gzip()


def compresses(samples: Iterable[bytes]) -> bool:
    """Whether a large layer gets smaller, judged by samples of its content."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1)
    raw = packed = 0
    for sample in samples:
        raw += len(sample)
        packed += len(compressor.compress(sample))
    return packed <= raw * _GAIN


class _Gzip:
    """gzip without file name and time (RFC 1952), so that the same input gives the same bytes."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = 0
        self._size = 0
        self._started = False

    def compress(self, data: bytes | memoryview, /) -> bytes:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        head = b"" if self._started else _GZIP_HEADER
        self._started = True
        return head + self._deflate.compress(data)

    def flush(self) -> bytes:
        tail = self._crc.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        return (b"" if self._started else _GZIP_HEADER) + self._deflate.flush() + tail


# A zstd frame of raw blocks (RFC 8878, section 3.1.1): no bit is compressed, but every tool that
# unpacks tar+zstd reads it, where a plain tar would be re-compressed and change its digest.

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_RAW_BLOCK: Final = 128 * 1024
_WINDOW_8_MIB: Final = (23 - 10) << 3


def zstd_frame_size(size: int) -> int:
    """Bytes of the frame that wraps `size` bytes."""
    blocks = max(1, -(-size // _RAW_BLOCK))
    return len(_MAGIC) + 1 + 1 + 8 + 3 * blocks + size


def zstd_frame(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Wrap a stream of `size` bytes into one zstd frame of raw blocks."""
    yield _MAGIC + bytes([0b11_0_00_0_00, _WINDOW_8_MIB]) + size.to_bytes(8, "little")
    left = size
    for block in _blocks(chunks):
        left -= len(block)
        yield _block_header(len(block), last=left == 0) + block
    if size == 0:
        yield _block_header(0, last=True)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of exactly one block, but for the last."""
    waiting = b""
    for chunk in chunks:
        waiting += chunk
        whole = len(waiting) - len(waiting) % _RAW_BLOCK
        for start in range(0, whole, _RAW_BLOCK):
            yield waiting[start : start + _RAW_BLOCK]
        waiting = waiting[whole:]
    if waiting:
        yield waiting


def _block_header(size: int, *, last: bool) -> bytes:
    return ((size << 3) | int(last)).to_bytes(3, "little")
