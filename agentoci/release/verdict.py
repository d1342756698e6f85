"""The verdict: how large a step of the version the changes need, and why."""

from __future__ import annotations

from dataclasses import dataclass

from agentoci.release.changes import AgentDiff, Change
from agentoci.release.rules import Level

__all__ = ["Level", "Reason", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One change that counts, by the rule that says so."""

    level: Level
    rule: str
    subject: str
    title: str
    why: str

    @classmethod
    def of(cls, change: Change) -> Reason:
        """The reason that a change is."""
        rule = change.rule
        return cls(rule.level, rule.id, change.subject, change.title, rule.reason)

    def __str__(self) -> str:
        return f"{self.title} ({self.why})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The level, which is that of the largest change, and all reasons, the largest first."""

    level: Level
    reasons: tuple[Reason, ...]

    @property
    def decisive(self) -> tuple[Reason, ...]:
        """The reasons that a smaller level is not enough."""
        return tuple(reason for reason in self.reasons if reason.level is self.level)


def judge(diff: AgentDiff) -> Verdict:
    """Judge by the rules (`release.ruletable`); one more change never lowers the level."""
    counting = [change for change in diff.changes if change.level > Level.NONE]
    reasons = [Reason.of(change) for change in counting]
    reasons.sort(key=lambda reason: -reason.level)
    return Verdict(max((change.level for change in counting), default=Level.NONE), tuple(reasons))
