"""FROM: what a stage starts from, and what it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agentoci.agentfile.context import Context, comment_hint, take_flags, value_of
from agentoci.agentfile.nodes import SCRATCH, Base, Instruction, Stage
from agentoci.agentfile.scope import Scope
from agentoci.agentfile.tokens import Statement
from agentoci.agentfile.words import Word, words
from agentoci.spec.reference import InvalidReference, Reference

_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]*")
_NAMED: Final = re.compile(r"[ \t]AS[ \t]+([^ \t]+)[ \t]*\Z", re.IGNORECASE)
_NOTES: Final = {"platform": "an agent image is the same on every platform"}


@dataclass(slots=True)
class OpenStage:
    """A stage while its instructions are still being read."""

    index: int
    scope: Scope
    statement: Statement
    name: str | None = None
    base: Base | None = None
    context: Context | None = None
    instructions: list[Instruction] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    """The line of the first use of every keyword."""

    def close(self, base: Base) -> Stage:
        """The finished stage."""
        return Stage(
            self.index,
            self.name,
            base,
            tuple(self.instructions),
            place=self.statement.place,
            original=self.statement.original,
        )


def named_by(statement: Statement) -> str | None:
    """The name that a FROM gives its stage, right or wrong; in lower case, as names compare."""
    found = _NAMED.search(statement.text.string, statement.rest)
    return found[1].lower() if found else None


def operands_of(statement: Statement) -> tuple[Word, Word | None]:
    """The words of a FROM: its base, and its name when there is one."""
    _, at = take_flags(statement, (), notes=_NOTES)
    found = tuple(words(statement.text, at))
    wants = "FROM NAME:TAG [AS STAGE] or FROM scratch"
    if not found:
        raise statement.mistake("FROM names no base", hint=f"write {wants}")
    if len(found) == 1:
        return found[0], None
    if len(found) != 3 or found[1].raw.upper() != "AS":
        hint = comment_hint(found) or f"write {wants}"
        raise found[1].mistake("FROM takes one base and 'AS STAGE'", hint=hint)
    return found[0], found[2]


def read_base(word: Word, scope: Scope, earlier: Mapping[str, int]) -> Base:
    """The base that a word names; an earlier stage comes before an image of that name."""
    name = value_of(word, scope, what="the base of FROM")
    if name.lower() in earlier:
        return Base(name, name.lower(), place=word.place)
    if name != SCRATCH:
        try:
            Reference.parse(name)
        except InvalidReference as exc:
            raise word.mistake(exc.message, hint=exc.hint) from exc
    return Base(name, None, place=word.place)


def read_name(word: Word, lines: Mapping[str, int]) -> str:
    """The name of a stage; `lines` holds those that are taken, with the lines of their FROM."""
    name = word.raw.lower()
    if not _NAME.fullmatch(name) or name == SCRATCH:
        hint = "a letter, then letters, digits, '_', '.' and '-'; not 'scratch'"
        raise word.mistake(f"{word.raw[:40]!r} is not the name of a stage", hint=hint)
    if name in lines:
        raise word.mistake(f"second stage {name!r}, the first is at line {lines[name]}")
    return name
