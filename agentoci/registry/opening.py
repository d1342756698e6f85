"""What a registry client is given when it is opened by settings alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agentoci._internal.clock import Clock, SystemClock
from agentoci._internal.version import __version__
from agentoci.config.registries import RegistrySettings
from agentoci.config.settings import Settings
from agentoci.registry.auth.credentials import CredentialProvider
from agentoci.registry.auth.keychain import CredentialPlaces, open_keychain
from agentoci.registry.client import ClientOptions
from agentoci.registry.facts import FileMemory
from agentoci.registry.hosts import HostOptions, MirrorOptions
from agentoci.registry.http.proxies import Proxies


def options_by(
    settings: Settings,
    *,
    warn: Callable[[str], None],
    credentials: CredentialProvider | None = None,
    clock: Clock | None = None,
) -> ClientOptions:
    """The options that the environment and the config file amount to.

    `credentials` None are all that the settings tell of. `warn` gets what the user should hear of.
    Raises InvalidLogin.
    """
    file, clock = settings.file, clock or SystemClock()
    return ClientOptions(
        credentials=credentials or _credentials(settings, warn),
        insecure_hosts=frozenset(file.insecure_registries),
        secure_hosts=frozenset(file.secure_registries),
        ca_file=Path(file.ca_file) if file.ca_file else None,
        realm_hosts=frozenset(file.realm_hosts),
        hosts=host_options(file.registries),
        certificate_folders=settings.certificate_folders,
        warn=warn,
        proxies=Proxies(*settings.proxies),
        clock=clock,
        user_agent=f"agentoci/{__version__}",
        memory=FileMemory(settings.cache / "hosts", clock),
        lock_folder=settings.cache / "locks",
    )


def _credentials(settings: Settings, warn: Callable[[str], None]) -> CredentialProvider:
    places = CredentialPlaces(None, settings.own_logins, settings.auth_files, settings.ci_logins)
    return open_keychain(places, environment=settings.environment, warn=warn)


def host_options(registries: Mapping[str, RegistrySettings]) -> dict[str, HostOptions]:
    """What the config file settles for single registries, in the client's words."""
    return {host: _host_options(found) for host, found in registries.items()}


def _host_options(found: RegistrySettings) -> HostOptions:
    return HostOptions(
        ca_file=found.ca_file,
        client_cert=found.client_cert,
        client_key=found.client_key,
        insecure=found.insecure,
        headers=found.headers,
        mirrors=tuple(MirrorOptions(one.url, one.resolve) for one in found.mirrors),
        max_concurrency=found.max_concurrency,
    )
