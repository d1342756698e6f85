"""Unpacking and the machine: where it writes, what fails there, and what bounds the work."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentoci._internal import limits
from agentoci.errors import AgentociError, Integrity
from agentoci.layers.decompress import Reader
from agentoci.layers.inventory import FileEntry, Inventory
from agentoci.layers.tree import (
    DestinationExists,
    DiskFull,
    TreeWriter,
    UnpackDenied,
    UnpackFailed,
    failure,
    fresh_tree,
)
from agentoci.layers.unpack import (
    LayerUnreadable,
    PackedLayer,
    unpack_image,
)
from agentoci.layers.untar import BodyReader, RefusedArchive, TarMember, iterate
from agentoci.spec.digest import Digest
from agentoci.spec.mediatypes import Compression
from tests.layers.archives import (
    contents,
    file,
    header,
    inventory,
    packed_layer,
    tree_layer,
)

BASE = tree_layer(file("agent/a", b"a"), file("agent/b", b"b"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in which only what the test unpacks is."""
    made = tmp_path / "place"
    made.mkdir()
    return made


def refuse(place: Path, layers: list[PackedLayer], listed: Inventory | None) -> Integrity:
    """Unpack, which must fail and leave nothing; gives the error."""
    with pytest.raises(Integrity) as caught:
        unpack_image(layers, place / "image", inventory=listed)
    assert os.listdir(place) == []  # noqa: PTH208
    return caught.value


@pytest.mark.parametrize("kind", ["file", "empty folder", "folder", "link", "dangling link"])
def test_the_destination_must_be_new(place: Path, tmp_path: Path, kind: str) -> None:
    destination = place / "image"
    outside = tmp_path / "outside"
    outside.mkdir()
    match kind:
        case "file":
            destination.write_bytes(b"mine")
        case "empty folder":
            destination.mkdir()
        case "folder":
            destination.mkdir()
            (destination / "mine").write_bytes(b"mine")
        case "link":
            destination.symlink_to(outside)
        case _:
            destination.symlink_to(tmp_path / "nowhere")
    before = contents(place)
    with pytest.raises(DestinationExists):
        unpack_image([BASE], destination, inventory=None)
    assert contents(place) == before
    assert contents(outside) == {}


def test_a_destination_made_meanwhile_is_kept(place: Path) -> None:
    destination = place / "image"

    def interfere(count: int) -> None:
        destination.mkdir(exist_ok=True)

    with pytest.raises(DestinationExists):
        unpack_image([BASE], destination, inventory=None, advance=interfere)
    assert contents(place) == {"image": None}


def test_the_parent_folder_must_be_there(place: Path) -> None:
    with pytest.raises(UnpackFailed, match="no/image: cannot be written"):
        unpack_image([BASE], place / "no/image", inventory=None)


@pytest.mark.parametrize(
    ("code", "family", "exit_code"),
    [
        (errno.ENOSPC, DiskFull, 1),
        (errno.EDQUOT, DiskFull, 1),
        (errno.EROFS, UnpackDenied, 5),
        (errno.EACCES, UnpackDenied, 5),
        (errno.EIO, UnpackFailed, 1),
    ],
)
def test_what_the_machine_says_is_translated(
    code: int, family: type[AgentociError], exit_code: int
) -> None:
    error = failure("agent/a", OSError(code, os.strerror(code)))
    assert isinstance(error, family)
    assert error.exit_code == exit_code
    assert error.message == f"agent/a: cannot be written: {os.strerror(code)}"


