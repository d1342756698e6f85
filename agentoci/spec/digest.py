"""Content digests (image-spec, descriptor.md, "Digests")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agentoci.errors import Integrity

if TYPE_CHECKING:
    from hashlib import _Hash

_HEX_LENGTH: Final = {"sha256": 64, "sha512": 128}
_FORM: Final = re.compile(r"(sha256|sha512):([0-9a-f]+)")


class InvalidDigest(Integrity):
    """Not a digest that we read: `sha256:` with 64 or `sha512:` with 128 lower-case hex digits."""


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of content: algorithm and hex, as in `sha256:2c26…`."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: object) -> Digest:
        """Read `algorithm:hex`; raises InvalidDigest on anything but a full match."""
        match = _FORM.fullmatch(text) if isinstance(text, str) else None
        if match is None or len(match[2]) != _HEX_LENGTH[match[1]]:
            shown = repr(text) if len(repr(text)) < 120 else repr(text)[:120] + "…"
            raise InvalidDigest(f"{shown} is not a digest (sha256: and 64 lower-case hex digits)")
        return cls(match[1], match[2])

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """The sha256 digest of these bytes."""
        import hashlib  # not at the top: reading digests needs none of it, and it takes 3 ms

        return cls("sha256", hashlib.sha256(content).hexdigest())

    @classmethod
    def from_hash(cls, state: _Hash) -> Digest:
        """The digest that a running hash has reached."""
        return cls(state.name, state.hexdigest())

    def hasher(self) -> _Hash:
        """A fresh hash of this digest's algorithm."""
        import hashlib

        return hashlib.new(self.algorithm)

    @property
    def short(self) -> str:
        """The first 12 hex digits, as people know them from docker."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
