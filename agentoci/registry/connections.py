"""The adapters under the transport: TLS trust, and sends that time out on a stall only.

urllib3 sends a body under the connect timeout, and `sendall` counts it for the whole slice, so a
slow but living uplink would be cut; here each piece that the socket takes starts the clock anew.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import requests.adapters
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from agentoci.registry.errors import InvalidRegistryConfig

POOL_SIZE = 16


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """The system's certificate authorities, plus those of `ca_file`; always verifying."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(requests.adapters.DEFAULT_CA_BUNDLE_PATH)
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as exc:  # ssl.SSLError is one
            raise InvalidRegistryConfig(
                f"{ca_file}: no certificates of an authority can be read: {exc.strerror or exc}",
                hint="give a file with one or more PEM certificates",
            ) from exc
    return context


def _send_in_pieces(connection: HTTPConnection, data: bytes, stall: float) -> None:
    if connection.sock is None:
        connection.connect()
    connection.sock.settimeout(stall)
    rest = memoryview(data)
    while rest:
        rest = rest[connection.sock.send(rest) :]


def _pools(stall: float) -> dict[str, type[HTTPConnectionPool]]:
    """Pool classes whose connections give up after `stall` seconds in which nothing moves."""

    class PlainConnection(HTTPConnection):
        def send(self, data: Any) -> None:
            _send_in_pieces(self, data, stall)

    class TlsConnection(HTTPSConnection):
        def send(self, data: Any) -> None:
            _send_in_pieces(self, data, stall)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}


class Adapter(requests.adapters.HTTPAdapter):
    """A pooled adapter with one TLS context for all its connections, proxied ones included."""

    def __init__(self, context: ssl.SSLContext | None, *, stall: float) -> None:
        self._context = context
        self._pools = _pools(stall)
        super().__init__(pool_connections=POOL_SIZE, pool_maxsize=POOL_SIZE)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: object = None, **kwargs: Any
    ) -> None:
        """Make the pools with our context."""
        super().init_poolmanager(connections, maxsize, bool(block), **kwargs, **self._tls())
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools of a proxy with our context."""
        manager = super().proxy_manager_for(proxy, **kwargs, **self._tls())
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave trust to the context; requests would load its own bundle for each connection."""

    def _tls(self) -> dict[str, Any]:
        return {} if self._context is None else {"ssl_context": self._context}
