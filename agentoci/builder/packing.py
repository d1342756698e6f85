"""Layers of an image in the making: taken from the cache when nothing changed, else packed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from agentoci._internal import limits
from agentoci._internal.threads import quick_switches
from agentoci.builder.cachefile import read_cache, write_cache
from agentoci.builder.copying import CopiedFile
from agentoci.builder.options import FORMAT
from agentoci.builder.report import Layer
from agentoci.builder.scanning import LayerWatch, Screen, findings_of, record_of, scan_layer
from agentoci.layers.compress import format_id
from agentoci.layers.pack import BlobSink, pack
from agentoci.scan.findings import Finding
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json
from agentoci.spec.mediatypes import Compression, LayerKind, LayerType
from agentoci.store.layout import LayoutStore

_WORKERS: Final = 2
"""Packing and hashing fill two cores; a third thread gained nothing."""


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer to be made: its kind, its entries, and the instruction that asked for it."""

    kind: LayerKind
    files: tuple[CopiedFile, ...]
    created_by: str

    @property
    def size(self) -> int:
        """Bytes of the files before packing."""
        return sum(copied.entry.size for copied in self.files)

    @property
    def file_count(self) -> int:
        """Files and links, folders not counted."""
        return sum(1 for copied in self.files if not copied.entry.is_folder)


@dataclass(frozen=True, slots=True)
class PackedPlan:
    """A layer, and the sha256 of its files by path."""

    layer: Layer
    files: dict[str, str]


class Stopped(Exception):
    """Another layer failed, or the user wants to stop."""


