"""REQUIRE of what is no agent: `mcp:`, `a2a:`, `http:` and `skill:`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from agentoci.agentfile.words import Word
from agentoci.definition.toolkinds import TOOL_KINDS, ToolKind
from agentoci.spec.reference import InvalidReference, Reference

_KIND: Final = re.compile(rf"({'|'.join(TOOL_KINDS)}):(.*)", re.DOTALL)
_AGENT_VERSION: Final = re.compile(r"[0-9*][A-Za-z0-9_.*+-]*")
_URL: Final = re.compile(r"https?://[^\s/?#@]+(?:[/?#]\S*)?")
_HOST: Final = re.compile(r"https?://([a-z][a-z0-9-]*)[.:/]?", re.IGNORECASE)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_NAME_HINT: Final = "lower-case letters, digits, '_', '-' and '.', a letter or digit first"
_URL_HINT: Final = "https://HOST/PATH, without user or password"
_WEB: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Tool:
    """What one REQUIRE names: `source` is a URL, a path or a reference, `item` what follows '#'."""

    kind: ToolKind
    source: str
    item: str | None
    name: str


def kind_of(text: str) -> ToolKind | None:
    """The kind that a REQUIRE begins with; None for an agent, and be it called `mcp:1.0`."""
    match = _KIND.fullmatch(text)
    if match is None or _AGENT_VERSION.fullmatch(match[2]):
        return None
    return cast("ToolKind", match[1])


def read_tool(kind: ToolKind, word: Word, text: str, name: str | None) -> Tool:
    """Take apart what follows the kind; `name` is what AS gives. Raises Mistake."""
    rest = text.partition(":")[2]
    if not rest:
        raise word.mistake(f"{kind}: names nothing", hint=_FORMS[kind])
    if kind == "http" and rest.startswith("//"):
        raise word.mistake(f"{text[:60]!r} does not say what kind of tool it is", hint=WEB_HINT)
    if kind in ("a2a", "http") or rest.startswith(_WEB):
        return _web_tool(kind, word, rest, name)
    source, mark, item = rest.rpartition("#") if "#" in rest else (rest, "", "")
    if not source or (mark and not item):
        raise word.mistake("there must be something on both sides of '#'", hint=_FORMS[kind])
    if kind == "skill":
        _check_skill(word, source)
    return Tool(kind, source, item or None, name or _given(kind, word, source, item))


def name_from(text: str) -> str | None:
    """The name of a tool that another program's name for it makes (`My Files`: `my-files`)."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    return name if _NAME.fullmatch(name) else None


def check_name(word: Word, name: str) -> str:
    """The name of a tool; raises Mistake for what is none."""
    if not _NAME.fullmatch(name):
        raise word.mistake(f"{name[:60]!r} is not the name of a tool", hint=_NAME_HINT)
    return name


def tool_text(kind: str, source: str, item: str | None) -> str:
    """A tool as REQUIRE reads it, without its name."""
    return f"{kind}:{source}" + (f"#{item}" if item else "")


WEB_HINT: Final = "write http:URL AS NAME, mcp:URL AS NAME or a2a:URL"
_FORMS: Final = {
    "mcp": "write mcp:FILE, mcp:FILE#SERVER or mcp:URL AS NAME",
    "a2a": "write a2a:URL",
    "http": "write http:URL AS NAME",
    "skill": "write skill:REFERENCE, or skill:FOLDER/",
}


def _web_tool(kind: ToolKind, word: Word, url: str, name: str | None) -> Tool:
    if kind == "skill":
        hint = "skills come from a registry (skill:HOST/NAME:TAG) or a folder (skill:FOLDER/)"
        raise word.mistake("a skill is not loaded from a URL", hint=hint)
    if not _URL.fullmatch(url):
        raise word.mistake(f"{url[:80]!r} is not an http URL", hint=_URL_HINT)
    found = _HOST.match(url) if kind == "a2a" else None
    given = name or (found[1].lower() if found else None)
    if given is None:
        raise word.mistake("a tool behind a URL needs a name", hint=f"add: AS NAME (to {kind}:…)")
    return Tool(kind, url, None, given)


def _check_skill(word: Word, source: str) -> None:
    """Refuse what can be neither a folder nor a reference."""
    if source.startswith(("oci:", "./", "/")) or source.endswith("/"):
        return
    if ":" not in source and "@" not in source:
        return  # a folder of the context, else a reference; which one is seen there
    try:
        Reference.parse(source)
    except InvalidReference as exc:
        raise word.mistake(exc.message, hint=exc.hint) from exc


def _given(kind: ToolKind, word: Word, source: str, item: str) -> str:
    """The name that a tool has by itself; none for all servers of a file."""
    name = item
    if kind == "mcp":
        called = name_from(item) if item else ""
        if called is None:
            raise word.mistake(f"no tool can be called {item[:60]!r}", hint="add: AS NAME")
        return called
    if not name and not source.startswith("oci:"):
        path = source.partition("@")[0].rstrip("/").rpartition("/")[2]
        name = path.partition(":")[0]
    if not _NAME.fullmatch(name):
        raise word.mistake("the skill needs a name", hint=f"add: AS NAME; {_NAME_HINT}")
    return name
