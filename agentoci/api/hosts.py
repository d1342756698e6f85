"""From what the config file says of registries to what their client takes."""

from __future__ import annotations

from collections.abc import Mapping

from agentoci.config.registries import RegistrySettings
from agentoci.registry.hosts import HostOptions, MirrorOptions


def host_options(registries: Mapping[str, RegistrySettings]) -> dict[str, HostOptions]:
    """The same by host, in the registry client's words."""
    return {host: _options(settings) for host, settings in registries.items()}


def _options(settings: RegistrySettings) -> HostOptions:
    return HostOptions(
        ca_file=settings.ca_file,
        client_cert=settings.client_cert,
        client_key=settings.client_key,
        insecure=settings.insecure,
        headers=settings.headers,
        mirrors=tuple(MirrorOptions(one.url, one.resolve) for one in settings.mirrors),
        max_concurrency=settings.max_concurrency,
    )
