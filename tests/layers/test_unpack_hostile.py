"""Hostile archives: the published attacks on unpackers. Nothing outside may change, ever.

Every case is tried as a foreign image, and with an inventory by the same attacker, which lists all
that the archive holds.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from agentoci.errors import Integrity
from agentoci.layers.inventory import FileEntry, Inventory
from agentoci.layers.unpack import unpack_image
from tests.layers.archives import (
    GNU,
    archive,
    file,
    folder,
    hardlink,
    header,
    layer,
    long_name,
    pax,
    snapshot,
    symlink,
)

PARTS = tuple[bytes, ...]
EVIL = b"evil"
LONG = "d" * 247


def path_max() -> PARTS:
    """CVE-2025-4517: a chain of links longer than PATH_MAX hides where a name leads."""
    parts: list[bytes] = []
    at = ""
    for step in "abcdefghijklmnop":
        parts.append(pax((b"path", f"{at}{LONG}".encode())) + folder("x"))
        parts.append(
            pax((b"path", f"{at}{step}".encode()), (b"linkpath", LONG.encode())) + symlink("x", "x")
        )
        at += f"{step}/"
    climb = at + "l" * 254
    return (
        *parts,
        pax((b"path", climb.encode()), (b"linkpath", b"../" * 16)) + symlink("x", "x"),
        pax((b"path", b"escape"), (b"linkpath", f"{climb}/../../outside".encode()))
        + symlink("x", "x"),
        hardlink("flaglink", "escape/canary"),
        file("flaglink", EVIL),
        file("escape/new", EVIL),
    )


def named(kind: Callable[[str], bytes]) -> dict[str, PARTS]:
    """One attack by each way of writing a name that leads outside."""
    names = [
        "../outside/canary",
        "../outside/new",
        "a/../../outside/new",
        "..",
        "/",
        "//",
        "/tmp/agentoci-evil",
        "//tmp/agentoci-evil",
        "./../outside/new",
        "a/..",
        "",
    ]
    return {repr(name): (kind(name),) for name in names}


CASES: dict[str, list[PARTS]] = {
    **{f"file {name}": [parts] for name, parts in named(lambda n: file(n, EVIL)).items()},
    **{f"link {name}": [parts] for name, parts in named(lambda n: symlink(n, "a")).items()},
    **{f"link to {name}": [parts] for name, parts in named(lambda n: symlink("a", n)).items()},
    **{f"hard link {name}": [parts] for name, parts in named(lambda n: hardlink("a", n)).items()},
    **{f"folder {name}": [parts]
       for name, parts in named(lambda n: folder(n, mode=0o777)).items() if name != "'./'"},
    "PAX path outside": [(pax((b"path", b"../outside/new")) + file("harmless", EVIL),)],
    "GNU name outside": [(long_name(b"../outside/new\0") + file("harmless", EVIL),)],
    "prefix outside": [(header("new", prefix=b"../outside"),)],
    "prefix absolute": [(header("new", prefix=b"/tmp"),)],
    "CVE-2025-4517 realpath and PATH_MAX": [path_max()],
    "CVE-2025-4138 target through a link": [
        (folder("a"), symlink("a/up", ".."), symlink("secret", "a/up/../outside/canary")),
    ],
    "CVE-2025-4138 link that becomes the folder itself": [
        (symlink("link", "sub/../x"), symlink("sub", "./"), file("link/new", EVIL)),
    ],
    "CVE-2024-12718 attributes of a folder outside": [
        (symlink("out", "../outside"), folder("out", mode=0o777)),
    ],
    "CVE-2024-12718 by an absolute link": [
        (symlink("out", "/tmp"), folder("out/", mode=0o777)),
    ],
    "CVE-2025-4435 one refused among good ones": [
        (file("good", b"good"), file("../outside/new", EVIL), file("better", b"good")),
    ],
    "CVE-2025-8194 negative size": [
        (file("good"), header("bad", size=b"-0000001000\0"), file("better")),
    ],
    "CVE-2025-8194 negative size in base 256": [
        (file("good"), header("bad", size=b"\xff" * 10 + b"\xfe\0", magic=GNU), file("better")),
    ],
    "CVE-2025-4330 hard link to a link": [
        (symlink("a", "../outside/canary"), hardlink("b", "a"), file("b", EVIL)),
    ],
    "gh-149486 link without a name": [(symlink("", "../outside"), file("/new", EVIL))],
    "gh-149486 link to nothing": [(symlink("a", ""), file("a/new", EVIL))],
    "gh-157190 hard link to a link inside": [
        (symlink("a", "b"), hardlink("c", "a"), file("b", EVIL)),
    ],
    "CVE-2026-87910 link to a later member": [(hardlink("a", "b"), symlink("b", "../outside"))],
    "CVE-2026-19672 folders made outside": [(folder("../outside/made/here"),)],
    "CVE-2026-19672 folders made through a link": [
        (symlink("out", "../outside"), folder("out/made/here")),
    ],
    "CVE-2021-29136 root replaced by a link": [(symlink(".", "/tmp"),), (file("a", EVIL),)],
    "CVE-2021-29136 root replaced by a link, ./": [(symlink("./", "../outside"),)],
    "CVE-2021-29136 root replaced by a file": [(file(".", EVIL),)],
    "CVE-2021-32760 mode of a file outside": [
        (symlink("a", "../outside/canary"), header("a", mode=0o777)),
    ],
    "CVE-2026-50163 hard link by the working directory": [(hardlink("a", "canary"),)],
    "CVE-2026-41579 /dev by a link": [(symlink("dev", "/dev"), file("dev/null", EVIL))],
    "file through a link": [(folder("b"), symlink("a", "b"), file("a/new", EVIL))],
    "file through a link of a lower layer": [
        (symlink("a", "b"), folder("b")), (file("a/new", EVIL),),
    ],
    "file over a link of the same layer": [(symlink("a", "b"), file("a", EVIL))],
    "link over a file of the same layer": [(file("a", EVIL), symlink("a", "b"))],
    "folder over a link of the same layer": [(symlink("a", "b"), folder("a"))],
    "file below a file": [(file("a", EVIL), file("a/b", EVIL))],
    "file below a file of a lower layer": [(file("a", EVIL),), (file("a/b", EVIL),)],
    "file over its own folder": [(file("a/b", EVIL), file("a", EVIL))],
    "file twice": [(file("a", b"1"), file("a", EVIL))],
    "file twice, by ./": [(file("a", b"1"), file("./a", EVIL))],
    "link twice": [(symlink("a", "b"), symlink("a", "c"))],
    "case collision": [(file("Readme", b"1"), file("README", EVIL))],
    "case collision across layers": [(file("Readme", b"1"),), (file("README", EVIL),)],
    "case collision of folders": [(file("a/b", b"1"), file("A/c", EVIL))],
    "case collision of a folder and a file": [(file("a/b", b"1"), file("A", EVIL))],
    "case collision of an empty folder": [(file("a", b"1"), folder("A"))],
    "case collision, sharp s": [(file("stra\xdfe", b"1"), file("STRASSE", EVIL))],
    "NFC and NFD": [
        (file(unicodedata.normalize("NFC", "\xe4")), file(unicodedata.normalize("NFD", "\xe4"))),
    ],
    "NFC and NFD with case": [
        (file(unicodedata.normalize("NFC", "\xc4")), file(unicodedata.normalize("NFD", "\xe4"))),
    ],
    "control character": [(file("a\x1b[2Jb", EVIL),)],
    "line feed": [(file("a\nb", EVIL),)],
    "backslash": [(file("..\\outside\\new", EVIL),)],
    "device": [(header("dev", kind=b"3"),)],
    "block device": [(header("dev", kind=b"4"),)],
    "pipe": [(header("pipe", kind=b"6"),)],
    "sparse": [(header("a", kind=b"S", magic=GNU),)],
    "hard link to a file outside": [(hardlink("a", "../outside/canary"), file("a", EVIL))],
    "hard link to a file inside": [(file("b"), hardlink("a", "b"))],
    "whiteout of the parent": [(file(".wh...", b""),)],
    "whiteout of the folder itself": [(file("a/.wh..", b""),)],
    "whiteout of nothing": [(file("a/.wh.", b""),)],
    "whiteout outside": [(file("../outside/.wh.canary", b""),)],
    "whiteout of everything outside": [(file("../outside/.wh..wh..opq", b""),)],
    "whiteout by an absolute name": [(file("/.wh.tmp", b""),)],
    "whiteout as a link": [(symlink(".wh.a", "b"),)],
    "whiteout as a folder": [(folder(".wh.a"),)],
    "file in a whiteout": [(file(".wh.a/b", EVIL),)],
    "whiteout's own prefix": [(file(".wh..wh.plnk", b""),)],
}  # fmt: skip


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a neighbour that attackers want, and the destination's parent beside it."""
    yard = tmp_path / "yard"
    (yard / "outside").mkdir(parents=True)
    (yard / "outside/canary").write_bytes(b"canary")
    (yard / "place").mkdir()
    (yard / "place/outside").mkdir()
    (yard / "place/outside/canary").write_bytes(b"canary")
    (yard / "place/canary").write_bytes(b"canary")
    monkeypatch.chdir(yard / "place")
    return yard


