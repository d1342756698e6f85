"""Files that are never seen half-written, and trees that go whole."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci._internal.files import (
    read_at_most,
    read_regular,
    remove_tree,
    replacing,
    sync_folder,
    write_atomically,
)
from tests.store.conftest import NOBODY


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with replacing(path, mode=0o600) as stream:
        stream.write(b"ne")
        stream.flush()
        assert path.read_bytes() == b"old"
        stream.write(b"w")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob("*file*")) == [path]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    path = tmp_path / "file"
    write_atomically(path, b"old")

    def write() -> None:
        with replacing(path) as stream:
            stream.write(b"half")
            raise Stopped

    with pytest.raises(Stopped):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob("*file*")) == [path]


def test_a_folder_that_takes_no_file_is_told_by_the_file(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)


def test_a_replaced_link_leaves_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"target"
    assert not (tmp_path / "link").is_symlink()


def test_of_the_mode_the_umask_takes_its_part(tmp_path: Path) -> None:
    """What a careful user writes is not for others."""
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize("through_link", [False, True])
def test_a_pipe_is_written_to_and_stays(tmp_path: Path, *, through_link: bool) -> None:
    """Root's `-o /dev/null` would have made a file of it."""
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "pipe"
    if through_link:
        path = tmp_path / "link"
        path.symlink_to("pipe")
    with os.fdopen(os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"new"
    assert (tmp_path / "pipe").is_fifo()
    assert not list(tmp_path.glob(".*"))


def test_what_was_opened_for_us_is_written_to(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{out.fileno()}")
        write_atomically(tmp_path / "stdout", b"new")
    assert (tmp_path / "out").read_bytes() == b"new"
    assert (tmp_path / "stdout").is_symlink()


def test_reading_stops_one_byte_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert [len(read_at_most(path, limit)) for limit in (0, 3, 4, 5, 6)] == [1, 4, 5, 5, 5]


def test_only_a_folder_is_synced_as_one(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")


# Removing


@pytest.fixture
def own() -> Iterator[Path]:
    """A folder of a user whom permissions stop; the test goes on as that user."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = os.geteuid() == 0
        if root:
            os.chown(folder, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)


def test_a_missing_tree_is_gone_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "missing")
    assert list(tmp_path.glob("missing*")) == []


def test_a_tree_goes_with_everything_in_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").touch()
    (tree / "link").symlink_to("a")
    remove_tree(tree)
    assert not tree.exists()


@pytest.mark.parametrize("mode", [0o555, 0o000, 0o100])
def test_closed_folders_go_too(own: Path, mode: int) -> None:
    tree = own / "tree"
    folders = [tree, tree / "a", tree / "a" / "b", tree / "a" / "b" / "c"]
    for folder in folders:
        folder.mkdir()
        (folder / "file").write_bytes(b"x")
        (folder / "file").chmod(0o444)
    for folder in reversed(folders):
        folder.chmod(mode)
    remove_tree(tree)
    assert list(own.iterdir()) == []


def test_what_a_link_leads_to_stays_as_it_is(own: Path) -> None:
    outside = own / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"x")
    for path in (outside / "file", outside):
        path.chmod(0o500)
    tree = own / "tree"
    tree.mkdir()
    for number, target in enumerate((outside, outside / "file", own, Path("nowhere"))):
        (tree / f"{number}").symlink_to(target)
    tree.chmod(0o555)
    own_mode = own.stat().st_mode
    remove_tree(tree)
    assert not tree.exists()
    for path in (outside / "file", outside):
        assert stat.S_IMODE(path.stat().st_mode) == 0o500
    assert own.stat().st_mode == own_mode


@pytest.mark.parametrize("target", ["folder", "nowhere"])
def test_of_a_link_instead_of_a_tree_only_the_link_goes(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "link").symlink_to(target)
    remove_tree(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").exists()


def test_a_tree_that_cannot_go_is_an_error(own: Path) -> None:
    (own / "tree" / "a").mkdir(parents=True)
    own.chmod(0o555)
    with pytest.raises(PermissionError):
        remove_tree(own / "tree")
    own.chmod(0o755)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a pipe"])
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    """A pipe would be waited for, and a device never ends."""
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe") if kind.startswith("link") else (tmp_path / "pipe").rename(path)
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(path, 10)


def test_of_a_file_no_more_is_read_than_tells_that_it_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(100))
    assert len(read_regular(tmp_path / "x", 10)) == 11
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "y", 10)
