"""Copy: the only verb that moves content between targets.

Push, pull, save, load, mirror and migrate are argument orders of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final

from agentoci._internal import limits
from agentoci.content.graph import Graph, largest_first, walk
from agentoci.content.protocols import (
    ChildMissing,
    Mounter,
    NoProgress,
    Preparer,
    Presence,
    Progress,
    Pusher,
    ReadableTarget,
    Reader,
    Source,
    TagPusher,
    Target,
)
from agentoci.content.reader import BytesSource, FetchedSource, SourceSpoiled, fetch_bytes
from agentoci.errors import AgentociError
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import AnyManifest

_SMALL: Final = limits.MIB
"""Bytes up to which a blob costs more waiting than sending."""

_TRIES: Final = 3
"""How often what a target lacks is sent, when it says so only at the manifest, and how often a blob
is fetched while its sources are found out to be wrong one after another."""

_PATIENCE_SECONDS: Final = 2.0
"""What transfers get to tidy up after Ctrl-C; one that waits for a silent server hears nothing."""


class Cancelled(AgentociError):
    """Another part of the same transfer failed; this one was stopped."""


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How to copy: `workers` blobs at a time, at most `streams` of them large, telling `progress`.

    Small blobs wait for answers most of the time, large ones for the line: many of those at once
    are quick, many of these are only impolite.
    """

    workers: int = 16
    streams: int = 4
    progress: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did: the root, and how many blobs and bytes moved."""

    root: Descriptor
    manifest: AnyManifest | None
    blobs: int
    moved_blobs: int
    moved_bytes: int


def copy(
    src: ReadableTarget,
    name: str | Descriptor,
    dst: Target,
    dst_name: str | Sequence[str],
    *,
    options: CopyOptions | None = None,
) -> Copied:
    """Copy what `name` means in `src`, with everything below it, and call it `dst_name` in `dst`.

    A descriptor as `name` is the root itself; `dst_name` may be several names. Copying again moves
    nothing. Names appear last, so a reader of `dst` sees the old content or the whole new one.
    Raises what the targets raise; on an error before that no name has changed.
    """
    options = options or CopyOptions()
    names = (dst_name,) if isinstance(dst_name, str) else tuple(dst_name)
    root = src.resolve(name) if isinstance(name, str) else name
    if dst.exists(root):
        _give_names(src, dst, root, names)
        return Copied(root, None, 0, 0, 0)
    graph = walk(src, root, workers=options.workers)
    root = graph.manifests[-1][0]
    if isinstance(dst, Preparer):
        dst.prepare(graph.blobs)
    moved: dict[Descriptor, None] = {}
    for tries_left in reversed(range(_TRIES)):
        moved |= dict.fromkeys(copy_blobs(src, dst, graph, options=options))
        try:
            _push_manifests(dst, graph, names)
            break
        except ChildMissing:  # some registries see a blob only a while after they took it
            if not tries_left:
                raise
    return Copied(root, graph.root, len(graph.blobs), len(moved), sum(blob.size for blob in moved))


def copy_blobs(
    src: ReadableTarget, dst: Target, graph: Graph, *, options: CopyOptions
) -> list[Descriptor]:
    """Copy the blobs that `dst` lacks, in parallel; returns those whose bytes moved."""
    stop = threading.Event()
    pools = _Pools(graph.blobs, options)
    futures: dict[Future[bool], Descriptor] = {}
    patience: float | None = None
    try:
        for blob in largest_first(graph.blobs):
            pool = pools.of(blob)
            futures[pool.submit(copy_blob, src, dst, blob, options.progress, stop)] = blob
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        if not waiting:
            return [blob for future, blob in futures.items() if future.result()]
    except KeyboardInterrupt:
        patience = _PATIENCE_SECONDS
        raise
    finally:
        stop.set()
        pools.shutdown()
        wait([future for future in futures if not future.cancelled()], timeout=patience)
    raise _first_cause(done)


class _Pools:
    """Threads for large blobs, and the rest of them for small ones."""

    def __init__(self, blobs: Sequence[Descriptor], options: CopyOptions) -> None:
        large = sum(blob.size > _SMALL for blob in blobs)
        streams = min(large, options.streams, options.workers)
        rest = min(len(blobs) - large, options.workers - streams)
        if streams and rest:
            self._large = ThreadPoolExecutor(streams, thread_name_prefix="copy")
            self._small = ThreadPoolExecutor(rest, thread_name_prefix="copy")
        else:
            threads = max(1, min(len(blobs), options.workers))
            self._large = self._small = ThreadPoolExecutor(threads, thread_name_prefix="copy")

    def of(self, blob: Descriptor) -> ThreadPoolExecutor:
        return self._large if blob.size > _SMALL else self._small

    def shutdown(self) -> None:
        for pool in (self._large, self._small):
            pool.shutdown(wait=False, cancel_futures=True)


def _first_cause(done: set[Future[bool]]) -> BaseException:
    """The error that stopped the others, not the Cancelled that followed from it."""
    errors = [error for future in done if (error := future.exception()) is not None]
    return next((error for error in errors if not isinstance(error, Cancelled)), errors[0])


def copy_blob(
    src: ReadableTarget,
    dst: Pusher,
    desc: Descriptor,
    progress: Progress,
    stop: threading.Event,
) -> bool:
    """Copy one blob; False when the destination already had it, or took it from a neighbour."""
    if stop.is_set():
        raise Cancelled("stopped")
    progress.start(desc, total=desc.size)
    presence = _presence(src, dst, desc)
    if presence is not None:
        progress.finish(desc, outcome=presence)
        return False
    _push_blob(dst, desc, _WatchedSource(FetchedSource(src, desc), desc, progress, stop))
    progress.finish(desc, outcome="copied")
    return True


def _push_blob(dst: Pusher, desc: Descriptor, source: Source) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            dst.push(desc, source)
        except SourceSpoiled:
            if not tries_left:
                raise
        else:
            return


def _presence(src: ReadableTarget, dst: Pusher, desc: Descriptor) -> Presence | None:
    if isinstance(dst, Mounter):
        return dst.take_over(desc, src)
    return Presence.EXISTS if dst.exists(desc) else None


def _push_manifests(dst: Target, graph: Graph, names: tuple[str, ...]) -> None:
    *inner, (root, top) = graph.manifests
    for desc, manifest in inner:
        dst.push(desc, BytesSource(manifest.raw))
    if isinstance(dst, TagPusher):
        dst.push_tagged(root, top.raw, names)
        return
    dst.push(root, BytesSource(top.raw))
    for name in names:
        dst.tag(root, name)


def _give_names(src: ReadableTarget, dst: Target, root: Descriptor, names: tuple[str, ...]) -> None:
    """Name what is there already; the manifest comes from the nearer side."""
    if isinstance(dst, TagPusher):
        dst.push_tagged(root, fetch_bytes(src, root), names)
        return
    for name in names:
        dst.tag(root, name)


@dataclass(slots=True)
class _WatchedSource:
    """Tells the progress how far the transfer is, and ends the stream when it is stopped.

    What is read again after a failure does not count again.
    """

    inner: Source
    desc: Descriptor
    progress: Progress
    stop: threading.Event
    reached: int = 0

    def open(self, offset: int = 0) -> AbstractContextManager[Reader]:
        return self._open(offset)

    @contextmanager
    def _open(self, offset: int) -> Iterator[Reader]:
        with self.inner.open(offset) as stream:
            self.at(offset)
            yield _WatchedReader(stream, self, offset)

    def at(self, position: int) -> None:
        if position > self.reached:
            self.progress.advance(self.desc, position - self.reached)
            self.reached = position


class _WatchedReader:
    def __init__(self, stream: Reader, watch: _WatchedSource, position: int) -> None:
        self._stream = stream
        self._watch = watch
        self._position = position

    def read(self, size: int = -1, /) -> bytes:
        if self._watch.stop.is_set():
            raise Cancelled("stopped")
        chunk = self._stream.read(size)
        self._position += len(chunk)
        self._watch.at(self._position)
        return chunk
