"""What the disk refuses, said with the file's name and a way out."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from agentoci.errors import AgentociError, Denied


class StoreFull(AgentociError):
    """The store's disk is full."""


class StoreUnwritable(Denied):
    """The store's disk is read-only, or not ours to write."""


@contextlib.contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Say which file the disk refused, and why."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space (`agent prune`), or set AGENTOCI_HOME to another disk"
            raise StoreFull(f"{path}: the disk is full", hint=hint) from exc
        if exc.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            hint = "set AGENTOCI_HOME to a folder that you may write"
            raise StoreUnwritable(f"{path}: {exc.strerror}", hint=hint) from exc
        raise
