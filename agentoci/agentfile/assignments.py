"""ARG, ENV, LABEL and SET: the instructions that give values to names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agentoci.agentfile.context import Context, comment_hint, value_of
from agentoci.agentfile.nodes import Arg, Env, Label, Set
from agentoci.agentfile.places import Mistake
from agentoci.agentfile.tokens import Statement
from agentoci.agentfile.words import Word, rest_as_word, words
from agentoci.errors import Invalid

_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_EXAMPLES: Final = {
    "ARG": "ARG NAME or ARG NAME=default",
    "ENV": "ENV NAME=value",
    "LABEL": "LABEL key=value",
    "SET": "SET key.path=value",
}


def parse_arg(statement: Statement, context: Context) -> tuple[Arg, ...]:
    """`ARG NAME[=default]…`, a node for each."""
    made = [context.attempt(_arg, statement, word, context) for word in _all(statement)]
    return tuple(arg for arg in made if arg)


def _arg(statement: Statement, word: Word, context: Context) -> Arg:
    key, value = word.partition("=")
    name = _variable_name(key, context)
    default = None if value is None else _value(name, value, context)
    context.scope.declare(name, default)
    return Arg(name, default, place=statement.place, original=f"{statement.written} {word.raw}")


def parse_env(statement: Statement, context: Context) -> tuple[Env, ...]:
    """`ENV K=V…`, or the old `ENV K the rest of the line`."""
    written = _old_form(statement) or _pairs(statement, context)
    made = [context.attempt(_variable, key, value, context) for key, value in written]
    pairs = tuple(pair for pair in made if pair)
    context.scope.env.update(pairs)  # after the line: its values do not see each other
    return (Env(pairs, place=statement.place, original=statement.original),)


def parse_label(statement: Statement, context: Context) -> tuple[Label, ...]:
    """`LABEL K=V…`."""
    written = _pairs(statement, context)
    made = [(context.attempt(_label, key, value, context), value.place) for key, value in written]
    pairs = tuple(pair for pair, _ in made if pair)
    places = tuple(place for pair, place in made if pair)
    return (Label(pairs, place=statement.place, original=statement.original, value_places=places),)


def parse_set(statement: Statement, context: Context) -> tuple[Set, ...]:
    """`SET key.path=value…`, a node for each, checked by the context's settings."""
    written = _pairs(statement, context)
    made = [context.attempt(_set, statement, key, value, context) for key, value in written]
    return tuple(node for node in made if node)


def _set(statement: Statement, key: Word, value: Word, context: Context) -> Set:
    name = value_of(key, context.scope, what="the key of SET")
    text = context.scope.expand(value)
    try:
        parsed = context.settings(name, text)
    except Invalid as exc:
        wrong = key if getattr(exc, "part", "value") == "key" else value
        bare_json = value.raw.startswith(("{", "[")) and '"' in value.raw
        hint = f"JSON stands in single quotes: {name}='…'" if bare_json else exc.hint
        raise wrong.mistake(exc.message, hint=hint) from exc
    original = f"{statement.written} {key.raw}={value.raw}"
    return Set(name, parsed, text, place=statement.place, original=original, key_place=key.place)


def _all(statement: Statement) -> tuple[Word, ...]:
    found = tuple(words(statement.text, statement.rest))
    if not found:
        hint = f"write {_EXAMPLES[statement.keyword]}"
        raise statement.mistake(f"{statement.keyword} names nothing", hint=hint)
    return found


def _old_form(statement: Statement) -> tuple[tuple[Word, Word], ...]:
    """The one pair of `ENV NAME value with blanks`; empty when it is not written so."""
    key, second = (*_all(statement), None)[:2]
    if key is None or second is None or second.raw.startswith("=") or key.partition("=")[1]:
        return ()
    return ((key, rest_as_word(statement.text, second.start)),)


def _pairs(statement: Statement, context: Context) -> Iterator[tuple[Word, Word]]:
    """The words that are `key=value`; others are reported."""
    found = _all(statement)
    split = [word.partition("=") for word in found]
    if not any(key.raw and value for key, value in split):
        spaced = any(word.raw == "=" for word in found)
        hint = "write no blanks around '='" if spaced else f"write {_EXAMPLES[statement.keyword]}"
        raise _no_pair(found[0], hint)
    for word, (key, value) in zip(found, split, strict=True):
        if value is not None and key.raw:
            yield key, value
        else:
            hint = comment_hint((word,)) or 'a value with blanks is quoted: key="two words"'
            context.report(_no_pair(word, hint))


def _no_pair(word: Word, hint: str) -> Mistake:
    return word.mistake(f"expected key=value, found {word.raw[:40]!r}", hint=hint)


def _variable_name(word: Word, context: Context) -> str:
    name = context.scope.expand(word)
    if not _VARIABLE_NAME.fullmatch(name):
        hint = comment_hint((word,)) or "letters, digits and '_', not led by a digit"
        raise word.mistake(f"{name[:40]!r} is not the name of a variable", hint=hint)
    return name


def _variable(key: Word, value: Word, context: Context) -> tuple[str, str]:
    name = _variable_name(key, context)
    return name, _value(name, value, context)


def _value(name: str, value: Word, context: Context) -> str:
    """The value of a variable; with one that is at fault nobody knows what the name stands for."""
    try:
        return context.scope.expand(value)
    except Mistake:
        context.scope.unknown.add(name)
        raise


def _label(key: Word, value: Word, context: Context) -> tuple[str, str]:
    name = context.scope.expand(key)
    if not _LABEL_KEY.fullmatch(name):
        hint = "letters, digits, '_', '.', '-' and '/', as in org.example.team"
        raise key.mistake(f"{name[:40]!r} is not the key of a label", hint=hint)
    return name, context.scope.expand(value)
