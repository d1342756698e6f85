"""What a scan finds: the rule, the place, and a message that never holds the secret itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECRETS: Final = "secret/"
"""How the ids of the rules begin that a build fails by."""

_SHOWN_BEFORE: Final = 4
_SHOWN_AFTER: Final = 2
_LONG_ENOUGH: Final = 16


class Kind(StrEnum):
    """What a file is read for: TEXT is what a model reads (interface, knowledge)."""

    FILE = "file"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `line` and `column` count from 1, `width` in characters.

    In a binary file the line is 1 and the column the offset of the byte plus 1. `secret` is a short
    hash of what was found, the same wherever the same text is found. `again` says where else in the
    file it stands.
    """

    rule: str
    path: str
    line: int
    column: int
    message: str
    secret: str
    width: int = 1
    again: str = ""

    @property
    def told(self) -> str:
        """The message, and where else in the file the same is."""
        return f"{self.message}, {self.again}" if self.again else self.message

    @property
    def is_secret(self) -> bool:
        """Whether a build fails by it; else it is a warning."""
        return self.rule.startswith(SECRETS)

    @property
    def id(self) -> str:
        """Names this finding for `--allow-secret`: it stays when lines move."""
        said = f"{self.rule}\0{self.path}\0{self.secret}"
        return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def hash_of(found: bytes) -> str:
    """A short hash of what was found."""
    return hashlib.sha256(found).hexdigest()[:16]


def redacted(secret: bytes) -> str:
    """The first 4 and last 2 characters, less of what is short."""
    text = "".join(c if c.isprintable() else "?" for c in secret.decode("utf-8", "replace"))
    if len(text) < _LONG_ENOUGH:
        return f"{text[:1]}…"
    return f"{text[:_SHOWN_BEFORE]}…{text[-_SHOWN_AFTER:]}"
