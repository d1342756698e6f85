"""Authorization of requests to one registry: what to send ahead, what to answer to a 401."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property

from agentoci._internal.clock import Clock
from agentoci.registry.challenges import Challenge, choose
from agentoci.registry.credentials import Credential
from agentoci.registry.errors import AuthenticationFailed
from agentoci.registry.tokens import Token, TokenServer, basic


def pull_scope(repository: str) -> str:
    """Leave to read a repository."""
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    """Leave to read and write a repository."""
    return f"repository:{repository}:pull,push"


class Authorizer:
    """Remembers how one registry wants to be spoken to, and the tokens it gave.

    Belongs to one origin and one credential; the caller sends its headers nowhere else. Several
    threads that need the same token cause one request for it.
    """

    def __init__(
        self,
        host: str,
        lookup: Callable[[], Credential | None],
        server: TokenServer,
        clock: Clock,
    ) -> None:
        self._host = host
        self._lookup = lookup
        self._server = server
        self._clock = clock
        self._challenge: Challenge | None = None
        self._tokens: dict[frozenset[str], Token] = {}
        self._lock = threading.RLock()

    @cached_property
    def credential(self) -> Credential | None:
        """Looked up once, when the registry first asks: a helper may open a dialogue."""
        found = self._lookup()
        return None if found is None or found.is_empty else found

    def ahead(self, scopes: Sequence[str]) -> str | None:
        """The header to send with a first try; None until the registry has asked for one."""
        with self._lock:
            return None if self._challenge is None else self._header(self._challenge, scopes)

    def after(
        self, challenges: Sequence[Challenge], scopes: Sequence[str], *, rejected: str | None
    ) -> str:
        """The header to try once more with, after a 401 to `rejected`.

        A token is forgotten and fetched anew once; a password that was refused is not sent again.
        Raises AuthenticationFailed when there is nothing else to send.
        """
        with self._lock:
            challenge = choose(challenges) or self._challenge
            if challenge is None:
                raise self._failure("asks for credentials in no way that this program knows")
            self._challenge = challenge
            self._forget(rejected)
            header = self._header(challenge, _with_demand(scopes, challenge))
            if header == rejected:
                raise self._failure(
                    "does not accept the credentials" if self.credential else "wants a login"
                )
            return header

    def _header(self, challenge: Challenge, scopes: Sequence[str]) -> str:
        credential = self.credential
        if challenge.scheme == "basic":
            if credential is None or not credential.has_password:
                raise self._failure("wants a user name and a password")
            return basic(credential)
        if credential is not None and credential.registry_token:
            return f"Bearer {credential.registry_token}"
        return f"Bearer {self._token(challenge, scopes).value}"

    def _token(self, challenge: Challenge, scopes: Sequence[str]) -> Token:
        wanted = _grants(scopes)
        now = self._clock.monotonic()
        for granted, token in self._tokens.items():
            if wanted <= granted and now < token.useless_at:
                return token
        parameters = challenge.parameters
        token = self._server.fetch(
            parameters["realm"], parameters.get("service", ""), scopes, self.credential
        )
        self._tokens[wanted] = token
        return token

    def _forget(self, header: str | None) -> None:
        self._tokens = {
            granted: token
            for granted, token in self._tokens.items()
            if f"Bearer {token.value}" != header
        }

    def _failure(self, what: str) -> AuthenticationFailed:
        return AuthenticationFailed(f"{self._host} {what}", hint=f"agent login {self._host}")


def _with_demand(scopes: Sequence[str], challenge: Challenge) -> tuple[str, ...]:
    """Our scopes, led by what the registry demands beyond them: some read only the first one."""
    demanded = challenge.parameters.get("scope", "").split()
    missing = [scope for scope in demanded if not _grants([scope]) <= _grants(scopes)]
    return (*missing, *scopes)


def _grants(scopes: Sequence[str]) -> frozenset[str]:
    """Scopes taken apart into single actions, so that one token can stand in for a lesser one."""
    return frozenset(
        f"{kind}:{action}"
        for scope in scopes
        for kind, _, actions in [scope.rpartition(":")]
        for action in actions.split(",")
    )
