"""One HTTP exchange over requests' connections, by rules of our own.

No cookies, no `.netrc`, no environment; redirects are followed here, and what identifies the user
never crosses an origin. Bodies are raw: what the server sends is what is hashed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from agentoci._internal import limits
from agentoci._internal.clock import Clock, SystemClock
from agentoci.content.protocols import Source
from agentoci.registry.errors import RegistryUnreachable, UnsafeDestination
from agentoci.registry.hosts import Site
from agentoci.registry.http.certificates import Certificates, Contexts
from agentoci.registry.http.connections import Adapter, Incoming, Outgoing, Pool, Waits
from agentoci.registry.http.dialing import Dialer, Resolver, system_addresses
from agentoci.registry.http.limiter import Limiter, Slot
from agentoci.registry.http.origin import Origin, check_step, joined
from agentoci.registry.http.proxies import Proxies
from agentoci.registry.http.translation import refused_by_proxy, translated

_FOLLOWED: Final = {
    "GET": frozenset({301, 302, 303, 307, 308}),
    "HEAD": frozenset({301, 302, 303, 307, 308}),
}
_SAME_METHOD: Final = frozenset({307, 308})
_HARMLESS: Final = frozenset({"accept", "range", "content-type", "content-length"})
_DENIED: Final = 403
_PROXY_LOGIN: Final = 407
_TOO_MANY: Final = 429
_SECONDARY: Final = b"secondary rate limit"
_ORDINARY: Final = Site()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, without a byte in either direction, and for a server to store a body.

    There is no limit on a whole transfer: slow is not dead.
    """

    connect: float = 10.0
    read: float = 60.0
    commit: float = 300.0


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries; opened anew for each try."""

    source: Source
    length: int
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """A request before credentials are added to it; neither they nor signatures show in `repr`."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body | None = field(default=None, repr=False)

    @property
    def origin(self) -> Origin:
        """Where it goes."""
        return Origin.of(self.url)


