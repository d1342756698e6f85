"""The HTTP side of the fake registry: connections, bodies that are read late, cut answers."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.registry.faults import BodyReader, Gone, Reply, Seen

Answer = Callable[[Seen, BodyReader], Reply]


class Server(ThreadingHTTPServer):
    """Answers with what `answer` returns; a thread per connection."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], answer: Answer) -> None:
        super().__init__(address, _Handler)
        self.answer = answer
        self.open: set[socket.socket] = set()
        self.connections = 0
        self.received = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        self.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End connections that clients keep for later."""
        for request in list(self.open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no error of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 20
    server: Server

    def handle_request(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers)
        try:
            self._send(self.server.answer(seen, self._body_reader()))
        except Gone:
            self.close_connection = True

    def _body_reader(self) -> BodyReader:
        taken: list[bytes] = []

        def read_body(limit: int | None = None) -> bytes:
            if not taken:
                chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
                taken.append(self._read_chunks(limit) if chunked else self._read_sized(limit))
            return taken[0]

        return read_body

    def _read_sized(self, limit: int | None) -> bytes:
        length = int(self.headers.get("Content-Length", 0))
        return self._take(length if limit is None else min(limit, length))

    def _read_chunks(self, limit: int | None) -> bytes:
        body = b""
        while limit is None or len(body) < limit:
            size = int(self.rfile.readline(100).partition(b";")[0] or b"x", 16)
            try:
                body += self._take(size)
            except Gone as exc:
                raise Gone(body + exc.part) from None
            self.rfile.readline(100)
            if size == 0:
                break
        return body[:limit]

    def _take(self, length: int) -> bytes:
        """So many bytes; raises Gone with what came when the client hangs up before."""
        parts: list[bytes] = []
        missing = length
        with contextlib.suppress(OSError):
            while missing and (part := self.rfile.read1(min(missing, 1 << 20))):
                parts.append(part)
                missing -= len(part)
                self.server.received += len(part)
        if missing:
            raise Gone(b"".join(parts))
        return b"".join(parts)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        if reply.length and reply.status != 204 and "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        if reply.close or not reply.length:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: reply.cut])
            if reply.cut is not None:
                self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silence."""

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815
