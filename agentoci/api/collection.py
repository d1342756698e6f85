"""Free what nothing needs: untagged images, unreachable blobs, caches."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from agentoci._internal.files import remove_tree
from agentoci._internal.locks import Locked
from agentoci.errors import Conflict
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.store.collect import GcPlan, carry_out, plan_collection, reachable
from agentoci.store.index import Entry
from agentoci.store.referrers import attachments_of

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

GRACE: Final = timedelta(hours=1)
"""Younger blobs stay: another program may be writing an image into the layout."""


class StoreBusy(Conflict):
    """Somebody builds or transfers at this moment."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be: images, files, bytes."""

    images: tuple[Entry, ...]
    files: tuple[Digest, ...]
    size: int


class Collection:
    """Verbs that free space."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self, *, dry_run: bool = False, grace: timedelta = GRACE) -> Pruned:
        """Remove blobs that no image and no instance needs; raises StoreBusy."""
        return self._collect((), dry_run=dry_run, grace=grace)

    def prune(
        self, *, every_unused: bool = False, dry_run: bool = False, grace: timedelta = GRACE
    ) -> Pruned:
        """Remove untagged images that no instance uses, then collect.

        What is attached to an image stays as long as the image does.
        `every_unused` removes tagged ones too. Raises StoreBusy.
        """
        used = {view.digest for view in self._engine.instance_directory.list()}
        entries = self._engine.store.index.read()
        unused = [
            entry
            for entry in entries
            if str(entry.digest) not in used and (every_unused or entry.name is None)
        ]
        kept = [entry.desc for entry in entries if entry not in unused]
        speaking = attachments_of(
            self._engine.store, unused, reachable(self._engine.store, kept, tolerant=True)
        )
        doomed = tuple(entry for entry in unused if entry not in speaking)
        return self._collect(doomed, dry_run=dry_run, grace=grace)

    def sweep_after(self, gone: Sequence[Descriptor]) -> int:
        """Remove the blobs that only these removed images needed; returns the bytes freed.

        When somebody is at work in the store, the next collection does it.
        """
        store = self._engine.writable_store
        if not gone:
            return 0
        try:
            with store.collecting():
                needed = reachable(store, [e.desc for e in store.index.read()])
                candidates = reachable(store, gone, tolerant=True) - needed
                freed = 0
                for digest in candidates:
                    path = store.path(digest)
                    if path.exists():
                        freed += path.stat().st_size
                        path.unlink(missing_ok=True)
        except Locked:
            return 0
        return freed

    def _collect(self, doomed: tuple[Entry, ...], *, dry_run: bool, grace: timedelta) -> Pruned:
        store = self._engine.writable_store
        try:
            with store.collecting():
                plan = self._plan(doomed, grace=grace)
                if not dry_run:
                    with store.index.changing() as change:
                        change.remove(lambda entry: entry in doomed)
                    carry_out(plan)
                    remove_tree(self._engine.settings.cache / "unpacked")
                    self._sweep_cache(grace)
        except Locked as exc:
            raise StoreBusy(
                f"{store.root}: a build or transfer is going on", hint="try again when it is done"
            ) from exc
        files = tuple(piece.digest for piece in plan.garbage if piece.digest is not None)
        return Pruned(doomed, files, plan.size)

    def _sweep_cache(self, grace: timedelta) -> None:
        """Remove what processes left that were killed while they wrote a file of the cache."""
        oldest = (self._engine.clock.now() - grace).timestamp()
        for path in self._engine.settings.cache.rglob(".*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and path.stat().st_mtime < oldest:
                    path.unlink()

    def _plan(self, doomed: tuple[Entry, ...], *, grace: timedelta) -> GcPlan:
        """Blobs of doomed images go at once, whatever their age."""
        store = self._engine.writable_store
        kept = [entry.desc for entry in store.index.read() if entry not in doomed]
        return plan_collection(
            store,
            kept=kept,
            doomed=[entry.desc for entry in doomed],
            now=self._engine.clock.now(),
            grace=grace,
        )
