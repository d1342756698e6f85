"""Lint and validate: everything that is wrong with the files that agents are made from.

Neither needs an engine: nothing is stored, and no connection is opened.
"""

from __future__ import annotations

from agentoci.definition.variables import VARIABLES, Variable
from agentoci.lint.findings import Edit, Finding, Severity
from agentoci.lint.fixing import Fixed, fix
from agentoci.lint.rules import RULES, Rule
from agentoci.lint.run import UnknownRule, lint
from agentoci.lint.sarif import to_sarif
from agentoci.lint.subject import Options as LintOptions
from agentoci.lint.validating import Validated, validate

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
