"""The words of messages: near misses, paths, what a value is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from agentoci.definition.places import Path

_MAX_COMPARED: Final = 64
"""Longer words are no near misses, and comparing them costs time."""
_MIN_COMPARED: Final = 3
"""Shorter ones are near to anything: `on` is none of NONE."""


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely means."""
    if not _MIN_COMPARED <= len(word) <= _MAX_COMPARED:
        return None
    by_lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def hint_for(word: str, known: Sequence[str]) -> str:
    """ "did you mean ...?", or what could stand there instead."""
    near = near_miss(word, known)
    return f"did you mean '{near}'?" if near else f"one of: {', '.join(known)}"


def show_path(path: Path) -> str:
    """`spec.requires.tools[0].name`."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            shown += f".{step}" if shown else short(step)
    return shown


def kind_of(value: object) -> str:
    """What a value is, in the words of someone who writes YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"'{short(value)}'"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


def either(words: Sequence[str]) -> str:
    """`NONE, BASIC or SMART`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def short(text: str) -> str:
    """The start of a text that may be long."""
    return text if len(text) <= 60 else f"{text[:57]}..."
