"""What oras-py's API makes of the names and archives in artifacts, hostile ones among them."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.layers.paths import NameClash
from agentoci.layers.tree import UnpackFailed
from agentoci.layers.untar import RefusedArchive
from agentoci.registry.oras.files import BadTitle
from agentoci.registry.oras.folders import InTheWay, UnfitFolder
from tests.registry.artifacts import (
    FOLDER,
    PLAIN,
    Entry,
    archive,
    everything,
    serve,
)
from tests.registry.conftest import MakeOras
from tests.registry.fake import FakeRegistry
from tests.registry.service import digest_of

pytestmark = pytest.mark.usefixtures("work")


# What an artifact calls its files


@pytest.mark.parametrize(
    "title", ["../evil", "/evil", "a/../../evil", "..", "a\\b", "a\nb", "a//b", "x" * 300]
)
@pytest.mark.parametrize("kind", [PLAIN, FOLDER])
def test_titles_lead_nowhere_else(make_oras: MakeOras, work: Path, title: str, kind: str) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, (title, kind, archive(("file", "evil", "x"))))
        with pytest.raises(BadTitle, match="is called"):
            make_oras(fake.host).pull(target, outdir=work / "out")
        assert everything(work) == []


def test_titles_are_had_once(make_oras: MakeOras, work: Path) -> None:
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        target = serve(fake, ("a", PLAIN, b"1"), ("a", PLAIN, b"2"))
        with pytest.raises(BadTitle, match="two layers"):
            registry.pull(target, outdir=work / "out")
        same = serve(fake, ("a", PLAIN, b"1"), ("./a", PLAIN, b"1"), tag="2")
        assert registry.pull(same, outdir=work / "out") == [str(work / "out" / "a")]


def test_links_that_are_there_do_not_lead_out(make_oras: MakeOras, work: Path) -> None:
    (work / "out").mkdir()
    (work / "elsewhere").mkdir()
    (work / "out" / "link").symlink_to("../elsewhere")
    (work / "out" / "file").symlink_to("../elsewhere/file")
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        for kind in (PLAIN, FOLDER):
            target = serve(fake, ("link/a", kind, archive(("file", "a", "x"))))
            with pytest.raises(BadTitle, match="leads out of"):
                registry.pull(target, outdir=work / "out")
        registry.pull(serve(fake, ("file", PLAIN, b"new")), outdir=work / "out")
        assert everything(work / "elsewhere") == []
        assert not (work / "out" / "file").is_symlink(), "the link was replaced, not followed"


def test_layers_without_a_title_are_called_by_digest(make_oras: MakeOras, work: Path) -> None:
    """oras-py unpacks such folders beside, and names a file that is not there."""
    packed = archive(("file", "etc/passwd", "x"))
    with FakeRegistry() as fake:
        target = serve(fake, (None, FOLDER, packed), (None, FOLDER, packed), (None, PLAIN, b"x"))
        files = make_oras(fake.host).pull(target, outdir=work / "out")
        assert [Path(file).name for file in files] == [digest_of(packed), digest_of(b"x")]
        assert Path(files[0]).read_bytes() == packed


@pytest.mark.parametrize("kind", [PLAIN, FOLDER])
def test_file_that_should_be_a_folder_is_named(make_oras: MakeOras, work: Path, kind: str) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a", PLAIN, b"file"), ("a/b", kind, archive(("file", "b", "x"))))
        with pytest.raises(UnpackFailed, match="a/b: cannot be written"):
            make_oras(fake.host).pull(target, outdir=work / "out")
        assert everything(work / "out") == ["a"]


def test_what_is_there_can_be_left_alone(make_oras: MakeOras, work: Path) -> None:
    (work / "a").write_text("mine")
    with FakeRegistry() as fake:
        target = serve(fake, ("a", PLAIN, b"new"), ("b", PLAIN, b"new"))
        registry = make_oras(fake.host)
        files = registry.pull(target, overwrite=False, outdir=work)
        assert files == [str(work / "b")]
        assert (work / "a").read_text() == "mine"
        registry.pull(target, outdir=work)
        assert (work / "a").read_text() == "new"


def test_without_outdir_a_new_folder_is_made(make_oras: MakeOras, tmp_path: Path) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("a", PLAIN, b"new"))
        [file] = make_oras(fake.host).pull(target)
        assert Path(file).parent.parent == tmp_path / "tmp"


# Archives


HOSTILE: dict[str, tuple[Entry, ...]] = {
    "parent": (("file", "../evil", "x"),),
    "sibling": (("dir", "d", ""), ("file", "../out-evil/x", "x")),
    "absolute": (("file", "/evil", "x"),),
    "beside": (("dir", "d", ""), ("file", "e/x", "x")),
    "link out": (("dir", "d", ""), ("link", "d/l", "../..")),
    "link to root": (("link", "d/l", "/etc"),),
    "link above": (("dir", "d", ""), ("link", "d/l", "..")),
    "whole is a link": (("link", "d", "x"),),
    "through a link": (("link", "d/l", "m"), ("file", "d/l/x", "x")),
    "twice": (("file", "d/x", "1"), ("file", "d/x", "2")),
    "one name on some disks": (("file", "d/x", "1"), ("file", "d/X", "2")),
    "whiteout": (("file", "d/.wh.x", ""),),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_archives_write_nowhere_else(
    make_oras: MakeOras, work: Path, tmp_path: Path, name: str
) -> None:
    """Defect T1."""
    with FakeRegistry() as fake:
        target = serve(fake, ("d", FOLDER, archive(*HOSTILE[name])))
        with pytest.raises((RefusedArchive, NameClash)):
            make_oras(fake.host).pull(target, outdir=work / "out")
        assert everything(work) == ["out"]
        assert everything(tmp_path / "tmp") == []


def test_hard_links_and_devices_are_refused(make_oras: MakeOras, work: Path) -> None:
    for kind in (tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w:gz") as tar:
            info = tarfile.TarInfo("d/x")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        with FakeRegistry() as fake:
            target = serve(fake, ("d", FOLDER, raw.getvalue()))
            with pytest.raises(RefusedArchive, match="never unpacked"):
                make_oras(fake.host).pull(target, outdir=work / "out")


def test_nobody_becomes_root_by_a_mode(make_oras: MakeOras, work: Path) -> None:
    with FakeRegistry() as fake:
        target = serve(fake, ("d", FOLDER, archive(("file", "d/x", "x"))))
        make_oras(fake.host).pull(target, outdir=work / "out")
        assert (work / "out" / "d" / "x").stat().st_mode & 0o7777 == 0o755


def test_bomb_is_given_up(make_oras: MakeOras, work: Path) -> None:
    raw = io.BytesIO()
    with gzip.open(raw, "wb") as packed:
        info = tarfile.TarInfo("d/x")
        info.size = 100 * limits.MIB
        packed.write(info.tobuf())
        for _ in range(100):
            packed.write(bytes(limits.MIB))
    with FakeRegistry() as fake:
        target = serve(fake, ("d", FOLDER, raw.getvalue()))
        with pytest.raises(Integrity, match="packed bytes holds more"):
            make_oras(fake.host).pull(target, outdir=work / "out")
    assert everything(work) == ["out"]


def test_archives_of_another_name_are_kept_as_files(make_oras: MakeOras, work: Path) -> None:
    packed = archive(("dir", "src", ""), ("file", "src/x", "x"))
    with FakeRegistry() as fake:
        target = serve(fake, ("src.tar.gz", FOLDER, packed), ("e.tgz", FOLDER, archive()))
        make_oras(fake.host).pull(target, outdir=work / "out")
        assert everything(work / "out") == ["e.tgz", "src.tar.gz"]
        assert (work / "out" / "src.tar.gz").read_bytes() == packed


@pytest.mark.parametrize("base", ["b/c", "c"], ids=["oras-go", "oras-py"])
def test_folders_of_longer_titles(make_oras: MakeOras, work: Path, base: str) -> None:
    packed = archive(("dir", base, ""), ("file", f"{base}/x", "x"), ("link", f"{base}/l", "x"))
    with FakeRegistry() as fake:
        target = serve(fake, ("b/c", FOLDER, packed), ("f", FOLDER, archive(("file", "f", "x"))))
        make_oras(fake.host).pull(target, outdir=work / "out")
        assert everything(work / "out") == ["b", "b/c", "b/c/l", "b/c/x", "f"]
        assert (work / "out" / "f").read_text() == "x", "a single file can be packed so, too"


def test_folder_is_added_to_one_that_is_there(make_oras: MakeOras, work: Path) -> None:
    (work / "d" / "old").mkdir(parents=True)
    (work / "d" / "old" / "mine").write_text("mine")
    (work / "d" / "x").write_text("before")
    new = archive(("file", "d/x", "after"), ("file", "d/old/more", "more"), ("dir", "d/e", ""))
    with FakeRegistry() as fake:
        make_oras(fake.host).pull(serve(fake, ("d", FOLDER, new)), outdir=work)
        assert everything(work / "d") == ["e", "old", "old/mine", "old/more", "x"]
        assert (work / "d" / "x").read_text() == "after"


def test_other_kinds_of_things_are_in_the_way(make_oras: MakeOras, work: Path) -> None:
    (work / "elsewhere").mkdir()
    (work / "d").mkdir()
    (work / "d" / "s").symlink_to("../elsewhere")
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        for entry in (("file", "d/s/x", "x"), ("file", "d", "x")):
            target = serve(
                fake, ("d", FOLDER, archive(("file", "d/a", "x"), entry)[:0] or archive(entry))
            )
            with pytest.raises(InTheWay):
                registry.pull(target, outdir=work)
        assert everything(work) == ["d", "d/s", "elsewhere"]


def test_folders_are_packed_the_same_everywhere(make_oras: MakeOras, work: Path) -> None:
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        digests = set()
        for number, mode in enumerate((0o600, 0o664)):
            folder = work / str(number) / "d"
            (folder / "sub").mkdir(parents=True)
            for name in ("b", "a", "sub/c"):
                (folder / name).write_text(name)
                (folder / name).chmod(mode)
            (folder / "hard").hardlink_to(folder / "a")
            registry.push(f"{fake.host}/a/one:{number}", files=[f"{number}/d/"])
            digests.add(registry.get_manifest(f"{fake.host}/a/one:{number}")["layers"][0]["digest"])
        assert len(digests) == 1
        [place] = registry.pull(f"{fake.host}/a/one:0", outdir=work / "out")
        assert everything(Path(place)) == ["a", "b", "hard", "sub", "sub/c"]


def test_nothing_is_left_over(make_oras: MakeOras, work: Path, tmp_path: Path) -> None:
    (work / "d").mkdir()
    (work / "d" / "x").write_text("x")
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        registry.push(f"{fake.host}/a/one:1", files=["d"])
        registry.pull(f"{fake.host}/a/one:1", outdir=work / "out")
        assert everything(work / "out") == ["d", "d/x"]
        assert everything(tmp_path / "tmp") == []


@pytest.mark.parametrize(("name", "target"), [("out", "../../x"), ("root", "/etc"), ("pipe", "")])
def test_folders_that_nobody_could_unpack_are_not_pushed(
    make_oras: MakeOras, work: Path, tmp_path: Path, name: str, target: str
) -> None:
    (work / "d").mkdir()
    if target:
        (work / "d" / name).symlink_to(target)
    else:
        os.mkfifo(work / "d" / name)
    with FakeRegistry() as fake:
        with pytest.raises(UnfitFolder, match=f"d/{name}"):
            make_oras(fake.host).push(f"{fake.host}/a/one:1", files=["d"])
        assert not fake.manifests
    assert everything(tmp_path / "tmp") == []


def test_two_files_of_one_name_are_not_pushed(make_oras: MakeOras, work: Path) -> None:
    for name in ("a", "b"):
        (work / name).mkdir()
        (work / name / "x").write_text(name)
    with FakeRegistry() as fake:
        with pytest.raises(BadTitle, match="two layers are called 'x'"):
            make_oras(fake.host).push(f"{fake.host}/a/one:1", files=["a/x", "b/x"])
        assert not fake.manifests
