"""`# lint: disable=RULE[,RULE]`: a finding that is meant to be so, said where it is.

It counts for its own line and for the one below, in Agentfiles and definitions. Errors stay, for a
build fails by them anyway; so does what a scan finds in texts, which whoever wrote the text could
switch off himself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from agentoci.lint.findings import Finding, Severity
from agentoci.lint.rules import RULES, family
from agentoci.lint.subject import Subject

_COMMENT: Final = re.compile(r"(?:^|\s)#\s*lint:\s*disable=([\w/-]+(?:\s*,\s*[\w/-]+)*)")


def apply(subject: Subject) -> None:
    """Take away what comments switch off, and report names that are no rules."""
    files = {subject.file: subject.lines}
    for located in (*subject.definitions.values(), *subject.others.values()):
        files[located.file] = located.lines
    disabled = {file: dict(_disabled(lines)) for file, lines in files.items()}
    subject.findings = [f for f in subject.findings if not _is_disabled(f, disabled)]
    for file, lines in files.items():
        if file == subject.file:
            _report_unknown(subject, lines)


def _disabled(lines: tuple[str, ...]) -> Iterator[tuple[int, frozenset[str]]]:
    """The rules that each line with a comment switches off."""
    for number, line in enumerate(lines, 1):
        if "lint:" in line and (match := _COMMENT.search(line)):
            yield number, frozenset(name.strip() for name in match[1].split(","))


def _is_disabled(finding: Finding, disabled: dict[str, dict[int, frozenset[str]]]) -> bool:
    if finding.severity is Severity.ERROR or finding.rule.startswith("text/"):
        return False
    by_line = disabled.get(finding.fault.file, {})
    line = finding.fault.line
    return any(finding.rule in by_line.get(number, ()) for number in (line, line - 1))


def _report_unknown(subject: Subject, lines: tuple[str, ...]) -> None:
    for number, names in _disabled(lines):
        for name in sorted(names):
            if family(name) not in RULES:
                near = difflib.get_close_matches(name, RULES, 1)
                fault = subject.at_line(
                    number,
                    lines[number - 1].index(name) + 1,
                    f"there is no rule {name!r}",
                    width=len(name),
                    hint=f"did you mean {near[0]}?" if near else "agent lint --rules lists them",
                )
                subject.add("disable-unknown", fault)