def run_python(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, so that its limits are its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_file_that_does_not_fit_leaves_nothing(place: Path) -> None:
    done = run_python(
        """
        import resource, signal, sys
        from pathlib import Path
        from agentoci.layers.tree import UnpackFailed
        from agentoci.layers.unpack import unpack_image
        from tests.layers.archives import file, tree_layer
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            image = Path(sys.argv[1])
            unpack_image([tree_layer(file("agent/a"), file("agent/b", bytes(3 << 20)))], image,
                         inventory=None)
        except UnpackFailed as exc:
            print(exc)
        """,
        place / "image",
    )
    assert done.stdout == "agent/b: cannot be written: File too large\n", done.stderr
    assert os.listdir(place) == []  # noqa: PTH208


def test_few_open_files_suffice_for_many_folders(place: Path) -> None:
    done = run_python(
        """
        import os, resource, sys
        from pathlib import Path
        from agentoci.layers.unpack import unpack_image
        from tests.layers.archives import file, tree_layer
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
        parts = [file(f"a/{at % 97}/b{at % 89}/c/{at}") for at in range(400)]
        before = len(os.listdir("/proc/self/fd"))
        unpack_image([tree_layer(*parts[::2]), tree_layer(*parts[1::2])], Path(sys.argv[1]),
                     inventory=None)
        print(len(os.listdir("/proc/self/fd")) - before)
        """,
        place / "image",
    )
    assert done.stdout == "0\n", done.stderr
    assert len(contents(place / "image")) == 400


class Failing:
    """A reader that breaks after its first bytes."""

    def __init__(self, raw: bytes) -> None:
        self._parts = iter((raw,))

    def read(self, size: int = -1, /) -> bytes:
        if part := next(self._parts, b""):
            return part
        raise OSError(errno.EIO, "Input/output error")


def test_a_layer_that_cannot_be_read(place: Path) -> None:
    @contextmanager
    def opened() -> Iterator[Reader]:
        yield Failing(file("a", bytes(1000))[:512])

    broken = PackedLayer(opened, Compression.NONE, 4096, Digest.of(b""))
    with pytest.raises(LayerUnreadable, match="Input/output error"):
        unpack_image([broken], place / "image", inventory=None)
    assert os.listdir(place) == []  # noqa: PTH208


class Endless:
    """A slow reader of a file of a size that no test waits for."""

    def __init__(self, never: threading.Event) -> None:
        self._head = header("big", size=b"\x80" + (64 << 30).to_bytes(11, "big"))
        self._never = never
        self.passed = 0

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        self._never.wait(0.01)
        self.passed += 4096
        return bytes(4096)


def test_the_first_failure_stops_the_others(place: Path) -> None:
    endless = Endless(threading.Event())

    @contextmanager
    def opened() -> Iterator[Reader]:
        yield endless

    big = PackedLayer(opened, Compression.NONE, 64 << 30, Digest.of(b""))
    small = packed_layer(b"junk", Compression.NONE, Digest.of(b"junk"))
    listed = inventory(FileEntry("big", 64 << 30, 0o644, None, 0))
    error = refuse(place, [big, small], listed)
    assert isinstance(error, RefusedArchive)
    assert error.message == f"layer 1 ({small.diff_id.short}): the archive is cut off"
    assert endless.passed < 64 << 20


def test_names_of_all_layers_are_bounded_together(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [tree_layer(*(file(f"a{at}{n}") for n in range(10))) for at in range(4)]
    monkeypatch.setattr(limits, "MAX_TAR_NAME_BYTES", 100)
    assert "names take more" in refuse(place, layers, None).message
    monkeypatch.undo()
    monkeypatch.setattr(limits, "MAX_TAR_ENTRIES", 39)
    assert "more than 39 entries" in refuse(place, layers, None).message
    monkeypatch.undo()
    unpack_image(layers, place / "image", inventory=None)
    assert len(contents(place / "image")) == 40


# The writer itself refuses what the checks before it should have.


def test_the_writer_never_replaces_anything(place: Path) -> None:
    def body(raw: bytes) -> tuple[TarMember, BodyReader]:
        return next(iterate(io.BytesIO(raw)))

    with TreeWriter(place) as tree:
        tree.write(*body(file("a", b"first")), check=lambda: None)
        with pytest.raises(RefusedArchive, match="'a' stands twice"):
            tree.write(*body(file("a", b"second")), check=lambda: None)
        with pytest.raises(UnpackFailed, match="a: cannot be written"):
            tree.link("a", "b")
        with pytest.raises(UnpackFailed, match="a/b: cannot be written"):
            tree.folder("a/b")
    assert contents(place) == {"a": b"first"}


def test_a_half_made_tree_that_somebody_removed(place: Path) -> None:
    with pytest.raises(UnpackFailed, match="image: cannot be written"):  # noqa: SIM117
        with fresh_tree(place / "image") as root:
            root.rmdir()
    assert os.listdir(place) == []  # noqa: PTH208
