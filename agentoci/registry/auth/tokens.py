"""The token server: trades credentials for access tokens (distribution, "Token Authentication")."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from agentoci._internal import limits
from agentoci._internal.clock import Clock
from agentoci.content.reader import BytesSource
from agentoci.registry.auth.credentials import Credential
from agentoci.registry.auth.realms import check_realm_step, resolve_realm
from agentoci.registry.errors import (
    AuthenticationFailed,
    RegistryFailing,
    RegistryUnreachable,
    UnsafeDestination,
)
from agentoci.registry.http.origin import Origin
from agentoci.registry.http.retry import RETRIED_STATUSES, Patience
from agentoci.registry.http.transport import Answer, Body, Request, Transport
from agentoci.registry.problems import Problem
from agentoci.spec.jsonio import InvalidJson, loads_object

_CLIENT: Final = "agentoci"
_SHORTEST_LIFE: Final = 60
"""Seconds that a token is taken to live at least; absent and absurd values mean this."""
_LONGEST_LIFE: Final = 86400
"""And at most: nobody's process lasts longer, and larger numbers than any clock's exist."""
_EARLY: Final = 10
"""Seconds before its end at which a token is fetched anew."""
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_NO_SUCH_METHOD: Final = frozenset({404, 405})


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, opaque, with the moment (monotonic clock) from which it is not used."""

    value: str = field(repr=False)
    useless_at: float


class LoginRefused(AuthenticationFailed):
    """The credentials are wrong, whatever they are used for."""


class TokenServer:
    """Asks token servers on behalf of one registry; safe to use from several threads.

    A refresh token that comes with an access token is kept in memory, and traded for the next one.
    """

    def __init__(
        self,
        registry: Origin,
        transport: Transport,
        patience: Patience,
        clock: Clock,
        *,
        realm_hosts: Collection[str] = (),
    ) -> None:
        self._registry = registry
        self._transport = transport
        self._patience = patience
        self._clock = clock
        self._realm_hosts = realm_hosts
        self._refresh: dict[tuple[str, str, Credential | None], str] = {}
        self._posts: set[str] = set()

    def fetch(
        self, realm: str, service: str, scopes: Sequence[str], credential: Credential | None
    ) -> Token:
        """A token for the scopes.

        A refresh or identity token is traded by POST (OAuth2); all else is a GET, with the password
        when there is one, or a POST where a server knows no GET. Raises AuthenticationFailed,
        UnsafeDestination, RegistryUnreachable.
        """
        url = resolve_realm(
            realm, self._registry, secret=credential is not None, allowed=self._realm_hosts
        )
        asked_at = self._clock.monotonic()
        account = (url, service, credential)
        answer = self._refreshed(account, scopes) or self._ask(url, service, scopes, credential)
        token, refresh = self._read(answer, Origin.of(url), asked_at)
        if refresh:
            self._refresh[account] = refresh
        return token

    def _refreshed(
        self, account: tuple[str, str, Credential | None], scopes: Sequence[str]
    ) -> Answer | None:
        """What a kept refresh token brings; one that is refused is forgotten."""
        kept = self._refresh.get(account)
        if kept is None:
            return None
        answer = self._post(account[0], account[1], scopes, _refreshing(kept))
        if answer.status == 200:
            return answer
        answer.discard()
        self._refresh.pop(account, None)
        return None

    def _ask(
        self, url: str, service: str, scopes: Sequence[str], credential: Credential | None
    ) -> Answer:
        if credential is not None and credential.identity_token:
            answer = self._post(url, service, scopes, _refreshing(credential.identity_token))
            if answer.status not in _NO_SUCH_METHOD or not credential.has_password:
                return answer
            answer.discard()
        if credential is None or not credential.has_password:
            return self._get(url, service, scopes, None)
        if url not in self._posts:
            answer = self._get(url, service, scopes, credential)
            if answer.status not in _NO_SUCH_METHOD:
                return answer
            answer.discard()
            self._posts.add(url)
        return self._post(url, service, scopes, _logging_in(credential))

    def _get(
        self, url: str, service: str, scopes: Sequence[str], credential: Credential | None
    ) -> Answer:
        fields = [("service", service)] if service else []
        fields += [("scope", scope) for scope in scopes]
        parts = urlsplit(url)
        query = "&".join(filter(None, (parts.query, urlencode(fields))))
        headers = {} if credential is None else {"Authorization": basic(credential)}
        return self._send(Request("GET", urlunsplit(parts._replace(query=query)), headers))

    def _post(
        self, url: str, service: str, scopes: Sequence[str], grant: Mapping[str, str]
    ) -> Answer:
        form = {**grant, "service": service, "client_id": _CLIENT, "scope": " ".join(scopes)}
        content = urlencode(form).encode()
        kind = "application/x-www-form-urlencoded"
        return self._send(Request("POST", url, body=Body(BytesSource(content), len(content), kind)))

    def _send(self, request: Request) -> Answer:
        """Send it patiently; whoever is patient with the registry need not be so once more."""

        def check(start: Origin, target: Origin) -> None:
            check_realm_step(start, target)
            if request.body is not None and target != request.origin:
                raise UnsafeDestination(f"{start.netloc} passes credentials on to others")

        try:
            return self._patience.run(
                lambda: self._transport.send(request, check=check, behalf=self._registry),
                done=lambda answer: answer.status not in RETRIED_STATUSES,
            )
        except RegistryUnreachable as exc:
            reason = f"the token server of {self._registry.netloc}: {exc.reason}"
            failure = type(exc)(exc.host, reason, hint=exc.hint)
            failure.transient = False
            raise failure from exc

    def _read(self, answer: Answer, server: Origin, asked_at: float) -> tuple[Token, str | None]:
        """The access token, and the refresh token that may come with it."""
        host = server.netloc
        if answer.status != 200:
            problem = Problem.read(answer)
            if problem.status in RETRIED_STATUSES:
                failure = RegistryFailing(host, f"the token server still answers {problem}")
                failure.transient = False
                raise failure
            kind = LoginRefused if problem.status == 401 else AuthenticationFailed
            raise kind(
                f"{self._registry.netloc}: the token server {host} gives no token ({problem})",
                hint=f"agent login {self._registry.netloc}",
            )
        with answer:
            content = answer.content(limits.MAX_TOKEN_BODY_BYTES)
        try:
            document = loads_object(
                content, what=f"token of {host}", limit=limits.MAX_TOKEN_BODY_BYTES
            )
        except InvalidJson:
            raise AuthenticationFailed(f"{host}: the token server's answer is not JSON") from None
        value = document.get("token") or document.get("access_token")
        if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
            raise AuthenticationFailed(f"{host}: the token server's answer holds no token")
        life = document.get("expires_in")
        stated = life if isinstance(life, int) else 0
        seconds = min(max(stated, _SHORTEST_LIFE), _LONGEST_LIFE)
        refresh = document.get("refresh_token")
        kept = refresh if isinstance(refresh, str) and _PRINTABLE.fullmatch(refresh) else None
        return Token(value, asked_at + seconds - _EARLY), kept


def _refreshing(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


def _logging_in(credential: Credential) -> dict[str, str]:
    return {
        "grant_type": "password",
        "username": credential.username,
        "password": credential.password,
    }


def basic(credential: Credential) -> str:
    """The Authorization header of the Basic scheme."""
    pair = f"{credential.username}:{credential.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
