"""Reading a tar stream: what is understood, and what is refused for its form."""

from __future__ import annotations

import io
import tarfile

import pytest

from agentoci._internal import limits
from agentoci.layers.untar import RefusedArchive, TarMember, iterate
from tests.layers.archives import (
    END,
    GNU,
    archive,
    file,
    folder,
    header,
    long_name,
    padded,
    pax,
    pax_raw,
    record,
    symlink,
)


class Trickle:
    """A reader that never gives as much as it is asked for."""

    def __init__(self, raw: bytes) -> None:
        self._raw = io.BytesIO(raw)

    def read(self, size: int = -1, /) -> bytes:
        return self._raw.read(min(size, 100))


def members(raw: bytes) -> list[TarMember]:
    return [member for member, _ in iterate(io.BytesIO(raw))]


def only(raw: bytes) -> TarMember:
    (member,) = members(raw)
    return member


def test_files_folders_and_links() -> None:
    raw = archive(
        folder("agent/"),
        file("agent/a", b"one"),
        file("agent/b", b"", mode=0o755),
        symlink("agent/c", "a"),
    )
    assert members(raw) == [
        TarMember("agent", "dir", 0, 0o755),
        TarMember("agent/a", "file", 3, 0o644),
        TarMember("agent/b", "file", 0, 0o755),
        TarMember("agent/c", "symlink", 0, 0o777, "a"),
    ]


def test_bodies_whole_in_pieces_or_skipped() -> None:
    raw = archive(file("a", b"a" * 700), file("b", b"b" * 300_000), file("c", b"c"), file("d"))
    for reader in (io.BytesIO(raw), Trickle(raw)):
        found = {}
        for member, body in iterate(reader):
            if member.name == "b":
                found["b"] = body.read(10) + body.read(0) + body.read()
                assert body.read(1) == b""
            elif member.name != "a":
                found[member.name] = body.read_whole()
        assert found == {"b": b"b" * 300_000, "c": b"c", "d": b""}


def test_leading_dot_and_the_root_itself() -> None:
    raw = archive(folder("./"), folder("."), folder("./agent"), file("./agent/a"))
    assert [member.name for member in members(raw)] == ["agent", "agent/a"]


def test_setuid_and_other_bits_are_ignored() -> None:
    assert only(archive(file("a", mode=0o6644))).mode == 0o644
    assert only(archive(file("a", mode=0o7777))).mode == 0o755
    assert only(archive(file("a", mode=0o1011))).mode == 0o644


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_the_standard_library_writes(form: int) -> None:
    name = "agent/" + "long/" * 25 + "n" * 90
    link = "t" * (90 if form == tarfile.USTAR_FORMAT else 200)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mtime = 5, 1.5  # a fraction needs a PAX record
        tar.addfile(info, io.BytesIO(b"12345"))
        info = tarfile.TarInfo("agent/link")
        info.type, info.linkname = tarfile.SYMTYPE, link
        tar.addfile(info)
    found = [(member, body.read()) for member, body in iterate(io.BytesIO(stream.getvalue()))]
    assert found == [
        (TarMember(name, "file", 5, 0o644), b"12345"),
        (TarMember("agent/link", "symlink", 0, 0o777, link), b""),
    ]


def test_pax_records_override_the_header() -> None:
    raw = archive(
        pax((b"path", "agent/ä".encode()), (b"size", b"3"), (b"mtime", b"1.5"), (b"uid", b"-1")),
        header(b"\xff\xfe", size=0) + padded(b"abc"),
        pax((b"comment", b"for all"), kind=b"g"),
        pax((b"linkpath", b"z" * 300)),
        symlink("agent/l", "wrong"),
    )
    assert members(raw) == [
        TarMember("agent/ä", "file", 3, 0o644),
        TarMember("agent/l", "symlink", 0, 0o777, "z" * 300),
    ]


def test_gnu_long_names() -> None:
    raw = archive(
        long_name(b"k" * 150 + b"\0", kind=b"K"),
        long_name(b"n" * 150 + b"\0"),
        header("short", kind=b"2", link="short", magic=GNU),
    )
    assert only(raw) == TarMember("n" * 150, "symlink", 0, 0o777, "k" * 150)


def test_sizes_in_base_256_and_odd_octal() -> None:
    big = b"\x80" + (3).to_bytes(11, "big")
    raw = archive(
        header("a", size=big) + padded(b"abc"),
        header("b", size=b"          3 ") + padded(b"abc"),
        header("c", size=b"\0" * 12),
        header("d", kind=b"\0"),
    )
    assert [member.size for member in members(raw)] == [3, 3, 0, 0]


