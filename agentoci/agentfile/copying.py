"""COPY: flags, sources, heredocs and the destination."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agentoci.agentfile.context import Context, comment_hint, take_flags, text_of, value_of
from agentoci.agentfile.nodes import SCRATCH, Copy, Heredoc, SourcePath
from agentoci.agentfile.tokens import Statement, is_marker
from agentoci.agentfile.words import Word, begins_array, plain_text, read_array, words
from agentoci.spec.reference import InvalidReference, Reference

_FLAGS: Final = ("from", "chmod")
_NOTES: Final = {
    "chown": "the files of an agent image belong to nobody; who runs the agent owns them",
    "link": "layers never depend on those below; remove it",
    "parents": "COPY a folder, or write one COPY per destination",
    "exclude": "list what stays out in .agentignore",
}
_MODE: Final = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, slots=True)
class _Operands:
    """The words after the flags, told apart."""

    paths: tuple[Word, ...]
    markers: tuple[Word, ...]
    destination: Word


def parse_copy(statement: Statement, context: Context) -> tuple[Copy, ...]:
    """`COPY [--from=stage|image] [--chmod=755] SRC... DST`, a JSON array, or heredocs."""
    flags, at = take_flags(statement, _FLAGS, notes=_NOTES)
    operands = _operands(statement, at)
    from_word = flags.get("from")
    from_, from_stage = context.attempt(_origin, from_word, context) or (None, None)
    chmod = context.attempt(_chmod, flags.get("chmod"), context)
    paths = [context.attempt(_source, word, context) for word in operands.paths]
    node = Copy(
        tuple(path for path in paths if path),
        context.attempt(_destination, operands, context) or "",
        from_,
        chmod,
        _heredocs(statement, operands, context),
        from_stage,
        place=statement.place,
        original=statement.original,
        destination_place=operands.destination.place,
        from_place=from_word.place if from_word else None,
    )
    return (node,)


def _operands(statement: Statement, at: int) -> _Operands:
    array = begins_array(statement.text, at)
    if array:
        found = tuple(plain_text(item) for item in read_array(statement.text, at))
    else:
        found = tuple(words(statement.text, at))
    marks = [not array and is_marker(word) for word in found]
    if not found or len(found) == 1 or marks[-1]:
        wrong = found[-1] if found else statement
        message = "COPY has no destination" if found else "COPY names nothing"
        raise wrong.mistake(message, hint="write COPY SOURCE... DESTINATION")
    sources = tuple(zip(found[:-1], marks, strict=False))
    return _Operands(
        tuple(word for word, mark in sources if not mark),
        tuple(word for word, mark in sources if mark),
        found[-1],
    )


def _origin(word: Word | None, context: Context) -> tuple[str, int | None] | None:
    """What `--from` names, and the index of the stage when it is one."""
    if word is None:
        return None
    name = value_of(word, context.scope, what="--from")
    if name.lower() in context.earlier:
        return name, context.earlier[name.lower()]
    if name.lower() in context.later:
        hint = "a stage copies from the stages above it"
        raise word.mistake(f"stage {name!r} is not above this line", hint=hint)
    if name.isdecimal():
        hint = "stages count from 0 at the first FROM"
        raise word.mistake(f"there is no stage {name[:20]} above this line", hint=hint)
    if name == SCRATCH:
        raise word.mistake("there is nothing to copy in scratch")
    try:
        Reference.parse(name)
    except InvalidReference as exc:
        raise word.mistake(exc.message, hint=exc.hint) from exc
    return name, None


def _chmod(word: Word | None, context: Context) -> int | None:
    if word is None:
        return None
    mode = value_of(word, context.scope, what="--chmod")
    if not _MODE.fullmatch(mode):
        hint = "three octal digits, as in --chmod=755"
        raise word.mistake(f"{mode[:40]!r} is not a file mode", hint=hint)
    return int(mode, 8)


def _source(word: Word, context: Context) -> SourcePath:
    return SourcePath(_path(word, context, what="the source of COPY"), word.place)


def _path(word: Word, context: Context, *, what: str) -> str:
    path = value_of(word, context.scope, what=what)
    if "\n" in path or "\r" in path:
        raise word.mistake(f"{what} holds a line break")
    return path


def _destination(operands: _Operands, context: Context) -> str:
    word = operands.destination
    path = _path(word, context, what="the destination of COPY")
    several = len(operands.paths) + len(operands.markers) > 1
    if several and not path.endswith("/"):
        hint = comment_hint((*operands.paths, word)) or f"write {path}/"
        raise word.mistake("several sources need a destination that ends in '/'", hint=hint)
    return path


def _heredocs(statement: Statement, operands: _Operands, context: Context) -> tuple[Heredoc, ...]:
    seen: set[str] = set()
    for word, body in zip(operands.markers, statement.bodies, strict=True):
        if body.name in seen:
            context.report(word.mistake(f"heredoc {body.name!r} is there twice"))
        seen.add(body.name)
    return tuple(Heredoc(body.name, text_of(body, context)) for body in statement.bodies)
