"""One rule of a secret: what must be there before its pattern is tried, and the pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

DEFAULT_ENTROPY: Final = 3.0
"""Bits for each character below which a text is no key: words repeat, keys do not."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of secret. One of `literals` must be there for the pattern to be tried: in a run or
    just before one, or `anywhere`.

    The secret is the group `s` of the pattern, else all of it. `glued` allows a letter or digit
    just before the match. `check` has the last word: it gets the match and the secret.
    """

    id: str
    name: str
    literals: tuple[bytes, ...]
    pattern: bytes
    entropy: float = DEFAULT_ENTROPY
    glued: bool = False
    anywhere: bool = False
    check: Callable[[re.Match[bytes], bytes], bool] | None = None

    @property
    def expression(self) -> re.Pattern[bytes]:
        """The pattern, compiled when it is first tried."""
        return _compiled(self.pattern)


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)
