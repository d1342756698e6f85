"""Credentials as values, and where they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

DOCKER_HUB: Final = "docker.io"
"""The name that references and credentials know Docker Hub by; its API lives elsewhere."""

_HUB_NAMES: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Credential:
    """What identifies the user at one registry; never shown by `repr`.

    Either user name and password, or an identity token (traded for access tokens), or a registry
    token (sent as it is). `source` names the file, helper or variable that it was stored in; a
    credential without one was given by hand, for this command.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str | None = field(default=None, repr=False)
    registry_token: str | None = field(default=None, repr=False)
    source: str = field(default="", compare=False)

    @property
    def has_password(self) -> bool:
        """Whether it can answer a Basic challenge."""
        return bool(self.username and self.password)

    @property
    def is_empty(self) -> bool:
        """Whether it identifies nobody."""
        return not (self.has_password or self.identity_token or self.registry_token)


class CredentialProvider(Protocol):
    """Knows the user's credentials."""

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        """The credential for exactly this registry (`host` or `host:port`); None: anonymous.

        One that is kept for the repository, or a name space above it, comes before the registry's.
        """
        ...


class NoCredentials:
    """Everyone is anonymous."""

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        """None."""
        del host, repository
        return None


@dataclass(frozen=True, slots=True)
class OneCredential:
    """A credential given by hand, for one registry only."""

    host: str
    credential: Credential

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        """The credential, when asked for its own registry."""
        del repository
        return self.credential if canonical_host(host) == canonical_host(self.host) else None


def canonical_host(key: str) -> str:
    """The registry that a key of a docker config file means.

    Old keys are URLs (`https://index.docker.io/v1/`); a key with a name space (`host/team`) keeps
    it, for it speaks of less than the host.
    """
    text = key.strip().lower()
    if "://" in text:
        text = text.partition("://")[2].partition("/")[0]
    host, _, path = text.rstrip("/").partition("/")
    host = DOCKER_HUB if host in _HUB_NAMES else host
    return host if path in {"", "v1", "v2"} else f"{host}/{path}"


def keys_for(host: str, repository: str) -> tuple[str, ...]:
    """The keys that speak of a repository, the most special first, the registry's own last."""
    parts = repository.split("/") if repository else []
    spaces = ("/".join((host, *parts[:count])) for count in range(len(parts), 0, -1))
    return (*spaces, host)
