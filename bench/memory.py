"""Memory that behaves: what a virtual machine does with free pages must not be measured.

A guest gives free memory back to its host, and each page that it takes again costs ten times what
writing it costs. So the page cache is filled once, with a file that stays until the end: from then
on new pages come from the cache, at the price that they have on any machine that is in use.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MIB = 1024 * 1024
GIB = 1024 * MIB
_LEAVE_MEMORY = 2 * GIB
_LEAVE_DISK = 48 * GIB


def fill_page_cache(folder: Path) -> int:
    """Write a file as large as memory has room for; returns its bytes (0: no room on the disk)."""
    wanted = _available_memory() - _LEAVE_MEMORY
    size = min(wanted, shutil.disk_usage(folder).free - _LEAVE_DISK)
    if size <= 0:
        return 0
    block = os.urandom(MIB)
    with (folder / "filler").open("wb", buffering=0) as stream:
        for _ in range(size // MIB):
            stream.write(block)
        os.fsync(stream.fileno())
    return size


def _available_memory() -> int:
    path = Path("/proc/meminfo")
    if not path.exists():
        return 0
    for line in path.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
