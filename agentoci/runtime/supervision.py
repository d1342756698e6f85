"""Start a supervisor, and learn from it how the start went.

Two pipes: what to start goes down the one, so that the environment of the agent stands in no
command line; reports come up the other. Either side learns of the other's death by the end of its
pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agentoci._internal.proc import spawn_detached
from agentoci.errors import AgentociError, Invalid, NotFound
from agentoci.instances.instance import Instance
from agentoci.instances.state import Event, State, WrongState
from agentoci.runtime.contract import PROGRAM_MISSING, ProcessSpec

_PROGRAM: Final = str(Path(__file__).with_name("supervise.py"))
_START_SECONDS: Final = 30.0
"""Until a start is given up; it takes some 50 ms on a quiet machine."""


class SupervisorFailed(AgentociError):
    """The supervisor itself failed; the instance does not run."""


class ProgramNotFound(NotFound):
    """The program of the ENTRYPOINT is not there."""


class ProgramUnusable(Invalid):
    """The program of the ENTRYPOINT is there and cannot be executed."""


class _Pipes:
    """Our ends of the two pipes."""

    def __init__(self, ask: int, told: int) -> None:
        self._requests = os.fdopen(ask, "wb", buffering=0)
        self._reports = os.fdopen(told, "rb", buffering=0)

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Mapping[str, Any]) -> None:
        """Say what to start; whether somebody heard it, the report tells."""
        rest = memoryview(json.dumps(request).encode() + b"\n")
        with contextlib.suppress(BrokenPipeError):
            while rest:
                rest = rest[os.write(self._requests.fileno(), rest) :]

    def first(self) -> Mapping[str, Any]:
        """How the start went; says so itself when nobody does in time."""
        if not select.select([self._reports], [], [], _START_SECONDS)[0]:
            return {"crashed": f"no report within {_START_SECONDS:g} s"}
        return self.next()

    def next(self) -> Mapping[str, Any]:
        """The next report; empty when the supervisor ended without one."""
        line = self._reports.readline()
        found: Mapping[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        return found

    def close(self) -> None:
        """Let go of the supervisor."""
        self._requests.close()
        self._reports.close()


@dataclass(frozen=True, slots=True)
class Supervision:
    """A supervisor that has started the process; close it, or wait for the end."""

    instance: Instance
    supervisor: int
    pid: int
    pipes: _Pipes

    def wait(self) -> int:
        """The exit code of the process; raises SupervisorFailed when that will never be known."""
        with self.pipes:
            report = self.pipes.next()
        if not isinstance(report.get("exit_code"), int):
            raise SupervisorFailed(
                f"{self.instance.name}: its supervisor ended and left no exit code",
                hint=f"see {self.instance.run / 'supervisor.err'}",
            )
        return int(report["exit_code"])

    def close(self) -> None:
        """Leave it to itself."""
        self.pipes.close()


def supervise(
    instance: Instance, spec: ProcessSpec, *, attached: bool = False, terminal: bool = False
) -> Supervision:
    """Start a supervisor and, by it, the process.

    `attached` lets the process have our stdin and copies what it says to our stdout and stderr as
    well as to the log; with `terminal` it has all three as they are, and there is no log. Raises
    WrongState when another one is at work, ProgramNotFound, ProgramUnusable, SupervisorFailed.
    """
    request = {**spec.document(), "attached": attached, "terminal": terminal}
    pipes, child = _spawn(instance, inherit_stdio=attached)
    try:
        pipes.ask(request)
        report = pipes.first()
        _check(instance, report)
        return Supervision(instance, int(report["supervisor"]), int(report["pid"]), pipes)
    except BaseException:
        pipes.close()
        raise
    finally:
        # The child has forked the supervisor and ended at once.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _spawn(instance: Instance, *, inherit_stdio: bool) -> tuple[_Pipes, int]:
    asked, ask = os.pipe()
    told, tell = os.pipe()
    pipes = _Pipes(ask, told)
    files = (str(asked), str(tell))
    try:
        child = spawn_detached(
            [sys.executable, "-I", "-S", "-X", "utf8", _PROGRAM, str(instance.path), *files],
            environment={},
            cwd="/",
            pass_fds=(asked, tell),
            inherit_stdio=inherit_stdio,
        )
    except BaseException:
        pipes.close()
        raise
    finally:
        os.close(asked)
        os.close(tell)
    return pipes, child


def _check(instance: Instance, report: Mapping[str, Any]) -> None:
    if "pid" in report:
        return
    if "locked" in report:
        raise WrongState(State.RUNNING, Event.START, what=instance.name)
    if "failed" in report:
        text = f"{instance.name}: cannot start {report['program']}: {report['reason']}"
        if report["failed"] == PROGRAM_MISSING:
            raise ProgramNotFound(
                text, hint="install it on this host, or COPY it and name it in ENTRYPOINT"
            )
        raise ProgramUnusable(
            text, hint="make it executable (COPY --chmod=755) and name its interpreter in #!"
        )
    raise SupervisorFailed(
        f"{instance.name}: its supervisor failed: {report.get('crashed', 'it ended unasked')}",
        hint=f"see {instance.run / 'supervisor.err'}",
    )
