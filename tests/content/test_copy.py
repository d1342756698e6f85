"""Copy: complete, idempotent, and nothing has a name before it is there."""

from __future__ import annotations

import contextlib
import itertools
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal.clock import SystemClock
from agentoci._internal.limits import MIB
from agentoci.content.copy import Cancelled, Copied, CopyOptions, copy, copy_blob
from agentoci.content.graph import walk
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import (
    ChildMissing,
    ContentNotFound,
    NoProgress,
    Reader,
    Source,
    Target,
)
from agentoci.content.reader import BytesSource, DigestMismatch
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Index
from agentoci.store.layout import LayoutStore
from tests.content.conftest import KINDS, MakeTarget
from tests.content.graphs import LAYER_TYPE, artifacts, contents, put_image, put_manifest


@dataclass
class Told:
    """Progress that remembers."""

    totals: dict[Descriptor, int] = field(default_factory=dict)
    passed: dict[Descriptor, int] = field(default_factory=dict)
    outcomes: dict[Descriptor, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, desc: Descriptor, *, total: int) -> None:
        self.totals[desc] = total

    def advance(self, desc: Descriptor, count: int) -> None:
        with self.lock:
            self.passed[desc] = self.passed.get(desc, 0) + count

    def finish(self, desc: Descriptor, *, outcome: str) -> None:
        self.outcomes[desc] = outcome


