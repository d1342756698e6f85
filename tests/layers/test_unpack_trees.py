"""Random trees and random attacks: what is packed arrives, and nothing leads outside."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.errors import Integrity
from agentoci.layers.inventory import FILES_JSON, FileEntry, Inventory
from agentoci.layers.pack import pack
from agentoci.layers.paths import NameClash, Names, fault_of
from agentoci.layers.tar import TarEntry
from agentoci.layers.unpack import PackedLayer, unpack_image
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression
from tests.layers.archives import (
    archive,
    contents,
    file,
    folder,
    hardlink,
    layer,
    long_name,
    packed_layer,
    snapshot,
    symlink,
)

PART = st.one_of(
    st.sampled_from(["a", "b", "c", "agent", "ä", "日本", "x" * 120, "a b", "-", "...", "$HOME"]),
    st.text(min_size=1, max_size=8),
)
PATH = st.lists(PART, min_size=1, max_size=5).map("/".join).filter(lambda p: fault_of(p) is None)
CONTENT = st.one_of(
    st.binary(max_size=40), st.sampled_from([b"z" * 511, b"z" * 512, b"z" * 300_000])
)
TREE = st.dictionaries(PATH, st.tuples(CONTENT, st.sampled_from([0o644, 0o755])), max_size=12)
Tree = dict[str, tuple[bytes, int]]


def is_possible(tree: Tree) -> bool:
    """Whether a disk can hold all these names at once, and the inventory beside them."""
    names = Names()
    names.add_file(FILES_JSON)
    try:
        for path in tree:
            names.add_file(path)
    except NameClash:
        return False
    return True


@contextmanager
def place() -> Iterator[Path]:
    """A folder, with one outside beside it; fresh for every example."""
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "outside").mkdir()
        (Path(made) / "outside/canary").write_bytes(b"canary")
        (Path(made) / "place").mkdir()
        yield Path(made) / "place"


def listing(tree: Tree, at: int = 0) -> Inventory:
    return Inventory.of(
        FileEntry(path, len(content), mode, hashlib.sha256(content).hexdigest(), at)
        for path, (content, mode) in tree.items()
    )


def assert_arrived(root: Path, tree: Tree) -> None:
    files = {path: found for path, found in contents(root).items() if found is not None}
    assert files == {path: content for path, (content, _) in tree.items()}
    for path, (_, mode) in tree.items():
        assert (root / path).stat().st_mode & 0o777 == (0o555 if mode & 0o100 else 0o444)


def by_standard_library(tree: Tree, form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form, encoding="utf-8") as tar:
        for path, (content, mode) in tree.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@given(
    TREE.filter(is_possible),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.sampled_from(Compression),
    st.booleans(),
)
def test_what_the_standard_library_packs_arrives(
    tree: Tree, form: int, compression: Compression, listed: bool
) -> None:
    packed = layer(by_standard_library(tree, form), compression)
    with place() as here:
        unpack_image([packed], here / "image", inventory=listing(tree) if listed else None)
        assert_arrived(here / "image", tree)


class Sink:
    """Keeps what is packed."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, chunk: bytes | memoryview) -> None:
        self.content += chunk

    def digest(self) -> Digest:
        return Digest.of(bytes(self.content))


def by_our_own(tree: Tree, compression: Compression) -> PackedLayer:
    entries = [
        TarEntry(path, mode=mode, size=len(content), content=content)
        for path, (content, mode) in sorted(tree.items())
    ]
    sink = Sink()
    done = pack(entries, sink, compression=compression, epoch=0)
    return packed_layer(bytes(sink.content), done.compression, done.diff_id)


@given(TREE.filter(is_possible), st.sampled_from(Compression))
def test_what_we_pack_arrives(tree: Tree, compression: Compression) -> None:
    with place() as here:
        unpack_image([by_our_own(tree, compression)], here / "image", inventory=listing(tree))
        assert_arrived(here / "image", tree)


@given(TREE, TREE)
def test_an_inventory_survives_its_document(one: Tree, two: Tree) -> None:
    listed = Inventory.of({e.path: e for t in (one, two) for e in listing(t).entries}.values())
    assert Inventory.parse(listed.encode(), what="files.json") == listed


# Layers upon layers, against a model that is too simple to be wrong.

NAME = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/a/a", "b/b/b", "c/a"])
CHANGE = st.one_of(
    st.tuples(st.just("file"), NAME), st.tuples(st.just("whiteout"), NAME),
    st.tuples(st.just("opaque"), st.sampled_from(["a", "b", "a/a", ""])),
)  # fmt: skip


def below(path: str, folder_path: str) -> bool:
    return not folder_path or path.startswith(folder_path + "/")


