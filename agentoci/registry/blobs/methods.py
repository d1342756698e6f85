"""How to send a blob: the method that a registry is known to take, and the next one to try.

There is no way to ask a registry, so the start is a guess (what is remembered, else a small table
of hosts, else one PUT) and refusals lead on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from agentoci._internal import limits
from agentoci.registry.facts import CHUNKED, MONOLITHIC, UPLOAD_METHODS, HostFacts

SMALL: Final = 4 * limits.MIB
"""Up to here a registry that wants chunks takes one PUT: nothing that limits sizes limits these."""

CHUNK: Final = 8 * limits.MIB
"""Large enough to make little of a round trip, small enough for a proxy's limits."""

COMFORTABLE_CHUNK: Final = 5 * limits.MIB
"""The least that object stores take for a part; below it only when a registry insists."""

SMALLEST_CHUNK: Final = 512 * limits.KIB
"""Nobody limits bodies to less, and a blob would take too many round trips."""

MAX_MIN_CHUNK: Final = limits.GIB
"""What an OCI-Chunk-Min-Length may ask for."""

_LIMIT: Final = re.compile(
    r"\b([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(KiB|MiB|GiB|KB|MB|GB|bytes)\b", re.IGNORECASE
)
_UNITS: Final = {
    "kib": limits.KIB, "mib": limits.MIB, "gib": limits.GIB,
    "kb": 1000, "mb": 1000**2, "gb": 1000**3, "bytes": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Habit:
    """What the operators of a host document or are known for."""

    hosts: re.Pattern[str]
    methods: tuple[str, ...] = UPLOAD_METHODS
    chunk: int = CHUNK


HABITS: Final = (
    Habit(re.compile(r"ghcr\.io"), chunk=SMALL - 64 * limits.KIB),
    Habit(re.compile(r".+\.dkr\.ecr(-fips)?\..+\.amazonaws\.com(\.cn)?"), chunk=10 * limits.MIB),
    Habit(re.compile(r"public\.ecr\.aws"), chunk=10 * limits.MIB),
    Habit(re.compile(r".+\.azurecr\.(io|cn|us)"), chunk=SMALL),
    Habit(re.compile(r"(.+\.pkg\.dev)|((.+\.)?gcr\.io)"), methods=(MONOLITHIC,)),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A method, the size of its chunks, and the methods that have not been refused."""

    method: str
    chunk: int = CHUNK
    allowed: tuple[str, ...] = UPLOAD_METHODS

    def stop(self, start: int, size: int, *, least: int) -> int:
        """Where the part that begins at `start` ends; `least` is the registry's least chunk."""
        if self.method != CHUNKED:
            return size
        return min(start + max(self.chunk, least), size)

    def without(self) -> Plan | None:
        """The next method after this one was refused; None when all were."""
        left = tuple(method for method in self.allowed if method != self.method)
        return replace(self, method=left[0], allowed=left) if left else None

    def smaller(self, words: str, *, least: int) -> Plan | None:
        """The way on after a body was too large; `words` may say what would not be."""
        stated = stated_limit(words)
        if self.method != CHUNKED:
            if CHUNKED not in self.allowed:
                return self.without()
            chunk = min(self.chunk, _below(stated)) if stated else self.chunk
            return replace(self, method=CHUNKED, chunk=chunk, allowed=(CHUNKED,))
        chunk = _below(stated) if stated and _below(stated) < self.chunk else _halved(self.chunk)
        if chunk < max(SMALLEST_CHUNK, least):
            return self.without()
        return replace(self, chunk=chunk)

    def gentler(self) -> Plan:
        """For a line that does not carry large bodies; the same plan when it is gentle already."""
        if self.method != CHUNKED:
            return replace(self, method=CHUNKED) if CHUNKED in self.allowed else self
        if self.chunk > COMFORTABLE_CHUNK:
            return replace(self, chunk=_halved(self.chunk))
        return self


def first_plan(host: str, facts: HostFacts, size: int, *, small_by_put: bool = True) -> Plan:
    """How to begin with a blob of `size` bytes.

    A small one is sent by PUT even where chunks are the rule, as long as `small_by_put` works.
    """
    habit = next((one for one in HABITS if one.hosts.fullmatch(host)), None)
    methods = habit.methods if habit else UPLOAD_METHODS
    chunk = facts.chunk or (habit.chunk if habit else CHUNK)
    method = facts.upload or methods[0]
    if method not in methods:
        methods = UPLOAD_METHODS
    if method == CHUNKED and size <= min(SMALL, chunk) and small_by_put:
        return Plan(MONOLITHIC, chunk, (MONOLITHIC, CHUNKED))
    return Plan(method, chunk, methods)


def stated_limit(words: str) -> int | None:
    """The size that a refusal names, as in `exceeds the limit of 4.00MiB`; the least of several."""
    sizes = (int(float(number) * _UNITS[unit.lower()]) for number, unit in _LIMIT.findall(words))
    return min((size for size in sizes if size >= SMALLEST_CHUNK), default=None)


def _below(limit: int) -> int:
    """Clearly under a limit whose number was rounded."""
    return limit - limit // 64


def _halved(chunk: int) -> int:
    """To what object stores take; below that to the powers of two that proxies are set to."""
    if chunk > COMFORTABLE_CHUNK:
        return max(chunk // 2, COMFORTABLE_CHUNK)
    return int(2 ** ((chunk - 1).bit_length() - 1))
