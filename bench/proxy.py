"""A loopback TCP proxy that counts what clients send."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

CHUNK = 64 * 1024


@dataclass(slots=True)
class CountingProxy:
    """Forwards every connection to `upstream`; `sent` is the sum of bytes from clients."""

    upstream: tuple[str, int]
    listener: socket.socket
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        """`address:port` for clients."""
        address, port = self.listener.getsockname()
        return f"{address}:{port}"

    def accept(self) -> None:
        """Serve until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.upstream)
                for source, target, counts in ((client, server, True), (server, client, False)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(
                        target=self._pump, args=(source, target, counts), daemon=True
                    ).start()

    def _pump(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                if counts:
                    with self._lock:
                        self.sent += len(chunk)
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def counting(host: str) -> Iterator[CountingProxy]:
    """A proxy in front of `host` while the block runs."""
    address, _, port = host.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = CountingProxy((address, int(port)), listener)
        threading.Thread(target=proxy.accept, daemon=True).start()
        yield proxy
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
