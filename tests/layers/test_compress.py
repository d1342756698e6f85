"""Compression: reproducible, only where it gains, and readable by everybody."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal.limits import KIB, MIB
from agentoci.layers.compress import (
    GZIP_LEVEL,
    compress_whole,
    compresses,
    format_id,
    open_compressor,
    zstd_frame,
    zstd_frame_size,
)
from agentoci.spec.mediatypes import Compression

TEXT = b"".join(b"line %d of a text that compresses\n" % n for n in range(20_000))
NOISE = random.Random(1).randbytes(600 * KIB)

BLOCK = 128 * KIB
SIZES = [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 5 * MIB, 5 * MIB + 17]


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def unpack(packed: bytes, used: Compression) -> bytes:
    """By the libraries that others use."""
    if used is Compression.ZSTD:
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()
    return gzip.decompress(packed) if used is Compression.GZIP else packed


@pytest.mark.parametrize("wanted", list(Compression))
def test_text_gets_smaller_and_comes_back(wanted: Compression) -> None:
    packed, used = compress_whole(TEXT, wanted)
    assert used is wanted
    assert unpack(packed, used) == TEXT
    assert wanted is Compression.NONE or len(packed) < len(TEXT) // 4


@pytest.mark.parametrize("wanted", list(Compression))
def test_noise_stays_plain(wanted: Compression) -> None:
    assert compress_whole(NOISE, wanted) == (NOISE, Compression.NONE)


@pytest.mark.parametrize("wanted", [Compression.ZSTD, Compression.GZIP])
def test_less_than_five_percent_is_no_gain(wanted: Compression) -> None:
    def mixture(percent: int) -> bytes:
        zeros = len(NOISE) * percent // 100
        return NOISE[zeros:] + bytes(zeros)

    assert compress_whole(mixture(3), wanted)[1] is Compression.NONE
    assert compress_whole(mixture(8), wanted)[1] is wanted


@given(st.binary(max_size=3000), st.sampled_from(list(Compression)))
def test_anything_comes_back(content: bytes, wanted: Compression) -> None:
    packed, used = compress_whole(content, wanted)
    assert used in (wanted, Compression.NONE)
    assert unpack(packed, used) == content
    assert compress_whole(content, wanted) == (packed, used)


@pytest.mark.parametrize("wanted", [Compression.ZSTD, Compression.GZIP])
@pytest.mark.parametrize("piece", [1000, 256 * KIB, 100 * MIB])
def test_a_stream_comes_back_whatever_its_pieces(wanted: Compression, piece: int) -> None:
    content = TEXT * 20 + NOISE

    def compress(size: int) -> bytes:
        compressor = open_compressor(wanted, len(content))
        made = b"".join(compressor.compress(memoryview(each)) for each in pieces(content, size))
        return made + compressor.flush()

    assert unpack(compress(piece), wanted) == content
    assert compress(piece) == compress(777_777), "pieces and threads leave no trace"


def test_gzip_has_neither_time_nor_name() -> None:
    packed, _ = compress_whole(TEXT, Compression.GZIP)
    assert packed[:10] == b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    with gzip.open(io.BytesIO(packed)) as stream:
        assert stream.read() == TEXT
        assert stream.mtime == 0
    assert int.from_bytes(packed[-8:-4], "little") == zlib.crc32(TEXT)
    assert int.from_bytes(packed[-4:], "little") == len(TEXT)


def test_an_empty_gzip_stream_is_whole() -> None:
    assert gzip.decompress(open_compressor(Compression.GZIP, 0).flush()) == b""


def test_zstd_frames_tell_their_size() -> None:
    packed, _ = compress_whole(TEXT, Compression.ZSTD)
    assert zstandard.frame_content_size(packed) == len(TEXT)
    compressor = open_compressor(Compression.ZSTD, len(TEXT))
    streamed = compressor.compress(TEXT) + compressor.flush()
    assert zstandard.frame_content_size(streamed) == len(TEXT)


def test_what_decides_the_bytes_is_in_the_key_of_caches() -> None:
    version = ".".join(map(str, zstandard.ZSTD_VERSION))
    assert format_id(Compression.ZSTD) == f"zstd-{version}-3"
    assert format_id(Compression.GZIP) == f"zlib-{zlib.ZLIB_RUNTIME_VERSION}-{GZIP_LEVEL}"
    assert format_id(Compression.NONE) == "none"


def test_samples_judge() -> None:
    assert compresses(iter([TEXT[:65536]] * 4))
    assert not compresses(iter([NOISE[:65536]] * 4))
    assert compresses(iter([NOISE[:65536], NOISE[65536:131072], TEXT[:65536]]))


# The frame of raw blocks


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1000, BLOCK, MIB, 100 * MIB])
def test_a_frame_of_raw_blocks_reads_back(size: int, piece: int) -> None:
    content = random.Random(size).randbytes(size)
    frame = b"".join(zstd_frame(pieces(content, piece), size))
    assert len(frame) == zstd_frame_size(size)
    assert zstandard.frame_content_size(frame) == size
    assert zstandard.ZstdDecompressor().decompress(frame) == content
    assert unpack(frame, Compression.ZSTD) == content
    assert content in frame or size > BLOCK


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_asks_for_little_memory(size: int) -> None:
    frame = b"".join(zstd_frame(iter([bytes(size)] if size else []), size))
    parameters = zstandard.get_frame_parameters(frame)
    assert parameters.window_size == 8 * MIB
    assert not parameters.has_checksum
    assert parameters.dict_id == 0


@given(st.lists(st.binary(max_size=400), max_size=8))
def test_a_frame_does_not_depend_on_the_pieces(parts: list[bytes]) -> None:
    content = b"".join(parts)
    whole = b"".join(zstd_frame(iter([content]), len(content)))
    assert b"".join(zstd_frame(iter(parts), len(content))) == whole
    assert len(whole) == zstd_frame_size(len(content))
