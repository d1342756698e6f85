"""Listing a folder: names, and what tells an unchanged file without reading it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple


class RawEntry(NamedTuple):
    """An entry of a folder as `lstat` saw it.

    For a folder only its name and mode count: what is in it is seen when it is listed itself.
    """

    name: str
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def scan(folder: str) -> list[RawEntry]:
    """The entries of a folder by name; raises OSError."""
    found: list[RawEntry] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            mode = status.st_mode
            if stat.S_ISDIR(mode):
                found.append(RawEntry(entry.name, mode, 0, 0, 0, 0))
            else:
                found.append(
                    RawEntry(
                        entry.name,
                        mode,
                        status.st_size,
                        status.st_mtime_ns,
                        status.st_ctime_ns,
                        status.st_ino,
                    )
                )
    found.sort()
    return found


def fingerprint(entries: Sequence[RawEntry]) -> str:
    """A hash that changes when an entry does."""
    return hashlib.sha256(repr(entries).encode("utf-8", "surrogateescape")).hexdigest()
