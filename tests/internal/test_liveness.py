"""Which process is meant by a pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci._internal.liveness import _exists, identity, is_alive, kill_group


@contextlib.contextmanager
def running(*argv: str, session: bool = False) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=session
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def known(process: subprocess.Popen[str]) -> str:
    found = identity(process.pid)
    assert found is not None
    return found


def test_a_process_keeps_its_identity_while_it_lives() -> None:
    with running("cat") as process:
        first = known(process)
        assert identity(process.pid) == first != identity(os.getpid())
        assert is_alive(process.pid, first)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert identity(process.pid) is None, "it waits to be reaped"
        process.wait()
        assert identity(process.pid) is None
        assert not is_alive(process.pid, first)


def test_another_process_with_the_same_pid_is_another() -> None:
    here = identity(os.getpid())
    assert here is not None
    boot, _, start = here.partition(":")
    assert not is_alive(os.getpid(), f"{boot}:{int(start) - 1}")
    assert not is_alive(os.getpid(), f"00000000:{start}")
    assert not is_alive(0, here)
    assert not is_alive(-1, here)


def test_a_name_that_looks_like_fields_misleads_nobody(tmp_path: Path) -> None:
    cat = shutil.which("cat")
    assert cat is not None
    program = tmp_path / ") Z 0 (x"
    shutil.copy(cat, program)
    with running(str(program)) as process:
        assert is_alive(process.pid, known(process))


def test_a_group_is_ended_with_its_children() -> None:
    with running("sh", "-c", "sleep 60 & echo $!; wait", session=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        leader = known(process)
        assert identity(child) is not None
        process.kill()
        process.wait()
        assert identity(child) is not None, "only its leader died"
        assert kill_group(process.pid, leader, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while identity(child) is not None and time.monotonic() < deadline:
            time.sleep(0.005)
        assert identity(child) is None


@pytest.mark.parametrize("change", ["start", "boot"])
def test_a_group_of_somebody_else_is_left_alone(change: str) -> None:
    with running("cat", session=True) as process:
        boot, _, start = known(process).partition(":")
        other = f"{boot}:1" if change == "start" else f"00000000:{start}"
        assert not kill_group(process.pid, other, signal.SIGKILL)
        assert process.poll() is None


def test_after_a_reboot_no_group_is_ours() -> None:
    with running("cat") as process:
        leader = known(process)
        process.kill()
        process.wait()
        assert not kill_group(process.pid, f"00000000:{leader.partition(':')[2]}", signal.SIGKILL)
        assert not kill_group(process.pid, leader, signal.SIGKILL), "nobody is left"


@pytest.mark.parametrize("leader", [1, 0, -1])
def test_no_group_is_everybodys(leader: int) -> None:
    assert not kill_group(leader, identity(os.getpid()) or "", 0)


def test_where_there_is_no_proc_a_signal_tells_who_lives() -> None:
    with running("cat") as process:
        assert _exists(process.pid)
        process.kill()
        process.wait()
        assert not _exists(process.pid)
