"""Sync: many images from here to there, several at once, and an account of each."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from agentoci.api.copying import CopyDone, CopyOutcome, CopyRules
from agentoci.api.sharing import Traffic
from agentoci.api.synclists import SyncEntry
from agentoci.api.syncreport import SyncOutcome, SyncReport, SyncRow
from agentoci.api.synctasks import Destination, InvalidSync, SyncTask, tasks_of
from agentoci.content.copy import Cancelled
from agentoci.errors import AgentociError
from agentoci.spec.descriptor import Descriptor, Platform

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_WORKERS: Final = 8
"""Blobs at once of one image; the limit of a host is kept by its client."""

_PATIENCE_SECONDS: Final = 2.0
"""What copies get to tidy up after Ctrl-C."""


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How to sync: `jobs` images at a time; the rest holds for entries that say nothing else."""

    jobs: int = 8
    recursive: bool = False
    checkpoints: bool = False
    platform: Platform | None = None
    dry_run: bool = False
    fail_fast: bool = False


class Syncs:
    """The verb `sync`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(
        self,
        entries: Sequence[SyncEntry],
        destination: Destination | None,
        report: SyncReport,
        options: SyncOptions | None = None,
    ) -> None:
        """Copy what the entries mean, going on after failures; `report` tells how each fared.

        What is there already costs a request to each side. Raises InvalidSync, before anything
        moves, when two images are to have one name.
        """
        options = options or SyncOptions()
        stop = threading.Event()
        futures: dict[Future[SyncRow], int] = {}
        before = self._engine.client.requests  # the client is made before threads ask for it
        try:
            with _working(options.jobs, stop) as submit:
                tasks = self._tasks(entries, destination, report, options, submit)
                first = len(report.rows)
                report.rows += [SyncRow(str(task.source), str(task.target)) for task in tasks]
                if options.fail_fast and first:
                    return
                copying = partial(self._copy, traffic=Traffic())
                work = self._look if options.dry_run else copying
                futures |= {submit(work, task, stop): first + n for n, task in enumerate(tasks)}
                for future in as_completed(futures):
                    report.end(futures[future], future.result())
                    if options.fail_fast and future.result().error is not None:
                        return
        finally:
            _gather(futures, report)
            report.requests += self._engine.client.requests - before

    def _tasks(
        self,
        entries: Sequence[SyncEntry],
        destination: Destination | None,
        report: SyncReport,
        options: SyncOptions,
        submit: Callable[..., Future[list[SyncTask]]],
    ) -> list[SyncTask]:
        """What to copy; entries that do not tell are put down as failed."""
        rules = [_rules(entry, options) for entry in entries]
        futures = [
            submit(tasks_of, self._engine, entry, destination, rule)
            for entry, rule in zip(entries, rules, strict=True)
        ]
        tasks: dict[SyncTask, None] = {}
        for entry, future in zip(entries, futures, strict=True):
            try:
                tasks |= dict.fromkeys(future.result())
            except (AgentociError, OSError) as exc:
                report.rows.append(SyncRow(entry.source, entry.target))
                report.end(len(report.rows) - 1, _failed(report.rows[-1], exc))
        _refuse_collisions(list(tasks))
        return list(tasks)

    def _copy(self, task: SyncTask, stop: threading.Event, *, traffic: Traffic) -> SyncRow:
        row = SyncRow(str(task.source), str(task.target))
        watch = _Watch(stop)
        try:
            done = self._engine.copies.copy_between(
                task.source,
                task.target,
                task.rules,
                known_tags=task.known_tags,
                traffic=traffic,
                progress=watch,
            )
        except (AgentociError, OSError) as exc:
            return row if stop.is_set() else _failed(row, exc)
        return replace(_done(row, done), moved_bytes=watch.passed)

    def _look(self, task: SyncTask, stop: threading.Event) -> SyncRow:
        row = SyncRow(str(task.source), str(task.target))
        if stop.is_set():
            return row
        try:
            done = self._engine.copies.look(task.source, task.target, task.rules)
        except (AgentociError, OSError) as exc:
            return _failed(row, exc)
        outcome = SyncOutcome.EXISTS if done.outcome is CopyOutcome.EXISTS else SyncOutcome.PLANNED
        return replace(row, target=done.target, digest=done.digest, outcome=outcome)


def _done(row: SyncRow, done: CopyDone) -> SyncRow:
    return replace(
        row,
        target=done.target,
        outcome=SyncOutcome(done.outcome),
        digest=done.digest,
        attached=len(done.attached),
        left_out=done.left_out,
    )


def _failed(row: SyncRow, exc: AgentociError | OSError) -> SyncRow:
    if isinstance(exc, OSError):
        name = f"{exc.filename}: " if exc.filename else ""
        exc = AgentociError(f"{name}{exc.strerror or exc}")
    return replace(row, outcome=SyncOutcome.FAILED, error=exc)


def _rules(entry: SyncEntry, options: SyncOptions) -> CopyRules:
    return CopyRules(
        recursive=entry.recursive or options.recursive,
        checkpoints=entry.checkpoints or options.checkpoints,
        platform=Platform.parse(entry.platform) if entry.platform else options.platform,
        workers=_WORKERS,
    )


def _refuse_collisions(tasks: Sequence[SyncTask]) -> None:
    """Two images with one name: which one it means in the end would be left to chance."""
    sources: dict[str, SyncTask] = {}
    for task in tasks:
        other = sources.setdefault(task.key, task)
        if other is not task:
            raise InvalidSync(
                f"{task.key} would be both {other.source} and {task.source}",
                hint="give one of them another target",
            )


def _gather(futures: Mapping[Future[SyncRow], int], report: SyncReport) -> None:
    """After the end, what ended meanwhile: copies that were under way when one failed."""
    for future, place in futures.items():
        if report.rows[place].outcome is not SyncOutcome.CANCELLED or not future.done():
            continue
        if not future.cancelled() and future.exception() is None:
            report.end(place, future.result())


@contextlib.contextmanager
def _working(jobs: int, stop: threading.Event) -> Iterator[Callable[..., Future[Any]]]:
    """Threads that have ended when the block has; after Ctrl-C they get a moment."""
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="sync")
    futures: list[Future[Any]] = []
    patience: float | None = None

    def submit(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        futures.append(pool.submit(work, *arguments))
        return futures[-1]

    try:
        yield submit
    except KeyboardInterrupt:
        patience = _PATIENCE_SECONDS
        raise
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        wait([future for future in futures if not future.cancelled()], timeout=patience)


class _Watch:
    """Counts the bytes that really pass, and ends the transfer when the sync is stopped."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._guard = threading.Lock()
        self.passed = 0

    def start(self, desc: Descriptor, *, total: int) -> None:
        """Raises Cancelled after the stop."""
        del desc, total
        self._check()

    def advance(self, desc: Descriptor, count: int) -> None:
        """Raises Cancelled after the stop."""
        del desc
        with self._guard:
            self.passed += count
        self._check()

    def finish(self, desc: Descriptor, *, outcome: str) -> None:
        """Nothing."""

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled("stopped")
