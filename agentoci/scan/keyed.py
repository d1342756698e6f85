"""Secrets that are told by the name before them, and passwords in URLs; in text only."""

from __future__ import annotations

import re
from typing import Final

from agentoci.scan.judging import entropy
from agentoci.scan.rules import Rule

_ASSIGNED: Final = (
    rb"[\w.-]{0,24}['\"\]]{0,2}[ \t]{0,8}(?:=>|:=|=|:)[ \t]{0,4}"
    rb"(?:(?P<quote>['\"`])(?P<s>[^'\"`\s]{8,200})(?P=quote)"
    rb"|(?P<plain>[^\s'\"`,;()<>{}\[\]\\]{16,200})(?=\s|$))"
)
"""A name's rest, `=` or `:`, and a value in quotes, or a longer one without."""

_NAMES: Final = (b"pass", b"pwd", b"secret", b"token", b"key", b"credential")

_KEY_BEFORE: Final = re.compile(
    rb"(?:api|access|auth|secret|private|encryption|signing|master|service|account)[_. -]?$"
)
_PASS_AFTER: Final = re.compile(rb"pass(?:w(?:or)?d|phrase|[_-]?key|\b|_)")

_PLAIN_ENTROPY: Final = 3.6
_QUOTED_ENTROPY: Final = 3.0


def _is_value(match: re.Match[bytes], secret: bytes) -> bool:
    """Whether the value is one that nobody writes as a word, a path or an expression."""
    quoted = match["quote"] is not None
    if not _names_a_secret(match) or not _is_random(secret, quoted=quoted):
        return False
    return entropy(secret) >= (_QUOTED_ENTROPY if quoted else _PLAIN_ENTROPY)


def _names_a_secret(match: re.Match[bytes]) -> bool:
    before = match.string[max(0, match.start() - 16) : match.start()]
    if match[0].startswith(b"key"):
        return _KEY_BEFORE.search(before) is not None
    if match[0].startswith(b"pass"):
        return _PASS_AFTER.match(match[0]) is not None
    return True


_WORDY: Final = re.compile(rb"[a-z]{2,}(?:[_./: -][a-z]{2,})+\d{0,2}|[a-z_.]+|[\d.,:_-]+")


def _is_random(secret: bytes, *, quoted: bool) -> bool:
    has_digit = re.search(rb"\d", secret) is not None
    has_letter = re.search(rb"[A-Za-z]", secret) is not None
    if not (has_digit and has_letter) or _WORDY.fullmatch(secret.lower()):
        return False
    return quoted or re.fullmatch(rb"[\w+/=.~!@#$^&*%-]+", secret) is not None


def _is_password(match: re.Match[bytes], secret: bytes) -> bool:
    user = match["user"].lower()
    return secret.lower() not in (user, *_COMMON) and entropy(secret) >= 2.0


_COMMON: Final = (b"pass", b"password", b"passwd", b"pwd", b"secret", b"token", b"admin", b"root",
                  b"postgres", b"guest", b"user", b"test", b"port")  # fmt: skip

ASSIGNING: Final = (b"=", b":")
"""One of these is in everything that these rules match."""

KEYED: Final = (
    Rule("url-password", "a password in a URL", (b"://",),
         rb"://(?P<user>[\w.~%+-]{0,64}):(?P<s>[^\s/:@\"'<>`\\|{}()\[\],]{3,128})@[\w.-]{2,}",
         entropy=0, glued=True, check=_is_password),
    *(Rule("assigned", "a secret", (name,), name + _ASSIGNED, entropy=0,
           glued=True, check=_is_value) for name in _NAMES),
)  # fmt: skip
