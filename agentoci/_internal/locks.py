"""Advisory locks between processes (`flock`: freed by the kernel when the holder dies).

`filelock` has no shared lock that works without a database, and garbage collection needs one:
transfers hold it shared, the collector alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from agentoci.errors import Conflict


class Locked(Conflict):
    """Another process holds the lock."""


@contextlib.contextmanager
def lock(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold the lock file at `path`; raises Locked when `wait` is False and someone else has it.

    A link is no lock file: following it would make a file wherever somebody wants one. The file
    stays; removing a lock file while others wait on it would hand out two locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, operation if wait else operation | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Locked(f"{path}: locked by another process") from exc
        yield
    finally:
        os.close(descriptor)
