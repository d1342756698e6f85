"""Secrets that are told by the name before them, and passwords in URLs; in text only."""

from __future__ import annotations

import re
from typing import Final

from agentoci.scan.judging import entropy
from agentoci.scan.rules import Rule

_ASSIGNED: Final = (
    rb"(?P<rest>[\w.-]{0,24})['\"\]]{0,2}[ \t]{0,8}(?P<sign>=>|:=|=|:)(?P<gap>[ \t]{0,4})"
    rb"(?:(?P<quote>['\"`])(?P<s>[^'\"`\s]{8,200})(?P=quote)"
    rb"|(?P<plain>[^\s'\"`,;()<>{}\[\]\\|]{8,200})(?=\s|$))"
)
"""A name's rest, `=` or `:`, and a value in quotes or without."""

NAMES: Final = (b"pass", b"pwd", b"secret", b"token", b"key", b"credential")

_KEY_BEFORE: Final = re.compile(
    rb"(?:api|access|auth|secret|private|encryption|signing|master|service|account)[_. -]?$"
)
_PASS_AFTER: Final = re.compile(rb"pass(?:w(?:or)?d|phrase|[_-]?key|_|=)")
_SAME_WORD: Final = re.compile(rb"(?!s?(?![a-z]))")
"""The name goes on, as in `tokenizer`; a plural does not."""

_PAGE_BEFORE: Final = re.compile(
    rb"(?:next|client|page|continuation|update|cursor|sync|csrf)[_ -]?$"
)
_OF_IT: Final = re.compile(
    rb"(?:name|arn|time|type|id|path|url|uri|file|expires|expiration|expiry|at|data|length|hash|spec|algorithm)$"
)
"""What a name ends with that says something about a secret."""

_LONG: Final = 16
"""A value without quotes of fewer characters counts as a password only: `DB_PASSWORD=…`."""

_LONG_ENTROPY: Final = 3.6
_QUOTED_ENTROPY: Final = 3.0
_PASSWORD_ENTROPY: Final = 2.5


def _is_value(match: re.Match[bytes], secret: bytes) -> bool:
    """Whether the value is one that nobody writes as a word, a path or an expression."""
    if not _names_a_secret(match) or not _is_mixed(secret):
        return False
    if match["quote"] is not None:
        telling = len(secret) >= _LONG or not _NAME.search(secret)
        return telling and entropy(secret) >= _QUOTED_ENTROPY
    if _NAME.search(secret) or not _PLAIN.fullmatch(secret):
        return False
    if len(secret) >= _LONG:
        return entropy(secret) >= _LONG_ENTROPY
    is_setting = match["sign"] == b"=" and not match["gap"]
    return is_setting and match[0].startswith(b"p") and entropy(secret) >= _PASSWORD_ENTROPY


def _names_a_secret(match: re.Match[bytes]) -> bool:
    before = match.string[max(0, match.start() - 16) : match.start()]
    if _OF_IT.search(match["rest"]):
        return False
    if match[0].startswith(b"token") and _PAGE_BEFORE.search(before):
        return False
    if match[0].startswith(b"key"):
        return _KEY_BEFORE.search(before) is not None
    if match[0].startswith(b"pass"):
        return _PASS_AFTER.match(match[0]) is not None
    return _SAME_WORD.match(match["rest"]) is None


_NAME: Final = re.compile(rb"(?i)key|token|secret|passw|credential")
"""In a value without quotes: an expression, a type or a name of something."""

_PLAIN: Final = re.compile(rb"(?![A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$)[\w+/=.~!@#$^&*%-]+")
"""Not `package.attribute`."""

_WORDY: Final = re.compile(
    rb"[a-z]{2,}(?:[_./: -][a-z]{2,})+\d{0,2}|[a-z_.]+|[\d.,:_-]+|(?:urn|arn):.*|[./~].*"
    rb"|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|\d{4}-\d\d-\d\dt[\d:.]+(?:z|\+.*)?"
)


def _is_mixed(secret: bytes) -> bool:
    """Letters and digits, and neither words nor a path."""
    if not (re.search(rb"\d", secret) and re.search(rb"[A-Za-z]", secret)):
        return False
    return _WORDY.fullmatch(secret.lower()) is None


_COMMON: Final = frozenset(
    b"pass password passwd pwd secret token admin root postgres guest user test port".split()
)


def _is_password(match: re.Match[bytes], secret: bytes) -> bool:
    """Not the user's name again, as in examples."""
    lower = secret.lower()
    return lower != match["user"] and lower not in _COMMON and entropy(secret) >= 2.0


ASSIGNING: Final = (b"=", b":")
"""One of these is in everything that these rules match."""

KEYED: Final = (
    Rule("url-password", "a password in a URL", (b"://",),
         rb"://(?P<user>[\w.~%+-]{0,64}):(?P<s>[^\s/:@\"'<>`\\|{}()\[\],]{3,128})@"
         rb"(?!(?:[\w-]{1,40}\.){0,4}(?:example|test|invalid)(?:\.(?:com|org|net))?\b)[\w.-]{2,}",
         entropy=0, glued=True, check=_is_password),
    *(Rule("assigned", "a secret", (name,), name + _ASSIGNED, entropy=0, glued=True,
           check=_is_value) for name in NAMES),
)  # fmt: skip
