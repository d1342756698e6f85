"""The reader that verifies."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci.content.graph import measured
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import Reader
from agentoci.content.reader import (
    BytesSource,
    DigestMismatch,
    FetchedSource,
    SizeMismatch,
    VerifiedReader,
    fetch_bytes,
)
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from tests.content.graphs import put


class Endless:
    """Zeros without end, counted."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        assert size >= 0, "nobody may ask for everything"
        self.given += size
        return bytes(size)


@given(st.binary(max_size=200), st.lists(st.integers(-1, 60), max_size=12))
def test_right_bytes_pass_in_pieces_of_any_size(content: bytes, sizes: list[int]) -> None:
    reader = VerifiedReader(io.BytesIO(content), Descriptor.of("x", content))
    parts = [reader.read(size) for size in sizes]
    assert all(len(part) <= size for part, size in zip(parts, sizes, strict=True) if size >= 0)
    assert b"".join(parts) + reader.read() == content
    assert reader.read() == reader.read(1) == b""


@given(st.binary(max_size=50), st.binary(max_size=50), st.integers(1, 60))
def test_other_bytes_never_pass_to_the_end(right: bytes, wrong: bytes, size: int) -> None:
    reader = VerifiedReader(io.BytesIO(wrong), Descriptor.of("x", right))
    if right == wrong:
        assert b"".join(iter(lambda: reader.read(size), b"")) == right
        return
    expected = DigestMismatch if len(right) == len(wrong) else SizeMismatch
    for _ in range(2):  # asking again does not help
        with pytest.raises(expected):
            b"".join(iter(lambda: reader.read(size), b""))


def test_an_endless_stream_ends_at_the_declared_size() -> None:
    stream = Endless()
    desc = Descriptor("x", Digest.of(bytes(1000)), 1000)
    with pytest.raises(SizeMismatch, match="longer than 1000 bytes"):
        VerifiedReader(stream, desc).read()
    assert stream.given == 1001


def test_messages_say_what_was_expected_and_found() -> None:
    desc = Descriptor.of("x", b"right")
    with pytest.raises(DigestMismatch, match=f"{desc.digest}.*has digest {Digest.of(b'wrong')}"):
        VerifiedReader(io.BytesIO(b"wrong"), desc).read()
    short = VerifiedReader(io.BytesIO(b"rig"), desc)
    assert short.read() == b"rig"
    with pytest.raises(SizeMismatch, match="ended 2 bytes short of 5"):
        short.read()


def test_asking_for_nothing_is_not_the_end() -> None:
    reader = VerifiedReader(io.BytesIO(b"right"), Descriptor.of("x", b"right"))
    assert (reader.read(0), reader.read(2), reader.read(0), reader.read()) == (
        b"",
        b"ri",
        b"",
        b"ght",
    )


def test_sha512_is_verified_too() -> None:
    desc = Descriptor("x", Digest("sha512", hashlib.sha512(b"right").hexdigest()), 5)
    assert VerifiedReader(io.BytesIO(b"right"), desc).read() == b"right"
    with pytest.raises(DigestMismatch):
        VerifiedReader(io.BytesIO(b"wrong"), desc).read()


def test_small_content_has_a_ceiling() -> None:
    target = MemoryTarget()
    desc = put(target, b"12345")
    assert fetch_bytes(target, desc, limit=5) == b"12345"
    with pytest.raises(SizeMismatch, match="5 bytes, more than 4 are not read"):
        fetch_bytes(target, desc, limit=4)
    large = Descriptor("x", desc.digest, limits.MAX_MANIFEST_BYTES + 1)
    with pytest.raises(SizeMismatch, match="are not read"):
        fetch_bytes(target, large)


def test_sources_open_again_and_at_an_offset() -> None:
    target = MemoryTarget()
    desc = put(target, b"12345")
    for source in (BytesSource(b"12345"), FetchedSource(target, desc)):
        for offset in (0, 2, 5, 0):
            with source.open(offset) as stream:
                assert stream.read() == b"12345"[offset:]


def test_size_that_is_a_hint_does_not_count() -> None:
    target = MemoryTarget()
    content = b'{"schemaVersion":2}'
    target.push(Descriptor.of(mediatypes.OCI_MANIFEST, content), BytesSource(content))
    for size in (1, len(content) - 1, len(content), len(content) + 1, 10_000):
        hinted = Descriptor(mediatypes.OCI_MANIFEST, Digest.of(content), size, size_is_hint=True)
        assert fetch_bytes(target, hinted) == content
        assert measured(target, hinted) == Descriptor.of(mediatypes.OCI_MANIFEST, content)
        with pytest.raises(SizeMismatch):
            fetch_bytes(target, hinted, limit=10)


def test_digest_decides_when_the_size_is_a_hint() -> None:
    class Liar(MemoryTarget):
        @contextlib.contextmanager
        def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
            yield io.BytesIO(b"wrong content")

    hinted = Descriptor(mediatypes.OCI_MANIFEST, Digest.of(b"right"), 5, size_is_hint=True)
    with pytest.raises(DigestMismatch):
        fetch_bytes(Liar(), hinted)
