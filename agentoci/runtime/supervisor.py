# ruff: noqa: PTH108, PTH123
"""The process that stays with an instance: it starts it, keeps its log and its exit code.

One per instance, and it may stay for months: it imports little (`os`, `json`, `selectors`,
`signal` and our own modules that do the same). It takes the whole group of the process down when
the process ends, as a container would.

SIGTERM means stop: the group gets SIGTERM, and SIGKILL after the seconds in `run/grace` (10 when
there is no such file). Signals of a terminal (SIGINT, SIGQUIT, SIGHUP, SIGWINCH) are passed on.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
from collections.abc import Callable, Mapping

from agentoci._internal import liveness
from agentoci.instances import record
from agentoci.runtime.contract import CannotStart, Exit, ProcessSpec, Stdio
from agentoci.runtime.logwriter import LogWriter
from agentoci.runtime.process import PlainDriver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agentoci.runtime.driver import Driver, Process
    from agentoci.spec.jsonio import Json

DEFAULT_GRACE_SECONDS = 10.0
_BLOCK = 64 * 1024
_LOCK_TRIES = 200
_PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGWINCH)


class Supervisor:
    """Runs one process from start to end; the lock of the instance is held by the caller."""

    def __init__(
        self,
        directory: str,
        request: Mapping[str, Any],
        *,
        lifeline: int,
        report: Callable[[dict[str, Json]], None],
        driver: Driver,
        now: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._request = request
        self._report = report
        self._driver = driver
        self._now = now
        self._attached = bool(request["attached"])
        self._lifeline = lifeline
        self._terminal = bool(request["terminal"])
        self._began = 0.0
        self._run: dict[str, Json] = {}
        self._pipes: dict[int, str] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Start, stay, record; returns the exit code of the process."""
        self._bury_predecessor()
        try:
            process = self._start()
        except CannotStart as failure:
            return self._record_failure(failure)
        _hear_signals(process, self._directory, self._selector)
        log = None if self._terminal else LogWriter(f"{self._directory}/logs", now=self._now)
        try:
            self._record_start(process)
            self._pump(process, log)
        finally:
            process.signal(signal.SIGKILL)  # what is left of the group
        self._drain(log)
        return self._record_end(_ended(process))

    def _start(self) -> Process:
        spec = ProcessSpec(
            self._request["argv"], self._request["environment"], self._request["cwd"]
        )
        if self._terminal:
            process = self._driver.start(spec, Stdio(0, 1, 2))
            _let_go(0, 1, 2)
            return process
        out, err = os.pipe(), os.pipe()
        try:
            process = self._driver.start(spec, Stdio(0, out[1], err[1]))
        finally:
            os.close(out[1])
            os.close(err[1])
        _let_go(0)
        if self._attached:
            self._selector.register(self._lifeline, selectors.EVENT_READ)
        for descriptor, stream in ((out[0], "stdout"), (err[0], "stderr")):
            os.set_blocking(descriptor, False)
            self._pipes[descriptor] = stream
            self._selector.register(descriptor, selectors.EVENT_READ)
        return process

    def _pump(self, process: Process, log: LogWriter | None) -> None:
        """Move what the process says into the log until it ends."""
        while process.poll() is None:
            for key, _ in self._selector.select():
                if key.fd in self._pipes:
                    self._move(key.fd, log)
                elif key.fd == self._lifeline:
                    self._detach()
                else:
                    os.read(key.fd, _BLOCK)  # a signal arrived; its handler has run

    def _drain(self, log: LogWriter | None) -> None:
        """What the pipes still hold; a process outside the group may keep them open for ever."""
        for descriptor in list(self._pipes):
            while self._move(descriptor, log):
                continue
        if log is not None:
            log.close()
            if log.dropped:
                self._run["dropped_lines"] = log.dropped

    def _move(self, descriptor: int, log: LogWriter | None) -> bool:
        """One block from a pipe to log and terminal; whether there may be more."""
        try:
            data = os.read(descriptor, _BLOCK)
        except BlockingIOError:
            return False
        stream = self._pipes[descriptor]
        if not data:
            self._selector.unregister(descriptor)
            del self._pipes[descriptor]
            os.close(descriptor)
            return False
        if log is not None:
            log.feed(stream, data)
        if self._attached:
            self._attached = _pass(data, 1 if stream == "stdout" else 2)
        return True

    def _detach(self) -> None:
        """Who asked has gone: nobody may wait for the end of an output that only we hold open."""
        self._selector.unregister(self._lifeline)
        self._attached = False
        _let_go(1, 2)

    def _bury_predecessor(self) -> None:
        """Complete the records of a supervisor that was killed; nobody else could."""
        before = record.read_run(self._directory)
        if not before or "ended" in before:
            return
        leader, known = before.get("process"), before.get("process_identity")
        if isinstance(leader, int) and isinstance(known, str):
            liveness.kill_group(leader, known, signal.SIGKILL)
        self._say("stopped", exit_code=before.get("exit_code"), reason="its supervisor was killed")

    def _record_start(self, process: Process) -> None:
        self._began = self._now()
        at = record.spell_time(self._began)
        self._run = {
            "supervisor": os.getpid(),
            "supervisor_identity": liveness.identity(os.getpid()),
            "process": process.pid,
            "process_identity": liveness.identity(process.pid) or "",
            "started": at,
            "has_log": not self._terminal,
        }
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._directory}/{record.GRACE}")
        self._write_run()
        changes: dict[str, Json] = {"state": "running", "uptime_seconds": 0, "last_activity": at}
        record.update_status(self._directory, changes)
        self._say("started", pid=process.pid)
        self._report({"supervisor": os.getpid(), "pid": process.pid})

    def _record_end(self, ended: Exit) -> int:
        """The exit code first, `ended` last: until then others see a supervisor at work."""
        at = self._now()
        name = signal.Signals(ended.signal).name if ended.signal in _KNOWN_SIGNALS else None
        self._run |= {"exit_code": ended.code, "signal": name}
        uptime = max(0, int(at - self._began))
        self._settle(at, {"uptime_seconds": uptime}, exit_code=ended.code, signal=name)
        self._report({"exit_code": ended.code})
        return ended.code

    def _record_failure(self, failure: CannotStart) -> int:
        self._run = {
            "supervisor": os.getpid(),
            "supervisor_identity": liveness.identity(os.getpid()),
            "exit_code": failure.code,
            "error": str(failure),
        }
        self._settle(self._now(), {}, exit_code=failure.code, error=str(failure))
        self._report({"failed": failure.code, "program": failure.program, "reason": failure.reason})
        return failure.code

    def _settle(self, at: float, changes: Mapping[str, Json], **details: Json) -> None:
        # A full disk must not keep the rest from being recorded; readers need only the last file.
        text = record.spell_time(at)
        with contextlib.suppress(OSError):
            self._write_run()
        with contextlib.suppress(OSError, ValueError):
            record.update_status(
                self._directory, {"state": "stopped", "last_activity": text, **changes}
            )
        self._say("stopped", **details)
        self._run["ended"] = text
        with contextlib.suppress(OSError):
            self._write_run()

    def _write_run(self) -> None:
        record.write_object(f"{self._directory}/{record.RUN_STATE}", self._run)

    def _say(self, event: str, **details: Json) -> None:
        with contextlib.suppress(OSError):
            at = record.spell_time(self._now())
            record.append_event(self._directory, event, at=at, **details)


