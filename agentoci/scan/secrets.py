"""Finding secrets in one window of a file: pre-filter, literals, patterns, and the last word."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from agentoci.scan.judging import entropy, is_placeholder
from agentoci.scan.keyed import ASSIGNING, KEYED
from agentoci.scan.rules import Rule
from agentoci.scan.runs import Span, joined
from agentoci.scan.tokens import TOKENS

_TOKENS: Final = [(word, rule) for rule in TOKENS if not rule.anywhere for word in rule.literals]
_ANYWHERE: Final = [(word, rule) for rule in TOKENS if rule.anywhere for word in rule.literals]
_KEYED: Final = [(word, rule) for rule in KEYED for word in rule.literals]


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


def secrets(window: bytes, keys: Sequence[Span], *, binary: bool) -> list[Secret]:
    """The secrets of a window, by place; of rules that overlap the first one counts.

    `keys` are the runs of the window.
    """
    found: list[Secret] = []
    for secret in _candidates(window, keys, binary=binary):
        at = bisect_left(found, secret.start, key=lambda known: known.start)
        after_one = at == 0 or found[at - 1].end <= secret.start
        if after_one and (at == len(found) or secret.end <= found[at].start):
            found.insert(at, secret)
    return found


def _candidates(window: bytes, keys: Sequence[Span], *, binary: bool) -> Iterator[Secret]:
    if keys:
        there = joined(window, keys)
        hits = [rule for literal, rule in _TOKENS if literal in there]
        hits += [rule for literal, rule in _ANYWHERE if literal in window]
        for rule in dict.fromkeys(hits):
            yield from _matches(rule, window, window)
    if not binary and any(sign in window for sign in ASSIGNING):
        lower = window.lower()
        for rule in [rule for literal, rule in _KEYED if literal in lower]:
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
