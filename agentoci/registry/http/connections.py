"""The connections under the transport: requests' pools and proxies, urllib3's TLS, http.client.

A connection that the server closed while it lay in the pool is replaced without anybody noticing.
Sending and receiving stop on a stall only: each piece that the socket takes starts the clock anew.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import requests.adapters
import urllib3.connection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import wait_for_read

from agentoci.registry.http.dialing import Dialer
from agentoci.registry.http.origin import Origin, target_of
from agentoci.registry.http.responses import Response

POOL_SIZE: Final = 64
"""Idle connections kept per host: more than the limiter lets out, and the streams beside it."""

_HOSTS: Final = 1000
"""Pools kept; urllib3 closes the one longest unused beyond that."""


_LOST: Final = (
    BrokenPipeError,
    ConnectionResetError,  # http.client.RemoteDisconnected is one
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)


class ProxyTrouble(OSError):
    """The proxy could not be reached."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: to connect, without a byte in either direction, and until an answer begins."""

    connect: float
    stall: float
    answer: float


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it is sent to an origin; `pieces` is the body."""

    origin: Origin
    method: str
    url: str
    headers: Mapping[str, str]
    pieces: Iterator[bytes] | None = None


class Incoming:
    """An answer's head and unread body; the connection goes back when the body is read."""

    def __init__(
        self, pool: Pool, connection: _Connection, response: Response, *, reusable: bool
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.fields()
        self._response = response
        self._pool = pool
        self._connection: _Connection | None = connection
        self._reusable = reusable
        self._release()

    @property
    def done(self) -> bool:
        """Whether the body has been read to its end."""
        return self._response.isclosed()

    def read1(self, size: int) -> bytes:
        """Up to `size` bytes of the body, as they come; none at its end. Raises OSError."""
        try:
            chunk = self._response.read1(size)
        except BaseException:
            self.close()
            raise
        self._release()
        return chunk

    def close(self) -> None:
        """Free the connection; one with bytes left in it is of no further use."""
        self._response.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _release(self) -> None:
        if self.done and self._connection is not None:
            if self._reusable:
                self._pool.take_back(self._connection)
                self._connection = None
            else:
                self.close()


class _Connection(urllib3.connection.HTTPConnection):
    """Adds one exchange to urllib3's connection; `sent` are the bytes that the socket took."""

    dialer: Dialer
    sent = 0
    _ahead = b""

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout
        assert isinstance(timeout, float)  # noqa: S101 (set by the pool)
        return self.dialer.dial(self._dns_host, self.port, timeout)

    def exchange(self, outgoing: Outgoing, start: bytes, waits: Waits) -> tuple[Response, bool]:
        """Send a request, whose body begins with `start`, and read the head of the answer.

        An answer that comes before the body is sent is the answer: the rest is kept back. Also
        says whether the connection can serve again. Raises OSError, and ValueError for a head that
        cannot be sent.
        """
        sock = self.sock
        sock.settimeout(waits.stall)
        response = Response(sock, outgoing.method)
        try:
            self._put_head(outgoing)
            complete, trouble = self._try_to_send(outgoing.pieces, start, response)
            sock.settimeout(waits.answer if complete else waits.stall)
            self._receive(response, trouble)
            if not response.isclosed():
                sock.settimeout(waits.stall)
        except BaseException:
            response.close()
            raise
        return response, complete and not response.will_close

    def _put_head(self, outgoing: Outgoing) -> None:
        """Have http.client refuse what would smuggle in another request; it would quote it, too."""
        try:
            self.putrequest(
                outgoing.method, outgoing.url, skip_host=True, skip_accept_encoding=True
            )
            for name, value in outgoing.headers.items():
                if "\n" in value:
                    raise ValueError  # noqa: TRY301 (http.client lets folded lines pass)
                self.putheader(name, value)
        except (ValueError, http.client.InvalidURL):
            raise ValueError("a head that cannot be sent") from None

    def _try_to_send(
        self, pieces: Iterator[bytes] | None, start: bytes, response: Response
    ) -> tuple[bool, OSError | None]:
        """Whether all was sent, and why not unless an answer came first."""
        self.sent = 0
        self._ahead = start
        try:
            self.endheaders()
            for piece in pieces or ():
                if self._answered(response):
                    return False, None
                self.send(piece)
        except TimeoutError:
            raise
        except OSError as exc:
            return False, exc
        return True, None

    def send(self, data: Any) -> None:
        """Send bytes; a head, which http.client passes, goes with the body's start in one piece."""
        ahead, self._ahead = self._ahead, b""
        rest = memoryview(data + ahead if ahead else data)
        while rest:
            count = self.sock.send(rest)
            self.sent += count
            rest = rest[count:]

    def _receive(self, response: Response, trouble: OSError | None) -> None:
        """Read the head of the answer, also when sending broke off: it may say why."""
        self.response_class = lambda *_, **__: response  # type: ignore[assignment]
        try:
            super(urllib3.connection.HTTPConnection, self).getresponse()  # http.client's
        except ssl.SSLError:
            raise
        except OSError:
            if trouble is not None:
                raise trouble from None
            raise
        finally:
            del self.response_class

    def _answered(self, response: Response) -> bool:
        """Whether an answer has begun; over TLS what arrives may be something else."""
        if not wait_for_read(self.sock, timeout=0):
            return False
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            return response.has_begun()
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True
        finally:
            self.sock.settimeout(timeout)


class Pool(HTTPConnectionPool):
    """Adds one exchange to urllib3's pool."""

    def exchange(self, outgoing: Outgoing, waits: Waits) -> Incoming:
        """Send a request and read the head of its answer.

        Once more on a fresh connection when the server had closed the idle one: a request without a
        body always (opening an upload twice does no harm), one with a body only if nothing of it
        was taken. Raises OSError, ssl.SSLError, ProxyTrouble.
        """
        outgoing = self._addressed(outgoing)
        start = b"" if outgoing.pieces is None else next(outgoing.pieces, b"")
        connection: Any = self._get_conn()
        reused = not connection.is_closed
        try:
            return self._exchange(connection, outgoing, start, waits)
        except _LOST:
            if not reused or (outgoing.pieces is not None and connection.sent):
                raise
        fresh: Any = self._new_conn()
        return self._exchange(fresh, outgoing, start, waits)

    def certificate(self, timeout: float) -> Mapping[str, Any]:
        """What the server shows over TLS, in the words of `ssl.SSLSocket.getpeercert`.

        Raises OSError, ssl.SSLError, ProxyTrouble.
        """
        connection: Any = self._get_conn()
        try:
            if connection.is_closed:
                self._connect(connection, timeout)
            shown: Mapping[str, Any] = connection.sock.getpeercert() or {}
        except BaseException:
            connection.close()
            raise
        self.take_back(connection)
        return shown

    def take_back(self, connection: _Connection) -> None:
        """Keep a connection for the next request."""
        self._put_conn(connection)

    def _exchange(
        self, connection: _Connection, outgoing: Outgoing, start: bytes, waits: Waits
    ) -> Incoming:
        try:
            if connection.is_closed:
                self._connect(connection, waits.connect)
            response, reusable = connection.exchange(outgoing, start, waits)
        except BaseException:
            connection.close()
            raise
        return Incoming(self, connection, response, reusable=reusable)

    def _connect(self, connection: _Connection, timeout: float) -> None:
        connection.sent = 0
        connection.timeout = float(timeout)
        try:
            if self.proxy is not None and self.scheme == "https":
                self._prepare_proxy(connection)
            if connection.is_closed:
                connection.connect()
        except OSError as exc:
            if self.proxy is None or connection.has_connected_to_proxy:
                raise
            raise ProxyTrouble(*exc.args) from exc
        except http.client.HTTPException:  # of the tunnel; it quotes what came
            raise ProxyTrouble(0, "it does not speak http") from None

    def _addressed(self, outgoing: Outgoing) -> Outgoing:
        """With the target and the headers that the server, or a proxy for plain http, reads."""
        target = target_of(outgoing.url)
        headers = {"Host": outgoing.origin.netloc, **outgoing.headers}
        if self.proxy is not None and self.scheme == "http":
            target = f"{outgoing.origin}{target}"
            headers |= self.proxy_headers
        return replace(outgoing, url=target, headers=headers)


def _pools(dialer: Dialer) -> dict[str, type[HTTPConnectionPool]]:
    """Pool classes whose connections are opened by `dialer`."""

    class PlainConnection(_Connection):
        pass

    class TlsConnection(_Connection, urllib3.connection.HTTPSConnection):
        pass

    class PlainPool(Pool):
        ConnectionCls = PlainConnection

    class TlsPool(Pool, HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    PlainConnection.dialer = TlsConnection.dialer = dialer
    return {"http": PlainPool, "https": TlsPool}


class Adapter(requests.adapters.HTTPAdapter):
    """Pools by origin and proxy, with one TLS context for all of them."""

    def __init__(self, context: ssl.SSLContext | None, dialer: Dialer) -> None:
        self._context = context
        self._pools = _pools(dialer)
        super().__init__(pool_connections=_HOSTS, pool_maxsize=POOL_SIZE)

    def pool(self, origin: Origin, proxy: str | None) -> Pool:
        """The pool for an origin, reached through a proxy or directly."""
        manager = self.proxy_manager_for(proxy) if proxy else self.poolmanager
        found = manager.connection_from_host(origin.host, origin.port, origin.scheme)
        assert isinstance(found, Pool)  # noqa: S101 (made by our classes)
        return found

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

    def _tls(self) -> dict[str, Any]:
        return {} if self._context is None else {"ssl_context": self._context}
