"""Disks that are full, read-only, or not ours: said so, and nothing half-done stays."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentoci._internal.limits import MIB
from agentoci.content.copy import copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import AgentociError
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest
from agentoci.store.disk import StoreFull, StoreUnwritable, translate_disk_errors
from agentoci.store.ingest import BlobWriter, _Syncer, _write_all, part_path
from agentoci.store.layout import LayoutStore
from tests.content.graphs import LAYER_TYPE, put, put_image, put_manifest
from tests.store.conftest import StillClock, may_not_write
from tests.store.worker import big

SMALL = Descriptor.of(LAYER_TYPE, b"content")
LARGE = Descriptor.of(LAYER_TYPE, big(MIB + 8))


def build(store: LayoutStore, content: bytes) -> Digest:
    with store.writer() as writer:
        writer.write(content)
        return writer.commit()


def use(store: LayoutStore) -> None:
    with store.using():
        pytest.fail("used")


def collect(store: LayoutStore) -> None:
    with store.collecting():
        pytest.fail("collected")


WRITES: dict[str, Callable[[LayoutStore, Descriptor], object]] = {
    "push": lambda store, image: store.push(SMALL, BytesSource(b"content")),
    "push much": lambda store, image: store.push(LARGE, BytesSource(big(MIB + 8))),
    "build": lambda store, image: build(store, b"content"),
    "tag": lambda store, image: store.tag(image, "bot:2.0"),
    "use": lambda store, image: use(store),
    "collect": lambda store, image: collect(store),
    "create": lambda store, image: LayoutStore.create(store.root / "new", clock=StillClock()),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_folder_that_is_not_ours_to_write(public: LayoutStore, write: str) -> None:
    image = put_image(public, b"layer")
    public.tag(image, "bot:1.0")
    folders = [path for path in public.root.rglob("*") if path.is_dir()]
    index = (public.root / "index.json").read_bytes()
    with (
        may_not_write(public.root, *folders),
        pytest.raises(StoreUnwritable, match="Permission denied") as caught,
    ):
        WRITES[write](public, image)
    assert caught.value.exit_code == 5
    assert "AGENTOCI_HOME" in str(caught.value.hint)
    assert (public.root / "index.json").read_bytes() == index


def test_a_folder_that_is_not_ours_to_write_can_be_read(public: LayoutStore) -> None:
    image = put_image(public, b"layer")
    public.tag(image, "bot:1.0")
    with may_not_write(public.root):
        assert public.resolve("bot:1.0") == image
        assert public.exists(image)
        assert not public.exists(SMALL)
        assert fetch_bytes(public, image)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB, mounted in the test's folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("mounting a small disk needs root and mount(8)")
    command = [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_keeps_what_it_has(small_disk: Path, clock: StillClock) -> None:
    store = LayoutStore.create(small_disk / "store", clock=clock)
    image = put_image(store, b"layer")
    store.tag(image, "bot:1.0")
    content = big(8 * MIB)
    huge = Descriptor.of(LAYER_TYPE, content)
    for attempt in (
        lambda: build(store, content),
        lambda: store.push(huge, BytesSource(content)),
        lambda: build(store, b"x"),
        lambda: store.push(SMALL, BytesSource(b"content")),
        lambda: store.tag(image, "bot:2.0"),
    ):
        with pytest.raises(StoreFull, match="the disk is full") as caught:
            attempt()
        assert "agent prune" in (caught.value.hint or "")
    assert not store.exists(huge)
    assert not store.exists(SMALL)
    assert [entry.name for entry in store.index.read()] == ["bot:1.0"]
    assert store.resolve("bot:1.0") == image
    left = {path.name for path in (store.root / "ingest").iterdir()}
    assert left == {"index.lock", f"{huge.digest.hex}.part"}, "only the download that can go on"


def test_a_read_only_disk_can_be_read(small_disk: Path, clock: StillClock) -> None:
    store = LayoutStore.create(small_disk / "store", clock=clock)
    image = put_image(store, b"layer")
    store.tag(image, "bot:1.0")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert store.exists(image)
    assert not store.exists(SMALL)
    assert fetch_bytes(store, store.resolve("bot:1.0"))
    for write in WRITES.values():
        with pytest.raises(StoreUnwritable, match="Read-only file system"):
            write(store, image)


@pytest.mark.parametrize(
    ("number", "refusal", "code", "message"),
    [
        (errno.ENOSPC, StoreFull, 1, "x: the disk is full"),
        (errno.EDQUOT, StoreFull, 1, "x: the disk is full"),
        (errno.EROFS, StoreUnwritable, 5, "x: Read-only file system"),
        (errno.EPERM, StoreUnwritable, 5, "x: Operation not permitted"),
    ],
)
def test_what_the_disk_refuses_is_told_with_its_place(
    number: int, refusal: type[AgentociError], code: int, message: str
) -> None:
    with pytest.raises(refusal, match=message) as caught, translate_disk_errors(Path("x")):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code == code


def test_other_faults_of_the_machine_are_not_the_stores() -> None:
    with pytest.raises(OSError, match="Input/output error"), translate_disk_errors(Path("x")):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_damaged_path_is_not_taken_for_a_missing_blob(store: LayoutStore) -> None:
    blobs = store.root / "blobs" / "sha256"
    blobs.rmdir()
    blobs.write_bytes(b"a file, where the folder should be")
    for attempt in (lambda: store.exists(SMALL), lambda: fetch_bytes(store, SMALL)):
        with pytest.raises(NotADirectoryError):
            attempt()


# Writing


def test_a_blob_is_written_in_any_pieces(store: LayoutStore) -> None:
    content = big(3 * MIB)
    with store.writer() as writer:
        for start in range(0, len(content), 700_001):
            writer.write(memoryview(content)[start : start + 700_001])
        assert writer.size == len(content)
        assert writer.digest() == writer.commit() == Digest.of(content)
    assert store.path(Digest.of(content)).read_bytes() == content


def test_leaving_a_blob_unfinished_removes_it(store: LayoutStore) -> None:
    class Leave(Exception):
        pass

    def write(writer: BlobWriter) -> None:
        with writer:
            writer.write(b"half")
            raise Leave

    with pytest.raises(Leave):
        write(store.writer())
    assert not list((store.root / "ingest").glob("tmp-*"))


def test_bytes_that_the_kernel_takes_in_portions_all_arrive() -> None:
    reader, writer = socket.socketpair()
    content = big(4 * MIB)
    writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    writer.settimeout(None)
    got = bytearray()

    def read() -> None:
        while chunk := reader.recv(MIB):
            got.extend(chunk)

    # A signal in the middle of a write lets it end early, with what was taken until then.
    previous = signal.signal(signal.SIGALRM, lambda *_: None)
    with reader:
        thread = threading.Timer(0.1, read)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with writer:
            thread.start()
            _write_all(writer.fileno(), content)
        thread.join()
    signal.signal(signal.SIGALRM, previous)
    assert bytes(got) == content


def test_an_error_of_a_sync_in_the_background_is_not_lost() -> None:
    reader, writer = os.pipe()  # which cannot be synced
    try:
        syncer = _Syncer(writer)
        syncer.grown_to(64 * MIB)
        with pytest.raises(OSError, match="Invalid argument"):
            syncer.settle()
        syncer = _Syncer(writer)
        syncer.grown_to(64 * MIB)
        syncer.close()
        with pytest.raises(OSError, match="Invalid argument"):
            syncer.grown_to(128 * MIB)
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.slow
def test_a_huge_blob_is_synced_while_it_grows(store: LayoutStore) -> None:
    content = bytes(200 * MIB)
    desc = Descriptor.of(LAYER_TYPE, content)
    store.push(desc, BytesSource(content))
    assert store.exists(desc)
    assert build(store, content) == desc.digest


def test_writing_what_is_there_touches_it(store: LayoutStore) -> None:
    desc = put(store, b"content")
    os.utime(store.path(desc.digest), (1, 1))
    assert build(store, b"content") == desc.digest
    assert store.path(desc.digest).stat().st_mtime > 1


def test_image_that_does_not_fit_is_refused_before_anything_is_written(store: LayoutStore) -> None:
    source = MemoryTarget()
    huge = Descriptor(LAYER_TYPE, Digest.of(b"huge"), 2**50)
    small = put(source, b"small")
    root = put_manifest(source, Manifest.build(config=small, layers=[huge]))
    with pytest.raises(StoreFull, match=r"1125899906842629 bytes are to come") as caught:
        copy(source, root, store, "big:1.0")
    assert "agent prune" in str(caught.value.hint)
    assert not store.exists(small)
    assert store.index.read() == ()


def test_what_is_there_already_needs_no_room(store: LayoutStore) -> None:
    content = big(2 * MIB)
    desc = Descriptor.of(LAYER_TYPE, content)
    free = shutil.disk_usage(store.root).free
    rest = Descriptor(LAYER_TYPE, Digest.of(b"rest"), free + 100 * MIB)
    with part_path(store.root / "ingest", rest).open("wb") as begun:
        begun.truncate(free)  # sparse: it takes no room itself
    store.push(desc, BytesSource(content))
    store.prepare([desc, desc])
    with pytest.raises(StoreFull):
        store.prepare([Descriptor(LAYER_TYPE, Digest.of(b"other"), free + 100 * MIB)])
    if shutil.disk_usage(store.root).free > 200 * MIB:
        store.prepare([rest])