_KNOWN_SIGNALS = frozenset(int(number) for number in signal.Signals)


def main(arguments: list[str], *, now: Callable[[], float], sleep: Callable[[float], None]) -> int:
    """Supervise the instance in a directory: `DIRECTORY REQUEST REPORT`.

    REQUEST and REPORT are open files: the one to read what to start from, one line of JSON, and
    whose end tells that who asked has gone; the other to write lines of JSON to: how the start
    went, and the exit code.
    """
    directory, request, report = arguments[0], int(arguments[1]), int(arguments[2])
    os.set_inheritable(request, False)  # noqa: FBT003 - as the standard library has it
    os.set_inheritable(report, False)  # noqa: FBT003 - as the standard library has it
    wanted = json.loads(_read_line(request))

    def tell(line: dict[str, Json]) -> None:
        # Whoever asked may have gone meanwhile; that is no reason to stop.
        with contextlib.suppress(OSError):
            os.write(report, json.dumps(line).encode() + b"\n")

    try:
        lock = _take_lock(directory, sleep)
        if lock is None:
            tell({"locked": True})
            return 1
        return Supervisor(
            directory, wanted, lifeline=request, report=tell, driver=PlainDriver(), now=now
        ).run()
    except Exception as exc:
        tell({"crashed": f"{type(exc).__name__}: {exc}"})
        _keep_traceback(directory)
        raise


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        block = os.read(descriptor, _BLOCK)
        if not block:
            raise EOFError("the request ends before its line does")
        line += block
    return line


def _take_lock(directory: str, sleep: Callable[[float], None]) -> int | None:
    """The lock; waits for one that is about to be let go, not for one at work."""
    for _ in range(_LOCK_TRIES):
        lock = record.take_lock(directory)
        if lock is not None:
            return lock
        if record.is_supervised(record.read_run(directory)):
            return None
        sleep(0.01)
    return None


def _hear_signals(process: Process, directory: str, selector: selectors.BaseSelector) -> None:
    """Signals act at once, even while a write to a slow terminal blocks; SIGCHLD wakes the loop."""

    def stop(*_: object) -> None:
        grace = _grace(directory)
        process.signal(signal.SIGTERM if grace > 0 else signal.SIGKILL)
        if grace > 0:
            signal.setitimer(signal.ITIMER_REAL, grace)

    def pass_on(number: int, _: object) -> None:
        process.signal(number)

    told, tell = os.pipe()
    os.set_blocking(told, False)
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    selector.register(told, selectors.EVENT_READ)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGALRM, lambda *_: process.signal(signal.SIGKILL))
    signal.signal(signal.SIGTERM, stop)
    for number in _PASSED_ON:
        signal.signal(number, pass_on)


def _grace(directory: str) -> float:
    try:
        with open(f"{directory}/{record.GRACE}", "rb") as stream:
            return float(stream.read(64))
    except (OSError, ValueError):
        return DEFAULT_GRACE_SECONDS


def _ended(process: Process) -> Exit:
    ended = process.poll()
    if ended is None:
        raise RuntimeError("the process has not ended")
    return ended


def _let_go(*descriptors: int) -> None:
    """Put nothing in their place: an open end would keep others waiting for its close."""
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _pass(data: bytes, descriptor: int) -> bool:
    """Write all; False when nobody reads any more."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return False
    return True


def _keep_traceback(directory: str) -> None:
    import traceback

    with (
        contextlib.suppress(OSError),
        open(f"{directory}/run/supervisor.err", "w", encoding="utf-8") as stream,
    ):
        traceback.print_exc(file=stream)