class Watched(MemoryTarget):
    """Counts what is fetched from it and pushed to it, and may lie about one blob."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[Descriptor] = []
        self.pushed: list[Descriptor] = []
        self.spoiled: Descriptor | None = None

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        self.fetched.append(desc)
        if desc == self.spoiled:
            desc = Descriptor(desc.media_type, desc.digest, desc.size)
            with BytesSource(bytes(desc.size)).open(offset) as stream:
                yield stream
            return
        with super().fetch(desc, offset) as stream:
            yield stream

    def push(self, desc: Descriptor, source: Source) -> None:
        self.pushed.append(desc)
        super().push(desc, source)


@pytest.mark.parametrize(("source", "destination"), list(itertools.product(KINDS, KINDS)))
def test_copy_from_any_target_to_any(
    make_target: MakeTarget, source: str, destination: str
) -> None:
    src, dst = make_target(source), make_target(destination)
    image = put_image(src, b"small", bytes(MIB + 1), b"x" * 3000)
    index = put_manifest(src, Index.build([image, put_image(src, b"small", note="other")]))
    src.tag(index, "1.0")
    done = copy(src, "1.0", dst, "moved")
    assert dst.resolve("moved") == index
    assert contents(dst, index) == contents(src, index)
    sizes = [desc.size for desc in walk(src, index).blobs]
    if source == destination == "registry":
        sizes = []  # all were mounted
    assert done == Copied(index, walk(src, index).root, 4, len(sizes), sum(sizes))
    assert copy(src, "1.0", dst, "again") == Copied(index, None, 0, 0, 0)
    assert dst.resolve("again") == index


@given(artifacts(), st.data())
def test_any_graph_is_copied_whole_and_once(
    made: tuple[MemoryTarget, list[Descriptor]], data: st.DataObject
) -> None:
    src, roots = made
    dst = Watched()
    for number, root in enumerate(data.draw(st.lists(st.sampled_from(roots), min_size=1))):
        workers = data.draw(st.integers(1, 4))
        copy(src, root, dst, f"name-{number}", options=CopyOptions(workers=workers))
        assert dst.resolve(f"name-{number}") == root
        assert contents(dst, root) == contents(src, root)
    blobs = [desc for desc in dst.pushed if not desc.is_manifest]
    assert len(blobs) == len(set(blobs)), "a blob moved twice"


@given(artifacts())
def test_any_graph_reaches_a_layout(made: tuple[MemoryTarget, list[Descriptor]]) -> None:
    src, roots = made
    with tempfile.TemporaryDirectory() as folder:
        dst = LayoutStore.create(Path(folder) / "layout", clock=SystemClock())
        for root in roots:
            copy(src, root, dst, str(root.digest))
        assert {str(entry.digest) for entry in dst.index.read()} == {str(r.digest) for r in roots}
        for root in roots:
            assert contents(dst, root) == contents(src, root)


def test_children_are_there_before_their_manifest() -> None:
    src, dst = MemoryTarget(), Watched()
    image = put_image(src, b"layer")
    index = put_manifest(src, Index.build([image]))
    copy(src, index, dst, "1.0")
    assert dst.pushed[-2:] == [image, index]
    assert {desc.is_manifest for desc in dst.pushed[:-2]} == {False}


def test_copying_again_fetches_nothing() -> None:
    src, dst = Watched(), Watched()
    image = put_image(src, b"layer")
    src.tag(image, "1.0")
    copy(src, "1.0", dst, "1.0")
    src.fetched.clear()
    dst.pushed.clear()
    copy(src, "1.0", dst, "1.0")
    assert (src.fetched, dst.pushed) == ([], [])


def test_only_what_is_missing_moves() -> None:
    src, dst = MemoryTarget(), MemoryTarget()
    old, new = put_image(src, b"shared", b"old"), put_image(src, b"shared", b"brand new")
    copy(src, old, dst, "1.0")
    told = Told()
    done = copy(src, new, dst, "1.1", options=CopyOptions(progress=told))
    assert (done.blobs, done.moved_blobs, done.moved_bytes) == (3, 1, len(b"brand new"))
    assert sorted(told.outcomes.values()) == ["copied", "exists", "exists"]


def test_progress_is_told() -> None:
    src, dst = MemoryTarget(), MemoryTarget()
    image = put_image(src, b"one", b"x" * (3 * MIB))
    told = Told()
    copy(src, image, dst, "1.0", options=CopyOptions(progress=told))
    blobs = {desc: desc.size for desc in walk(src, image).blobs}
    assert told.totals == told.passed == blobs
    assert told.outcomes == dict.fromkeys(blobs, "copied")


def test_progress_counts_what_an_earlier_attempt_left(tmp_path: Path) -> None:
    src, told = MemoryTarget(), Told()
    image = put_image(src, bytes(2 * MIB))
    layer = walk(src, image).blobs[1]
    dst = LayoutStore.create(tmp_path / "layout", clock=SystemClock())
    (tmp_path / "layout" / "ingest" / f"{layer.digest.hex}.part").write_bytes(bytes(MIB))
    copy(src, image, dst, "1.0", options=CopyOptions(progress=told))
    assert told.passed[layer] == layer.size


def test_an_error_in_one_blob_changes_no_name(make_target: MakeTarget) -> None:
    src = Watched()
    old, new = put_image(src, b"shared", b"old"), put_image(src, b"shared", b"new", b"more")
    src.spoiled = Descriptor.of(LAYER_TYPE, b"new")
    for kind in KINDS:
        dst = make_target(kind)
        copy(src, old, dst, "1.0")
        with pytest.raises(DigestMismatch):
            copy(src, new, dst, "1.0")
        with pytest.raises(DigestMismatch):
            copy(src, new, dst, "2.0")
        assert dst.resolve("1.0") == old
        assert not dst.exists(new)
        assert not dst.exists(src.spoiled)
        with pytest.raises(ContentNotFound):
            dst.resolve("2.0")
        assert contents(dst, old)


def test_a_missing_blob_changes_no_name(target: Target) -> None:
    src = MemoryTarget()
    image = put_image(src, b"layer")
    del src._content[Descriptor.of(LAYER_TYPE, b"layer").digest]
    with pytest.raises(ContentNotFound):
        copy(src, image, target, "1.0")
    assert not target.exists(image)
    with pytest.raises(ContentNotFound):
        target.resolve("1.0")


class Endless(MemoryTarget):
    """One blob is missing; the others go on until somebody stops them."""

    def __init__(self) -> None:
        super().__init__()
        self.flowing = threading.Event()
        self.cause = Descriptor.of(LAYER_TYPE, b"cause" * 10)

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        if desc == self.cause:
            assert self.flowing.wait(10)
            raise ContentNotFound("the cause")
        if desc.is_manifest:
            with super().fetch(desc, offset) as stream:
                yield stream
        else:
            yield _Drops(self.flowing)


class _Drops:
    def __init__(self, flowing: threading.Event) -> None:
        self._flowing = flowing

    def read(self, size: int = -1, /) -> bytes:
        self._flowing.set()
        return b"\0" * min(size, 1)


def test_the_first_error_stops_the_other_transfers_and_is_the_one_told() -> None:
    src, told = Endless(), Told()
    image = put_image(src, b"cause" * 10, bytes(100 * MIB), b"waiting in line")
    with pytest.raises(ContentNotFound, match="the cause"):
        copy(src, image, MemoryTarget(), "1.0", options=CopyOptions(workers=2, progress=told))
    assert told.outcomes == {}


def test_ctrl_c_stops_the_transfers_and_names_nothing() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    src, dst = Endless(), MemoryTarget()
    image = put_image(src, bytes(100 * MIB), b"waiting in line")
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            copy(src, image, dst, "1.0", options=CopyOptions(workers=1))
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert not dst.exists(image)
    with pytest.raises(ContentNotFound):
        dst.resolve("1.0")


def test_a_blob_whose_turn_comes_after_the_stop_is_not_begun() -> None:
    src, dst, told = MemoryTarget(), Watched(), Told()
    put_image(src, b"layer")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        copy_blob(src, dst, Descriptor.of(LAYER_TYPE, b"layer"), told, stop)
    assert (dst.pushed, told.totals) == ([], {})


def test_a_neighbours_blobs_are_mounted(repository: Callable[[str], Repository]) -> None:
    src, dst, told = repository("team/bot"), repository("team/copy"), Told()
    image = put_image(src, b"layer")
    done = copy(src, image, dst, "1.0", options=CopyOptions(progress=told))
    assert (done.blobs, done.moved_blobs, done.moved_bytes) == (2, 0, 0)
    assert set(told.outcomes.values()) == {"mounted"}
    assert contents(dst, dst.resolve("1.0")) == contents(src, image)


def test_nobody_needs_to_be_told() -> None:
    silent, desc = NoProgress(), Descriptor.of(LAYER_TYPE, b"x")
    silent.start(desc, total=1)
    silent.advance(desc, 1)
    silent.finish(desc, outcome="copied")
    assert isinstance(CopyOptions().progress, NoProgress)


class Forgetful(Watched):
    """Says of the first manifest that something is missing, though it took everything."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def push(self, desc: Descriptor, source: Source) -> None:
        if desc.is_manifest and self.refusals:
            self.refusals -= 1
            self._content.clear()
            raise ChildMissing("a layer is not there")
        super().push(desc, source)


