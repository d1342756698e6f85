"""WWW-Authenticate (RFC 9110, section 11.6.1), as registries really write it.

Several challenges in one header, several headers (HTTP libraries join them by a comma), schemes in
any case, values without quotes, token68 of schemes that we do not speak.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agentoci._internal import limits

_PARAMETER: Final = re.compile(
    r"""\s*([A-Za-z0-9_.-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$|(?=\s))"""
)
_WORD: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9_-]*)(?=\s|,|$)")
_SCHEMES: Final = frozenset({"basic", "bearer", "negotiate", "ntlm", "digest", "kerberos"})
_LONGEST: Final = 64 * limits.KIB
_NEXT: Final = re.compile(r"[^,]*(?:,|$)")
_MORE: Final = re.compile(r"[ \t]*+[^,]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate that a server offers; scheme and names are lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """All challenges in order; what cannot be understood, or comes late, is left out."""
    header = header[:_LONGEST]
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(header):
        if found and (match := _PARAMETER.match(header, position)):
            quoted, plain = match[2], match[3]
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1][1].setdefault(match[1].lower(), value)
        elif (match := _WORD.match(header, position)) and _opens(header, match):
            found.append((match[1].lower(), {}))
        else:
            match = _NEXT.match(header, position)
        position = max(position + 1, match.end() if match else len(header))
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _opens(header: str, word: re.Match[str]) -> bool:
    """Whether a word opens a challenge, rather than being the tail of an unquoted list."""
    return word[1].lower() in _SCHEMES or _MORE.match(header, word.end()) is not None


def misses_scope(challenges: Sequence[Challenge]) -> bool:
    """Whether a server knows the token and wants one for more (RFC 6750, section 3.1)."""
    return any(one.parameters.get("error") == "insufficient_scope" for one in challenges)


def choose(challenges: Sequence[Challenge]) -> Challenge | None:
    """The one to answer: Bearer with a realm, else Basic, whatever their order."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
    return next((one for one in challenges if one.scheme == "basic"), None)
