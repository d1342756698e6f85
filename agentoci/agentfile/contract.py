"""INTERFACE, DEFINITION and REQUIRE: what the agent says it is, and what it needs."""

from __future__ import annotations

import re
from typing import Final, Literal

from agentoci.agentfile import tools
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

_REQUIRE: Final = "REQUIRE NAME, REQUIRE NAME:1.0 or REQUIRE NAME@>=1.0,<2"
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
    """`REQUIRE [--optional] name[:version]`, `name@range` or `kind:source [AS name]`."""
    flags, at = take_flags(statement, ("optional",))
    if "optional" in flags and flags["optional"].raw:
        raise flags["optional"].mistake("--optional takes no value")
    found = tuple(words(statement.text, at))
    first = found[0] if found else one_word(statement, at, wants=_REQUIRE)
    text = value_of(first, context.scope, what="the name of REQUIRE")
    kind = tools.kind_of(text)
    if kind is None:
        _expect_one(found)
        node = _agent(statement, first, text, optional="optional" in flags)
    else:
        name = _name_after(found, context)
        tool = tools.read_tool(kind, first, text, name)
        node = Require(
            tool.name,
            _ANY,
            "optional" in flags,
            kind,
            tool.source,
            tool.item,
            place=statement.place,
            original=statement.original,
            name_place=first.place,
        )
    return (node,)


def _agent(statement: Statement, word: Word, text: str, *, optional: bool) -> Require:
    whole, version = _split(word, text)
    name = whole.rpartition("/")[2]
    return Require(
        name,
        version,
        optional,
        source=whole if whole != name else "",
        place=statement.place,
        original=statement.original,
        name_place=word.place,
    )


def _expect_one(found: tuple[Word, ...]) -> None:
    if len(found) > 1:
        hint = comment_hint(found) or (
            'write one REQUIRE per requirement; a range with blanks is quoted: name@">=1.0 <2"'
        )
        raise found[1].mistake("REQUIRE takes one requirement", hint=hint)


def _name_after(found: tuple[Word, ...], context: Context) -> str | None:
    """The name that `AS` gives a tool; raises Mistake for anything else behind the tool."""
    if len(found) == 1:
        return None
    if len(found) != 3 or found[1].raw.upper() != "AS":
        hint = comment_hint(found) or f"write {found[0].raw[:40]} AS NAME"
        raise found[1].mistake("REQUIRE takes one requirement and 'AS NAME'", hint=hint)
    return tools.check_name(found[2], value_of(found[2], context.scope, what="the name after AS"))


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
        hint = tools.WEB_HINT if text.startswith(("http://", "https://")) else hint
        raise word.mistake(f"{name[:80]!r} is not the name of a requirement", hint=hint) from exc
    if reference.name != name:
        raise word.mistake("a requirement has a version or a range, not both")


def requirement_text(require: Require) -> str:
    """A requirement as REQUIRE reads it, without `AS`."""
    if require.kind != "agent":
        return tools.tool_text(require.kind, require.source, require.item)
    name, version = require.source or require.name, require.version
    if version == _ANY:
        return name
    tagged = f"{name}:{version}"
    if _VERSION.fullmatch(version) and tools.kind_of(tagged) is None:
        return tagged
    return f"{name}@{version}"
