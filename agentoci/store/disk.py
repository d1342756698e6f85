"""What the disk refuses, said with the file's name and a way out."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agentoci.errors import AgentociError, Denied

_MAKE_ROOM: Final = "free some space (`agent prune`), or set AGENTOCI_HOME to another disk"


class StoreFull(AgentociError):
    """The store's disk is full."""


class StoreUnwritable(Denied):
    """The store's disk is read-only, or not ours to write."""


def check_room(folder: Path, needed: int) -> None:
    """Raise StoreFull when the folder's disk has fewer than `needed` bytes for us."""
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise StoreFull(
            f"{folder}: the disk is full: {needed} bytes are to come, there is room for {free}",
            hint=_MAKE_ROOM,
        )


@contextlib.contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Say which file the disk refused, and why."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"{path}: the disk is full", hint=_MAKE_ROOM) from exc
        if exc.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            hint = "take a folder that you may write; AGENTOCI_HOME sets the store's"
            raise StoreUnwritable(f"{path}: {exc.strerror}", hint=hint) from exc
        raise
