"""What can be done with an instance: start, run, stop, wait, logs, remove."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from typing import Final

from agentoci._internal import liveness
from agentoci._internal.clock import Clock
from agentoci.errors import AgentociError
from agentoci.instances import record
from agentoci.instances.directory import Instances, kill_leftovers
from agentoci.instances.instance import BrokenInstance, Instance
from agentoci.instances.state import Event, advance
from agentoci.runtime.contract import ProcessSpec
from agentoci.runtime.foreground import run_attached
from agentoci.runtime.launch import process_spec
from agentoci.runtime.logreader import LogLine, follow_log, read_log
from agentoci.runtime.supervision import supervise

_MARGIN_SECONDS: Final = 5.0
"""Beyond the grace: what a supervisor may take to record the end before it counts as stuck."""


class NotStopping(AgentociError):
    """Neither the process nor its supervisor could be ended."""


def start(instance: Instance, *, host: Mapping[str, str], clock: Clock) -> int:
    """Start it detached; returns the pid of its process.

    `host` are the variables of the host of which PATH, HOME, LANG and TZ are passed on. Raises
    WrongState when it runs already, NoEntrypoint, ProgramNotFound, ProgramUnusable.
    """
    supervision = supervise(instance, _prepare(instance, host, clock))
    supervision.close()
    return supervision.pid


def run(instance: Instance, *, host: Mapping[str, str], clock: Clock, terminal: bool) -> int:
    """Start it attached and stay to the end; returns the exit code.

    `terminal`: stdin and stdout are a terminal, which the process gets as it is; then no log is
    kept. Raises like `start`.
    """
    return run_attached(instance, _prepare(instance, host, clock), terminal=terminal)


def stop(instance: Instance, *, clock: Clock, grace_seconds: float = 10) -> int | None:
    """SIGTERM to its process group, SIGKILL after the grace; returns the exit code if known.

    An instance that does not run is left alone, except for processes that a supervisor which was
    killed has left behind: they are killed.
    """
    view = instance.view(now=clock.now())
    if view.state is not None:
        advance(view.state, Event.STOP, what=instance.name)
    run = record.read_run(str(instance.path))
    if not record.is_supervised(run):
        kill_leftovers(instance)
        return view.exit_code
    (instance.path / record.GRACE).write_text(f"{max(0.0, grace_seconds)}\n", encoding="ascii")
    _signal_supervisor(run, signal.SIGTERM)
    if not _ends(instance, clock, grace_seconds + _MARGIN_SECONDS):
        _end_by_force(instance, run, clock)
    return instance.view(now=clock.now()).exit_code


def wait(instance: Instance, *, clock: Clock) -> int | None:
    """Until it does not run; returns the exit code, None when its supervisor was killed."""
    pause = 0.005
    while instance.is_supervised():
        clock.sleep(pause)
        pause = min(0.1, pause * 1.5)
    return instance.view(now=clock.now()).exit_code


def logs(
    instance: Instance, *, clock: Clock, follow: bool = False, tail: int | None = None
) -> Iterator[LogLine]:
    """What its process said, oldest first; `tail` gives the last lines only.

    With `follow` it goes on with what comes until the instance stops.
    """
    if not follow:
        return read_log(instance.logs, tail=tail)
    return follow_log(instance.logs, is_running=instance.is_supervised, clock=clock, tail=tail)


def remove(instances: Instances, instance: Instance, *, clock: Clock, force: bool = False) -> None:
    """Remove it with all it holds; raises WrongState while it runs, unless `force` kills it."""
    if force:
        with contextlib.suppress(BrokenInstance):
            stop(instance, clock=clock, grace_seconds=0)
    instances.remove(instance)


def _prepare(instance: Instance, host: Mapping[str, str], clock: Clock) -> ProcessSpec:
    view = instance.view(now=clock.now())
    if view.state is not None:
        advance(view.state, Event.START, what=instance.name)
    return process_spec(instance, instance.entry(), image=view.image, host=host)


def _ends(instance: Instance, clock: Clock, seconds: float) -> bool:
    deadline = clock.monotonic() + seconds
    while instance.is_supervised():
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(0.01)
    return True


def _end_by_force(instance: Instance, run: Mapping[str, object], clock: Clock) -> None:
    """A supervisor that does not listen (stopped by a signal, a hung disk) is killed with all."""
    kill_leftovers(instance)
    _signal_supervisor(run, signal.SIGKILL)
    if not _ends(instance, clock, _MARGIN_SECONDS):
        raise NotStopping(f"{instance.name}: supervisor {run.get('supervisor')} cannot be killed")


def _signal_supervisor(run: Mapping[str, object], number: int) -> None:
    pid, known = run.get("supervisor"), run.get("supervisor_identity")
    if isinstance(pid, int) and isinstance(known, str) and liveness.is_alive(pid, known):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
