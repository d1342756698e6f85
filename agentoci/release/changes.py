"""What changed between two agents, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agentoci.release.rules import Level, Rule, Section, rules
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class TextDiff:
    """The lines of a unified diff, without file headings, and how many were added and removed.

    `note` says why there are no lines: `binary`, `too large`, or that it was cut.
    """

    lines: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change: the rule that it falls under, what it is about, and both values.

    `subject` is the tool's name, the file's path, the setting's key; `before` and `after` are None
    where there was, or is, nothing.
    """

    rule: Rule
    subject: str
    before: Json = None
    after: Json = None
    text: TextDiff | None = None

    @property
    def level(self) -> Level:
        """How large a step of the version it needs."""
        return self.rule.level

    @property
    def section(self) -> Section:
        """What of the agent it is about."""
        return self.rule.section

    @property
    def title(self) -> str:
        """What happened, and to what: `required tool added: reviewer`."""
        return f"{self.rule.title}: {self.subject}" if self.subject else self.rule.title


def change(
    rule_id: str,
    subject: str,
    before: Json = None,
    after: Json = None,
    *,
    text: TextDiff | None = None,
) -> Change:
    """A change by the id of its rule, which must be in the table."""
    return Change(rules()[rule_id], subject, before, after, text)


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """By the order of the table, then by subject; the order in which they were found is no news."""
    return tuple(sorted(changes, key=lambda one: (one.rule.rank, one.subject)))


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two agents: how it was named, and what it is."""

    reference: str
    digest: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class AgentDiff:
    """What changed from one agent to another, in the order of the report."""

    before: Side
    after: Side
    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all changed, not even the version."""
        return not self.changes

    def of(self, section: Section) -> tuple[Change, ...]:
        """The changes of one section."""
        return tuple(one for one in self.changes if one.section is section)
