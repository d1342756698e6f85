"""The clients behind an OrasRegistry: one per registry, opened as oras-py's arguments say."""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

from agentoci.config.settings import Settings, read_settings
from agentoci.errors import Invalid
from agentoci.registry.auth.credentials import canonical_host
from agentoci.registry.auth.dockerconfig import DockerConfig
from agentoci.registry.client import ClientOptions, RegistryClient
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.hosts import HostOptions
from agentoci.registry.opening import options_by
from agentoci.registry.oras.calls import OURS
from agentoci.registry.oras.login import OrasLogin
from agentoci.registry.repository import Repository
from agentoci.spec.reference import InvalidReference, Reference

logger = logging.getLogger(__name__)

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PER_REQUEST: Final = frozenset({"content-range", "content-type", "range"})


class UnverifiedTls(Invalid):
    """TLS was asked for without a check of whom we speak to."""


class HeaderNotYours(Invalid):
    """A header that the client decides about itself."""


class OrasAccess:
    """Opens repositories and endpoints; connections and tokens are shared per registry. Close it.

    `headers` go to the registry `hostname`, else to the one that is addressed first, and to no
    other. `insecure` is plain http to every registry, else it is TLS to all that the options do
    not say otherwise of; `tls_verify` may name a file of authorities.
    """

    def __init__(
        self,
        *,
        hostname: str | None,
        insecure: bool,
        tls_verify: bool | str | Path,
        options: ClientOptions | None,
    ) -> None:
        check_tls(tls_verify, insecure=insecure)
        if hostname is not None and not _HOST.fullmatch(hostname):
            raise InvalidReference(f"{hostname!r} is not a registry", hint="write HOST[:PORT]")
        options = options or options_by(self.settings, warn=logger.warning)
        if not isinstance(tls_verify, bool):
            options = replace(options, ca_file=Path(tls_verify))
        self.headers: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._clients: dict[str, RegistryClient] = {}
        self._lock = threading.RLock()
        self._home = canonical_host(hostname) if hostname else None
        self._insecure = insecure
        self._options = replace(options, given=None, plain_http=insecure or options.plain_http)
        self.login = OrasLogin(
            options.credentials,
            home=self._home,
            given=options.given,
            open_file=self._open_file,
            changed=self.close,
        )

    @cached_property
    def settings(self) -> Settings:
        """What the environment and the config file say."""
        return read_settings()

    def repository(self, reference: Reference, *, push: bool = False) -> Repository:
        """The repository that a reference names; `push` when content will be pushed to it."""
        return self.client(reference.registry or "").repository(reference, push=push)

    def endpoint(self, url_host: str) -> Endpoint:
        """Where a request goes that is for no repository: its registry, else the first one.

        What is none of a registry's is sent on the first one's behalf, without credentials.
        """
        host = canonical_host(url_host)
        if host not in self._clients and self._home is not None:
            host = self._home
        return self.client(host).repository(Reference(host, "any")).endpoint

    def address(self, host: str) -> None:
        """The user has named a registry; what servers name is not addressed."""
        host = canonical_host(host)
        self._home = self._home or host
        self.login.bind(host)

    def client(self, host: str) -> RegistryClient:
        """The client of one registry, who is shown what is meant for it."""
        host = canonical_host(host)
        if self._home is None:
            self.address(host)
        with self._lock:
            if host == self._home and self._shown != self.headers:
                self._shown = dict(self.headers)
                self._drop(host)
            if host not in self._clients:
                self._clients[host] = RegistryClient(self._options_for(host))
            return self._clients[host]

    def others(self, headers: dict[str, str] | None) -> dict[str, str]:
        """A request's headers without those that the client adds for its registry itself."""
        own = {name.lower(): value for name, value in self.headers.items()}
        given = headers or {}
        return {name: value for name, value in given.items() if own.get(name.lower()) != value}

    def set_header(self, name: str, value: str) -> None:
        """Send a header with every request to the registry; raises HeaderNotYours."""
        if name.lower() in OURS | _PER_REQUEST:
            raise HeaderNotYours(
                f"{name}: the client decides about this header",
                hint="log in by login, auth.set_basic_auth or auth.set_token_auth",
            )
        self.headers[name] = value

    def close(self) -> None:
        """Close all connections; what is asked next opens new ones."""
        with self._lock:
            for host in list(self._clients):
                self._drop(host)

    def _drop(self, host: str) -> None:
        client = self._clients.pop(host, None)
        if client is not None:
            client.close()

    def _open_file(self, path: Path) -> DockerConfig:
        environment = self.settings.environment
        return DockerConfig(path, environment=environment, warn=self._options.warn)

    def _options_for(self, host: str) -> ClientOptions:
        options = self._options
        hosts = {canonical_host(name): one for name, one in options.hosts.items()}
        if host == self._home and self._shown:
            kept = {
                name.title(): value
                for name, value in self._shown.items()
                if name.lower() not in OURS | _PER_REQUEST
            }
            settled = hosts.get(host, HostOptions())
            hosts[host] = replace(settled, headers={**settled.headers, **kept})
        secure = options.secure_hosts | ({host} if not self._insecure else set())
        return replace(options, credentials=self.login, hosts=hosts, secure_hosts=secure)


def check_tls(tls_verify: object, *, insecure: bool) -> None:
    """Raise UnverifiedTls for TLS with whomever answers."""
    if not tls_verify and not insecure:
        raise UnverifiedTls(
            "tls_verify=False: TLS is not spoken here without a check of the certificate",
            hint='name the file of its authority (tls_verify="ca.pem"), or say insecure=True '
            "for a registry that speaks plain http",
        )
