"""Who an OrasRegistry is: logins given by hand, in docker config files, else by the keychain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from agentoci.registry.auth.credentials import (
    DOCKER_HUB,
    Credential,
    CredentialProvider,
    canonical_host,
)
from agentoci.registry.auth.dockerconfig import DockerConfig

logger = logging.getLogger(__name__)

BACKENDS: Final = frozenset({"token", "basic", "ecr"})
"""What oras-py lets its users choose; here the registry's challenge decides."""


class OrasLogin:
    """What oras-py calls an auth backend; a CredentialProvider for our client.

    A login given by hand is for the registry `home`, else for the one that is addressed next, and
    for no other. Then come the docker config files that were named, the last one first, and then
    `stored`. `changed` is told when somebody else is to be shown from now on.
    """

    def __init__(
        self,
        stored: CredentialProvider,
        *,
        home: str | None,
        given: Credential | None,
        open_file: Callable[[Path], DockerConfig],
        changed: Callable[[], None],
    ) -> None:
        self._stored = stored
        self._home = home
        self._given: dict[str, Credential] = {}
        self._unbound: Credential | None = None
        self._open_file = open_file
        self._changed = changed
        self._files: dict[Path, DockerConfig] = {}
        self._kept: list[tuple[DockerConfig, str]] = []
        self._left: set[str] = set()
        if given is not None:
            self._give(given, home)

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        """The credential, as `CredentialProvider` says; raises what the places raise."""
        host = canonical_host(host)
        if host in self._given:
            return self._given[host]
        if host in self._left:
            return None
        for place in (*reversed(self._files.values()), self._stored):
            if found := place.lookup(host, repository):
                return found
        return None

    def bind(self, host: str) -> None:
        """A registry is addressed: a login that is for none so far is for this one."""
        if self._unbound is not None:
            self._given[host], self._unbound = self._unbound, None
            self._left.discard(host)

    def set_basic_auth(self, username: str, password: str) -> None:
        """Show this user and password."""
        self._give(Credential(username, password), self._home)

    def set_token_auth(self, token: str) -> None:
        """Send this token as it is."""
        self._give(Credential(registry_token=token), self._home)

    def load_configs(self, container: object, configs: Iterable[str | Path] | None = None) -> None:
        """Look into these docker config files too; the usual ones are looked into anyway."""
        del container
        for path in map(Path, configs or ()):
            if path not in self._files:
                if not path.exists():
                    logger.warning("%s does not exist", path)
                self._files[path] = self._open_file(path)
                self._changed()

    def get_auth_header(self) -> dict[str, str]:
        """Nothing: what is secret never leaves the client."""
        return {}

    def keep(self, host: str, credential: Credential, path: Path) -> None:
        """Store a login that was checked, and use it; raises what DockerConfig.store raises."""
        file = self._open_file(path)
        file.store(host, credential)
        self._kept.append((file, host))
        self._give(credential, host)

    def logout(self, hostname: str) -> None:
        """Forget a registry: in this object altogether, in files what `keep` put there."""
        host = canonical_host(hostname)
        self._unbound = None
        self._given.pop(host, None)
        for file, key in self._kept:
            if key == host:
                file.erase(key)
        self._kept = [one for one in self._kept if one[1] != host]
        self._left.add(host)
        self._changed()

    def _give(self, credential: Credential, host: str | None) -> None:
        self._unbound = credential
        if host is not None:
            self.bind(host)
        self._changed()


def login_host(hostname: str | None) -> str:
    """The registry that a login is for; Docker Hub when none is named, as everywhere."""
    return canonical_host(hostname or DOCKER_HUB)
