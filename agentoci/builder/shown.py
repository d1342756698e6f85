"""Paths in messages as the user would write them from where he is, whatever they count from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agentoci.builder.located import InstructionFailed
from agentoci.errors import Fault, SourceFaults


def shown_path(context: Path, path: str) -> str:
    """A path of the context from where the user is; what is no file there stays as it is."""
    joined = os.path.normpath(context / path)
    return joined if os.path.lexists(joined) else path


@dataclass(frozen=True, slots=True)
class Shown:
    """How the files of one build are shown; the Agentfile is called as the user named it."""

    context: Path
    agentfile: Path | None = None

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Give the faults that the block raises the paths that the user knows."""
        try:
            yield
        except SourceFaults as exc:
            raise SourceFaults([self._shown(fault) for fault in exc.faults]) from exc
        except InstructionFailed as exc:
            raise InstructionFailed(self._shown(exc.fault), exc) from exc

    def _shown(self, fault: Fault) -> Fault:
        own = str(self.agentfile or self.context / "Agentfile")
        if fault.file == own:
            return fault
        return replace(fault, file=shown_path(self.context, fault.file))
