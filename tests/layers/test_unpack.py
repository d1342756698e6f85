"""Unpacking layers to a tree: what arrives on disk, and what is refused as a whole."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from pathlib import Path

import pytest

from agentoci.errors import Integrity
from agentoci.layers.decompress import BadCompression
from agentoci.layers.inventory import FILES_JSON, FileEntry, Inventory
from agentoci.layers.paths import NameClash
from agentoci.layers.unpack import (
    DiffIdMismatch,
    FileNotInLayer,
    InventoryMismatch,
    PackedLayer,
    read_file,
    unpack_image,
)
from agentoci.layers.untar import RefusedArchive
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression
from tests.layers.archives import (
    archive,
    compress,
    contents,
    entry,
    file,
    folder,
    inventory,
    layer,
    packed_layer,
    symlink,
    tree_layer,
)

BASE = tree_layer(
    folder("agent/"),
    file("agent/a", b"base a"),
    file("agent/b", b"base b"),
    file("agent/gone", b"x"),
    file("agent/old/deep", b"x"),
)
TOP = tree_layer(
    file("agent/a", b"top a"),
    file("agent/.wh.gone"),
    file("agent/.wh.old"),
    file("agent/run.sh", b"#!", mode=0o755),
    symlink("agent/link", "b"),
    folder("agent/empty"),
    file(FILES_JSON, b"{}"),
)
LISTED = inventory(
    entry("agent/a", b"top a", 1),
    entry("agent/b", b"base b", 0),
    entry("agent/run.sh", b"#!", 1, mode=0o755),
    FileEntry.symlink("agent/link", "b", layer=1),
)
AMOUNT = {
    "agent/a": b"top a",
    "agent/b": b"base b",
    "agent/run.sh": b"#!",
    "agent/link": "-> b",
    "agent/empty": None,
    FILES_JSON: b"{}",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in which only what the test unpacks is."""
    made = tmp_path / "place"
    made.mkdir()
    return made


@pytest.mark.parametrize("listed", [LISTED, None], ids=["inventory", "foreign"])
@pytest.mark.parametrize("workers", [1, 2])
def test_two_layers(place: Path, listed: Inventory | None, workers: int) -> None:
    unpack_image([BASE, TOP], place / "image", inventory=listed, workers=workers)
    assert contents(place / "image") == AMOUNT
    assert os.listdir(place) == ["image"]  # noqa: PTH208


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_are_fixed_whatever_the_umask(place: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        unpack_image([BASE, TOP], place / "image", inventory=LISTED)
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((place / "image" / name).lstat().st_mode)
        for name in ("", "agent", "agent/a", "agent/run.sh", "agent/empty")
    }
    assert modes == {
        "": 0o755,
        "agent": 0o755,
        "agent/a": 0o444,
        "agent/run.sh": 0o555,
        "agent/empty": 0o755,
    }


@pytest.mark.parametrize("compression", Compression)
def test_every_compression(place: Path, compression: Compression) -> None:
    raw = archive(file("a", b"a" * 1_000_000), file("b", os.urandom(700_000)))
    unpack_image([layer(raw, compression)], place / "image", inventory=None)
    assert (place / "image/a").read_bytes() == b"a" * 1_000_000
    assert (place / "image/b").stat().st_size == 700_000


@pytest.mark.parametrize("compression", [Compression.ZSTD, Compression.GZIP])
def test_several_frames_are_one_stream(place: Path, compression: Compression) -> None:
    raw = archive(file("a", os.urandom(5000)), file("b", b"b" * 5000))
    packed = b"".join(compress(raw[at : at + 1000], compression) for at in range(0, len(raw), 1000))
    unpack_image(
        [packed_layer(packed, compression, Digest.of(raw))], place / "image", inventory=None
    )
    assert (place / "image/b").read_bytes() == b"b" * 5000


def test_progress_counts_packed_bytes(place: Path) -> None:
    counts: list[int] = []
    unpack_image([BASE, TOP], place / "image", inventory=LISTED, advance=counts.append)
    assert sum(counts) == BASE.size + TOP.size
    counts.clear()
    unpack_image([BASE, TOP], place / "other", inventory=None, advance=counts.append)
    assert sum(counts) == BASE.size + TOP.size


def test_an_image_without_layers_is_an_empty_folder(place: Path) -> None:
    unpack_image([], place / "image", inventory=None)
    assert contents(place / "image") == {}


