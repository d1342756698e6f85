"""At the registry's door: what answers, over which TLS, whom it lets in, what it lists."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from agentoci._internal import limits
from agentoci.registry.auth.challenges import Challenge, parse_challenges
from agentoci.registry.errors import AuthenticationFailed, RegistryFailing
from agentoci.registry.http.origin import Reach
from agentoci.registry.http.redaction import redacted
from agentoci.registry.http.retry import RETRIED_STATUSES
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.listing import CATALOG_SCOPE
from agentoci.registry.probes.ground import Finding, Ground, Result
from agentoci.registry.problems import Problem
from agentoci.spec.jsonio import loads_object
from agentoci.spec.reference import InvalidReference, Reference

_VERSION: Final = "Docker-Distribution-Api-Version"
_SOON: Final = 14
"""Days before its end at which a certificate is spoken of."""


def greets(ground: Ground) -> Iterator[Finding]:
    """Something that speaks the registry API answers, and what it wants to be shown.

    Raises RegistryUnreachable, AccessDenied, and RegistryFailing for what is no registry.
    """
    endpoint = ground.endpoint
    answer = endpoint.patience.run(
        endpoint.knock, done=lambda one: one.status not in RETRIED_STATUSES
    )
    if answer.status == 403:
        raise endpoint.error(Problem(answer.status), what=f"{endpoint.host}: /v2/")
    if answer.status not in {200, 401}:
        raise RegistryFailing(
            endpoint.host,
            f"answers {answer.status} to /v2/, which a registry does not",
            hint="is the name of the registry right?",
        )
    version = answer.headers.get(_VERSION, "")
    yield Finding("registry api", Result.YES, version or f"{answer.status} to /v2/")
    yield _wanted(ground, answer)


def shows_certificate(ground: Ground) -> Iterator[Finding]:
    """Who vouches for the registry, and until when; raises RegistryUnreachable."""
    shown = ground.endpoint.certificate()
    if shown is None:
        near = ground.endpoint.origin.reach is Reach.LOOPBACK
        where = "plain http, on this machine" if near else "plain http: anybody may read along"
        yield Finding("tls", Result.NO, where)
        return
    yield Finding("tls", Result.YES, _described(shown, ground.endpoint.patience.clock.now()))


def lets_in(ground: Ground, who: str) -> Iterator[Finding]:
    """Whether the login is accepted; `who` says in words who we are, empty: nobody.

    Raises AuthenticationFailed when nothing more can be found out.
    """
    endpoint = ground.endpoint
    challenges = _challenges(ground, endpoint.knock())
    if not challenges:
        yield Finding("login accepted", Result.YES, "nobody is asked who he is")
        return
    if not who and any(one.scheme == "bearer" for one in challenges):
        yield Finding("login accepted", Result.UNKNOWN, "no login is stored: asking as nobody")
        return
    answer = endpoint.request(Request("GET", endpoint.url("")), expect={200})
    if answer.status != 200:
        problem = Problem.read(answer)
        raise AuthenticationFailed(
            f"{endpoint.host} does not accept the login of {who or 'nobody'} ({problem})",
            hint=f"agent login {endpoint.host}",
        )
    answer.discard()
    yield Finding("login accepted", Result.YES, who)


def lists_repositories(ground: Ground) -> Iterator[Finding]:
    """Whether it has a catalog; names the repository to look at when none was given."""
    request = Request("GET", ground.endpoint.url("_catalog?n=1"))
    answer = ground.endpoint.request(request, (CATALOG_SCOPE,), expect={200})
    if answer.status != 200:
        problem = Problem.read(answer)
        known = problem.status not in {401, 403}
        yield Finding("catalog", Result.NO if known else Result.UNKNOWN, str(problem))
        return
    with answer:
        content = answer.content(limits.MAX_LIST_PAGE_BYTES)
    found = loads_object(content, what="the catalog", limit=limits.MAX_LIST_PAGE_BYTES)
    names = found.get("repositories")
    if isinstance(names, list) and names and _is_name(names[0]):
        ground.look_at(str(names[0]))
    yield Finding("catalog", Result.YES)


def _is_name(found: object) -> bool:
    """Whether it can be asked for; a registry may list anything."""
    try:
        return Reference.parse(f"registry.invalid/{found}").repository == found
    except InvalidReference:
        return False


def _challenges(ground: Ground, answer: Answer) -> tuple[Challenge, ...]:
    if answer.status != 401 or answer.origin != ground.endpoint.origin:
        return ()
    return parse_challenges(answer.headers.get("WWW-Authenticate", ""))


def _wanted(ground: Ground, answer: Answer) -> Finding:
    if answer.status == 200:
        return Finding("login needed", Result.NO, "everybody may come in")
    wanted = "; ".join(map(_in_words, _challenges(ground, answer)))
    return Finding("login needed", Result.YES, wanted or "401 without a challenge")


def _in_words(challenge: Challenge) -> str:
    """Scheme, and for tokens where they come from."""
    told = challenge.parameters if challenge.scheme == "bearer" else {}
    parts = [f"{key} {redacted(told[key])}" for key in ("realm", "service") if told.get(key)]
    return ", ".join([challenge.scheme.capitalize(), *parts])


def _described(shown: Mapping[str, Any], now: datetime) -> str:
    """Issuer and end of a certificate, as `ssl.SSLSocket.getpeercert` tells them."""
    issuer = dict(pair for part in shown.get("issuer", ()) for pair in part)
    name = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed authority"
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    days = (until - now).days
    left = f", {days} days left" if days <= _SOON else ""
    return f"issued by {name}, expires {until:%Y-%m-%d}{left}"