def attackers_inventory(layers: list[PARTS]) -> Inventory:
    """Lists what the standard library sees in the layers: an inventory that fits the attack."""
    entries: dict[str, FileEntry] = {}
    for at, parts in enumerate(layers):
        for info in lenient_members(archive(*parts)):
            path = info.name.removeprefix("./")
            if info.issym():
                entries[path] = FileEntry.symlink(path, info.linkname, layer=at)
            elif not info.isdir() and ".wh." not in path:
                entries[path] = FileEntry(path, info.size, 0o644, None, at)
    return Inventory.of(entries.values())


def lenient_members(raw: bytes) -> list[tarfile.TarInfo]:
    """The members up to where the standard library gives up."""
    members: list[tarfile.TarInfo] = []
    with contextlib.suppress(tarfile.TarError, OSError), tarfile.open(fileobj=io.BytesIO(raw)) as t:
        members.extend(itertools.islice(t, 1000))
    return members


@pytest.mark.parametrize("listed", ["foreign", "listed"])
@pytest.mark.parametrize("layers", CASES.values(), ids=CASES.keys())
def test_nothing_outside_changes(yard: Path, layers: list[PARTS], listed: str) -> None:
    before = snapshot(yard)
    packed = [layer(archive(*parts)) for parts in layers]
    inventory = attackers_inventory(layers) if listed == "listed" else None
    with pytest.raises(Integrity):
        unpack_image(packed, yard / "place/image", inventory=inventory)
    assert snapshot(yard) == before
    assert not Path("/tmp/agentoci-evil").exists()


