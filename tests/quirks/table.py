"""The table of rules: what a check is, and which of them a registry breaks."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from tests.quirks.site import Answer, Site, digest_of

Rule = Callable[[Site], None]
RULES: list[Rule] = []
CONTENT = bytes(range(256)) * 64
MISSING = digest_of(b"never stored")


def rule(check: Rule) -> Rule:
    """Enter a function in the table."""
    RULES.append(check)
    return check


def title(rule: Rule) -> str:
    """What a rule is called in tables."""
    return rule.__name__.replace("_", " ")


def broken_rules(host: str) -> dict[str, str]:
    """The rules that the registry at `host` breaks, with what was seen instead."""
    found: dict[str, str] = {}
    for each in RULES:
        site = Site(host, f"rules/{uuid.uuid4().hex[:12]}", {})
        try:
            each(site)
        except (AssertionError, LookupError, TypeError, ValueError, OSError) as exc:
            found[title(each)] = f"{type(exc).__name__}: {exc}"[:300]
    return found


def expect(answer: Answer, *statuses: int) -> Answer:
    """The answer, when it has one of these statuses."""
    assert answer.status in statuses, f"{answer.status} {answer.body[:200]!r}, not {statuses}"
    return answer
