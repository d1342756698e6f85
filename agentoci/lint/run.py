"""Lint: read a folder, run every rule, give the findings by place."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from agentoci.errors import Invalid
from agentoci.lint import agentfile, comments, content, definition, knowledge, spelling
from agentoci.lint.findings import Finding
from agentoci.lint.reading import read_subject
from agentoci.lint.rules import RULES, family
from agentoci.lint.subject import Options
from agentoci.store.layout import LayoutStore


class UnknownRule(Invalid):
    """A rule that does not exist was to be switched off."""


def lint(context: Path, options: Options, *, store: LayoutStore) -> list[Finding]:
    """Everything that is wrong, or likely so, with the folder that an agent is built from.

    By file, line and column. Bases and parents count as far as they are in the store; no connection
    is opened and nothing is written. Raises UnknownRule, and NotFound or Invalid when there is
    nothing to lint.
    """
    _check_rules(options)
    subject = read_subject(context, options, store)
    for check in (
        spelling.check,
        agentfile.check,
        definition.check,
        knowledge.check,
        content.check,
    ):
        check(subject)
    comments.apply(subject)
    unique = {_key(finding): finding for finding in subject.findings}
    return sorted(unique.values(), key=lambda finding: finding.order)


def _key(finding: Finding) -> tuple[str, object]:
    """A fault may be seen twice: by reading a file, and by compiling it."""
    return finding.rule, dataclasses.replace(finding.fault, text="", width=1)


def _check_rules(options: Options) -> None:
    for name in sorted(options.disabled):
        if family(name) not in RULES:
            import difflib

            near = difflib.get_close_matches(name, RULES, 1)
            hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(RULES)}"
            raise UnknownRule(f"there is no rule {name!r}", hint=hint)
