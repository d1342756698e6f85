"""Characters that a reader does not see and a model does: `text/hidden-unicode`.

Left alone is what writing systems need: joiners in emoji and in Arabic and Indic scripts, direction
marks beside right-to-left letters, one variation selector behind a symbol or an ideograph, the tags
of flags, a byte order mark at the start.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from agentoci.scan.secrets import Spot

RULE: Final = "text/hidden-unicode"

_HIDDEN: Final = re.compile(
    rb"(?:\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xef\xb8[\x80-\x8f]"
    rb"|\xf3\xa0[\x80-\x87][\x80-\xbf]|\xe1\xa0\x8e|\xe3\x85\xa4|\xe1\x85[\x9f\xa0])+"
)
"""A run of zero-width, bidirectional, variation and tag characters and fillers, in UTF-8."""

_JOINERS: Final = "\u200c\u200d"
_MARKS: Final = "\u200e\u200f"
_OVERRIDES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FLAG: Final = "\U0001f3f4"
_JOINING_SCRIPTS: Final = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u0e00-\u109f\u1780-\u18af\ufb50-\ufefc]"
)
_KEPT_TAGS: Final = 200


def hidden(window: bytes, *, starts_file: bool) -> Iterator[Spot]:
    """The runs of hidden characters in UTF-8 text, one spot for each."""
    if window.isascii():
        return
    for match in _HIDDEN.finditer(window):
        start, end = match.span()
        if starts_file and start == 0 and match[0] == b"\xef\xbb\xbf":
            continue
        run = match[0].decode("utf-8", "replace")
        before = window[max(0, start - 8) : start].decode("utf-8", "ignore")[-2:]
        after = window[end : end + 4].decode("utf-8", "ignore")[:1]
        if not _is_needed(run, before, after):
            yield Spot(RULE, _describe(run), start, end)


def _is_needed(run: str, before: str, after: str) -> bool:
    """Whether the writing system asks for these characters at this place."""
    last = before[-1:]
    if last == _FLAG and _is_flag(run):
        return True
    selectors = [char for char in run if _is_selector(char)]
    rest = "".join(char for char in run if not _is_selector(char))
    if len(selectors) > 1 or (selectors and not (_is_selector(run[0]) and _takes_selector(last))):
        return False
    if not rest:
        return True
    if len(rest) > 1:
        return False
    if rest in _JOINERS:
        return _joins(last or " ", after) or bool(selectors and _is_symbol(after))
    return rest in _MARKS and any(_is_right_to_left(char) for char in before + after)


def _joins(before: str, after: str) -> bool:
    """Whether a joiner belongs between the two: scripts that join, emoji."""
    if _JOINING_SCRIPTS.match(before):
        return True
    return _is_symbol(before) and _is_symbol(after)


def _is_symbol(char: str) -> bool:
    """Emoji and their modifiers."""
    return (
        bool(char)
        and unicodedata.category(char) in ("So", "Sk", "Sm", "Po", "Cn")
        and char > "\u00a0"
    )


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _takes_selector(char: str) -> bool:
    """Symbols, keycaps, ideographs, and letters of scripts with registered variants."""
    if not char:
        return False
    return char in "0123456789#*\u00a9\u00ae" or _is_symbol(char) or char >= "\u1000"


def _is_right_to_left(char: str) -> bool:
    return unicodedata.bidirectional(char) in ("R", "AL", "AN")


def _is_flag(run: str) -> bool:
    tags = run.rstrip("\U000e007f")
    return len(run) - len(tags) == 1 and 2 <= len(tags) <= 6 and all(_is_tag(c) for c in tags)


def _is_tag(char: str) -> bool:
    return "\U000e0000" <= char <= "\U000e007f"


def _describe(run: str) -> str:
    tags = "".join(chr(ord(c) - 0xE0000) for c in run if _is_tag(c))
    spelled = "".join(c for c in tags if c.isprintable())[:_KEPT_TAGS]
    if spelled:
        return f"hidden text in tag characters: {spelled!r}"
    if turning := [char for char in run if char in _OVERRIDES]:
        return _describe_turning(turning, len(run) - len(turning))
    what = _name(run[0])
    if len(run) > 1 and all(_is_selector(char) for char in run):
        return f"{len(run)} variation selectors in a row, which can carry hidden data"
    if len(run) == 1:
        return f"invisible {what}"
    return f"{len(run)} characters that nobody sees, from {what}"


def _describe_turning(turning: list[str], others: int) -> str:
    """Of characters that change the direction, and how many invisible ones are among them."""
    what, beside = _name(turning[0]), f", among {others} more that nobody sees" * bool(others)
    if len(turning) == 1:
        return f"a character that changes the direction of the text: {what}{beside}"
    return f"{len(turning)} characters that change the direction of the text, from {what}{beside}"


def _name(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
