"""Layers to a tree on disk: checked against the inventory, complete or not there at all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final, TypeVar

from agentoci._internal import limits
from agentoci._internal.threads import quick_switches
from agentoci.errors import Integrity, NotFound
from agentoci.layers.inventory import FILE_MODE, FILES_JSON, FileEntry, Inventory
from agentoci.layers.merge import Merged, merge
from agentoci.layers.packed import (
    DiffIdMismatch,
    LayerUnreadable,
    PackedLayer,
    naming,
    no_progress,
    read_members,
)
from agentoci.layers.paths import Names
from agentoci.layers.tarheader import refuse
from agentoci.layers.tree import TreeWriter, fresh_tree
from agentoci.layers.untar import TarMember

__all__ = [
    "DiffIdMismatch",
    "FileNotInLayer",
    "InventoryMismatch",
    "LayerUnreadable",
    "PackedLayer",
    "read_file",
    "unpack_image",
]

_ANY_SIZE: Final = -1
_Result = TypeVar("_Result")


class InventoryMismatch(Integrity):
    """The layers amount to something else than `agent/files.json` lists."""


class FileNotInLayer(NotFound):
    """The layer holds no file of that name."""


class _Stopped(Exception):
    """Another thread failed, or the user wants to stop."""


def unpack_image(
    layers: Sequence[PackedLayer],
    destination: Path,
    *,
    inventory: Inventory | None,
    workers: int = 2,
    advance: Callable[[int], None] = no_progress,
) -> None:
    """Make the new folder `destination` hold what the layers, the lowest first, amount to.

    With an inventory they must amount to exactly what it lists, and the last one may hold
    `agent/files.json` besides. Without one (a foreign image) the layers are read twice: first
    to see which file of which layer is left. Files become read-only (0444, 0555), folders 0755.

    `advance` is told of packed bytes as they are unpacked, from several threads. Raises Integrity
    for hostile or wrong content, DestinationExists, DiskFull, UnpackDenied or UnpackFailed; after
    any error, and after KeyboardInterrupt, nothing is left.
    """
    with fresh_tree(destination) as root:
        image = _Image(layers, workers)
        if inventory is None:
            expected = _entries_of(merge(image.for_each(image.survey)))
        else:
            expected = _with_itself(inventory, last=len(layers) - 1)
        names = _names_of(expected)
        merged = merge(image.for_each(lambda at: image.unpack(at, root, expected, advance)))
        _compare(merged, expected)
        with TreeWriter(root) as tree:
            for path in merged.empty:
                names.add_folder(path)
                tree.folder(path)
            for entry in expected.values():
                if entry.link is not None:
                    tree.link(entry.path, entry.link)


def read_file(layer: PackedLayer, path: str, *, limit: int) -> bytes:
    """One small file out of a layer, whose diff ID is checked on the way.

    Raises FileNotInLayer, and RefusedArchive when it is larger than `limit` bytes.
    """
    found: bytes | None = None
    with (
        naming(f"layer {layer.diff_id.short}"),
        contextlib.closing(read_members(layer)) as entries,
    ):
        for member, body in entries:
            if member.name != path or member.kind != "file":
                continue
            if member.size > limit:
                refuse(f"{path!r} is larger than {limit} bytes")
            if found is not None:
                refuse(f"{path!r} stands twice")
            found = body.read_whole()
    if found is None:
        raise FileNotInLayer(f"layer {layer.diff_id.short} holds no {path!r}")
    return found


def _with_itself(inventory: Inventory, *, last: int) -> dict[str, FileEntry]:
    """The entries by path, and one for the inventory's own file, whose size it cannot know."""
    expected = {entry.path: entry for entry in inventory.entries}
    if FILES_JSON in expected or len(expected) != len(inventory.entries):
        raise InventoryMismatch(f"{FILES_JSON} lists itself, or a file twice")
    expected[FILES_JSON] = FileEntry(FILES_JSON, _ANY_SIZE, FILE_MODE, None, last)
    return expected


def _entries_of(merged: Merged) -> dict[str, FileEntry]:
    return {
        path: FileEntry(path, member.size, member.mode, None, layer, member.link)
        for path, (layer, member) in merged.files.items()
    }


