"""What lint finds: a rule, how bad it is, a place, and for some a safe edit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agentoci.errors import Fault


class Severity(StrEnum):
    """ERROR: it does not build, or must not; WARNING: likely wrong; NOTE: worth a thought."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `width` characters from `column` on (both as in a Fault) of one line by `text`.

    With `text` None the whole line goes.
    """

    file: str
    line: int
    column: int
    width: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `fault` has its place, message and hint, `fix` what `--fix` would do."""

    rule: str
    severity: Severity
    fault: Fault
    fix: Edit | None = None
    id: str = ""
    """Of a secret: what `--allow-secret` takes."""

    @property
    def order(self) -> tuple[str, int, int, str]:
        """By place."""
        return (self.fault.file, self.fault.line, self.fault.column, self.rule)

    def to_json(self) -> dict[str, Any]:
        """As `--format json` prints it; line and column count from 1."""
        made: dict[str, Any] = {
            "rule": self.rule,
            "severity": self.severity.value,
            "file": self.fault.file,
            "line": self.fault.line,
            "column": self.fault.column,
            "width": self.fault.width,
            "message": self.fault.message,
            "hint": self.fault.hint,
            "fixable": self.fix is not None,
        }
        return made | ({"id": self.id} if self.id else {})
