"""Start a supervisor, and learn from it how the start went.

Two pipes: what to start goes down the one, so that the environment of the agent stands in no
command line and in no file; reports come up the other, whose end also tells of a supervisor that
died without a word.
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
from typing import IO, Any, Final

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


@dataclass(frozen=True, slots=True)
class Supervision:
    """A supervisor that has started the process; close it, or wait for the end."""

    instance: Instance
    supervisor: int
    pid: int
    reports: IO[bytes]

    def wait(self) -> int:
        """The exit code of the process; raises SupervisorFailed when that will never be known."""
        with self.reports:
            report = _next(self.reports)
        if not isinstance(report.get("exit_code"), int):
            raise SupervisorFailed(
                f"{self.instance.name}: its supervisor ended and left no exit code",
                hint=f"see {self.instance.run / 'supervisor.err'}",
            )
        return int(report["exit_code"])

    def close(self) -> None:
        """Leave it to itself."""
        self.reports.close()


def supervise(
    instance: Instance, spec: ProcessSpec, *, attached: bool = False, terminal: bool = False
) -> Supervision:
    """Start a supervisor and, by it, the process.

    `attached` lets the process have our stdin and copies what it says to our stdout and stderr as
    well as to the log; with `terminal` it has all three as they are, and there is no log. Raises
    WrongState when another one is at work, ProgramNotFound, ProgramUnusable, SupervisorFailed.
    """
    request = {**spec.document(), "attached": attached, "terminal": terminal}
    reports, child = _spawn(instance, json.dumps(request).encode(), inherit_stdio=attached)
    try:
        report = _first(reports)
        _check(instance, report)
        return Supervision(instance, int(report["supervisor"]), int(report["pid"]), reports)
    except BaseException:
        reports.close()
        raise
    finally:
        # The child has forked the supervisor and ended at once.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _spawn(instance: Instance, request: bytes, *, inherit_stdio: bool) -> tuple[IO[bytes], int]:
    asked, ask = os.pipe()
    told, tell = os.pipe()
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
        os.close(told)
        os.close(ask)
        raise
    finally:
        os.close(asked)
        os.close(tell)
    with contextlib.suppress(BrokenPipeError), open(ask, "wb") as stream:  # noqa: PTH123
        stream.write(request)
    return open(told, "rb", buffering=0), child  # noqa: PTH123 - the caller closes it


def _first(reports: IO[bytes]) -> Mapping[str, Any]:
    """How the start went; says so itself when nobody does in time."""
    if not select.select([reports], [], [], _START_SECONDS)[0]:
        return {"crashed": f"no report within {_START_SECONDS:g} s"}
    return _next(reports)


def _next(reports: IO[bytes]) -> Mapping[str, Any]:
    line = reports.readline()
    found: Mapping[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
    return found


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
