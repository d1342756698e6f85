"""The connections under the transport: requests' pools and proxies, urllib3's TLS, our own wire.

A connection that the server closed while it lay in the pool is replaced without anybody noticing.
Sending and receiving stop on a stall only: each piece that the socket takes starts the clock anew.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import requests.adapters
import urllib3.connection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import wait_for_read

from agentoci.registry.dialing import Dialer
from agentoci.registry.origin import Origin
from agentoci.registry.wire import Body, Head, Hungup, head_of, read_answer, target_of

POOL_SIZE: Final = 64
"""Idle connections kept per host: more than the limiter lets out, and the streams beside it."""

_HOSTS: Final = 1000
"""Pools kept; urllib3 closes the one longest unused beyond that."""


_LOST: Final = (
    Hungup,
    BrokenPipeError,
    ConnectionResetError,
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

    def __init__(self, pool: Pool, connection: _Connection, head: Head, body: Body) -> None:
        self.head = head
        self._body = body
        self._pool = pool
        self._connection: _Connection | None = connection
        self._release()

    @property
    def done(self) -> bool:
        """Whether the body has been read to its end."""
        return self._body.done

    @property
    def left(self) -> int | None:
        """How many bytes of the body surely come next, if that is known."""
        return self._body.left

    def readinto(self, buffer: memoryview) -> int:
        """Bytes of the body; 0 at its end. Raises OSError."""
        try:
            count = self._body.readinto(buffer)
        except BaseException:
            self.close()
            raise
        self._release()
        return count

    def close(self) -> None:
        """Free the connection; one with bytes left in it is of no further use."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _release(self) -> None:
        if self._body.done and self._connection is not None:
            if self.head.reusable:
                self._pool.take_back(self._connection)
            else:
                self._connection.close()
            self._connection = None


class _Connection(urllib3.connection.HTTPConnection):
    """Adds one exchange to urllib3's connection; `sent` are the bytes that the socket took."""

    dialer: Dialer
    sent = 0
    _reader: io.BufferedReader | None = None

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout
        assert isinstance(timeout, float)  # noqa: S101 (set by the pool)
        return self.dialer.dial(self._dns_host, self.port, timeout)

    def close(self) -> None:
        """Close, whatever is left to read."""
        if self._reader is not None:
            with contextlib.suppress(OSError):
                self._reader.close()
            self._reader = None
        super().close()

    def exchange(self, start: bytes, outgoing: Outgoing, waits: Waits) -> tuple[Head, Body]:
        """Send `start` and the rest of the body, and read the head of the answer.

        An answer that comes before the body is sent is the answer: the rest is kept back. Raises
        OSError.
        """
        if self._reader is None:
            self._reader = self.sock.makefile("rb")
        self.sent = 0
        self.sock.settimeout(waits.stall)
        trouble: OSError | None = None
        try:
            complete = self._send(start, outgoing.pieces)
        except TimeoutError:
            raise
        except OSError as exc:
            complete, trouble = False, exc
        self.sock.settimeout(waits.answer if complete else waits.stall)
        head, body = self._answer(self._reader, outgoing.method, trouble)
        self.sock.settimeout(waits.stall)
        return head if complete else replace(head, reusable=False), body

    def _answer(
        self, reader: io.BufferedReader, method: str, trouble: OSError | None
    ) -> tuple[Head, Body]:
        """The answer, also when sending broke off: it may say why."""
        try:
            return read_answer(reader, method)
        except ssl.SSLError:
            raise
        except OSError:
            if trouble is not None:
                raise trouble from None
            raise

    def _send(self, start: bytes, pieces: Iterator[bytes] | None) -> bool:
        """Whether all was sent, or an answer came first."""
        self._send_all(start)
        for piece in pieces or ():
            if self._answered():
                return False
            self._send_all(piece)
        return True

    def _send_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            count = self.sock.send(rest)
            self.sent += count
            rest = rest[count:]

    def _answered(self) -> bool:
        """Whether an answer has begun; over TLS what arrives may be something else."""
        if self._reader is None or not wait_for_read(self.sock, timeout=0):
            return False
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            return bool(self._reader.peek(1))
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
        start = self._head(outgoing)
        if outgoing.pieces is not None:
            start += next(outgoing.pieces, b"")
        connection: Any = self._get_conn()
        reused = not connection.is_closed
        try:
            return self._exchange(connection, start, outgoing, waits)
        except _LOST:
            if not reused or (outgoing.pieces is not None and connection.sent):
                raise
        fresh: Any = self._new_conn()
        return self._exchange(fresh, start, outgoing, waits)

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
        self, connection: _Connection, start: bytes, outgoing: Outgoing, waits: Waits
    ) -> Incoming:
        try:
            if connection.is_closed:
                self._connect(connection, waits.connect)
            head, body = connection.exchange(start, outgoing, waits)
        except BaseException:
            connection.close()
            raise
        return Incoming(self, connection, head, body)

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

    def _head(self, outgoing: Outgoing) -> bytes:
        target = target_of(outgoing.url)
        headers = {"Host": outgoing.origin.netloc, **outgoing.headers}
        if self.proxy is not None and self.scheme == "http":
            target = f"{outgoing.origin}{target}"
            headers |= self.proxy_headers
        return head_of(outgoing.method, target, headers.items())


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
