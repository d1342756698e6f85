"""A store, a clock that stands still, and a user who may not write."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agentoci.store.layout import LayoutStore

NOBODY = 65534


class StillClock:
    """The time of day stands still until a test sets it."""

    def __init__(self) -> None:
        self.moment = datetime(2024, 1, 15, 10, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def store(tmp_path: Path, clock: StillClock) -> LayoutStore:
    """An empty store."""
    return LayoutStore.create(tmp_path / "store", clock=clock)


@pytest.fixture
def public(clock: StillClock) -> Iterator[LayoutStore]:
    """An empty store in a folder that every user reaches."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield LayoutStore.create(Path(folder) / "store", clock=clock)


@contextlib.contextmanager
def may_not_write(*folders: Path) -> Iterator[None]:
    """Make folders read-only, and be a user whom that stops."""
    for folder in folders:
        folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for folder in folders:
            folder.chmod(0o755)