class Answer:
    """Status, headers and the unread body; close it, or use it as a context manager."""

    def __init__(self, incoming: Incoming, url: str, origin: Origin) -> None:
        self._incoming = incoming
        self._kept = b""
        self._trouble: RegistryUnreachable | None = None
        self.url = url
        self.origin = origin
        self.status = incoming.status
        self.headers = incoming.headers

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` raw bytes; raises RegistryUnreachable when the connection breaks.

        What came before a break is given out first.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(limits.NETWORK_BUFFER), b""))
        if self._kept:
            chunk, self._kept = self._kept[:size], self._kept[size:]
            return chunk
        if self._trouble is not None:
            raise self._trouble
        if self._incoming.done:
            return b""
        return self._receive(size)

    def _receive(self, size: int) -> bytes:
        parts: list[bytes] = []
        room = size
        try:
            with translated(self.origin.netloc):
                while room and (part := self._incoming.read1(min(room, limits.NETWORK_BUFFER))):
                    parts.append(part)
                    room -= len(part)
        except RegistryUnreachable as exc:
            if not parts:
                raise
            self._trouble = exc
        return b"".join(parts)

    def content(self, limit: int) -> bytes:
        """The body, but never more than `limit + 1` bytes, so that the caller sees an excess."""
        parts: list[bytes] = []
        room = limit + 1
        while room and (chunk := self.read(min(room, limits.NETWORK_BUFFER))):
            parts.append(chunk)
            room -= len(chunk)
        return b"".join(parts)

    def peek(self) -> bytes:
        """The start of the body, to be read again."""
        if not self._kept:
            with contextlib.suppress(RegistryUnreachable):
                self._kept = self.content(limits.MAX_ERROR_BODY_BYTES)
        return self._kept

    def discard(self) -> None:
        """Be done with it; a short rest is read, so that the connection can serve again."""
        if not self._incoming.done:
            with contextlib.suppress(RegistryUnreachable):
                self.content(limits.MAX_ERROR_BODY_BYTES)
        self.close()

    def close(self) -> None:
        """Free the connection, dropping it when bytes are left."""
        self._incoming.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Pieces:
    """Feeds a body to the connection, and keeps what its source raised apart from what the
    connection raises."""

    def __init__(self, body: Body) -> None:
        self.error: Exception | None = None
        self._chunks = self._read(body)

    def _read(self, body: Body) -> Iterator[bytes]:
        try:
            with body.source.open() as reader:
                while chunk := reader.read(limits.NETWORK_BUFFER):
                    yield chunk
        except Exception as exc:
            self.error = exc
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Close the source, read to its end or not."""
        self._chunks.close()  # type: ignore[attr-defined]  # a generator


def check_redirect(start: Origin, target: Origin) -> None:
    """The usual rule of where a redirect may lead; raises UnsafeDestination."""
    check_step(start, target)


@dataclass(frozen=True, slots=True)
class _Way:
    """How an origin is reached on behalf of another: the pool, the limiter, the proxy if any."""

    pool: Pool
    limiter: Limiter
    proxy: str | None


class Transport:
    """Sends requests; safe to use from several threads.

    `warn` is told when a host makes us wait; `resolve` knows the addresses of names. What is known
    of an origin beyond the `common` trust comes by `settle`.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        timeouts: Timeouts,
        proxies: Proxies,
        common: Certificates | None = None,
        clock: Clock | None = None,
        longest_order: float = 60.0,
        warn: Callable[[str], None] = lambda _: None,
        resolve: Resolver = system_addresses,
    ) -> None:
        self._user_agent = user_agent
        self._timeouts = timeouts
        self._proxies = proxies
        self._common = common or Certificates()
        self._clock = clock or SystemClock()
        self._longest_order = longest_order
        self._warn = warn
        self._dialer = Dialer(resolve)
        self._contexts = Contexts()
        self._adapters: dict[Certificates | None, Adapter] = {}
        self._sites: dict[Origin, Site] = {}
        self._limiters: dict[Origin, Limiter] = {}
        self._ways: dict[tuple[Origin, Origin, bool], _Way] = {}
        self._lock = threading.Lock()
        self._requests = 0

    @property
    def requests(self) -> int:
        """How many requests were sent so far, hops of redirects and token requests included."""
        return self._requests

    def settle(self, origin: Origin, site: Site) -> None:
        """Say what is special about an origin, before the first request to it."""
        self._sites[origin] = site

    def certificate(self, origin: Origin) -> Mapping[str, Any]:
        """The certificate that a secure origin shows, verified, as the ssl module tells it.

        Raises RegistryUnreachable.
        """
        way = self._way(origin, origin, direct=True)
        with translated(origin.netloc, proxy=way.proxy):
            return way.pool.certificate(self._timeouts.connect)

    def close(self) -> None:
        """Close all connections."""
        for adapter in self._adapters.values():
            adapter.close()

    def send(
        self,
        request: Request,
        *,
        check: Callable[[Origin, Origin], None] = check_redirect,
        behalf: Origin | None = None,
    ) -> Answer:
        """One exchange, redirects followed; answers of any status are returned.

        From the first step to another origin on, only harmless headers travel. `check` may refuse
        a step. `behalf` is the registry that sent us there: its authorities are trusted all the
        way. An origin's client certificate and headers go there only when nobody sent us: else one
        registry could act with our rights at another.
        Raises RegistryUnreachable, UnsafeDestination, and what the body's source raises.
        """
        origin = home = request.origin
        sent_there = behalf is not None and behalf != home
        own = _ORDINARY if sent_there else self._site(home)
        url, headers = request.url, {**own.headers, **request.headers}
        for _ in range(limits.MAX_REDIRECTS + 1):
            direct = url is request.url and not sent_there
            way = self._way(behalf or home, origin, direct=direct)
            answer = self._exchange(request, url, headers, way, origin)
            location = answer.headers.get("Location")
            followed = _FOLLOWED.get(request.method, _SAME_METHOD)
            if not location or answer.status not in followed:
                return answer
            answer.discard()
            url = joined(url, location)
            target = Origin.of(url)
            check(origin, target)
            origin = target
            if target != home:
                headers = {k: v for k, v in headers.items() if k.lower() in _HARMLESS}
        raise UnsafeDestination(f"{home.netloc}: more than {limits.MAX_REDIRECTS} redirects")

    def _exchange(
        self, request: Request, url: str, headers: Mapping[str, str], way: _Way, origin: Origin
    ) -> Answer:
        with way.limiter.slot(carries=request.body is not None) as slot:
            with self._lock:
                self._requests += 1
            answer = Answer(self._converse(request, url, headers, way, origin), url, origin)
            self._judge(answer, slot)
        if way.proxy is not None and answer.status == _PROXY_LOGIN:
            answer.close()
            raise refused_by_proxy(origin.netloc, way.proxy, _PROXY_LOGIN)
        return answer

    def _converse(
        self, request: Request, url: str, headers: Mapping[str, str], way: _Way, origin: Origin
    ) -> Incoming:
        pieces = None if request.body is None else _Pieces(request.body)
        outgoing = Outgoing(origin, request.method, url, self._fields(request, headers), pieces)
        try:
            with translated(origin.netloc, proxy=way.proxy):
                return way.pool.exchange(outgoing, self._waits(request))
        except RegistryUnreachable:
            if pieces is not None and pieces.error is not None:
                raise pieces.error from None
            raise
        finally:
            if pieces is not None:
                pieces.close()

    def _judge(self, answer: Answer, slot: Slot) -> None:
        """Tell the limiter; GitHub calls "too many requests" a denial, and is set right here."""
        order = answer.headers.get("Retry-After")
        if answer.status == _DENIED and (order or _SECONDARY in answer.peek().lower()):
            answer.status = _TOO_MANY
        slot.answered(answer.status, order)

    def _fields(self, request: Request, headers: Mapping[str, str]) -> dict[str, str]:
        fields = {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **headers}
        if request.body is not None:
            fields["Content-Length"] = str(request.body.length)
            fields["Content-Type"] = request.body.media_type
        elif request.method in {"POST", "PUT", "PATCH"}:
            fields["Content-Length"] = "0"
        return fields

    def _waits(self, request: Request) -> Waits:
        times = self._timeouts
        stores = request.body is not None and request.method == "PUT"
        return Waits(times.connect, times.read, max(times.read, times.commit if stores else 0))

    def _site(self, origin: Origin) -> Site:
        return self._sites.get(origin, _ORDINARY)

    def _way(self, behalf: Origin, origin: Origin, *, direct: bool) -> _Way:
        """Found out once: choosing proxy and trust takes longer than sending."""
        way = self._ways.get((behalf, origin, direct))
        if way is None:
            proxy = self._proxies.select(origin)
            with self._lock:
                pool = self._adapter(behalf, origin, direct=direct).pool(origin, proxy)
                way = _Way(pool, self._limiter(origin), proxy)
                self._ways[behalf, origin, direct] = way
        return way

    def _adapter(self, behalf: Origin, origin: Origin, *, direct: bool) -> Adapter:
        """Made when first needed: reading the system's authorities takes 40 ms."""
        trust = None
        if origin.secure:
            own = self._site(origin).certificates
            trust = own if direct else own.anonymous
            trust += self._site(behalf).certificates.anonymous + self._common
        if trust not in self._adapters:
            context = None if trust is None else self._contexts.get(trust)
            self._adapters[trust] = Adapter(context, self._dialer)
        return self._adapters[trust]

    def _limiter(self, origin: Origin) -> Limiter:
        if origin not in self._limiters:
            self._limiters[origin] = Limiter(
                origin.netloc,
                self._clock,
                most=self._site(origin).most,
                longest_order=self._longest_order,
                warn=self._warn,
            )
        return self._limiters[origin]
