"""Archives on disk: read at random, replaced as a whole, and hostile ones."""

from __future__ import annotations

import gzip
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentoci._internal import limits
from agentoci.content.copy import CopyOptions, copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import DigestMismatch, fetch_bytes
from agentoci.spec.descriptor import Descriptor
from agentoci.store.archive import BadArchive
from agentoci.store.archivefile import ArchiveFile, writing_archive
from tests.content.graphs import LAYER_TYPE, contents, put_image
from tests.layers import archives

ONE_WORKER = CopyOptions(workers=1)
LAYOUT = archives.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def write(path: Path, source: MemoryTarget, **named: Descriptor) -> Path:
    with writing_archive(path) as writer:
        for name, root in named.items():
            copy(source, root, writer, name, options=ONE_WORKER)
    return path


@pytest.fixture
def source() -> MemoryTarget:
    return MemoryTarget()


@pytest.fixture
def image(source: MemoryTarget) -> Descriptor:
    return put_image(source, b"layer", bytes(3 * limits.MIB))


def test_what_was_written_is_read_at_random(
    source: MemoryTarget, image: Descriptor, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tar", source, bot=image)
    with ArchiveFile(path) as archive:
        assert archive.resolve("bot") == archive.resolve(str(image.digest)) == image
        everything = contents(source, image)
        with ThreadPoolExecutor(4) as pool:
            read = pool.map(lambda desc: fetch_bytes(archive, desc, limit=2**30), everything)
        assert dict(zip(everything, read, strict=True)) == everything
        assert all(map(archive.exists, everything))
        with archive.fetch(Descriptor.of(LAYER_TYPE, b"layer"), offset=2) as stream:
            assert stream.read() == b"yer"
            assert stream.read() == b""


def test_what_is_not_there(source: MemoryTarget, image: Descriptor, tmp_path: Path) -> None:
    stranger = Descriptor.of(LAYER_TYPE, b"stranger")
    with ArchiveFile(write(tmp_path / "a.tar", source, bot=image)) as archive:
        assert not archive.exists(stranger)
        with pytest.raises(ContentNotFound, match="not in"), archive.fetch(stranger):
            pass
        with pytest.raises(ContentNotFound, match="other"):
            archive.resolve("other")
    with pytest.raises(ContentNotFound, match="no such archive"):
        ArchiveFile(tmp_path / "none.tar")
    with (
        pytest.raises(ContentNotFound, match="no such folder"),
        writing_archive(tmp_path / "none" / "a.tar"),
    ):
        pass


def test_the_same_content_gives_the_same_bytes(
    source: MemoryTarget, image: Descriptor, tmp_path: Path
) -> None:
    first = write(tmp_path / "a.tar", source, bot=image)
    again = MemoryTarget()
    copy(source, image, again, "bot")
    assert first.read_bytes() == write(tmp_path / "b.tar", again, bot=image).read_bytes()


def test_a_broken_copy_leaves_the_old_archive(
    source: MemoryTarget, image: Descriptor, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tar", source, bot=image)
    before = path.read_bytes()
    other = put_image(source, b"other")
    source._content[Descriptor.of(LAYER_TYPE, b"other").digest] = b"wrong"
    with pytest.raises(DigestMismatch):
        write(path, source, bot=other)
    assert path.read_bytes() == before
    assert list(tmp_path.glob(".a.tar*")) == []


def test_a_reader_is_not_disturbed_by_a_new_archive(
    source: MemoryTarget, image: Descriptor, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tar", source, bot=image)
    with ArchiveFile(path) as archive:
        write(path, source, bot=put_image(source, b"other"))
        assert contents(archive, image) == contents(source, image)


def test_content_that_changed_is_noticed(
    source: MemoryTarget, image: Descriptor, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tar", source, bot=image)
    path.write_bytes(path.read_bytes().replace(b"layer", b"liar!", 1))
    layer = Descriptor.of(LAYER_TYPE, b"layer")
    with ArchiveFile(path) as archive, pytest.raises(DigestMismatch):
        fetch_bytes(archive, layer)


def test_an_archive_that_ends_early(
    source: MemoryTarget, image: Descriptor, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tar", source, bot=image)
    path.write_bytes(path.read_bytes()[: 2 * limits.MIB])
    with pytest.raises(BadArchive, match="not a readable archive"):
        ArchiveFile(path)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not a readable archive"),
        (b"something else", "not a readable archive"),
        (gzip.compress(archives.archive(LAYOUT)), "not a readable archive"),
        (archives.archive(LAYOUT), r"no index\.json"),
        (archives.archive(LAYOUT, archives.file("etc/passwd", b"x")), "does not belong"),
        (archives.archive(LAYOUT, archives.file("index.json", b'{"manifests":[]}')), "no manifest"),
        (archives.archive(archives.symlink("index.json", "/etc/passwd")), "not a regular file"),
    ],
)
def test_what_is_no_archive(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(raw)
    with pytest.raises(BadArchive, match=said):
        ArchiveFile(path)


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match="not a file") as caught:
        ArchiveFile(tmp_path)
    assert caught.value.hint
    assert "oci:DIR" in caught.value.hint


def test_an_archive_of_endless_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ARCHIVE_MEMBERS", 3)
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for count in range(4):
            folder = tarfile.TarInfo(f"folder{count}")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder, io.BytesIO())
    with pytest.raises(BadArchive, match="more than 3 entries"):
        ArchiveFile(path)
