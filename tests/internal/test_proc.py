"""The one door for subprocesses."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from agentoci._internal.clock import SystemClock, timestamp
from agentoci._internal.proc import CommandFailed, run, spawn_detached

SH = "/bin/sh"


def test_a_program_gets_what_it_is_given_and_nothing_else() -> None:
    done = run(
        [SH, "-c", 'cat; echo "$A-$HOME"; echo "$1" >&2; exit 3', "sh", "two words; $A"],
        environment={"A": "b"},
        stdin=b"in ",
        timeout_seconds=10,
    )
    assert (done.status, done.stdout, done.stderr) == (3, b"in b-\n", b"two words; $A\n")


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(CommandFailed, match="no-such-program: no such program on PATH") as caught:
        run(["no-such-program"], environment={"PATH": os.defpath}, timeout_seconds=10)
    assert caught.value.exit_code == 1


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    for name, mode in (("text", 0o644), ("noise", 0o755)):
        path = tmp_path / name
        path.write_bytes(b"\0\1\2")
        path.chmod(mode)
    for name, reason in (("text", "Permission denied"), ("noise", "Exec format error")):
        with pytest.raises(CommandFailed, match=f"{name}: {reason}"):
            run([str(tmp_path / name)], environment={}, timeout_seconds=10)


def test_a_program_that_takes_too_long_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(CommandFailed, match=r"sleep: no answer within 0\.05 s"):
        run(["sleep", "30"], environment={"PATH": os.defpath}, timeout_seconds=0.05)
    assert time.monotonic() - started < 10


DETACHED = """
import os, sys
fd = int(sys.argv[1])
same = os.getsid(0) == os.getpid()
devnull = [os.path.realpath(f"/proc/self/fd/{n}") for n in (0, 1, 2)]
os.write(fd, repr((os.getcwd(), same, devnull, os.environ.get("A"))).encode())
"""


def test_a_detached_program_stands_alone(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = spawn_detached(
        [sys.executable, "-c", DETACHED, str(writer)],
        environment={"A": "b"},
        cwd=str(tmp_path),
        pass_fds=[writer],
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read()
    assert os.waitpid(pid, 0) == (pid, 0)
    assert said == repr((str(tmp_path), True, ["/dev/null"] * 3, "b"))


def test_a_detached_program_may_keep_our_streams(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = spawn_detached(
        [SH, "-c", "echo out; echo err >&2"], environment={}, cwd=str(tmp_path), inherit_stdio=True
    )
    os.waitpid(pid, 0)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("out\n", "err\n")


def test_the_machines_clock() -> None:
    clock = SystemClock()
    before, moment = clock.monotonic(), clock.now()
    clock.sleep(0.001)
    assert clock.monotonic() >= before + 0.001
    assert clock.now() > moment
    assert timestamp(moment) == moment.strftime("%Y-%m-%dT%H:%M:%SZ")
