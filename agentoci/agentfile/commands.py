"""ENTRYPOINT and HEALTHCHECK: programs in exec or shell form; nothing in them is substituted."""

from __future__ import annotations

import re
from typing import Final

from agentoci.agentfile.context import Context, take_flags
from agentoci.agentfile.nodes import Entrypoint, Healthcheck
from agentoci.agentfile.tokens import Statement
from agentoci.agentfile.words import Word, begins_array, read_array, skip_blanks, words

_SHELL: Final = ("/bin/sh", "-c")
_FLAGS: Final = ("interval", "timeout", "retries", "start-period")
_NUMBER: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION: Final = re.compile(rf"(?:{_NUMBER}(?:ms|s|m|h))+")
_DURATION_PART: Final = re.compile(rf"({_NUMBER})(ms|s|m|h)")
_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_LONGEST: Final = 24 * _MILLISECONDS["h"]
_RETRIES: Final = re.compile(r"[1-9][0-9]{0,3}")


def parse_entrypoint(statement: Statement, context: Context) -> tuple[Entrypoint, ...]:
    """`ENTRYPOINT ["exec", "form"]` or `ENTRYPOINT shell form`; `[]` is allowed."""
    del context
    argv = _command(statement, statement.rest)
    return (Entrypoint(argv, place=statement.place, original=statement.original),)


def parse_healthcheck(statement: Statement, context: Context) -> tuple[Healthcheck, ...]:
    """`HEALTHCHECK [flags] CMD command` or `HEALTHCHECK NONE`."""
    flags, at = take_flags(statement, _FLAGS)
    kind = next(words(statement.text, at), None)
    argv = _checked_command(statement, kind, flags)
    node = Healthcheck(
        argv,
        interval_seconds=context.attempt(_seconds, flags.get("interval"), least=1),
        timeout_seconds=context.attempt(_seconds, flags.get("timeout"), least=1),
        retries=context.attempt(_retries, flags.get("retries")),
        start_period_seconds=context.attempt(_seconds, flags.get("start-period"), least=0),
        place=statement.place,
        original=statement.original,
    )
    return (node,)


def _checked_command(
    statement: Statement, kind: Word | None, flags: dict[str, Word]
) -> tuple[str, ...] | None:
    form = kind.raw.upper() if kind else ""
    if kind is None or form not in {"CMD", "NONE"}:
        hint = "write HEALTHCHECK CMD command, or HEALTHCHECK NONE"
        raise (kind or statement).mistake("HEALTHCHECK expects CMD or NONE", hint=hint)
    if form == "NONE":
        if flags or statement.arguments.upper() != "NONE":
            raise kind.mistake("HEALTHCHECK NONE stands alone")
        return None
    argv = _command(statement, skip_blanks(statement.text.string, kind.end))
    if not argv:
        raise statement.mistake("HEALTHCHECK names no program", hint="write HEALTHCHECK NONE")
    return argv


def _command(statement: Statement, at: int) -> tuple[str, ...]:
    if begins_array(statement.text, at):
        array = read_array(statement.text, at)
        if array and not array[0].string:
            raise statement.mistake(f"the program of {statement.keyword} is empty")
        return tuple(item.string for item in array)
    command = statement.text.string[at:].rstrip(" \t")
    if not command:
        hint = f'write {statement.keyword} ["program", "argument"]'
        raise statement.mistake(f"{statement.keyword} names no program", hint=hint)
    return (*_SHELL, command)


def _seconds(word: Word | None, *, least: int) -> float | None:
    """A duration as docker writes it (`30s`, `1m30s`), in seconds, exact to a millisecond."""
    if word is None:
        return None
    if not _DURATION.fullmatch(word.raw):
        hint = "a number and a unit: 500ms, 30s, 1m30s, 1h"
        raise word.mistake(f"{word.raw[:40]!r} is not a duration", hint=hint)
    parts = _DURATION_PART.findall(word.raw)
    total = round(sum(float(number) * _MILLISECONDS[unit] for number, unit in parts))
    if not least <= total <= _LONGEST:
        raise word.mistake(f"{word.raw[:40]!r} is not between {least} ms and 24 h")
    return total / 1000


def _retries(word: Word | None) -> int | None:
    if word is None:
        return None
    if not _RETRIES.fullmatch(word.raw):
        raise word.mistake(f"{word.raw[:40]!r} is not a number of retries", hint="1 to 9999")
    return int(word.raw)
