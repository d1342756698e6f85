"""Authorization of requests to one registry: what to send ahead, what to answer to a 401."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from agentoci._internal.clock import Clock
from agentoci.registry.auth.challenges import Challenge, choose, misses_scope
from agentoci.registry.auth.credentials import Credential
from agentoci.registry.auth.tokens import LoginRefused, Token, TokenServer, basic
from agentoci.registry.errors import AuthenticationFailed

logger = logging.getLogger(__name__)


def pull_scope(repository: str) -> str:
    """Leave to read a repository."""
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    """Leave to read and write a repository."""
    return f"repository:{repository}:pull,push"


def reads_only(scopes: Sequence[str]) -> bool:
    """Whether nothing is to be changed, so that what is public may be had without a login."""
    return bool(scopes) and all(
        scope.endswith(":pull") or scope == "registry:catalog:*" for scope in scopes
    )


class Authorizer:
    """Remembers how one registry wants to be spoken to, and the tokens it gave.

    Belongs to one origin; the caller sends its headers nowhere else. The first scope's repository
    decides about the credential, which `lookup` is asked for once per repository, and not before
    the registry wants one: a helper may open a dialogue. Several threads that need the same token
    cause one request for it.
    """

    def __init__(
        self,
        host: str,
        lookup: Callable[[str], Credential | None],
        server: TokenServer,
        clock: Clock,
        *,
        warn: Callable[[str], None] = logger.warning,
    ) -> None:
        self.host = host
        self._lookup = lookup
        self._server = server
        self._clock = clock
        self._warn = warn
        self._challenge: Challenge | None = None
        self._stored: dict[str, Credential | None] = {}
        self._left_out: set[Credential | str] = set()
        self._tokens: dict[tuple[Credential | None, frozenset[str]], Token] = {}
        self._fetching: dict[frozenset[str], threading.Lock] = {}
        self._asking = threading.Lock()
        self._lock = threading.Lock()

    def ahead(self, scopes: Sequence[str]) -> str | None:
        """The header to send with a first try; None until the registry has asked for one."""
        challenge, credential = self._challenge, None
        if challenge is not None:
            credential = self.credential(scopes)
        if challenge is None or (challenge.scheme == "basic" and credential is None):
            return None
        return self._header(challenge, scopes, credential)

    def after(
        self, challenges: Sequence[Challenge], scopes: Sequence[str], *, rejected: str | None
    ) -> str:
        """The header to try once more with, after a 401 to `rejected`.

        A token is forgotten and fetched anew once; a password that was refused is not sent again.
        Raises AuthenticationFailed when there is nothing else to send.
        """
        challenge = choose(challenges) or self._challenge
        if challenge is None:
            raise self._failure("asks for credentials in no way that this program knows")
        self._challenge = challenge
        self.forget(rejected)
        credential = self.credential(scopes)
        header = self._header(challenge, _with_demand(scopes, challenge), credential)
        if header == rejected:
            said = "does not accept the credentials" if credential else "wants a login"
            raise LoginRefused(f"{self.host} {said}", hint=f"agent login {self.host}")
        return header

    def wider(
        self, challenges: Sequence[Challenge], scopes: Sequence[str], *, rejected: str
    ) -> str | None:
        """A header by a token for just what the registry demands, word for word.

        For token servers that read one scope only, the first or the last. None when the registry
        does not complain of the scope, or has been given what it demands.
        """
        challenge = choose(challenges)
        demand = "" if challenge is None else challenge.parameters.get("scope", "")
        if challenge is None or not demand or not misses_scope([challenge]):
            return None
        asked = _with_demand(scopes, challenge)
        if len(asked) == 1 and _grants(asked) == _grants([demand]):
            return None
        self.forget(rejected)
        header = self._header(challenge, [demand], self.credential(scopes))
        return None if header == rejected else header

    def credential(self, scopes: Sequence[str]) -> Credential | None:
        """Who we are where these scopes lead; None: nobody, or it was refused for reading."""
        repository = _repository(scopes)
        with self._asking:
            if repository not in self._stored:
                found = self._lookup(repository)
                self._stored[repository] = None if found is None or found.is_empty else found
            credential = self._stored[repository]
        if reads_only(scopes) and not self._left_out.isdisjoint({repository, credential}):
            return None
        return credential

    def without(self, scopes: Sequence[str]) -> str | None:
        """The header of somebody unknown; raises AuthenticationFailed, RegistryUnreachable."""
        challenge = self._challenge
        if challenge is None or challenge.scheme == "basic":
            return None
        return self._header(challenge, scopes, None)

    def leave_out(self, scopes: Sequence[str], reason: str, *, everywhere: bool) -> None:
        """From now on read without the credential, here or at the whole registry; say so."""
        credential = self.credential(scopes)
        if credential is None:
            return
        self._left_out.add(credential if everywhere else _repository(scopes))
        self._warn(f"{reason}; reading without the login from {credential.source}")

    def forget(self, header: str | None) -> None:
        """Do not use a token again."""
        with self._lock:
            self._tokens = {
                key: token
                for key, token in self._tokens.items()
                if f"Bearer {token.value}" != header
            }

    def _header(
        self, challenge: Challenge, scopes: Sequence[str], credential: Credential | None
    ) -> str:
        if challenge.scheme == "basic":
            if credential is None or not credential.has_password:
                raise self._failure("wants a user name and a password")
            return basic(credential)
        if credential is not None and credential.registry_token:
            return f"Bearer {credential.registry_token}"
        return f"Bearer {self._token(challenge, scopes, credential).value}"

    def _token(
        self, challenge: Challenge, scopes: Sequence[str], credential: Credential | None
    ) -> Token:
        wanted = _grants(scopes)
        with self._lock:
            gate = self._fetching.setdefault(wanted, threading.Lock())
        with gate:
            known = self._known(wanted, credential)
            if known is not None:
                return known
            parameters = challenge.parameters
            token = self._server.fetch(
                parameters["realm"], parameters.get("service", ""), scopes, credential
            )
            with self._lock:
                self._tokens[credential, wanted] = token
            return token

    def _known(self, wanted: frozenset[str], credential: Credential | None) -> Token | None:
        now = self._clock.monotonic()
        with self._lock:
            for (owner, granted), token in self._tokens.items():
                if owner == credential and wanted <= granted and now < token.useless_at:
                    return token
        return None

    def _failure(self, what: str) -> AuthenticationFailed:
        return AuthenticationFailed(f"{self.host} {what}", hint=f"agent login {self.host}")


def _repository(scopes: Sequence[str]) -> str:
    """The repository that the first scope speaks of; empty when it is the registry as a whole."""
    kind, _, rest = (scopes[0] if scopes else "").partition(":")
    return rest.rpartition(":")[0] if kind == "repository" else ""


def _with_demand(scopes: Sequence[str], challenge: Challenge) -> tuple[str, ...]:
    """Our scopes, led by what the registry demands beyond them: some read only the first one."""
    demanded = challenge.parameters.get("scope", "").split()
    missing = [scope for scope in demanded if not _grants([scope]) <= _grants(scopes)]
    return (*missing, *scopes)


def _grants(scopes: Sequence[str]) -> frozenset[str]:
    """Scopes taken apart into single actions, so that one token can stand in for a lesser one."""
    return frozenset(
        f"{kind}:{action}"
        for scope in " ".join(scopes).split()
        for kind, _, actions in [scope.rpartition(":")]
        for action in actions.split(",")
    )
