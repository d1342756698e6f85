"""Garbage collection: mark from the index and from live instances, sweep the rest.

The plan is a value; carrying it out is a loop. The caller holds `LayoutStore.collecting`, which
excludes every writer, and other programs that write into the layout are spared by a grace period.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from agentoci.content.graph import fetch_manifest
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.store.layout import LayoutStore


@dataclass(frozen=True, slots=True)
class Garbage:
    """One file that nothing needs."""

    path: Path
    size: int
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What a collection keeps and removes."""

    kept: frozenset[Digest]
    garbage: tuple[Garbage, ...]

    @property
    def size(self) -> int:
        """Bytes that removing would free."""
        return sum(piece.size for piece in self.garbage)


def plan_collection(
    store: LayoutStore,
    *,
    kept: Iterable[Descriptor],
    doomed: Iterable[Descriptor] = (),
    now: datetime,
    grace: timedelta,
) -> GcPlan:
    """Decide what nothing reaches from the manifests that are `kept`.

    Content younger than `grace` stays, but for that of `doomed` manifests. Raises what reading a
    kept manifest raises: nobody knows what one that is damaged, or too new, still needs.
    """
    needed = reachable(store, kept)
    at_once = reachable(store, doomed, tolerant=True)
    oldest = (now - grace).timestamp()
    garbage = [
        piece
        for piece in (*_blobs(store.root), *_ingests(store.root), *_half_written(store.root))
        if piece.digest not in needed
        and (piece.digest in at_once or _changed_at(piece.path) < oldest)
    ]
    return GcPlan(frozenset(needed), tuple(sorted(garbage, key=lambda piece: str(piece.path))))


def reachable(
    store: LayoutStore, roots: Iterable[Descriptor], *, tolerant: bool = False
) -> set[Digest]:
    """Every digest that the roots lead to, subjects of held referrers included.

    A manifest that is not there leads to itself only, and so does, when `tolerant`, one that cannot
    be read.
    """
    passed = (ContentNotFound, Integrity) if tolerant else (ContentNotFound,)
    marked: set[Digest] = set()
    waiting = list(roots)
    while waiting:
        desc = waiting.pop()
        if desc.digest in marked:
            continue
        marked.add(desc.digest)
        if not desc.is_manifest:
            continue
        with contextlib.suppress(*passed):
            manifest = fetch_manifest(store, desc)
            waiting += manifest.children
            if manifest.subject is not None:
                waiting.append(manifest.subject)
    return marked


def carry_out(plan: GcPlan) -> int:
    """Remove the garbage; returns the bytes freed."""
    freed = 0
    for piece in plan.garbage:
        with contextlib.suppress(FileNotFoundError):
            piece.path.unlink()
            freed += piece.size
    return freed


def _blobs(root: Path) -> Iterator[Garbage]:
    for algorithm in ("sha256", "sha512"):
        with (
            contextlib.suppress(FileNotFoundError),
            os.scandir(root / "blobs" / algorithm) as found,
        ):
            for entry in found:
                size = entry.stat(follow_symlinks=False).st_size
                yield Garbage(Path(entry.path), size, Digest(algorithm, entry.name))


def _ingests(root: Path) -> Iterator[Garbage]:
    """Downloads and builds that nobody works on any more."""
    with contextlib.suppress(FileNotFoundError):
        for path in (root / "ingest").iterdir():
            if (path.suffix == ".part" or path.name.startswith("tmp-")) and not _is_locked(path):
                yield Garbage(path, path.lstat().st_size, None)


def _half_written(root: Path) -> Iterator[Garbage]:
    """What a process left that was killed while it made the layout or replaced the index."""
    for pattern in (".index.json.*", ".oci-layout.*"):
        for path in root.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                yield Garbage(path, path.lstat().st_size, None)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _changed_at(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_mtime
    return float("inf")
