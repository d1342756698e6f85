"""Lint and validate: everything that is wrong with the files that agents are made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.definition.variables import VARIABLES, Variable
from agentoci.lint.findings import Edit, Finding, Severity
from agentoci.lint.fixing import Fixed, fix
from agentoci.lint.rules import RULES, Rule
from agentoci.lint.run import UnknownRule
from agentoci.lint.run import lint as _lint
from agentoci.lint.sarif import to_sarif
from agentoci.lint.subject import Options as LintOptions
from agentoci.lint.validating import Validated, validate

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

__all__ = [
    "RULES",
    "VARIABLES",
    "Edit",
    "Finding",
    "Fixed",
    "LintOptions",
    "Rule",
    "Severity",
    "UnknownRule",
    "Validated",
    "Variable",
    "fix",
    "lint",
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
