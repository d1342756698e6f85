"""Whatever layout skills come in: they are read, and hostile ones write nothing outside."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock
from agentoci.errors import Integrity, SourceFaults
from agentoci.interop.skilllayouts import (
    NoSkill,
    SkillFolder,
    SkillTooLarge,
    choose_skills,
    find_skills,
    unpack_artifact,
)
from agentoci.spec.descriptor import Descriptor
from agentoci.store.layout import LayoutStore
from tests.interop_formats import layouts
from tests.interop_formats.layouts import LAYOUTS, SKILLS, blob
from tests.layers.archives import header

ALL = sorted(path.name for path in SKILLS.iterdir())


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore.create(tmp_path / "layout", clock=SystemClock())


def unpacked(store: LayoutStore, root: Descriptor) -> Path:
    """The artifact's files; nothing but them may have been written beside them."""
    place = store.root.parent / "unpacked"
    place.mkdir()
    try:
        unpack_artifact(store, root, place / "tree", what="it")
    finally:
        assert {path.name for path in place.iterdir()} <= {"tree"}
        assert {path.name for path in place.parent.iterdir()} <= {"unpacked", "layout", "home"}
    return place / "tree"


def contents(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Files by path: content, and whether they may be run."""
    return {
        name: (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for name, path in layouts.files_of(folder).items()
    }


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(store: LayoutStore, layout: str, name: str) -> None:
    tree = unpacked(store, LAYOUTS[layout](store, SKILLS / name))
    (found,) = find_skills(tree, what="it")
    assert found.skill.name == name
    assert found.path.rpartition("/")[2] in (name, "")
    assert contents(tree / found.path) == contents(SKILLS / name)


def test_unpacking_again_does_nothing(store: LayoutStore) -> None:
    root = layouts.raw_files(store, SKILLS / ALL[0])
    tree = unpacked(store, root)
    before = (tree / "SKILL.md").stat()
    unpack_artifact(store, root, tree, what="it")
    assert (tree / "SKILL.md").stat() == before


def test_several_skills_in_one_artifact(store: LayoutStore) -> None:
    found = find_skills(unpacked(store, layouts.several(store)), what="it")
    assert [each.path for each in found] == ALL
    assert choose_skills(found, None, what="it", kind="") == found
    (one,) = choose_skills(found, ALL[2], what="it", kind="")
    assert one.skill.name == ALL[2]
    with pytest.raises(NoSkill, match="no skill 'other'") as caught:
        choose_skills(found, "other", what="it", kind="")
    assert ALL[0] in (caught.value.hint or "")


def test_two_skills_of_one_name(store: LayoutStore) -> None:
    tar = layouts.tar_of(SKILLS / ALL[0], prefix=f"a/{ALL[0]}/")
    other = layouts.tar_of(SKILLS / ALL[0], prefix=f"b/{ALL[0]}/")
    root = layouts.artifact(store, [blob("x/tar", tar), blob("x/tar", other)])
    found = find_skills(unpacked(store, root), what="it")
    with pytest.raises(NoSkill, match="two skills are called"):
        choose_skills(found, None, what="it", kind="")


def test_a_skill_within_a_skill_belongs_to_it(tmp_path: Path) -> None:
    for folder in ("pdf", "pdf/examples/inner"):
        (tmp_path / folder).mkdir(parents=True)
        text = f"---\nname: {Path(folder).name}\ndescription: x\n---\n"
        (tmp_path / folder / "SKILL.md").write_text(text)
    assert [each.path for each in find_skills(tmp_path, what="it")] == ["pdf"]


def test_no_skill(store: LayoutStore) -> None:
    root = layouts.artifact(store, [blob("text/plain", b"hello", "hello.txt")])
    found: list[SkillFolder] = find_skills(unpacked(store, root), what="it")
    with pytest.raises(NoSkill, match=r"it: no SKILL\.md in it") as caught:
        choose_skills(found, None, what="it", kind="a Helm chart")
    assert caught.value.hint == "it is a Helm chart"


def test_a_bad_skill_is_told_with_its_place(store: LayoutStore) -> None:
    root = layouts.artifact(store, [blob("x", b"---\nname: A\n---\n", "pdf/SKILL.md")])
    with pytest.raises(SourceFaults, match=r"it:pdf/SKILL\.md:2:7: 'A' is not the name"):
        find_skills(unpacked(store, root), what="it")


def test_a_link_is_no_skill_file(store: LayoutStore) -> None:
    archive = header("pdf/SKILL.md", kind=b"2", link="other.md") + bytes(1024)
    root = layouts.artifact(store, [blob("x/tar", archive)])
    assert find_skills(unpacked(store, root), what="it") == []


# Archives and titles that want out.


def entry(name: str, kind: bytes = b"0", link: str = "", content: bytes = b"") -> bytes:
    padding = bytes(-len(content) % 512)
    return header(name, kind=kind, link=link, size=len(content)) + content + padding


HOSTILE = {
    "climbs": entry("../evil", content=b"x"),
    "climbs later": entry("pdf/../../evil", content=b"x"),
    "absolute": entry("/tmp/evil", content=b"x"),
    "link out": entry("pdf", b"2", "../.."),
    "absolute link": entry("pdf", b"2", "/etc"),
    "through a link": entry("pdf", b"2", "docs") + entry("pdf/evil", content=b"x"),
    "hard link": entry("pdf", b"1", "/etc/passwd"),
    "device": entry("pdf", b"3"),
    "pipe": entry("pdf", b"6"),
    "twice": entry("pdf/a", content=b"x") + entry("pdf/a", content=b"y"),
    "one name where case is folded": entry("pdf/a") + entry("PDF/A"),
    "cut off": entry("pdf/a", content=b"x" * 600)[:-600],
}


@pytest.mark.parametrize("pack", [bytes, layouts.gzipped, layouts.zstded])
@pytest.mark.parametrize("archive", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives(
    store: LayoutStore, archive: bytes, pack: Callable[[bytes], bytes]
) -> None:
    content = pack(archive + bytes(1024))
    root = layouts.artifact(store, [blob("application/vnd.example.tar", content)])
    with pytest.raises(Integrity):
        unpacked(store, root)


@pytest.mark.parametrize("title", ["../evil", "/tmp/evil", "a/../../evil", "a\\b", "a\nb", "a//b"])
def test_hostile_titles(store: LayoutStore, title: str) -> None:
    root = layouts.artifact(
        store, [blob("x", b"---\n", "SKILL.md"), blob("text/plain", b"x", title)]
    )
    with pytest.raises(Integrity):
        unpacked(store, root)


def test_a_bomb_is_stopped(store: LayoutStore) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        info = tarfile.TarInfo("pdf/zeros")
        info.size = 80 << 20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    root = layouts.artifact(store, [blob("x/tar", layouts.zstded(sink.getvalue()))])
    with pytest.raises(Integrity, match="holds more than"):
        unpacked(store, root)


def test_a_bomb_of_many_layers_is_stopped(store: LayoutStore) -> None:
    """None of them is a bomb by itself, and all are one blob of a few kilobytes."""
    zeros = entry("pdf/zeros", content=bytes(60 << 20)) + bytes(1024)
    root = layouts.artifact(store, [blob("x/tar", layouts.zstded(zeros))] * 18)
    with pytest.raises(SkillTooLarge):
        unpacked(store, root)


def test_a_spoiled_blob_is_refused(store: LayoutStore) -> None:
    root = layouts.cncf_bundle(store, SKILLS / ALL[0])
    largest = max(store.root.glob("blobs/sha256/*"), key=lambda path: path.stat().st_size)
    largest.chmod(0o644)
    content = largest.read_bytes()
    largest.write_bytes(content[:-20] + bytes(20))
    with pytest.raises(Integrity):
        unpacked(store, root)