class Shift:
    """Who is packing. An executor forgets a thread when Ctrl-C comes while it starts that one."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._at_work = 0
        self.ended = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """Be at work; raises Stopped when it has ended."""
        with self._change:
            if self.ended:
                raise Stopped
            self._at_work += 1
        try:
            yield
        finally:
            with self._change:
                self._at_work -= 1
                self._change.notify_all()

    def end(self) -> None:
        """Let nobody begin any more, and wait for those at work to see it."""
        with self._change:
            self.ended = True
            while self._at_work:
                self._change.wait()


@dataclass(frozen=True, slots=True)
class _Stoppable:
    """A sink that takes nothing more once the shift has ended."""

    inner: BlobSink
    shift: Shift

    def write(self, chunk: bytes | memoryview) -> None:
        if self.shift.ended:
            raise Stopped
        self.inner.write(chunk)

    def digest(self) -> Digest:
        return self.inner.digest()


@dataclass(frozen=True, slots=True)
class Packer:
    """Makes layers; `known` tells a file's sha256 without reading it, `learn` is told new ones.

    `screen` is told what a scan of the files finds; without one nothing is scanned.
    """

    store: LayoutStore
    cache: Path
    compression: Compression
    epoch: int
    use_cache: bool
    known: Callable[[CopiedFile], str | None]
    learn: Callable[[CopiedFile, str], None]
    screen: Screen | None = None
    shift: Shift = field(default_factory=Shift)

    @contextmanager
    def packing(self, plans: Sequence[LayerPlan]) -> Iterator[Callable[[], list[PackedPlan]]]:
        """Begin to make the layers of the plans, in parallel, the largest first.

        Gives a function that waits for them, in the order of the plans; the block may do other
        work before. Leaving it by an error stops what has begun, too.
        """
        largest_first = sorted(range(len(plans)), key=lambda index: -plans[index].size)
        futures: dict[int, Future[PackedPlan]] = {}

        def finish() -> list[PackedPlan]:
            made = [futures[index].result() for index in range(len(plans))]
            self._learn_all(plans, made)
            return made

        with quick_switches(), ThreadPoolExecutor(_WORKERS, thread_name_prefix="pack") as pool:
            try:
                for index in largest_first:
                    futures[index] = pool.submit(self.make_or_find, plans[index])
                yield finish
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.shift.end()
                raise

    def _learn_all(self, plans: Sequence[LayerPlan], made: Sequence[PackedPlan]) -> None:
        for plan, each in zip(plans, made, strict=True):
            if each.layer.cached:
                continue
            for copied in plan.files:
                if (identity := each.files.get(copied.entry.path)) is not None:
                    self.learn(copied, identity)

    def make_or_find(self, plan: LayerPlan) -> PackedPlan:
        """One layer, from the cache when nothing of it changed."""
        return self._from_cache(plan) or self.make(plan)

    def make(self, plan: LayerPlan) -> PackedPlan:
        """Pack one layer into the store."""
        entries = [copied.entry for copied in plan.files]
        watch = LayerWatch() if self.screen is not None else None
        with self.shift.working(), self.store.writer() as writer:
            sink = _Stoppable(writer, self.shift)
            packed = pack(
                entries, sink, compression=self.compression, epoch=self.epoch, watch=watch
            )
            digest = writer.commit()
            layer_type = LayerType(plan.kind, packed.compression)
            layer = self._layer(plan, layer_type, digest, writer.size, packed.diff_id)
        findings = watch.findings() if watch is not None else None
        self._remember(plan, layer, packed.files, findings)
        return PackedPlan(layer, packed.files)

    def _layer(
        self, plan: LayerPlan, layer_type: LayerType, digest: Digest, size: int, diff_id: Digest
    ) -> Layer:
        suffix = {Compression.ZSTD: ".zst", Compression.GZIP: ".gz", Compression.NONE: ""}
        title = f"{plan.kind}-{digest.short}.tar{suffix[layer_type.compression]}"
        desc = Descriptor(layer_type.agent, digest, size, {keys.TITLE: title})
        return Layer(desc, diff_id, plan.created_by, plan.file_count)

    # The cache: what a layer of these very files was packed to before.

    def _from_cache(self, plan: LayerPlan) -> PackedPlan | None:
        if not self.use_cache:
            return None
        known = {
            copied.entry.path: self.known(copied) for copied in plan.files if _has_body(copied)
        }
        hashes = {path: sha256 for path, sha256 in known.items() if sha256 is not None}
        if len(hashes) != len(known):
            return None
        record = read_cache(self._path(plan, hashes), limit=limits.MIB)
        if record is None:
            return None
        layer = self._layer(
            plan,
            LayerType(plan.kind, Compression(str(record["compression"]))),
            Digest.parse(record["digest"]),
            int(str(record["size"])),
            Digest.parse(record["diff_id"]),
        )
        if not self.store.exists(layer.desc):
            return None
        self._recall(plan, layer, hashes, record)
        return PackedPlan(replace(layer, cached=True), hashes)

    def _recall(
        self, plan: LayerPlan, layer: Layer, hashes: dict[str, str], record: dict[str, Json]
    ) -> None:
        """Tell what was found in a cached layer; its files are scanned if other rules were."""
        if self.screen is None:
            return
        findings = findings_of(record.get("scan"))
        if findings is None:
            self._remember(plan, layer, hashes, scan_layer(plan.files))
        else:
            self.screen.layer(plan.files, findings)

    def _remember(
        self,
        plan: LayerPlan,
        layer: Layer,
        hashes: dict[str, str],
        findings: list[Finding] | None,
    ) -> None:
        record: dict[str, Json] = {
            "compression": LayerType.parse(layer.desc.media_type).compression.value,
            "diff_id": str(layer.diff_id),
            "digest": str(layer.desc.digest),
            "size": layer.desc.size,
        }
        if self.screen is not None and findings is not None:
            self.screen.layer(plan.files, findings)
            record["scan"] = record_of(findings)
        write_cache(self._path(plan, hashes), record)

    def _path(self, plan: LayerPlan, hashes: dict[str, str]) -> Path:
        state = hashlib.sha256()
        head = [FORMAT, plan.kind, format_id(self.compression), self.epoch]
        state.update(repr(head).encode())
        for copied in plan.files:
            entry = copied.entry
            line = (entry.path, entry.mode, entry.link, entry.is_folder, hashes.get(entry.path))
            state.update(repr(line).encode())
        return self.cache / "layers" / f"{state.hexdigest()}.json"


def _has_body(copied: CopiedFile) -> bool:
    return not copied.entry.is_folder and copied.entry.link is None
