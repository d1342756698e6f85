"""Findings as SARIF 2.1.0, the format that code hosts show beside the lines."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from agentoci._internal.version import __version__
from agentoci.lint.findings import Finding, Severity
from agentoci.lint.rules import RULES, Rule, rule_of

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def to_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """One run with all findings; paths are relative as the user's are, with `/`."""
    driver = {
        "name": "agent lint",
        "version": __version__,
        "rules": [_rule(rule) for rule in RULES.values()],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding) for finding in findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding) -> dict[str, Any]:
    fault = finding.fault
    text = f"{fault.message}. {fault.hint}" if fault.hint else fault.message
    region = {
        "startLine": fault.line,
        "startColumn": fault.column,
        "endColumn": fault.column + fault.width,
    }
    location = {"artifactLocation": {"uri": quote(fault.file)}, "region": region}
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(RULES).index(rule_of(finding.rule).id),
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"agentoci/v1": _fingerprint(finding)},
    }


def _fingerprint(finding: Finding) -> str:
    """The same while the line moves but says the same."""
    fault = finding.fault
    said = "\0".join((finding.rule, fault.file, fault.message, fault.text.strip()))
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:32]
