"""Log in to registries and out again; credentials live where docker keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentoci.registry.credentials import Credential

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


class Logins:
    """The verbs `login` and `logout`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def login(self, host: str, username: str, password: str) -> str:
        """Check the credentials at the registry, then keep them; returns where they are kept.

        Raises AuthenticationFailed, RegistryUnreachable.
        """
        self._engine.client.check_login(host, username, password)
        return self._engine.docker_config.store(host, Credential(username, password))

    def logout(self, host: str) -> bool:
        """Forget the credentials; False when there were none."""
        return self._engine.docker_config.erase(host)
