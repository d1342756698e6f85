"""A registry on loopback that keeps content in memory and misbehaves on demand.

It speaks the distribution protocol (service.py), records every request, and lets a test say what
goes wrong: `fake.on("PUT", "/blobs/uploads/", answers(503), loses_answer())` spoils the first two
matching requests and leaves the rest alone. What a registry lacks is switched off by attribute:
`fake.referrers = False`.
"""

from __future__ import annotations

import re
import ssl
import threading
from typing import Self

from tests.registry.access import Basic, Tokens
from tests.registry.faults import BodyReader, Exchange, Fault, Gone, Reply, Seen
from tests.registry.server import Server
from tests.registry.service import Service, error

__all__ = ["Basic", "FakeRegistry", "Tokens"]


class FakeRegistry(Service):
    """Use it as a context manager; `host` is what references name."""

    def __init__(
        self,
        *,
        auth: Basic | Tokens | None = None,
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.auth = auth
        self.challenges: list[str] | None = None
        self.seen: list[Seen] = []
        self._faults: list[tuple[str, re.Pattern[str], list[Fault]]] = []
        self._lock = threading.RLock()
        self._server = Server((address, 0), self.answer)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        self.host = f"{address}:{self._server.server_address[1]}"
        self.url = f"{self.scheme}://{self.host}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return self._server.connections

    @property
    def received(self) -> int:
        """How many bytes of request bodies arrived, whatever became of them."""
        return self._server.received

    def on(self, method: str, pattern: str, *faults: Fault, times: int = 1) -> None:
        """Spoil the next requests whose path and query match `pattern`, one fault each."""
        self._faults.append((method, re.compile(pattern), list(faults) * times))

    def requests(self, method: str = "", pattern: str = "") -> list[Seen]:
        """What arrived, filtered."""
        return [
            one
            for one in self.seen
            if (not method or one.method == method) and re.search(pattern, one.target)
        ]

    def answer(self, seen: Seen, read_body: BodyReader) -> Reply:
        """The reply to one request, spoiled or not."""
        with self._lock:
            self.seen.append(seen)
            fault = self._fault(seen)
        exchange = Exchange(self, seen, read_body)
        return fault(exchange) if fault else exchange.serve()

    def _fault(self, seen: Seen) -> Fault | None:
        for method, pattern, faults in self._faults:
            if faults and method in {seen.method, "*"} and pattern.search(seen.target):
                return faults.pop(0)
        return None

    def serve(self, seen: Seen, read_body: BodyReader) -> Reply:
        """What a well-behaved registry answers."""
        if isinstance(self.auth, Tokens) and seen.path == self.auth.path:
            body = read_body()
            with self._lock:
                return self.auth.answer(seen, body)
        with self._lock:
            challenge = self.auth.refuses(seen, self.url) if self.auth else None
        if challenge is None:
            return self.serve_known(seen, read_body)
        read_body()
        reply = error(401, "UNAUTHORIZED", "authentication required")
        reply.headers["WWW-Authenticate"] = ", ".join(self.challenges or [challenge])
        return reply

    def serve_known(self, seen: Seen, read_body: BodyReader) -> Reply:
        """The answer to somebody who may ask."""
        try:
            body = read_body()
        except Gone as gone:
            with self._lock:
                self.keep_part(seen, gone.part)
            raise
        with self._lock:
            return self.respond(seen, body)
