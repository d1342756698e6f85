"""Tar headers: what we write is what other readers, and our own, read."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentoci.layers import tar
from agentoci.layers.tar import TarEntry
from agentoci.layers.untar import iterate

GIB = 1024**3

PART = st.text(
    st.one_of(
        st.sampled_from("abc.-_ é長😀\u0301"), st.characters(exclude_categories=["C"])
    ).filter(lambda c: c not in "/\\"),
    min_size=1,
    max_size=60,
).filter(lambda p: p not in (".", "..") and not p.startswith(".wh.") and len(p.encode()) <= 255)

PATH = st.lists(PART, min_size=1, max_size=6).map("/".join)


@dataclass
class Made:
    """What one archive holds, as a reader tells it."""

    name: str
    size: int
    mode: int
    link: str


def archive(*entries: tuple[TarEntry, bytes], epoch: int = 0) -> bytes:
    """A whole archive."""
    parts = []
    for entry, content in entries:
        parts += [tar.header(entry, epoch=epoch), content, tar.padding(entry.size)]
    return b"".join([*parts, tar.end()])


def read_by_tarfile(raw: bytes) -> list[tarfile.TarInfo]:
    """The members, by the standard library."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as opened:
        return opened.getmembers()


@given(PATH, st.binary(max_size=1200), st.sampled_from([0o644, 0o755]))
@example("a" * 100, b"", 0o644)
@example("a" * 101, b"x", 0o644)
@example("f" * 155 + "/" + "n" * 100, b"x", 0o755)
@example("f" * 156 + "/" + "n" * 100, b"x", 0o755)
@example("f" * 155 + "/" + "n" * 101, b"x", 0o755)
@example("長" * 33 + "a", b"x", 0o644)
@example("長" * 85, b"x" * 512, 0o644)
@example("/".join(["n" * 255] * 15), b"", 0o644)
def test_a_file_reads_back(path: str, content: bytes, mode: int) -> None:
    raw = archive((TarEntry(path, mode, len(content)), content))
    assert len(raw) % 512 == 0
    (info,) = read_by_tarfile(raw)
    assert (info.name, info.size, info.mode) == (path, len(content), mode)
    assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
    assert info.isreg()
    ((member, body),) = ((m, b.read_whole()) for m, b in iterate(io.BytesIO(raw)))
    assert (member.name, member.kind, member.size, member.mode) == (
        path,
        "file",
        len(content),
        mode,
    )
    assert body == content


@given(PATH)
@example("f" * 154 + "/" + "n" * 99)
@example("a" * 99)
@example("a" * 100)
def test_a_folder_reads_back(path: str) -> None:
    raw = archive((TarEntry(path, is_folder=True), b""))
    (info,) = read_by_tarfile(raw)
    assert (info.name, info.mode) == (path, 0o755)
    assert info.isdir()
    ((member, _),) = list(iterate(io.BytesIO(raw)))
    assert (member.name, member.kind) == (path, "dir")


@given(PATH, PATH)
@example("l", "t" * 100)
@example("l", "t" * 101)
@example("l", "長" * 40)
@example("n" * 200, "t/" * 100 + "t")
def test_a_link_reads_back(path: str, target: str) -> None:
    raw = archive((TarEntry(path, link=target), b""))
    (info,) = read_by_tarfile(raw)
    assert (info.name, info.linkname, info.size) == (path, target, 0)
    assert info.issym()
    ((member, _),) = list(iterate(io.BytesIO(raw)))
    assert (member.name, member.kind, member.link) == (path, "symlink", target)


@given(st.lists(st.tuples(PATH, st.binary(max_size=700)), max_size=8, unique_by=lambda p: p[0]))
def test_many_entries_read_back_in_order(files: list[tuple[str, bytes]]) -> None:
    raw = archive(*((TarEntry(path, 0o644, len(body)), body) for path, body in files))
    assert [(i.name, i.size) for i in read_by_tarfile(raw)] == [(p, len(b)) for p, b in files]
    read = [(m.name, b.read_whole()) for m, b in iterate(io.BytesIO(raw))]
    assert read == files


@pytest.mark.parametrize("size", [8 * GIB - 1, 8 * GIB, 300 * GIB])
def test_sizes_around_the_limit_of_ustar(size: int) -> None:
    head = tar.header(TarEntry("agent/big", 0o644, size), epoch=0)
    with tarfile.open(fileobj=io.BytesIO(head + tar.end()), ignore_zeros=True) as opened:
        info = opened.next()
    assert info is not None
    assert (info.name, info.size) == ("agent/big", size)
    assert len(head) == (512 if size < 8 * GIB else 3 * 512)


@pytest.mark.parametrize("epoch", [1, 1_700_000_000, 2**33 - 1])
def test_every_header_has_the_epoch(epoch: int) -> None:
    raw = archive(
        (TarEntry("f", is_folder=True), b""),
        (TarEntry("f/長", 0o644, 1), b"x"),
        (TarEntry("f/l", link="長"), b""),
        epoch=epoch,
    )
    assert {info.mtime for info in read_by_tarfile(raw)} == {epoch}
    blocks = [raw[at : at + 512] for at in range(0, len(raw), 512)]
    headers = [block for block in blocks if block[257:263] == b"ustar\0"]
    assert len(headers) == 5, "two of them are PAX records"
    assert {int(block[136:147], 8) for block in headers} == {epoch}


def test_a_pax_record_counts_its_own_digits() -> None:
    for length in range(80, 120):
        raw = archive((TarEntry("é" + "x" * length), b""))
        assert read_by_tarfile(raw)[0].name == "é" + "x" * length
        body = raw[512:1024].rstrip(b"\0")
        assert int(body.split(b" ")[0]) == len(body)


def test_a_short_name_takes_one_block() -> None:
    assert len(tar.header(TarEntry("agent/knowledge/a.md", 0o644, 10), epoch=0)) == 512


@pytest.mark.parametrize(("size", "zeros"), [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_padding_fills_the_block(size: int, zeros: int) -> None:
    assert tar.padding(size) == bytes(zeros)
