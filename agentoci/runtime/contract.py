"""What a driver is told, and what it says of a process that ended or could not start.

Plain classes with slots: the supervisor uses them, and pays for no module that it can do without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agentoci.spec.jsonio import Json

PROGRAM_MISSING = 127
PROGRAM_UNUSABLE = 126
SIGNALLED = 128


class ProcessSpec:
    """What to start: arguments, the whole environment, the working directory."""

    __slots__ = ("argv", "cwd", "environment")

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str) -> None:
        self.argv = tuple(argv)
        self.environment = dict(environment)
        self.cwd = cwd

    def document(self) -> dict[str, Json]:
        """The JSON object that goes to a supervisor."""
        return {"argv": list(self.argv), "environment": {**self.environment}, "cwd": self.cwd}


class Stdio:
    """The open files that become the process's stdin, stdout and stderr."""

    __slots__ = ("stderr", "stdin", "stdout")

    def __init__(self, stdin: int, stdout: int, stderr: int) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr


class Exit:
    """How a process ended: its exit code, 128+n when signal n ended it."""

    __slots__ = ("code", "signal")

    def __init__(self, code: int, signal: int | None) -> None:
        self.code = code
        self.signal = signal

    @classmethod
    def from_wait(cls, code: int) -> Exit:
        """From what `os.waitstatus_to_exitcode` gives: negative for a signal."""
        return cls(SIGNALLED - code, -code) if code < 0 else cls(code, None)


class CannotStart(Exception):
    """The program did not become a process; light, because it crosses from the supervisor.

    `code` is what a shell would say: 127 when the program is missing, 126 when it cannot be
    executed.
    """

    def __init__(self, code: int, program: str, reason: str) -> None:
        super().__init__(f"{program}: {reason}")
        self.code = code
        self.program = program
        self.reason = reason