def model(layers: list[list[tuple[str, str]]]) -> dict[str, bytes] | None:
    """The files left by these changes; None when a name would lie below a file."""
    held: dict[str, bytes] = {}
    for at, changes in enumerate(layers):
        for kind, name in changes:
            gone = {p for p in held if below(p, name) or (kind == "whiteout" and p == name)}
            if kind != "file":
                held = {p: c for p, c in held.items() if p not in gone}
        added = {name for kind, name in changes if kind == "file"}
        for name in added:
            held = {p: c for p, c in held.items() if not below(p, name)}
        held.update(dict.fromkeys(added, b"%d" % at))
        if any(below(p, other) for p in held for other in held):
            return None
    return held


def written(at: int, change: tuple[str, str]) -> bytes:
    kind, name = change
    if kind == "file":
        return file(name, b"%d" % at)
    parent, slash, base = name.rpartition("/")
    if kind == "whiteout":
        return file(f"{parent}{slash}.wh.{base}")
    return file(f"{name}/.wh..wh..opq" if name else ".wh..wh..opq")


@given(st.lists(st.lists(CHANGE, unique=True, max_size=5), min_size=1, max_size=4))
def test_layers_amount_to_what_the_model_says(layers: list[list[tuple[str, str]]]) -> None:
    packed = [
        layer(archive(*(written(at, change) for change in changes)))
        for at, changes in enumerate(layers)
    ]
    expected = model(layers)
    with place() as here:
        if expected is None:
            with pytest.raises(Integrity):
                unpack_image(packed, here / "image", inventory=None)
            return
        unpack_image(packed, here / "image", inventory=None)
        found = {p: c for p, c in contents(here / "image").items() if c is not None}
        assert found == expected


# Attacks.

NASTY = st.lists(
    st.sampled_from(
        ["..", ".", "", "a", "A", "b", "outside", "canary", "place", ".wh.a", ".wh...", "\n", "\\",
         ".wh..wh..opq", "\xe4", "a\u0308", "image", "/tmp", "~"]
    ),
    min_size=1, max_size=4,
).map("/".join)  # fmt: skip
HOSTILE = st.one_of(
    st.builds(lambda name: long_name(name.encode() + b"\0") + file("x", b"evil"), NASTY),
    st.builds(lambda name: file(name, b"evil"), NASTY),
    st.builds(folder, NASTY),
    st.builds(symlink, NASTY, NASTY),
    st.builds(symlink, st.sampled_from(["a", "b", "a/b"]), NASTY),
    st.builds(hardlink, NASTY, NASTY),
)


@given(st.lists(st.lists(HOSTILE, max_size=5), min_size=1, max_size=3))
def test_hostile_layers_never_write_outside(layers: list[list[bytes]]) -> None:
    with place() as here:
        outside = snapshot(here.parent / "outside")
        try:
            unpack_image([layer(archive(*p)) for p in layers], here / "image", inventory=None)
        except Integrity:
            assert list(here.iterdir()) == []
        else:
            assert_links_stay_inside(here / "image")
            assert [path.name for path in here.iterdir()] == ["image"]
        assert snapshot(here.parent / "outside") == outside
        assert {path.name for path in here.parent.iterdir()} == {"outside", "place"}


def assert_links_stay_inside(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_symlink():
            try:
                target = path.resolve()
            except RuntimeError:  # a loop leads nowhere
                continue
            assert target.is_relative_to(root.resolve())


VALID = archive(
    folder("agent/"), file("agent/a", b"one"), symlink("agent/l", "a"),
    long_name(b"agent/" + b"n" * 150), file("short", b"two"), file("agent/.wh.b"),
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=8),
       st.integers(0, len(VALID)), st.booleans())  # fmt: skip
def test_damage_is_refused_or_harmless(
    changes: list[tuple[int, int]], cut: int, fixed: bool
) -> None:
    raw = bytearray(VALID)
    for at, value in changes:
        raw[at] = value
        if fixed:  # attackers compute checksums too
            repair(raw, at - at % 512)
    damaged = bytes(raw if fixed else raw[:cut])
    with place() as here:
        try:
            unpack_image([layer(damaged)], here / "image", inventory=None)
        except Integrity:
            assert list(here.iterdir()) == []
        else:
            assert_links_stay_inside(here / "image")


def repair(raw: bytearray, start: int) -> None:
    if raw[start + 257 : start + 262] == b"ustar":
        raw[start + 148 : start + 156] = b" " * 8
        raw[start + 148 : start + 156] = b"%06o\0 " % sum(raw[start : start + 512])


@given(st.sampled_from(Compression), st.binary(max_size=2000))
def test_any_bytes_are_refused_as_a_layer(compression: Compression, junk: bytes) -> None:
    with place() as here:
        packed = packed_layer(junk, compression, Digest.of(b""))
        with pytest.raises(Integrity):
            unpack_image([packed], here / "image", inventory=None)
        assert list(here.iterdir()) == []


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_an_inventory(junk: bytes) -> None:
    with pytest.raises(Integrity):
        Inventory.parse(b'{"version":1,"files":[' + junk + b"]", what="files.json")
