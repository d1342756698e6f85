"""Log in to registries and out again; credentials live where docker and podman keep them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentoci.registry.auth.credentials import Credential, canonical_host

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that the registry took: `registry` may have a name space, `kept_in` says where."""

    registry: str
    username: str
    kept_in: str


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Whether there was a login to forget, and which other place still has one."""

    registry: str
    known: bool
    left_in: str = ""


class Logins:
    """The verbs `login` and `logout`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def login(
        self, registry: str, username: str, password: str = "", *, identity_token: str = ""
    ) -> LoggedIn:
        """Check the credentials at the registry, then keep them in the file that is asked first.

        `registry` is HOST[:PORT], or HOST[:PORT]/NAMESPACE for the repositories below. Raises
        AuthenticationFailed, RegistryUnreachable, InvalidReference.
        """
        credential = Credential(username, password, identity_token or None)
        self._engine.client.check_login(registry, credential)
        key = canonical_host(registry)
        return LoggedIn(key, username, self._engine.docker_config.store(key, credential))

    def logout(self, registry: str) -> LoggedOut:
        """Forget the credentials of HOST[:PORT][/NAMESPACE]."""
        key = canonical_host(registry)
        known = self._engine.docker_config.erase(key)
        left = self._engine.keychain.lookup(*key.split("/", 1))
        return LoggedOut(key, known, left.source if left else "")
