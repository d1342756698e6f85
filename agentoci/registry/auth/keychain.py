"""All places where credentials may be, in one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agentoci.registry.auth.credentials import (
    DOCKER_HUB,
    Credential,
    CredentialProvider,
    canonical_host,
)
from agentoci.registry.auth.dockerconfig import DockerConfig
from agentoci.registry.auth.helpers import TOKEN_USER


class Login(Protocol):
    """A login that a variable gives."""

    @property
    def variable(self) -> str:
        """The variable's name."""
        ...

    @property
    def username(self) -> str:
        """The user, or `<token>`."""
        ...

    @property
    def password(self) -> str:
        """The secret."""
        ...

    def is_for(self, host: str) -> bool:
        """Whether it belongs to this registry."""
        ...


@dataclass(frozen=True, slots=True)
class LoginCredentials:
    """Credentials by variables."""

    logins: Sequence[Login]

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        """The first one that belongs to exactly this registry."""
        del repository
        names = {host, canonical_host(host)}
        if DOCKER_HUB in names:
            names.add("index.docker.io")
        for login in self.logins:
            if any(login.is_for(name) for name in names):
                return _credential(login)
        return None


class Keychain:
    """Asks one place after another; the first that knows the registry wins.

    The order, as `open_keychain` puts it together:

    1. the user's own words: `-u` with `--password-stdin` or `--identity-token-stdin`, for the
       registry that the command addresses first (RegistryClient binds it);
    2. `--authfile FILE`;
    3. `AGENTOCI_AUTH_<REGISTRY>`, then `AGENTOCI_USERNAME` and `AGENTOCI_PASSWORD` for
       `AGENTOCI_REGISTRY`;
    4. `$REGISTRY_AUTH_FILE`;
    5. `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`;
    6. `$XDG_RUNTIME_DIR/containers/auth.json` (`/run/containers/UID` without that variable);
    7. `$XDG_CONFIG_HOME/containers/auth.json`, else `~/.config/containers/auth.json`;
    8. `~/.dockercfg`;
    9. what a CI job has: `GITHUB_TOKEN` for ghcr.io; `CI_REGISTRY_USER` and `CI_REGISTRY_PASSWORD`,
       else `CI_JOB_TOKEN`, for `CI_REGISTRY`.

    Within a file the most special key wins: `host/team/bot`, `host/team`, `host`. A whole
    registry's key is answered by `credHelpers`, else by `credsStore`, else by the file itself.
    """

    def __init__(self, places: Sequence[CredentialProvider]) -> None:
        self._places = tuple(places)

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        """The credential, as `CredentialProvider` says; raises what the places raise."""
        for place in self._places:
            if found := place.lookup(host, repository):
                return found
        return None


@dataclass(frozen=True, slots=True)
class CredentialPlaces:
    """What a keychain is made from: flag, variables, files in their order, CI variables."""

    authfile: Path | None = None
    own: Sequence[Login] = ()
    files: Sequence[Path] = ()
    ci: Sequence[Login] = ()


def open_keychain(
    places: CredentialPlaces, *, environment: Mapping[str, str], warn: Callable[[str], None]
) -> Keychain:
    """The keychain in the documented order; `environment` and `warn` are for DockerConfig."""

    def file(path: Path) -> DockerConfig:
        legacy = path.name == ".dockercfg"
        return DockerConfig(path, environment=environment, warn=warn, legacy=legacy)

    return Keychain(
        [
            *([file(places.authfile)] if places.authfile else []),
            LoginCredentials(places.own),
            *(file(path) for path in places.files),
            LoginCredentials(places.ci),
        ]
    )


def _credential(login: Login) -> Credential:
    if login.username == TOKEN_USER:
        return Credential(identity_token=login.password, source=login.variable)
    return Credential(login.username, login.password, source=login.variable)
