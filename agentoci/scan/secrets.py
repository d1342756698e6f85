"""Finding secrets in one window of a file: pre-filter, literals, patterns, and the last word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentoci.scan.judging import entropy, is_placeholder
from agentoci.scan.keyed import KEYED
from agentoci.scan.rules import Rule, Where
from agentoci.scan.runs import runs
from agentoci.scan.tokens import TOKENS


class Spot(NamedTuple):
    """Something found in a window: its rule, what to say, and where it lies there."""

    rule: str
    message: str
    start: int
    end: int


class Secret(NamedTuple):
    """A secret in a window: its rule, and where it lies there."""

    rule: Rule
    start: int
    end: int


def secrets(window: bytes, *, binary: bool) -> list[Secret]:
    """The secrets of a window, by place; of rules that overlap the first one counts."""
    found: list[Secret] = []
    for secret in _candidates(window, binary=binary):
        if not any(secret.start < known.end and known.start < secret.end for known in found):
            found.append(secret)
    return sorted(found, key=lambda secret: secret.start)


def _candidates(window: bytes, *, binary: bool) -> Iterator[Secret]:
    if keys := runs(window):
        joined = b"\n".join(keys)
        for rule in TOKENS:
            there = joined if rule.where is Where.RUNS else window
            if any(literal in there for literal in rule.literals):
                yield from _matches(rule, window, window)
    if not binary:
        lower = window.lower()
        for rule in KEYED:
            if any(literal in lower for literal in rule.literals):
                yield from _matches(rule, lower, window)


def _matches(rule: Rule, searched: bytes, window: bytes) -> Iterator[Secret]:
    for match in rule.expression.finditer(searched):
        if not rule.glued and match.start() and _is_alphanumeric(window[match.start() - 1]):
            continue
        start, end = match.span(_secret_group(match))
        secret = window[start:end]
        if entropy(secret) < rule.entropy or is_placeholder(secret):
            continue
        if rule.check is None or rule.check(match, secret):
            yield Secret(rule, start, end)


def _secret_group(match: re.Match[bytes]) -> str | int:
    return next(
        (name for name in ("s", "plain") if match.re.groupindex.get(name) and match[name]), 0
    )


def _is_alphanumeric(byte: int) -> bool:
    return byte < 128 and chr(byte).isalnum()
