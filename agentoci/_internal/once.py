"""Saying a thing once, however often it is found."""

from __future__ import annotations

from collections.abc import Callable


class Once:
    """Passes each text on once; safe to use from several threads."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[str, object] = {}

    def __call__(self, text: str) -> None:
        """Say it, unless it was said before."""
        mark = object()
        if self._said.setdefault(text, mark) is mark:  # one step: no lock is needed
            self._say(text)