def test_base_layers_bring_inventories_of_their_own(place: Path) -> None:
    base = tree_layer(file("agent/a", b"a"), file(FILES_JSON, b"the base's"))
    top = tree_layer(file(FILES_JSON, b"ours"))
    unpack_image([base, top], place / "image", inventory=inventory(entry("agent/a", b"a", 0)))
    assert contents(place / "image") == {"agent/a": b"a", FILES_JSON: b"ours"}


# Foreign images: what the image specification says about layers.


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([[file("a/x", b"1")], [file("a/x", b"2")]], {"a/x": b"2"}),
        ([[file("a", b"1")], [folder("a"), file("a/x", b"2")]], {"a/x": b"2"}),
        ([[file("a/x", b"1"), file("a/y/z")], [file("a", b"2")]], {"a": b"2"}),
        ([[symlink("a", "b")], [file("a", b"2")]], {"a": b"2"}),
        ([[symlink("a", "b")], [folder("a")]], {"a": None}),
        ([[file("a")], [symlink("a", "b")]], {"a": "-> b"}),
        ([[folder("a"), file("a/x")], [folder("a/")]], {"a/x": b""}),
        ([[file("a/x"), file("a/y")], [file("a/.wh.x")]], {"a/y": b""}),
        ([[file("a/x")], [file("a/.wh.x")]], {"a": None}),
        ([[file("a/x/y/z"), file("b")], [file(".wh.a")]], {"b": b""}),
        ([[file("a/x"), file("b/x")], [file("a/.wh..wh..opq"), file("a/y")]],
         {"a/y": b"", "b/x": b""}),
        # The whiteouts of a layer are for lower layers only, wherever they stand.
        ([[file("a/x", b"1")], [file("a/y"), file("a/.wh..wh..opq")]], {"a/y": b""}),
        ([[file("a/x", b"1")], [file("a/x", b"2"), file("a/.wh.x")]], {"a/x": b"2"}),
        ([[file("a/x")], [file(".wh.a"), file("a/y", b"2")]], {"a/y": b"2"}),
        ([[file("a")], [file(".wh..wh..opq")], [file("b")]], {"b": b""}),
        ([[file("a")], [file(".wh.nothing"), file("no/.wh..wh..opq"), file("a/.wh.x")]],
         {"a": b""}),
        ([[file("a", b"1")], [file(".wh.a")], [file("a", b"3")]], {"a": b"3"}),
    ],
)  # fmt: skip
def test_layers_upon_layers(
    place: Path, layers: list[list[bytes]], expected: dict[str, object]
) -> None:
    unpack_image([tree_layer(*parts) for parts in layers], place / "image", inventory=None)
    assert contents(place / "image") == expected


# The inventory and the layers must say the same.


def refuse(place: Path, layers: list[PackedLayer], listed: Inventory | None) -> Integrity:
    """Unpack, which must fail and leave nothing; gives the error."""
    with pytest.raises(Integrity) as caught:
        unpack_image(layers, place / "image", inventory=listed)
    assert os.listdir(place) == []  # noqa: PTH208
    return caught.value


def without(path: str) -> Inventory:
    return Inventory(tuple(each for each in LISTED.entries if each.path != path))


def with_change(path: str, **changes: object) -> Inventory:
    return Inventory.of(
        dataclasses.replace(each, **changes) if each.path == path else each  # type: ignore[arg-type]
        for each in LISTED.entries
    )


@pytest.mark.parametrize("path", ["agent/a", "agent/b", "agent/link"])
def test_a_file_that_is_not_listed(place: Path, path: str) -> None:
    error = refuse(place, [BASE, TOP], without(path))
    assert "does not list" in error.message
    assert repr(path) in error.message