def _names_of(expected: dict[str, FileEntry]) -> Names:
    """All names that will be written; raises NameClash before anything is."""
    names = Names()
    for path in expected:
        names.add_file(path)
    return names


def _compare(merged: Merged, expected: dict[str, FileEntry]) -> None:
    """Raise InventoryMismatch unless the layers amount to what was expected and written."""
    for path, (layer, member) in merged.files.items():
        entry = expected.get(path)
        if entry is None:
            raise InventoryMismatch(
                f"layer {layer} holds {path!r}, which {FILES_JSON} does not list"
            )
        if entry.layer != layer:
            raise InventoryMismatch(
                f"{FILES_JSON} takes {path!r} from layer {entry.layer}, but layer {layer} has it"
            )
        _agree(entry, member)
    for path, entry in expected.items():
        if path not in merged.files and entry.size != _ANY_SIZE:
            raise InventoryMismatch(
                f"{FILES_JSON} lists {path!r}, which layer {entry.layer} does not hold"
                " or a later one removes"
            )


def _agree(entry: FileEntry, member: TarMember) -> None:
    sizes = (member.size, _ANY_SIZE)
    if entry.size in sizes and entry.mode == member.mode and entry.link == member.link:
        return
    listed = f"{entry.size} bytes, mode {entry.mode:04o}, link {entry.link!r}"
    found = f"{member.size} bytes, mode {member.mode:04o}, link {member.link!r}"
    raise InventoryMismatch(
        f"{entry.path!r}: {FILES_JSON} lists {listed}; layer {entry.layer} has {found}"
    )


class _Image:
    """The layers of one image, worked on by a few threads, with what bounds them together."""

    def __init__(self, layers: Sequence[PackedLayer], workers: int) -> None:
        self._layers = layers
        self._workers = workers
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._entries = 0
        self._name_bytes = 0

    def for_each(self, work: Callable[[int], _Result]) -> list[_Result]:
        """Do `work` for the index of every layer, the largest first; results in layer order.

        The first failure stops the rest and is raised when all threads have ended.
        """
        self._entries = self._name_bytes = 0
        largest_first = sorted(range(len(self._layers)), key=lambda at: -self._layers[at].size)
        pool = ThreadPoolExecutor(max(1, self._workers), thread_name_prefix="unpack")
        with quick_switches(), pool:
            futures = {at: pool.submit(work, at) for at in largest_first}
            try:
                done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [futures[at].result() for at in range(len(self._layers))]

    def survey(self, at: int) -> list[TarMember]:
        """The entries of a layer; nothing is written."""
        layer = self._layers[at]
        members: list[TarMember] = []
        with (
            naming(f"layer {at} ({layer.diff_id.short})"),
            contextlib.closing(read_members(layer)) as entries,
        ):
            for member, _ in entries:
                self._count(member)
                members.append(member)
        return members

    def unpack(
        self,
        at: int,
        root: Path,
        expected: dict[str, FileEntry],
        advance: Callable[[int], None],
    ) -> list[TarMember]:
        """Write the files that the layer owns; returns all its entries."""
        layer = self._layers[at]
        members: list[TarMember] = []
        with (
            naming(f"layer {at} ({layer.diff_id.short})"),
            TreeWriter(root) as tree,
            contextlib.closing(read_members(layer, advance=advance)) as entries,
        ):
            for member, body in entries:
                self._count(member)
                members.append(member)
                if member.kind != "file":
                    continue
                entry = expected.get(member.name)
                if entry is not None and entry.layer == at:
                    _agree(entry, member)
                    tree.write(member, body, check=self._check)
        return members

    def _check(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _count(self, member: TarMember) -> None:
        self._check()
        with self._lock:
            self._entries += 1
            self._name_bytes += len(member.name) + len(member.link or "")
        if self._entries > limits.MAX_TAR_ENTRIES:
            refuse(f"the image has more than {limits.MAX_TAR_ENTRIES} entries")
        if self._name_bytes > limits.MAX_TAR_NAME_BYTES:
            refuse(f"the image's names take more than {limits.MAX_TAR_NAME_BYTES} bytes")
