"""Errors of what an Agentfile names, told at its place there."""

from __future__ import annotations

from agentoci.agentfile import Agentfile, Place
from agentoci.errors import AgentociError, Fault


class InstructionFailed(AgentociError):
    """Another error with line and caret, the `fault`; the exit code is that of the cause."""

    shows_lines = True

    def __init__(self, fault: Fault, cause: AgentociError) -> None:
        super().__init__(fault.render())
        self.fault = fault
        self.exit_code = cause.exit_code


def locate(
    agentfile: Agentfile, place: Place, error: AgentociError, *, width: int = 1
) -> InstructionFailed:
    """The same error, with its place in the Agentfile."""
    fault = agentfile.fault(place, error.message, width=width, hint=error.hint)
    return InstructionFailed(fault, error)
