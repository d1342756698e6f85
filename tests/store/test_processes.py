"""Several processes in one store: names, downloads that a kill cut short, and leases."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci._internal.limits import MIB
from agentoci._internal.locks import Locked
from agentoci.content.protocols import Reader
from agentoci.content.reader import DigestMismatch, SizeMismatch, fetch_bytes
from agentoci.spec.descriptor import Descriptor
from agentoci.store.layout import LayoutStore
from tests.store.conftest import StillClock
from tests.store.worker import big, finish, go_on, heard, working

SIZE = 6 * MIB
BIG = Descriptor.of("application/x", big(SIZE))


class Recording:
    """A source that remembers at which offsets it was opened."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.offsets: list[int] = []

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        self.offsets.append(offset)
        with contextlib.closing(_Bytes(self._content[offset:])) as stream:
            yield stream


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int = -1, /) -> bytes:
        chunk, self._content = self._content[:size], self._content[size:]
        return chunk

    def close(self) -> None:
        self._content = b""


class Failing(Recording):
    """A source whose connection drops at the end of its bytes."""

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        with super().open(offset) as stream:
            yield _Dropping(stream)


class _Dropping:
    def __init__(self, stream: Reader) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        if not chunk:
            raise ConnectionError("dropped")
        return chunk


def part_of(store: LayoutStore) -> Path:
    return store.root / "ingest" / f"{BIG.digest.hex}.part"


def assert_whole(store: LayoutStore) -> None:
    assert fetch_bytes(store, BIG, limit=SIZE) == big(SIZE)
    assert store.path(BIG.digest).stat().st_mode & 0o777 == 0o444
    assert not part_of(store).exists()


@pytest.mark.slow
def test_no_name_is_lost_when_eight_processes_tag_at_once(
    tmp_path: Path, clock: StillClock
) -> None:
    root = tmp_path / "store"  # the eight make it, too
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(working("tag", root, f"bot{n}", 6)) for n in range(8)]
        assert {heard(worker) for worker in workers} == {"ready"}
        for worker in workers:
            go_on(worker)
        for worker in workers:
            finish(worker)
    store = LayoutStore.open(root, clock=clock)
    names = [entry.name for entry in store.index.read()]
    expected = {f"bot{n}:{i}" for n, i in itertools.product(range(8), range(6))}
    assert set(names) == {*expected, "everybody:latest"}
    assert len(names) == len(expected) + 1
    assert {path.name for path in root.iterdir()} == {"blobs", "index.json", "ingest", "oci-layout"}
    assert {path.name for path in (root / "ingest").iterdir()} == {"index.lock"}


def test_a_killed_download_goes_on_where_it_ended(store: LayoutStore) -> None:
    with working("push", store.root, SIZE, 4 * MIB + 5) as worker:
        assert [heard(worker) for _ in range(3)] == ["pushing", "opened 0", "stopped"]
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert part_of(store).stat().st_size == 4 * MIB + 5
    assert not store.exists(BIG)
    source = Recording(big(SIZE))
    store.push(BIG, source)
    assert source.offsets == [4 * MIB + 5]
    assert_whole(store)


def test_a_download_cut_short_by_an_error_goes_on_too(store: LayoutStore) -> None:
    with pytest.raises(ConnectionError):
        store.push(BIG, Failing(big(SIZE)[: 3 * MIB]))
    assert part_of(store).stat().st_size == 3 * MIB
    source = Recording(big(SIZE))
    store.push(BIG, source)
    assert source.offsets == [3 * MIB]
    assert_whole(store)


def test_a_finished_download_that_got_no_name_is_not_fetched_again(store: LayoutStore) -> None:
    part_of(store).write_bytes(big(SIZE))
    source = Recording(big(SIZE))
    store.push(BIG, source)
    assert source.offsets == [SIZE]
    assert_whole(store)


@pytest.mark.parametrize("left", [b"wrong" * MIB, b"w" + big(SIZE)[1:]])
def test_what_is_left_of_another_download_is_thrown_away(store: LayoutStore, left: bytes) -> None:
    part_of(store).write_bytes(left)
    source = Recording(big(SIZE))
    with pytest.raises(DigestMismatch):
        store.push(BIG, source)
    assert source.offsets == [len(left)]
    assert not part_of(store).exists()
    assert not store.exists(BIG)
    store.push(BIG, source)
    assert source.offsets == [len(left), 0]
    assert_whole(store)


def test_more_than_the_whole_is_no_start(store: LayoutStore) -> None:
    part_of(store).write_bytes(big(SIZE) + b"!")
    source = Recording(big(SIZE))
    store.push(BIG, source)
    assert source.offsets == [0]
    assert_whole(store)


def test_a_source_that_ends_early_or_late_leaves_no_part(store: LayoutStore) -> None:
    for content in (big(SIZE)[:-1], big(SIZE) + b"!"):
        with pytest.raises(SizeMismatch):
            store.push(BIG, Recording(content))
        assert not part_of(store).exists()
        assert not store.exists(BIG)


def test_a_download_does_not_follow_a_link(store: LayoutStore, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part_of(store).symlink_to(victim)
    with pytest.raises(OSError, match=r"symbolic links|No such file"):
        store.push(BIG, Recording(big(SIZE)))
    assert victim.read_bytes() == b"precious"


def waits_for_lock(process: subprocess.Popen[str]) -> bool:
    """Whether the kernel lists the process as waiting for a lock, within a few seconds."""
    for _ in range(500):
        lines = Path("/proc/locks").read_text().splitlines()
        if any("->" in line and f" {process.pid} " in line for line in lines):
            return True
        time.sleep(0.01)
    return False


@contextlib.contextmanager
def two_pushing(
    store: LayoutStore, *lie: str
) -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
    """One that has stopped half-way, and one that waits for it."""
    with working("push", store.root, SIZE, 3 * MIB, *lie) as first:
        assert [heard(first) for _ in range(3)] == ["pushing", "opened 0", "stopped"]
        with working("push", store.root, SIZE, -1) as second:
            assert heard(second) == "pushing"
            assert waits_for_lock(second)
            yield first, second


def test_two_processes_fetch_a_blob_once(store: LayoutStore) -> None:
    with two_pushing(store) as (first, second):
        go_on(first)
        assert finish(first) == []
        assert finish(second) == [], "it fetched the blob, although somebody else did"
    assert_whole(store)


def test_who_waits_starts_anew_when_the_other_brought_wrong_bytes(store: LayoutStore) -> None:
    with two_pushing(store, "lie") as (first, second):
        go_on(first)
        assert finish(first) == ["mismatch"]
        assert finish(second) == ["opened 0"]
    assert_whole(store)


def test_who_waits_takes_over_from_who_dies(store: LayoutStore) -> None:
    with two_pushing(store) as (first, second):
        os.kill(first.pid, signal.SIGKILL)
        assert finish(second) == [f"opened {3 * MIB}"]
    assert_whole(store)


def test_nobody_collects_while_somebody_works(store: LayoutStore) -> None:
    with working("use", store.root) as worker:
        assert heard(worker) == "held"
        with pytest.raises(Locked, match="locked by another process") as caught, store.collecting():
            pytest.fail("collected")
        assert caught.value.exit_code == 7
        with store.using():
            pass  # but others may work
        go_on(worker)
        finish(worker)
    with store.collecting():
        pass


def test_a_lease_ends_with_its_process(store: LayoutStore) -> None:
    with working("use", store.root) as worker:
        assert heard(worker) == "held"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        with store.collecting():
            pass
