"""The engine: the one place that puts the parts together.

Everything is made on first use and imported then, so that a verb pays for nothing it does not need.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from agentoci._internal.clock import Clock, SystemClock
from agentoci._internal.once import Once
from agentoci.api.access import Access
from agentoci.config.settings import Settings, read_settings
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentoci.api.builds import Builds
    from agentoci.api.collection import Collection
    from agentoci.api.copying import Copies
    from agentoci.api.images import Images
    from agentoci.api.logins import Logins
    from agentoci.api.runs import Runs
    from agentoci.api.syncing import Syncs
    from agentoci.api.transfers import Transfers
    from agentoci.content.protocols import Progress
    from agentoci.instances.directory import Instances
    from agentoci.registry.auth.dockerconfig import DockerConfig
    from agentoci.registry.auth.keychain import Keychain
    from agentoci.registry.client import RegistryClient


class Engine:
    """The verbs of agentoci over one home. Close it, or use it as a context manager.

    `warn` gets, once each, what the user should hear of though the verb goes on.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        progress: Progress | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings or read_settings()
        self.clock = clock or SystemClock()
        self.progress = progress
        self.access = Access()
        self.warn = Once(warn or _log)
        self._opened_client: RegistryClient | None = None
        self._opening = threading.Lock()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to registries."""
        if self._opened_client is not None:
            self._opened_client.close()
            self._opened_client = None

    # Parts

    @property
    def store(self) -> LayoutStore:
        """The local store for reading; it may not be there yet, then it holds nothing."""
        return LayoutStore(self.settings.store, clock=self.clock)

    @cached_property
    def writable_store(self) -> LayoutStore:
        """The local store, made when it is not there."""
        return LayoutStore.create(self.settings.store, clock=self.clock)

    @cached_property
    def docker_config(self) -> DockerConfig:
        """Where logins are kept."""
        from agentoci.registry.auth.dockerconfig import DockerConfig

        path = self.access.authfile or self.settings.login_file
        return DockerConfig(path, environment=self.settings.environment, warn=self.warn)

    @cached_property
    def keychain(self) -> Keychain:
        """All places where credentials may be; see Keychain for their order."""
        from agentoci.registry.auth.keychain import CredentialPlaces, open_keychain

        settings = self.settings
        places = CredentialPlaces(
            self.access.authfile, settings.own_logins, settings.auth_files, settings.ci_logins
        )
        return open_keychain(places, environment=settings.environment, warn=self.warn)

    @property
    def client(self) -> RegistryClient:
        """The client of remote registries; several threads open one."""
        with self._opening:
            if self._opened_client is None:
                self._opened_client = self._open_client()
            return self._opened_client

    @property
    def has_client(self) -> bool:
        """Whether a registry was spoken to, or is about to be."""
        return self._opened_client is not None

    def _open_client(self) -> RegistryClient:
        from agentoci.registry.client import RegistryClient
        from agentoci.registry.opening import options_by

        options = options_by(
            self.settings, warn=self.warn, credentials=self.keychain, clock=self.clock
        )
        access = self.access
        return RegistryClient(
            replace(
                options,
                given=access.credential(),
                plain_http=access.plain_http,
                ca_file=access.ca_file or options.ca_file,
            )
        )

    @cached_property
    def instance_directory(self) -> Instances:
        """All instances of this home."""
        from agentoci.instances.directory import Instances

        return Instances(self.settings.instances, clock=self.clock)

    # Verbs

    @cached_property
    def images(self) -> Images:
        """List, inspect, tag and remove images."""
        from agentoci.api.images import Images

        return Images(self)

    @cached_property
    def collection(self) -> Collection:
        """Free what nothing needs."""
        from agentoci.api.collection import Collection

        return Collection(self)

    @cached_property
    def builds(self) -> Builds:
        """Build images."""
        from agentoci.api.builds import Builds

        return Builds(self)

    @cached_property
    def transfers(self) -> Transfers:
        """Push, pull, save and load."""
        from agentoci.api.transfers import Transfers

        return Transfers(self)

    @cached_property
    def copies(self) -> Copies:
        """Copy between registries, layouts, archives and the local store."""
        from agentoci.api.copying import Copies

        return Copies(self)

    @cached_property
    def syncs(self) -> Syncs:
        """Copy lists of images."""
        from agentoci.api.syncing import Syncs

        return Syncs(self)

    @cached_property
    def logins(self) -> Logins:
        """Log in and out of registries."""
        from agentoci.api.logins import Logins

        return Logins(self)

    @cached_property
    def runs(self) -> Runs:
        """Create, run, stop and remove instances."""
        from agentoci.api.runs import Runs

        return Runs(self)


def _log(text: str) -> None:
    import logging

    logging.getLogger(__name__).warning("%s", text)
