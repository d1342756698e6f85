"""INTERFACE, DEFINITION and REQUIRE: what the agent says it is, and what it needs."""

from __future__ import annotations

import re
from typing import Final, Literal

from agentoci.agentfile.context import (
    Context,
    comment_hint,
    one_word,
    take_flags,
    text_of,
    value_of,
)
from agentoci.agentfile.nodes import Definition, Interface, Require
from agentoci.agentfile.tokens import Statement, is_marker
from agentoci.agentfile.words import Word, words
from agentoci.spec.ranges import InvalidRange, VersionRange
from agentoci.spec.reference import InvalidReference, Reference

_ANY: Final = "*"

_AGENT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VERSION: Final = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*+-]*")
_COMPARED: Final = re.compile(r"([A-Za-z0-9_./-]+?) *([<>=~^!].*)")
_TEXT_FILES: Final = (".md", ".txt")


def parse_interface(statement: Statement, context: Context) -> tuple[Interface, ...]:
    """`INTERFACE name`, `INTERFACE path/to/file.md` or `INTERFACE <<EOF`."""
    wants = "INTERFACE NAME, INTERFACE path/to/file.md or INTERFACE <<EOF"
    word = one_word(statement, statement.rest, wants=wants)
    if is_marker(word):
        return (_interface(statement, word, "text", _interface_text(statement, word, context)),)
    value = value_of(word, context.scope, what="the name of INTERFACE")
    if value.endswith(".agentdef"):
        hint = f"write DEFINITION {value}, or INTERFACE with the name of the agent in it"
        raise word.mistake(f"{value!r} is a definition, not an interface", hint=hint)
    if "/" in value or value.lower().endswith(_TEXT_FILES):
        return (_interface(statement, word, "file", value),)
    if not _AGENT_NAME.fullmatch(value):
        hint = "a name is letters, digits, '_', '.' and '-'; a file has a '/', .md or .txt"
        raise word.mistake(f"{value[:40]!r} is not the name of an agent", hint=hint)
    return (_interface(statement, word, "name", value),)


def _interface_text(statement: Statement, word: Word, context: Context) -> str:
    text = text_of(statement.bodies[0], context)
    if not text.strip():
        raise word.mistake("the text of INTERFACE is empty")
    return text


def _interface(
    statement: Statement, word: Word, kind: Literal["name", "file", "text"], value: str
) -> Interface:
    return Interface(
        kind, value, place=statement.place, original=statement.original, value_place=word.place
    )


def parse_definition(statement: Statement, context: Context) -> tuple[Definition, ...]:
    """`DEFINITION file.agentdef`."""
    word = one_word(statement, statement.rest, wants="DEFINITION file.agentdef")
    path = value_of(word, context.scope, what="the file of DEFINITION")
    node = Definition(
        path, place=statement.place, original=statement.original, path_place=word.place
    )
    return (node,)


def parse_require(statement: Statement, context: Context) -> tuple[Require, ...]:
    """`REQUIRE [--optional] name[:version]` or `name@range`."""
    flags, at = take_flags(statement, ("optional",))
    if "optional" in flags and flags["optional"].raw:
        raise flags["optional"].mistake("--optional takes no value")
    word = _required_word(statement, at)
    name, version = _split(word, value_of(word, context.scope, what="the name of REQUIRE"))
    node = Require(
        name,
        version,
        "optional" in flags,
        place=statement.place,
        original=statement.original,
        name_place=word.place,
    )
    return (node,)


def _required_word(statement: Statement, at: int) -> Word:
    found = tuple(words(statement.text, at))
    if len(found) > 1:
        hint = comment_hint(found) or (
            'write one REQUIRE per requirement; a range with blanks is quoted: name@">=1.0 <2"'
        )
        raise found[1].mistake("REQUIRE takes one requirement", hint=hint)
    return one_word(statement, at, wants="REQUIRE NAME, REQUIRE NAME:1.0 or REQUIRE NAME@>=1.0,<2")


def _split(word: Word, text: str) -> tuple[str, str]:
    """Name and version of a requirement; raises Mistake for a bad one."""
    name, at, version = text.partition("@")
    version = version.strip(" ")
    if not at:
        name, version = _split_tag(text)
    if not version:
        raise word.mistake("the version of REQUIRE is empty", hint=f"write {name[:40]}@*")
    _check_name(word, name, text)
    _check_version(word, name, version, at_range=bool(at))
    return name, version


def _split_tag(text: str) -> tuple[str, str]:
    before, colon, version = text.rpartition(":")
    return (before, version) if colon and "/" not in version else (text, _ANY)


def _check_version(word: Word, name: str, version: str, *, at_range: bool) -> None:
    what = "a version range" if at_range else "a version"
    hint = "a range is written as name@>=1.0,<2 or name@^1.2"
    if not at_range and not _VERSION.fullmatch(version):
        raise word.mistake(f"{version[:80]!r} is not {what}", hint=hint)
    try:
        VersionRange.parse(version)
    except InvalidRange as exc:
        if not at_range and version[0].isalpha():
            hint = f"a tag is no version: write {name[:40]} for the newest release, or a range"
        raise word.mistake(f"{version[:80]!r} is not {what}", hint=hint) from exc


def _check_name(word: Word, name: str, text: str) -> None:
    try:
        reference = Reference.parse(name)
    except InvalidReference as exc:
        compared = _COMPARED.fullmatch(text)
        hint = f"a range follows '@': {compared[1]}@{compared[2]}" if compared else exc.hint
        raise word.mistake(f"{name[:80]!r} is not the name of a requirement", hint=hint) from exc
    if reference.name != name:
        raise word.mistake("a requirement has a version or a range, not both")


def requirement_text(name: str, version: str) -> str:
    """A requirement as REQUIRE reads it."""
    if version == _ANY:
        return name
    return f"{name}:{version}" if _VERSION.fullmatch(version) else f"{name}@{version}"
