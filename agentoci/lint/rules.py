"""Every rule: its id, how bad what it finds is, and what it is about. The docs show this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agentoci.lint.findings import Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; `fixable` when `--fix` mends some of what it finds."""

    id: str
    severity: Severity
    summary: str
    fixable: bool = False


_ALL: Final = (
    # What a build fails by.
    Rule("agentfile-invalid", _ERROR, "the Agentfile cannot be read", fixable=True),
    Rule("definition-invalid", _ERROR, "a definition does not say what it should", fixable=True),
    Rule("compatibility-invalid", _ERROR, "a compatibility matrix cannot be read"),
    Rule("lock-invalid", _ERROR, "agent.lock cannot be read"),
    Rule("skill-invalid", _ERROR, "a SKILL.md is not as the Agent Skills format says"),
    Rule("copy-invalid", _ERROR, "a COPY finds nothing, or has no place to put it"),
    Rule("build-invalid", _ERROR, "the parts do not make a definition together"),
    Rule("constraint-invalid", _ERROR, "a constraint's expression cannot be read"),
    Rule("constraint-false", _ERROR, "a constraint is false whatever the agent does"),
    Rule("secret", _ERROR, "a file, variable or label holds a secret"),
    # What builds, and is likely not what was meant.
    Rule("text/hidden-unicode", _WARNING, "invisible characters in a text that a model reads"),
    Rule("text/prompt-injection", _WARNING, "a text speaks to the model behind the reader's back"),
    Rule("base-unpinned", _WARNING, "FROM names a tag that moves, or none"),
    Rule("require-any", _WARNING, "REQUIRE takes any version"),
    Rule("require-twice", _WARNING, "a tool is required twice", fixable=True),
    Rule("version-missing", _WARNING, "the agent declares no version"),
    Rule("knowledge-missing", _WARNING, "a listed knowledge file is not in the image"),
    Rule("copied-twice", _WARNING, "two COPYs write one file, and the later one wins"),
    Rule("arg-unused", _WARNING, "an ARG that nothing uses"),
    Rule("stage-unused", _WARNING, "a stage that nothing uses"),
    Rule("env-secret", _WARNING, "a variable with the name of a secret has a literal value"),
    Rule("label-twice", _WARNING, "a label is set twice"),
    Rule("health-timeout", _WARNING, "a health check may take longer than its interval"),
    Rule("context-overflow", _WARNING, "there is more knowledge than the context window holds"),
    Rule("setting-without-effect", _WARNING, "a setting that another one switches off"),
    Rule("large-file", _WARNING, "a large file is copied, and there is no .agentignore"),
    Rule("syntax-late", _WARNING, "# syntax= counts on the first line only", fixable=True),
    Rule("disable-unknown", _WARNING, "a comment switches off a rule that does not exist"),
    # What is worth a thought.
    Rule("parent-unknown", _NOTE, "a parent is not here, so its part is not looked at"),
    Rule("knowledge-unlisted", _NOTE, "a knowledge file that the definition does not list"),
    Rule("interface-headings", _NOTE, "the interface does not say what goes in and comes out"),
    Rule("interface-missing", _NOTE, "the agent does not say what it can do"),
    Rule("isolation-missing", _NOTE, "tools are required, and no network isolation is asked for"),
    Rule("tool-purpose", _NOTE, "an optional tool does not say what it is for"),
    Rule("instruction-case", _NOTE, "an instruction is not in capitals", fixable=True),
    Rule("trailing-blanks", _NOTE, "blanks at the end of a line", fixable=True),
    Rule("byte-order-mark", _NOTE, "the file begins with a byte order mark", fixable=True),
)

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _ALL}
"""Every rule by its id."""


def family(name: str) -> str:
    """`secret` for `secret/openai-key`; others are their own."""
    return "secret" if name.startswith("secret/") else name


def rule_of(name: str) -> Rule:
    """The rule of an id; those of secrets are told apart by what kind of secret it is."""
    return RULES[family(name)]
