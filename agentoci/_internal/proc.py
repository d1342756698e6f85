"""The one door for subprocesses: argument list, explicit environment, timeout, captured tail."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agentoci.errors import AgentociError


class CommandFailed(AgentociError):
    """A program could not be started, took too long, or ended with another status than 0."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished program left."""

    status: int
    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    timeout_seconds: float,
) -> Completed:
    """Run a program to its end; raises CommandFailed when it cannot start or takes too long."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            env=dict(environment),
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as exc:
        raise CommandFailed(f"{argv[0]}: no such program on PATH") from exc
    except subprocess.TimeoutExpired as exc:
        raise CommandFailed(f"{argv[0]}: no answer within {timeout_seconds:g} s") from exc
    except OSError as exc:
        raise CommandFailed(f"{argv[0]}: {exc.strerror}") from exc
    return Completed(done.returncode, done.stdout, done.stderr)


def spawn_detached(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: str,
    pass_fds: Collection[int] = (),
    inherit_stdio: bool = False,
) -> int:
    """Start a program in a session of its own, with no terminal to control it; returns its pid.

    It gets the open files in `pass_fds`, and our stdin, stdout and stderr only when asked for.
    """
    stdio = None if inherit_stdio else subprocess.DEVNULL
    process = subprocess.Popen(
        list(argv),
        env=dict(environment),
        cwd=cwd,
        stdin=stdio,
        stdout=stdio,
        stderr=stdio,
        start_new_session=True,
        close_fds=True,
        pass_fds=tuple(pass_fds),
    )
    process.returncode = 0  # the child outlives us on purpose; nobody here waits for it
    return process.pid
