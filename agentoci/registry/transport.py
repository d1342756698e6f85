"""One HTTP exchange over requests, by rules of our own.

No cookies, no `.netrc`, no environment; redirects are followed here, and what identifies the user
never crosses an origin. Bodies are raw: what the server sends is what is hashed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import urljoin

import requests
from requests.structures import CaseInsensitiveDict

from agentoci._internal import limits
from agentoci.content.protocols import Source
from agentoci.registry.connections import Adapter, trust
from agentoci.registry.errors import RegistryUnreachable, UnsafeDestination
from agentoci.registry.origin import Origin, check_step
from agentoci.registry.proxies import Proxies
from agentoci.registry.translation import translated

_FOLLOWED: Final = {
    "GET": frozenset({301, 302, 303, 307, 308}),
    "HEAD": frozenset({301, 302, 303, 307, 308}),
}
_SAME_METHOD: Final = frozenset({307, 308})
_HARMLESS: Final = frozenset({"accept", "range", "content-type", "content-length"})


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
    """A request before credentials are added to it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None

    @property
    def origin(self) -> Origin:
        """Where it goes."""
        return Origin.of(self.url)


class Answer:
    """Status, headers and the unread body; close it, or use it as a context manager."""

    def __init__(self, response: requests.Response, url: str) -> None:
        self._response = response
        self.url = url
        self.origin = Origin.of(url)
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` raw bytes; raises RegistryUnreachable when the connection breaks."""
        amount = None if size < 0 else size
        with translated(self.origin.netloc):
            data: bytes = self._response.raw.read(amount, decode_content=False)
        return data

    def content(self, limit: int) -> bytes:
        """The body, but never more than `limit + 1` bytes, so that the caller sees an excess."""
        parts: list[bytes] = []
        room = limit + 1
        while room and (chunk := self.read(min(room, limits.NETWORK_BUFFER))):
            parts.append(chunk)
            room -= len(chunk)
        return b"".join(parts)

    def discard(self) -> None:
        """Be done with it; a short rest is read, so that the connection can serve again."""
        with contextlib.suppress(RegistryUnreachable):
            self.content(limits.MAX_ERROR_BODY_BYTES)
        self.close()

    def close(self) -> None:
        """Free the connection, dropping it when bytes are left."""
        self._response.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Stream:
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

    def close(self) -> None:
        """Close the source, read to its end or not."""
        self._chunks.close()  # type: ignore[attr-defined]  # a generator


def check_redirect(start: Origin, target: Origin) -> None:
    """The usual rule of where a redirect may lead; raises UnsafeDestination."""
    check_step(start, target)


class Transport:
    """Sends requests; safe to use from several threads."""

    def __init__(
        self,
        *,
        user_agent: str,
        timeouts: Timeouts,
        proxies: Proxies,
        ca_file: Path | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._timeouts = timeouts
        self._proxies = proxies
        self._ca_file = ca_file
        self._adapters: dict[str, Adapter] = {}
        self._lock = threading.Lock()
        self._requests = 0

    @property
    def requests(self) -> int:
        """How many requests were sent so far, hops of redirects and token requests included."""
        return self._requests

    def close(self) -> None:
        """Close all connections."""
        for adapter in self._adapters.values():
            adapter.close()

    def send(
        self, request: Request, *, check: Callable[[Origin, Origin], None] = check_redirect
    ) -> Answer:
        """One exchange, redirects followed; answers of any status are returned.

        From the first step to another origin on, only harmless headers travel. `check` may refuse
        a step. Raises RegistryUnreachable, UnsafeDestination, and what the body's source raises.
        """
        home = request.origin
        url, headers = request.url, dict(request.headers)
        for _ in range(limits.MAX_REDIRECTS + 1):
            answer = self._exchange(request, url, headers)
            location = answer.headers.get("Location")
            followed = _FOLLOWED.get(request.method, _SAME_METHOD)
            if not location or answer.status not in followed:
                return answer
            answer.discard()
            url = urljoin(answer.url, location)
            target = Origin.of(url)
            check(answer.origin, target)
            if target != home:
                headers = {k: v for k, v in headers.items() if k.lower() in _HARMLESS}
        raise UnsafeDestination(f"{home.netloc}: more than {limits.MAX_REDIRECTS} redirects")

    def _exchange(self, request: Request, url: str, headers: Mapping[str, str]) -> Answer:
        origin = Origin.of(url)
        with self._lock:
            self._requests += 1
        stream = None if request.body is None else _Stream(request.body)
        prepared = self._prepare(request, url, headers, stream)
        proxy = self._proxies.select(origin)
        try:
            with translated(origin.netloc):
                response = self._adapter(origin.scheme).send(
                    prepared,
                    stream=True,
                    timeout=self._timeout(request),
                    proxies={origin.scheme: proxy} if proxy else {},
                )
        except RegistryUnreachable:
            if stream is not None and stream.error is not None:
                raise stream.error from None
            raise
        finally:
            if stream is not None:
                stream.close()
        return Answer(response, url)

    def _prepare(
        self, request: Request, url: str, headers: Mapping[str, str], stream: _Stream | None
    ) -> requests.PreparedRequest:
        """Put together by hand: `prepare` would spell the URL anew, and signatures cover it."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = url
        prepared.headers = CaseInsensitiveDict(
            {"User-Agent": self._user_agent, "Accept-Encoding": "identity", **headers}
        )
        if request.body is not None:
            prepared.headers["Content-Length"] = str(request.body.length)
            prepared.headers["Content-Type"] = request.body.media_type
            prepared.body = stream  # type: ignore[assignment]  # any iterable of bytes
        elif request.method in {"POST", "PUT", "PATCH"}:
            prepared.headers["Content-Length"] = "0"
        return prepared

    def _timeout(self, request: Request) -> tuple[float, float]:
        stores = request.body is not None and request.method == "PUT"
        read = max(self._timeouts.read, self._timeouts.commit) if stores else self._timeouts.read
        return self._timeouts.connect, read

    def _adapter(self, scheme: str) -> Adapter:
        """Made when first needed: reading the system's authorities takes 40 ms."""
        with self._lock:
            if scheme not in self._adapters:
                context = trust(self._ca_file) if scheme == "https" else None
                self._adapters[scheme] = Adapter(context, stall=self._timeouts.read)
            return self._adapters[scheme]