def test_whiteouts() -> None:
    raw = archive(
        file("agent/.wh.old"), file(".wh.top"), file("agent/.wh..wh..opq"), file(".wh..wh..opq")
    )
    assert [(member.kind, member.name) for member in members(raw)] == [
        ("whiteout", "agent/old"),
        ("whiteout", "top"),
        ("opaque", "agent"),
        ("opaque", ""),
    ]


def test_padding_to_a_record_is_fine() -> None:
    assert only(archive(file("a")) + bytes(700_000)).name == "a"


DAMAGED = {
    "empty": b"",
    "no end": file("a"),
    "one zero block": file("a") + bytes(512),
    "zero block, then more": file("a") + bytes(512) + file("b") + END,
    "cut in a header": file("a")[:300],
    "cut in a body": header("a", size=5000) + bytes(512),
    "cut in the padding": header("a", size=10) + b"0123456789",
    "garbage behind the end": archive(file("a")) + b"\0" * 512 + b"x",
    "another archive behind the end": archive(file("a")) + archive(file("b")),
    "wrong checksum": archive(header("a", checksum=1)),
    "garbage checksum": archive(header("a")[:148] + b"junkjunk" + header("a")[156:]),
    "version 7": archive(header("a", magic=bytes(8))),
    "octal with an 8": archive(header("a", size=b"00000000008\0")),
    "octal with an underscore": archive(header("a", size=b"0000000_001\0") + padded(b"x")),
    "octal with a prefix": archive(header("a", size=b"000000000o1\0") + padded(b"x")),
    "octal with a NUL inside": archive(header("a", size=b"00001\x0000001") + padded(b"x")),
    "mode is garbage": archive(header("a", mode=b"rw-r--r-")),
    "negative octal size": archive(header("a", size=b"-0000001000\0")),
    "negative base 256 size": archive(header("a", size=b"\xff" * 10 + b"\xfe\x00")),
    "negative PAX size": archive(pax((b"size", b"-512")), header("a")),
    "PAX size is no number": archive(pax((b"size", b"1e3")), header("a")),
    "PAX size without end": archive(pax((b"size", b"9" * 300)), header("a")),
    "size beyond all": archive(header("a", size=b"\x80" + b"\0" * 3 + b"\xff" * 8)),
    "folder with content": archive(header("a", kind=b"5", size=3) + padded(b"abc")),
    "link with content": archive(header("a", kind=b"2", link="b", size=3) + padded(b"abc")),
    "folder with content by PAX": archive(pax((b"size", b"512")), folder("a"), bytes(512)),
    "whiteout with content": archive(file(".wh.a", b"x")),
    "PAX record without end": archive(pax_raw(b"20 path=a"), file("b")),
    "PAX record without a line's end": archive(pax_raw(b"9 path=ab"), file("b")),
    "PAX record without a key": archive(pax_raw(record(b"", b"x")), file("b")),
    "PAX record without a value": archive(pax_raw(b"7 path\n"), file("b")),
    "PAX record of length 0": archive(pax_raw(b"0 path=a\n"), file("b")),
    "PAX record of negative length": archive(pax_raw(b"-9 path=a\n"), file("b")),
    "PAX record of endless length": archive(pax_raw(b"9" * 500 + b" path=a\n"), file("b")),
    "empty PAX path": archive(pax((b"path", b"")), file("b")),
    "empty PAX link": archive(pax((b"linkpath", b"")), symlink("b", "c")),
    "NUL in a PAX path": archive(pax((b"path", b"a\0b")), file("b")),
    "PAX path is not UTF-8": archive(pax((b"path", b"\xff")), file("b")),
    "name is not UTF-8": archive(file(b"\xff")),
    "name is a surrogate": archive(file(b"\xed\xa0\x80")),
    "two PAX paths": archive(pax((b"path", b"a")), pax((b"path", b"b")), file("c")),
    "PAX path and GNU name": archive(pax((b"path", b"a")), long_name(b"b"), file("c")),
    "path for all": archive(pax((b"path", b"a"), kind=b"g"), file("b")),
    "empty GNU name": archive(long_name(b"\0\0"), file("b")),
    "NUL in a GNU name": archive(long_name(b"a\0b\0"), file("b")),
    "PAX header at the end": archive(file("a"), pax((b"path", b"a"))),
    "sparse, GNU": archive(header("a", kind=b"S", magic=GNU)),
    "sparse, PAX": archive(pax((b"GNU.sparse.major", b"1")), file("a")),
    "hard link": archive(header("a", kind=b"1", link="b")),
    "character device": archive(header("a", kind=b"3")),
    "block device": archive(header("a", kind=b"4")),
    "pipe": archive(header("a", kind=b"6")),
    "contiguous": archive(header("a", kind=b"7")),
    "unknown type": archive(header("a", kind=b"Z")),
}


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_or_ambiguous(raw: bytes) -> None:
    with pytest.raises(RefusedArchive):
        members(raw)


