"""Which process is meant by a pid: pids are reused, so a pid is kept with its start time.

Imports `os` only: every supervisor pays for what is imported here.
"""

from __future__ import annotations

import os

_boot: str | None = None


def identity(pid: int) -> str | None:
    """What tells this process from a later one with the same pid; None when it does not live.

    On Linux the boot and the start time; a process that ended and waits to be reaped counts as
    dead. Elsewhere only that a process with this pid exists.
    """
    stat = _read(f"/proc/{pid}/stat")
    if stat is not None:
        # The name in parentheses may hold anything, a ")" too; the fields go on behind the last.
        fields = stat[stat.rindex(")") + 2 :].split()
        return None if fields[0] in "ZX" else f"{_boot_id()}:{fields[19]}"
    if _read("/proc/self/stat") is not None:
        return None
    return "pid" if _exists(pid) else None


def is_alive(pid: int, known: str) -> bool:
    """Whether the process that had this identity still lives."""
    return pid > 0 and identity(pid) == known


def kill_group(leader: int, known: str, number: int) -> bool:
    """Signal the process group that `leader` made, even when only its children are left.

    Does nothing (False) when the leader's pid means another process now, or after a reboot.
    """
    if leader <= 1 or identity(leader) not in (known, None):
        return False
    if known != "pid" and known.partition(":")[0] != _boot_id():
        return False
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _boot_id() -> str:
    global _boot
    if _boot is None:
        _boot = (_read("/proc/sys/kernel/random/boot_id") or "")[:8]
    return _boot


def _read(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
