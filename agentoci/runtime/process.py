# ruff: noqa: PTH110, PTH112, PTH113
"""The driver without isolation: a plain process that leads a session and a process group.

Only single-threaded programs may use it (it forks); the supervisor is one. On Linux the kernel
kills the process when its supervisor dies: an agent that nobody supervises has no exit code, no
logs, and nobody to stop it.
"""

from __future__ import annotations

import errno
import os
import signal

from agentoci.runtime.contract import (
    PROGRAM_MISSING,
    PROGRAM_UNUSABLE,
    CannotStart,
    Exit,
    ProcessSpec,
    Stdio,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class PlainProcess:
    """A process that leads its own group."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._exit: Exit | None = None

    def signal(self, number: int) -> None:
        """Signal the group, children that outlived the process included."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def poll(self) -> Exit | None:
        """How it ended, None while it runs."""
        if self._exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit = Exit.from_wait(os.waitstatus_to_exitcode(status))
        return self._exit


class PlainDriver:
    """Starts plain processes."""

    name = "process"

    def start(self, spec: ProcessSpec, stdio: Stdio) -> PlainProcess:
        """Start it; raises CannotStart with what the kernel says."""
        program = find_program(spec)
        parent = os.getpid()
        told, tell = os.pipe()  # closed by a successful exec, which is how we learn of it
        pid = os.fork()
        if pid == 0:
            _become(program, spec, stdio, tell, parent)
        os.close(tell)
        try:
            failure = os.read(told, 4096)
        finally:
            os.close(told)
        if failure:
            os.waitpid(pid, 0)
            raise _failure(program, spec, int(failure))
        return PlainProcess(pid)


def find_program(spec: ProcessSpec) -> str:
    """The file that `argv[0]` means, by the PATH of the process; raises CannotStart."""
    name = spec.argv[0]
    if not os.path.isdir(spec.cwd):
        raise CannotStart(PROGRAM_UNUSABLE, name, f"the working directory {spec.cwd} is missing")
    if "/" in name:
        return name
    unusable = ""
    for folder in spec.environment.get("PATH", _DEFAULT_PATH).split(":"):
        # A relative entry of PATH is seen from the process's directory, not from ours.
        path = f"{folder}/{name}" if folder.startswith("/") else f"{spec.cwd}/{folder}/{name}"
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            unusable = unusable or path
    if unusable:
        raise CannotStart(PROGRAM_UNUSABLE, unusable, "is not executable")
    raise CannotStart(PROGRAM_MISSING, name, "no such program on PATH")


def _become(program: str, spec: ProcessSpec, stdio: Stdio, tell: int, parent: int) -> NoReturn:
    """Turn the forked child into the program; never returns."""
    try:
        os.setsid()
        os.chdir(spec.cwd)
        os.dup2(stdio.stdin, 0)
        os.dup2(stdio.stdout, 1)
        os.dup2(stdio.stderr, 2)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; programs expect them
            signal.signal(number, signal.SIG_DFL)
        _die_with(parent)
        os.execve(program, spec.argv, spec.environment)  # noqa: S606 - that is what a driver does
    except ValueError:  # a NUL in an argument
        os.write(tell, str(errno.EINVAL).encode())
    except OSError as exc:
        os.write(tell, str(exc.errno or errno.EIO).encode())
    finally:
        os._exit(PROGRAM_MISSING)


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies (Linux only)."""
    try:
        import ctypes  # here, so that the supervisor itself never pays for it

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os._exit(PROGRAM_MISSING)


def _failure(program: str, spec: ProcessSpec, number: int) -> CannotStart:
    path = program if program.startswith("/") else f"{spec.cwd}/{program}"
    if number in (errno.ENOENT, errno.ENOTDIR):
        if os.path.exists(path):
            reason = "the interpreter in its first line, or its loader, is missing"
            return CannotStart(PROGRAM_UNUSABLE, program, reason)
        return CannotStart(PROGRAM_MISSING, program, "no such file")
    if number == errno.ENOEXEC:
        return CannotStart(PROGRAM_UNUSABLE, program, "not a program, and no #! in its first line")
    if number == errno.EACCES:
        return CannotStart(PROGRAM_UNUSABLE, program, "is not executable")
    return CannotStart(PROGRAM_UNUSABLE, program, os.strerror(number).lower())
