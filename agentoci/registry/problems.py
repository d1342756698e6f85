"""What a refusing answer says, and the error that it becomes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError
from agentoci.registry.errors import (
    AccessDenied,
    AuthenticationFailed,
    RegistryFailing,
    RegistryUnreachable,
    Rejected,
    RepositoryNotFound,
    TlsWanted,
)
from agentoci.registry.http.origin import Origin, Reach
from agentoci.registry.http.redaction import redacted
from agentoci.registry.http.retry import RETRIED_STATUSES
from agentoci.registry.http.transport import Answer

_SHOWN: Final = 300
_LIMIT: Final = re.compile(r"\s*([0-9]{1,9})\s*(?:;\s*w=([0-9]{1,9}))?.*")
_PLAIN_REFUSED: Final = (b"HTTP request to an HTTPS server", b"HTTP request was sent to HTTPS port")
"""What Go's server and nginx say to plain http on a port for TLS."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """Status, and the registry's own code and message where the body has them.

    `used_up` says which limit has been reached, for a registry that tells (Docker Hub).
    """

    status: int
    code: str = ""
    message: str = ""
    used_up: str = ""

    @classmethod
    def read(cls, answer: Answer) -> Problem:
        """Read an error body leniently, up to a ceiling, and close the answer."""
        try:
            body = answer.content(limits.MAX_ERROR_BODY_BYTES)
        except RegistryUnreachable:
            body = b""
        finally:
            answer.close()
        return cls.of(answer.status, body, used_up=_used_up(answer))

    @classmethod
    def of(cls, status: int, body: bytes, *, used_up: str = "") -> Problem:
        """The same for a body that has been read."""
        code, message = _first_error(body)
        return cls(status, _clean(code), _clean(message), used_up)

    def __str__(self) -> str:
        words = ": ".join(filter(None, (self.code, self.message)))
        return f"{self.status} {words or _phrase(self.status)}"


def _first_error(body: bytes) -> tuple[str, str]:
    """Code and message of the first error (distribution-spec, "Error Codes")."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    errors = document.get("errors") if isinstance(document, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else document
    if not isinstance(first, dict):
        return "", ""
    code = first.get("code")
    words = [first.get("message") or first.get("details"), first.get("detail")]
    return (
        code if isinstance(code, str) else "",
        "; ".join(word for word in words if isinstance(word, str) and word),
    )


def _clean(text: str) -> str:
    """Fit for a terminal: no control or direction characters, not endless."""
    cleaned = _UNPRINTABLE.sub(" ", text).strip()
    cleaned = redacted(cleaned)
    return cleaned if len(cleaned) <= _SHOWN else cleaned[:_SHOWN] + "…"


def _used_up(answer: Answer) -> str:
    """`RateLimit-Remaining: 0;w=21600` beside `RateLimit-Limit: 100;w=21600`, in words."""
    if answer.headers.get("RateLimit-Remaining", "").partition(";")[0].strip() != "0":
        return ""
    match = _LIMIT.fullmatch(answer.headers.get("RateLimit-Limit", ""))
    if match is None:
        return "its limit of requests is used up"
    hours = int(match[2] or 0) / 3600
    return f"all {match[1]} requests" + (f" in {hours:g} hours" if hours else "") + " are used up"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "no reason given"


def error_from(
    problem: Problem,
    *,
    host: str,
    what: str,
    missing: type[ContentNotFound],
    rejected: type[Rejected] = Rejected,
) -> AgentociError:
    """The error that an unwelcome answer means.

    `host` is who answered; `what` names what was asked for, as in `localhost:5000/team/bot:1.0`.
    """
    who = "the registry" if what.startswith(host) else host
    match problem.status:
        case 401:
            return AuthenticationFailed(
                f"{what}: {who} wants other credentials ({problem})", hint=f"agent login {host}"
            )
        case 403:
            return AccessDenied(
                f"{what}: {who} does not allow this ({problem})",
                hint=f"log in as someone who may: agent login {host}",
            )
        case 404 if problem.code == "NAME_UNKNOWN":
            return RepositoryNotFound(f"{what}: {who} knows no such repository ({problem})")
        case 404:
            return missing(f"{what}: not found ({problem})")
        case 429 if problem.used_up:
            return RegistryFailing(
                host,
                f"{what}: {problem.used_up} ({problem})",
                hint=f"wait, or ask as somebody with a larger limit: agent login {host}",
            )
        case status if status in RETRIED_STATUSES:
            return RegistryFailing(host, f"{what}: still {problem} after all tries")
        case status if 200 <= status < 400:
            return RegistryFailing(
                host,
                f"{what}: answered {problem}, which a registry does not",
                hint="is the name of the registry right?",
            )
        case _:
            return rejected(f"{what}: {who} refuses: {problem}", hint=_remedy(problem))


def speaks_of_tls(body: bytes) -> bool:
    """Whether a server says that it wanted TLS."""
    return any(words in body for words in _PLAIN_REFUSED)


def tls_wanted(origin: Origin, host: str) -> TlsWanted:
    """The error for a registry that was spoken to in plain http and speaks TLS."""
    if origin.reach is Reach.LOOPBACK:
        hint = "on this machine plain http is the rule: list it in secure_registries"
    else:
        hint = "leave --plain-http out, and take it from insecure_registries"
    return TlsWanted(
        host, "speaks TLS, and was spoken to over plain http", hint=f"{hint} of the config file"
    )


def _remedy(problem: Problem) -> str | None:
    words = f"{problem.code} {problem.message}".lower()
    if problem.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "the registry, or a proxy before it, limits the size of uploads"
    if problem.code == "MANIFEST_BLOB_UNKNOWN":
        return "a layer is not there (any more); push again"
    if (
        problem.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        or problem.code in {"MANIFEST_INVALID", "UNSUPPORTED"}
        or "media type" in words
        or "mediatype" in words
    ):
        return "this registry may take images only: `push --profile image`"
    return None
