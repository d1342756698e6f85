"""Every kind of change, and how large a step of the version it needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final, TypeAlias

from agentoci.release.ruletable import TABLE


class Level(IntEnum):
    """How large a step of the version a change needs; they compare by size."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name


class Sign(StrEnum):
    """Whether something is there now that was not, is gone, or is otherwise."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Section(StrEnum):
    """What of an agent a change is about, in the order of the report."""

    IDENTITY = "identity"
    INTERFACE = "interface"
    TOOLS = "tools"
    NETWORK = "network"
    MODELS = "models"
    BEHAVIOR = "behavior"
    KNOWLEDGE = "knowledge"
    FILES = "files"
    PERMISSIONS = "permissions"
    CONSTRAINTS = "constraints"
    OPERATION = "operation"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of change; `inverse` is the id of what it is when the two sides change places.

    `words` name what changed, `reason` says why that has its level, `rank` is its place in the
    table.
    """

    id: str
    level: Level
    sign: Sign
    section: Section
    words: str
    reason: str
    inverse: str
    rank: int

    @property
    def title(self) -> str:
        """What happened: `required tool added`, `range narrowed`."""
        return self.words if self.sign is Sign.CHANGED else f"{self.words} {self.sign}"


_SIGNS: Final = {"+": Sign.ADDED, "-": Sign.REMOVED}
_Line: TypeAlias = tuple[Section, str, str, str]
"""Section, mark, id as written, and the rest of a line."""


@cache
def rules() -> MappingProxyType[str, Rule]:
    """Every rule by its id, in the order of the report."""
    lines = _lines()
    found: dict[str, Rule] = {}
    for rank, (section, mark, _, rest) in enumerate(lines):
        level, _, said = rest.partition(" ")
        words, _, reason = said.strip().partition(": ")
        sign = _SIGNS.get(mark, Sign.CHANGED)
        rule_id, inverse = _ids(lines, rank)
        found[rule_id] = Rule(rule_id, Level[level], sign, section, words, reason, inverse, rank)
    return MappingProxyType(found)


def _lines() -> list[_Line]:
    made: list[_Line] = []
    section = Section.IDENTITY
    for line in filter(None, TABLE.splitlines()):
        if not line.startswith(" "):
            section = Section(line)
            continue
        mark, name, rest = line.split(maxsplit=2)
        made.append((section, mark, name, rest))
    return made


def _ids(lines: list[_Line], at: int) -> tuple[str, str]:
    """The id of the rule of a line, and that of its inverse."""
    _, mark, name, _ = lines[at]
    if mark in _SIGNS:
        joint = "-" if "." in name else "."
        there = {sign: f"{name}{joint}{sign}" for sign in _SIGNS.values()}
        own = there.pop(_SIGNS[mark])
        return own, next(iter(there.values()))
    beside = {"~": at, ">": at + 1, "<": at - 1}[mark]
    return name, lines[beside][2]
