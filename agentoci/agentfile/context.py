"""What the parsers of single instructions share: the stage they stand in, flags, and words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeAlias, TypeVar

from agentoci.agentfile.hints import near_miss
from agentoci.agentfile.nodes import Instruction
from agentoci.agentfile.places import Mistake, Text
from agentoci.agentfile.scope import Scope
from agentoci.agentfile.tokens import Body, Statement
from agentoci.agentfile.words import Word, plain_text, skip_blanks, words
from agentoci.spec.jsonio import Json

Settings: TypeAlias = Callable[[str, str], Json]

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Context:
    """Where an instruction stands: its stage, the stages around it, and how to report.

    `earlier` maps the names and numbers of earlier stages to their index; `later` holds the names
    of this stage and of those after it.
    """

    scope: Scope
    earlier: Mapping[str, int]
    later: frozenset[str]
    settings: Settings
    report: Callable[[Mistake], None]

    def attempt(self, step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """Run a step; report its mistake and go on, so that the next ones are seen too."""
        try:
            return step(*args, **kwargs)
        except Mistake as mistake:
            self.report(mistake)
            return None


InstructionParser: TypeAlias = Callable[[Statement, Context], tuple[Instruction, ...]]


def take_flags(
    statement: Statement, allowed: tuple[str, ...], *, notes: Mapping[str, str] | None = None
) -> tuple[dict[str, Word], int]:
    """The leading `--name=value` words by name, and the offset at which the rest begins.

    Raises Mistake for a flag that is not allowed (`notes` says why), or is there twice. A flag
    without a value has an empty word.
    """
    flags: dict[str, Word] = {}
    string = statement.text.string
    at = statement.rest
    while string.startswith("--", at):
        word = next(words(statement.text, at))
        name = word.raw[2:].partition("=")[0]
        if name not in allowed:
            message = f"{statement.keyword} has no flag '--{name[:40]}'"
            raise word.mistake(message, hint=_flag_hint(name, allowed, notes or {}))
        if name in flags:
            raise word.mistake(f"--{name} is there twice")
        flags[name] = word.partition("=")[1] or Word(word.text, word.end, word.end, ())
        at = skip_blanks(string, word.end)
    return flags, at


def _flag_hint(name: str, allowed: tuple[str, ...], notes: Mapping[str, str]) -> str:
    if name in notes:
        return notes[name]
    if close := near_miss(name, allowed):
        return f"did you mean --{close}?"
    return "it takes " + (", ".join(f"--{flag}" for flag in allowed) or "none")


def one_word(statement: Statement, at: int, *, wants: str) -> Word:
    """The only word from offset `at` on; raises Mistake when there is none, or another one."""
    found = tuple(words(statement.text, at))
    if not found:
        raise statement.mistake(f"{statement.keyword} names nothing", hint=f"write {wants}")
    if len(found) > 1:
        message = f"{statement.keyword} takes one argument"
        raise found[1].mistake(message, hint=comment_hint(found) or f"write {wants}")
    return found[0]


def comment_hint(found: Iterable[Word]) -> str | None:
    """Said when one of the words may have been meant as a comment."""
    if any(word.raw.startswith("#") for word in found):
        return "comments stand on lines of their own"
    return None


def value_of(word: Word, scope: Scope, *, what: str) -> str:
    """The word's value; raises Mistake when nothing is left of it."""
    value = scope.expand(word)
    if not value:
        hint = None
        if "$" in word.raw:
            hint = f"{word.raw[:40]} is empty here: give it a default, or a value by --build-arg"
        raise word.mistake(f"{what} is empty", hint=hint)
    return value


def text_of(body: Body, context: Context) -> str:
    """The text of a heredoc, every line ended; mistakes in its lines are reported."""
    lines = []
    for line in body.lines:
        value = context.attempt(_line_of, body, line, context.scope)
        lines.append(f"{value}\n")
    return "".join(lines)


def _line_of(body: Body, line: Text, scope: Scope) -> str:
    if not body.substitutes:
        return line.string
    word = plain_text(line)
    value = scope.expand(word)
    if value == body.name:
        message = f"the value in this line closes the heredoc {body.name!r}"
        raise word.mistake(message, hint="name the heredoc otherwise")
    return value