@pytest.mark.parametrize("path", ["agent/new", "agent/gone", "agent/old/deep", "agent/empty"])
def test_a_listed_file_that_is_missing_or_removed(place: Path, path: str) -> None:
    listed = Inventory.of([*LISTED.entries, entry(path, b"x", 0)])
    error = refuse(place, [BASE, TOP], listed)
    assert isinstance(error, InventoryMismatch | NameClash)
    assert repr(path) in error.message


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("agent/a", {"size": 6}),
        ("agent/a", {"mode": 0o755}),
        ("agent/a", {"layer": 0}),
        ("agent/a", {"layer": 7}),
        ("agent/b", {"layer": 1}),
        ("agent/b", {"link": "a"}),
        ("agent/run.sh", {"mode": 0o644}),
        ("agent/link", {"link": "a"}),
        ("agent/link", {"link": None}),
        ("agent/link", {"layer": 0}),
    ],
)
def test_a_listed_file_that_is_another_one(
    place: Path, path: str, changes: dict[str, object]
) -> None:
    error = refuse(place, [BASE, TOP], with_change(path, **changes))
    assert isinstance(error, InventoryMismatch)
    assert repr(path) in error.message


def test_an_inventory_that_lists_itself_or_something_twice(place: Path) -> None:
    itself = Inventory.of([*LISTED.entries, entry(FILES_JSON, b"{}", 1)])
    assert isinstance(refuse(place, [BASE, TOP], itself), InventoryMismatch)
    twice = Inventory.of([*LISTED.entries, entry("agent/a", b"base a", 0)])
    assert isinstance(refuse(place, [BASE, TOP], twice), InventoryMismatch)


@pytest.mark.parametrize("listed", [LISTED, None], ids=["inventory", "foreign"])
def test_a_layer_with_another_diff_id(place: Path, listed: Inventory | None) -> None:
    wrong = dataclasses.replace(TOP, diff_id=Digest.of(b"something else"))
    error = refuse(place, [BASE, wrong], listed)
    assert isinstance(error, DiffIdMismatch)
    assert error.message.startswith("layer 1 (")


def test_a_diff_id_of_sha512(place: Path) -> None:
    raw = archive(file("a"))
    named = Digest("sha512", hashlib.sha512(raw).hexdigest())
    unpack_image([layer(raw, diff_id=named)], place / "image", inventory=None)
    assert contents(place / "image") == {"a": b""}


@pytest.mark.parametrize("compression", [Compression.ZSTD, Compression.GZIP])
def test_packed_bytes_that_are_damaged(place: Path, compression: Compression) -> None:
    raw = archive(file("a", os.urandom(300_000)))
    packed = compress(raw, compression)
    middle = len(packed) // 2
    flipped = packed[:middle] + bytes((packed[middle] ^ 0xFF,)) + packed[middle + 1 :]
    for damaged in (b"", b"junk", packed[:-20], packed[:middle], packed + b"junk", flipped):
        broken = packed_layer(damaged, compression, Digest.of(raw))
        error = refuse(place, [broken], None)
        assert isinstance(error, BadCompression | RefusedArchive | DiffIdMismatch)


def test_a_layer_that_says_another_compression(place: Path) -> None:
    raw = archive(file("a"))
    for packed, said in [
        (Compression.NONE, Compression.ZSTD), (Compression.NONE, Compression.GZIP),
        (Compression.ZSTD, Compression.GZIP), (Compression.GZIP, Compression.ZSTD),
        (Compression.ZSTD, Compression.NONE),
    ]:  # fmt: skip
        refuse(place, [packed_layer(compress(raw, packed), said, Digest.of(raw))], None)


# One file out of a layer.


def test_reading_one_file() -> None:
    assert read_file(TOP, "agent/a", limit=5) == b"top a"
    assert read_file(TOP, FILES_JSON, limit=100) == b"{}"


def test_reading_one_file_that_is_not_there() -> None:
    for path in ("agent/b", "agent/link", "agent/empty", "agent/gone"):
        with pytest.raises(FileNotInLayer):
            read_file(TOP, path, limit=100)


def test_reading_one_file_that_is_too_large() -> None:
    with pytest.raises(RefusedArchive, match="larger than 4 bytes"):
        read_file(TOP, "agent/a", limit=4)


def test_reading_one_file_that_stands_twice() -> None:
    with pytest.raises(RefusedArchive, match="twice"):
        read_file(tree_layer(file("a", b"1"), file("a", b"2")), "a", limit=9)


def test_reading_one_file_reads_the_layer_to_its_end() -> None:
    wrong = dataclasses.replace(TOP, diff_id=Digest.of(b"something else"))
    with pytest.raises(DiffIdMismatch):
        read_file(wrong, "agent/a", limit=100)
    with pytest.raises(RefusedArchive):
        read_file(tree_layer(file("a", b"1"), file("/b")), "a", limit=9)
