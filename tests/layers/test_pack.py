"""Packing: the same entries give the same layer, and every reader finds in it what went in."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import tarfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal.limits import KIB, MIB
from agentoci.layers import tar
from agentoci.layers.inventory import FileEntry, Inventory
from agentoci.layers.pack import ALONE, Packed, pack, with_folders
from agentoci.layers.source import ChangedWhileReading, SourceUnreadable, reading_failed
from agentoci.layers.split import HUGE
from agentoci.layers.tar import TarEntry
from agentoci.layers.unpack import unpack_image
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression
from tests.layers.archives import contents, packed_layer

ALL = list(Compression)


class Sink:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()

    def write(self, chunk: bytes | memoryview) -> None:
        self.stream.write(chunk)

    def digest(self) -> Digest:
        return Digest.of(self.bytes)

    @property
    def bytes(self) -> bytes:
        return self.stream.getvalue()


def made(
    entries: Sequence[TarEntry], compression: Compression = Compression.ZSTD, *, epoch: int = 0
) -> tuple[Packed, bytes]:
    sink = Sink()
    return pack(entries, sink, compression=compression, epoch=epoch), sink.bytes


def plain(packed: Packed, raw: bytes) -> bytes:
    if packed.compression is Compression.ZSTD:
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read()
    return gzip.decompress(raw) if packed.compression is Compression.GZIP else raw


def file(path: str, content: bytes, *, mode: int = 0o644) -> TarEntry:
    return TarEntry(path, mode, len(content), content=content)


SMALL = [
    file("agent/knowledge/a.md", b"# a\n" * 100),
    file("agent/knowledge/sub/run", b"#!/bin/sh\n", mode=0o755),
    TarEntry("agent/knowledge/sub/to-a", link="../a.md"),
    TarEntry("agent/knowledge/void", is_folder=True),
]

NAMES = ["agent/", "agent/knowledge/", "agent/knowledge/a.md", "agent/knowledge/sub/"]
NAMES += ["agent/knowledge/sub/run", "agent/knowledge/sub/to-a", "agent/knowledge/void/"]


@pytest.mark.parametrize("compression", ALL)
def test_a_layer_holds_its_entries_and_their_folders(compression: Compression) -> None:
    packed, raw = made(SMALL, compression)
    archive = plain(packed, raw)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = [info.name + "/" * info.isdir() for info in opened]
    assert found == NAMES
    assert packed.compression is compression
    assert packed.diff_id == Digest.of(archive)
    assert packed.files == {
        entry.path: hashlib.sha256(entry.content).hexdigest()
        for entry in SMALL
        if entry.content is not None
    }


# Golden: these digests are promises. They change only with FORMAT, or with another libzstd, and
# then with a reason in the commit. That of gzip is not pinned: it depends on the machine's zlib.
DIFF_ID = "sha256:4eb4644e21c8e2f54d80e7761aac84e6afbea60c49c4fd2d4fcf49838a1ce92e"
ZSTD_DIGEST = "sha256:2d3e96e582ca07b37bea3d9d19f4d03fcd468e165dc9b369e4b2d29200cac37c"


def test_golden_digests() -> None:
    assert {str(made(SMALL, each)[0].diff_id) for each in ALL} == {DIFF_ID}
    assert str(Digest.of(made(SMALL, Compression.NONE)[1])) == DIFF_ID
    assert zstandard.ZSTD_VERSION == (1, 5, 7)
    assert str(Digest.of(made(SMALL, Compression.ZSTD)[1])) == ZSTD_DIGEST


@pytest.mark.parametrize("compression", ALL)
def test_the_epoch_is_in_every_header(compression: Compression) -> None:
    packed, raw = made(SMALL, compression, epoch=1_700_000_000)
    with tarfile.open(fileobj=io.BytesIO(plain(packed, raw))) as opened:
        assert {info.mtime for info in opened} == {1_700_000_000}
    assert packed.diff_id != made(SMALL, compression)[0].diff_id


def test_folders_stand_once_and_before_what_they_hold() -> None:
    entries = [file("a/b/c", b""), file("a/b/d", b""), file("a/e", b""), file("f", b"")]
    paths = [entry.path for entry in with_folders(entries)]
    assert paths == ["a", "a/b", "a/b/c", "a/b/d", "a/e", "f"]
    listed = [TarEntry("a", is_folder=True), TarEntry("a/b", is_folder=True), file("a/b/c", b"")]
    assert with_folders(listed) == listed


# Large layers are streamed


def large(folder: Path, shape: str) -> list[TarEntry]:
    """Entries of more than HUGE bytes: one file, or several."""
    chance = random.Random(5)
    text = b"".join(b"%d: some text that compresses\n" % n for n in range(500_000))
    noise = chance.randbytes(10 * MIB + 13)
    content = {
        "text": {"a.txt": text},
        "noise": {"a.bin": noise},
        "texts": {"a.txt": text[: 6 * MIB], "b.txt": text[3 * MIB :], "c.md": b"c"},
        "noises": {"a.bin": noise[: 5 * MIB], "b.bin": noise[MIB:], "c.md": b"c"},
        "generated": {},
    }[shape]
    entries = []
    for name, body in content.items():
        (folder / name).write_bytes(body)
        entries.append(TarEntry(f"agent/{name}", 0o644, len(body), source=str(folder / name)))
    if shape == "generated":
        entries = [file("agent/definition.json", b"{}"), file("agent/files.json", text)]
    return entries


@pytest.mark.parametrize("shape", ["text", "noise", "texts", "noises", "generated"])
@pytest.mark.parametrize("compression", ALL)
def test_a_large_layer_is_what_a_tar_writer_would_write(
    tmp_path: Path, shape: str, compression: Compression
) -> None:
    entries = large(tmp_path, shape)
    assert sum(entry.size for entry in entries) > HUGE
    packed, raw = made(entries, compression)
    assert packed.compression is (Compression.NONE if "noise" in shape else compression)
    archive = plain(packed, raw)
    assert packed.diff_id == Digest.of(archive)
    assert len(archive) % 512 == 0
    hashes = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for info in opened:
            if info.isreg():
                body = opened.extractfile(info)
                assert body is not None
                hashes[info.name] = hashlib.sha256(body.read()).hexdigest()
    wanted = {
        entry.path: hashlib.sha256(
            entry.content or Path(str(entry.source)).read_bytes()
        ).hexdigest()
        for entry in entries
    }
    assert hashes == wanted
    if len(entries) == 1:
        assert packed.files == {entries[0].path: f"{ALONE}{packed.diff_id.hex}"}
    else:
        assert packed.files == wanted
    if packed.compression is Compression.ZSTD:
        assert zstandard.frame_content_size(raw) == len(archive)
    assert made(entries, compression)[1] == raw


@pytest.mark.parametrize("filler", [0, HUGE])
def test_the_whole_and_the_streamed_way_write_the_same_tar(filler: int) -> None:
    """The limit between them decides memory, not content."""
    entries = [*SMALL, file("agent/x", bytes(filler))]
    packed, raw = made(entries)
    wanted = [
        tar.header(entry, epoch=0) + (entry.content or b"") + tar.padding(entry.size)
        for entry in with_folders(entries)
    ]
    assert plain(packed, raw) == b"".join([*wanted, tar.end()])


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 40])
def test_memory_stays_small_whatever_the_size(tmp_path: Path, count: int) -> None:
    noise = random.Random(1).randbytes(MIB)
    entries = []
    for number in range(count):
        path = tmp_path / f"{number}.bin"
        with path.open("wb") as stream:
            for _ in range(200 // count):
                stream.write(noise)
        entries.append(TarEntry(f"agent/{path.name}", 0o644, path.stat().st_size, source=str(path)))

    class Nowhere(Sink):
        def write(self, chunk: bytes | memoryview) -> None:
            pass

        def digest(self) -> Digest:
            return Digest.of(b"")

    tracemalloc.start()
    try:
        pack(entries, Nowhere(), compression=Compression.ZSTD, epoch=0)
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()


# What the machine does meanwhile


class MeddlingSink(Sink):
    """Does something to the context at the first write."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def write(self, chunk: bytes | memoryview) -> None:
        super().write(chunk)
        if self._path.exists():
            status = self._path.stat()
            with self._path.open("r+b") as stream:
                stream.seek(-1, os.SEEK_END)
                stream.write(b"!")
            os.utime(self._path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def test_a_huge_file_that_changes_under_the_reader(tmp_path: Path) -> None:
    """The same size and another content half-way through would make a file that never was."""
    path = tmp_path / "a.bin"
    path.write_bytes(random.Random(1).randbytes(20 * MIB))
    entry = TarEntry("agent/a.bin", 0o644, 20 * MIB, source=str(path))
    with pytest.raises(ChangedWhileReading, match=r"a\.bin: changed while it was read"):
        pack([entry], MeddlingSink(path), compression=Compression.ZSTD, epoch=0)


def test_other_errors_of_the_machine_name_the_file() -> None:
    error = reading_failed("/x/y", OSError(5, "Input/output error"))
    assert isinstance(error, SourceUnreadable)
    assert error.message == "/x/y: cannot be read: Input/output error"


@pytest.mark.parametrize("size", [100, HUGE + 1])
def test_a_disk_that_fails_names_the_file(size: int) -> None:
    """Reading the memory of a process at an address that is not mapped gives EIO."""
    entry = TarEntry("agent/x", 0o644, size, source="/proc/self/mem")
    with pytest.raises(SourceUnreadable, match="/proc/self/mem: cannot be read"):
        made([entry])


# Anything comes back, through every reader


@given(
    st.dictionaries(
        st.text("abcé長", min_size=1, max_size=6),
        st.binary(max_size=3000),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(ALL),
)
def test_what_is_packed_unpacks(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], compression: Compression
) -> None:
    entries = [file(f"agent/{name}", body) for name, body in sorted(files.items())]
    listing = Inventory.of(
        FileEntry(e.path, e.size, e.mode, hashlib.sha256(e.content or b"").hexdigest(), 0)
        for e in entries
    ).encode()
    packed, raw = made([*entries, file("agent/files.json", listing)], compression)
    layer = packed_layer(raw, packed.compression, packed.diff_id)
    folder = tmp_path_factory.mktemp("unpacked") / "tree"
    unpack_image([layer], folder, inventory=Inventory.parse(listing, what="test"))
    found = contents(folder)
    del found["agent/files.json"]
    assert found == {entry.path: entry.content for entry in entries}


def test_content_may_come_from_a_file_or_from_memory(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    by_file = TarEntry("agent/a", 0o644, 7, source=str(tmp_path / "a"))
    assert made([by_file]) == made([file("agent/a", b"content")])
    assert made([TarEntry("agent/a")]) == made([file("agent/a", b"")])


def test_a_file_read_in_pieces_is_whole(tmp_path: Path) -> None:
    body = random.Random(2).randbytes(700 * KIB)
    (tmp_path / "a").write_bytes(body)
    entry = TarEntry("agent/a", 0o644, len(body), source=str(tmp_path / "a"))
    assert made([entry])[0].files == {"agent/a": hashlib.sha256(body).hexdigest()}
