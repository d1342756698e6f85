"""Lint and validate: everything that is wrong with the files that agents are made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci.definition.variables import VARIABLES, Variable
from agentoci.lint.findings import Edit, Finding, Severity
from agentoci.lint.fixing import Fixed, fix
from agentoci.lint.rules import RULES, Rule
from agentoci.lint.run import UnknownRule
from agentoci.lint.run import lint as _lint
from agentoci.lint.sarif import to_sarif
from agentoci.lint.subject import Options as LintOptions
from agentoci.lint.validating import UnknownKind, Validated, validate

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

__all__ = [
    "RULES",
    "VARIABLES",
    "Edit",
    "Finding",
    "Fixed",
    "LintOptions",
    "Mended",
    "Rule",
    "Severity",
    "UnknownKind",
    "UnknownRule",
    "Validated",
    "Variable",
    "fix",
    "lint",
    "mend",
    "to_sarif",
    "validate",
]


def lint(engine: Engine, context: Path, options: LintOptions | None = None) -> list[Finding]:
    """Everything that is wrong, or likely so, with the folder that an agent is built from.

    By file, line and column. Bases and parents count as far as they are in the local store; no
    registry is asked, and nothing is written. Raises UnknownRule, and NotFound or Invalid when
    there is nothing to lint.
    """
    return _lint(context, options or LintOptions(), store=engine.store)


_MAX_ROUNDS: Final = 5
"""A file that can be read again may show more that can be mended; each edit leaves less of it."""


@dataclass(frozen=True, slots=True)
class Mended:
    """The lines that were changed, and what is found afterwards."""

    fixed: tuple[Fixed, ...]
    left: tuple[Finding, ...]


def mend(engine: Engine, context: Path, options: LintOptions | None = None) -> Mended:
    """Lint and make the safe edits, until there are none. Raises as `lint` does."""
    fixed: list[Fixed] = []
    findings = lint(engine, context, options)
    for _ in range(_MAX_ROUNDS):
        made = fix(findings)
        if not made:
            break
        fixed += made
        findings = lint(engine, context, options)
    return Mended(tuple(fixed), tuple(findings))