@pytest.mark.parametrize("target", ["../outside/canary", "/etc/passwd", "..", "a/../../outside"])
def test_links_that_an_inventory_made_by_hand_lists(yard: Path, target: str) -> None:
    """`Inventory.parse` refuses such a target; so does unpacking, whoever made the inventory."""
    before = snapshot(yard)
    listed = Inventory.of([FileEntry.symlink("a", target, layer=0)])
    for parts in ((), (symlink("a", "b"),), (symlink("a", target),), (file("a", EVIL),)):
        with pytest.raises(Integrity):
            unpack_image([layer(archive(*parts))], yard / "place/image", inventory=listed)
        assert snapshot(yard) == before


def test_a_link_put_where_a_folder_is_written_is_not_followed(yard: Path) -> None:
    """Somebody on the machine swaps a folder of the half-made tree for a link."""
    outside = snapshot(yard / "outside")
    swapped: list[Path] = []

    def swap(count: int) -> None:
        for half in (yard / "place").glob(".image.*"):
            if not swapped:
                (half / "a").symlink_to(yard / "outside")
                swapped.append(half)

    packed = layer(archive(file("a/new", EVIL)))
    listed = Inventory.of([FileEntry("a/new", len(EVIL), 0o644, None, 0)])
    with pytest.raises(Exception, match="a/new: cannot be written"):
        unpack_image([packed], yard / "place/image", inventory=listed, advance=swap)
    assert swapped
    assert snapshot(yard / "outside") == outside
    assert not (yard / "place/image").exists()


def test_setuid_files_lose_the_bit(yard: Path) -> None:
    packed = layer(archive(header("a", mode=0o6755), folder("b", mode=0o7777)))
    unpack_image([packed], yard / "place/image", inventory=None)
    assert (yard / "place/image/a").stat().st_mode & 0o7777 == 0o555
    assert (yard / "place/image/b").stat().st_mode & 0o7777 == 0o755