BAD_NAMES = [
    "",
    "/",
    "/a",
    "//a",
    "..",
    "../a",
    "a/..",
    "a/../b",
    "a/./b",
    "a//b",
    "./../a",
    ".//a",
    "././a",
    "a\\b",
    "..\\a",
    "a\nb",
    "a\x1b[2J",
    "a\x7f",
    "a\u0085",
    ".wh.",
    ".wh..",
    ".wh...",
    "a/.wh...",
    ".wh.a/b",
    ".wh..wh.plnk",
    "../.wh.a",
    "/.wh.a",
    "a/../.wh..wh..opq",
    ".wh.\\",
    "x" * 256,
    "a/" * 128 + "a",
    "y" * 200 + ("/" + "y" * 200) * 20,
]


@pytest.mark.parametrize(
    ("name", "kind"),
    # A folder's name may end with a slash: those two have a test of their own.
    [(n, k) for n in BAD_NAMES for k in (b"0", b"2", b"5") if k != b"5" or n not in ("", "/")],
)
def test_names_that_are_refused(name: str, kind: bytes) -> None:
    named = long_name(name.encode()) if name else b""
    with pytest.raises(RefusedArchive):
        members(archive(named, header(name, kind=kind, link="x" if kind == b"2" else "")))


@pytest.mark.parametrize("name", ["", "/"])
def test_folders_without_a_name(name: str) -> None:
    with pytest.raises(RefusedArchive):
        members(archive(folder(name)))


@pytest.mark.parametrize("name", ["a/", ".", "./"])
def test_files_and_links_named_like_folders(name: str) -> None:
    for part in (file(name), symlink(name, "b")):
        with pytest.raises(RefusedArchive):
            members(archive(part))


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/etc/passwd",
        "../../x",
        "../../..",
        "x/../y",
        "x/..",
        ".",
        "./",
        "./x",
        "x/",
        "x//y",
        "x/./y",
        "../x/../y",
        "a\\b",
        "a\nb",
        "x/" * 2100 + "x",
    ],
)
def test_link_targets_that_are_refused(target: str) -> None:
    named = long_name(target.encode(), kind=b"K") if target else b""
    with pytest.raises(RefusedArchive):
        members(archive(named, symlink("agent/l", target)))


@pytest.mark.parametrize("target", ["x", "x/y", "../x", "..", "...", "..x/y"])
def test_link_targets_that_are_fine(target: str) -> None:
    assert only(archive(symlink("agent/l", target))).link == target


def test_names_at_the_limit() -> None:
    long_part = "ä" * 127
    deep = "d/" * 127 + "d"
    raw = archive(long_name(long_part.encode()), file("x"), long_name(deep.encode()), file("x"))
    assert [member.name for member in members(raw)] == [long_part, deep]


def test_messages_name_the_entry_without_control_characters() -> None:
    with pytest.raises(RefusedArchive, match="the name is absolute") as caught:
        members(archive(file("/etc/passwd")))
    assert "'/etc/passwd'" in caught.value.message
    with pytest.raises(RefusedArchive) as caught:
        members(archive(file("a\x1b[2J")))
    assert "\x1b" not in caught.value.message


def test_headers_of_one_entry_are_bounded_before_they_are_read() -> None:
    claimed = header("PaxHeader", kind=b"x", size=64 << 20)
    with pytest.raises(RefusedArchive, match="bytes of headers"):
        members(claimed)  # nothing follows: it must not be asked for
    many = pax((b"comment", b"x" * 1000), kind=b"g") * 1000
    with pytest.raises(RefusedArchive, match="bytes of headers"):
        members(archive(many, file("a")))


def test_entries_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TAR_ENTRIES", 3)
    assert len(members(archive(file("a"), file("b"), file("c")))) == 3
    with pytest.raises(RefusedArchive, match="more than 3 entries"):
        members(archive(*(file(name) for name in "abcd")))
