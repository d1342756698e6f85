"""One rule of a secret: what must be there before its pattern is tried, and the pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Final

DEFAULT_ENTROPY: Final = 3.0
"""Bits for each character below which a text is no key: words repeat, keys do not."""


class Where(Enum):
    """Where a rule's literals are looked for."""

    RUNS = "in the runs of characters that keys are made of"
    CONTENT = "anywhere, when there is such a run"
    LOWER = "anywhere in the text, in lower case; the pattern runs over lower case, too"


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of secret. One of `literals` must be there for the pattern to be tried.

    The secret is the group `s` of the pattern, else all of it. `glued` allows a letter or digit
    just before the match. `check` has the last word over a secret; `hosts` over what follows.
    """

    id: str
    name: str
    literals: tuple[bytes, ...]
    pattern: bytes
    where: Where = Where.RUNS
    entropy: float = DEFAULT_ENTROPY
    glued: bool = False
    check: Callable[[re.Match[bytes], bytes], bool] | None = None

    @property
    def expression(self) -> re.Pattern[bytes]:
        """The pattern, compiled when it is first tried."""
        return _compiled(self.pattern)


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)