def test_what_a_target_lost_is_sent_again() -> None:  # fault 28
    src, dst = MemoryTarget(), Forgetful(2)
    root = put_image(src, b"one", b"two")
    done = copy(src, root, dst, "1.0")
    assert contents(dst, root) == contents(src, root)
    assert done.moved_blobs == 3
    assert len([desc for desc in dst.pushed if not desc.is_manifest]) == 9


def test_target_that_keeps_losing_things_is_given_up() -> None:
    src, dst = MemoryTarget(), Forgetful(100)
    root = put_image(src, b"one")
    with pytest.raises(ChildMissing):
        copy(src, root, dst, "1.0")
    with pytest.raises(ContentNotFound):
        dst.resolve("1.0")


def test_several_names_are_given_at_once(make_target: MakeTarget) -> None:
    src = MemoryTarget()
    root = put_image(src, b"one")
    for kind in KINDS:
        dst = make_target(kind)
        copy(src, root, dst, ("1.0", "1", "latest"))
        assert {dst.resolve(name) for name in ("1.0", "1", "latest")} == {root}
        copy(src, root, dst, ("stable", "next"))
        assert {dst.resolve(name) for name in ("stable", "next")} == {root}


class Counting(MemoryTarget):
    """Counts how many blobs of each size are pushed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = {True: 0, False: 0}
        self.most = {True: 0, False: 0}
        self._counting = threading.Lock()

    def push(self, desc: Descriptor, source: Source) -> None:
        large = desc.size > MIB
        with self._counting:
            self.now[large] += 1
            self.most[large] = max(self.most[large], self.now[large])
        super().push(desc, source)
        with self._counting:
            self.now[large] -= 1


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_few_large_blobs_and_many_small_ones_at_once(workers: int) -> None:
    src, dst = MemoryTarget(), Counting()
    small = [bytes([number]) * 100 for number in range(40)]
    large = [bytes([number]) * (MIB + 1) for number in range(8)]
    root = put_image(src, *small, *large)
    copy(src, root, dst, "1.0", options=CopyOptions(workers=workers))
    assert contents(dst, root) == contents(src, root)
    assert dst.most[True] <= min(4, workers)
    assert dst.most[True] + dst.most[False] <= max(workers, 16)
