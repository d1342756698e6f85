"""Credential helpers: programs named `docker-credential-NAME` that keep secrets for docker.

Protocol: the server on stdin, a JSON document on stdout. Their output is never shown or logged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agentoci._internal import proc
from agentoci.errors import Denied
from agentoci.registry.auth.credentials import DOCKER_HUB, Credential
from agentoci.registry.errors import InvalidRegistryConfig
from agentoci.spec.jsonio import InvalidJson, loads_object

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
_NOT_FOUND: Final = b"credentials not found"
TOKEN_USER: Final = "<token>"  # noqa: S105 (the helper protocol's mark, not a secret)
"""The user name that says: the secret is an identity token."""
_HUB_SERVER: Final = "https://index.docker.io/v1/"


class CredentialHelperFailed(Denied):
    """The helper that the docker config names did not do its work."""


class CredentialHelperMissing(CredentialHelperFailed):
    """The helper that the docker config names is not installed."""


@dataclass(frozen=True, slots=True)
class CredentialHelper:
    """One helper; `environment` is all that the program sees."""

    name: str
    environment: Mapping[str, str]
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidRegistryConfig(f"{self.name!r} is not a credential helper's name")

    @property
    def program(self) -> str:
        """The name of the executable."""
        return f"docker-credential-{self.name}"

    def get(self, host: str) -> Credential | None:
        """What the helper has for the registry; raises CredentialHelperFailed."""
        done = self._run("get", _server(host).encode())
        if done.status != 0:
            if _NOT_FOUND in done.stdout.lower() or _NOT_FOUND in done.stderr.lower():
                return None
            raise self._failure("get", done.status)
        try:
            document = loads_object(done.stdout, what=self.program)
        except InvalidJson:
            raise CredentialHelperFailed(f"{self.program}: its answer is not JSON") from None
        username, secret = document.get("Username"), document.get("Secret")
        if not isinstance(username, str) or not isinstance(secret, str) or not secret:
            return None
        if username == TOKEN_USER:
            return Credential(identity_token=secret, source=self.program)
        return Credential(username, secret, source=self.program)

    def store(self, host: str, credential: Credential) -> None:
        """Hand a credential over; raises CredentialHelperFailed."""
        username = TOKEN_USER if credential.identity_token else credential.username
        secret = credential.identity_token or credential.password
        document = {"ServerURL": _server(host), "Username": username, "Secret": secret}
        done = self._run("store", json.dumps(document).encode())
        if done.status != 0:
            raise self._failure("store", done.status)

    def erase(self, host: str) -> None:
        """Forget the registry; not knowing it is fine. Raises CredentialHelperFailed."""
        done = self._run("erase", _server(host).encode())
        if done.status != 0 and _NOT_FOUND not in (done.stdout + done.stderr).lower():
            raise self._failure("erase", done.status)

    def _run(self, verb: str, stdin: bytes) -> proc.Completed:
        try:
            return proc.run(
                [self.program, verb],
                environment=self.environment,
                stdin=stdin,
                timeout_seconds=self.timeout_seconds,
            )
        except proc.CommandFailed as exc:
            missing = isinstance(exc.__cause__, FileNotFoundError)
            kind = CredentialHelperMissing if missing else CredentialHelperFailed
            raise kind(f"credential helper {exc.message}") from None

    def _failure(self, verb: str, status: int) -> CredentialHelperFailed:
        return CredentialHelperFailed(
            f"{self.program} {verb}: ended with status {status}",
            hint=f"run `{self.program} list` to see what it says",
        )


def _server(host: str) -> str:
    return _HUB_SERVER if host == DOCKER_HUB else host
