"""A server that says what it is told to, well formed or not."""

from __future__ import annotations

import contextlib
import socket
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def scripted(
    *steps: bytes | None, address: str = "127.0.0.1", peers: list[object] | None = None
) -> tuple[socket.socket, list[bytes]]:
    """A server that answers each request with the next step; None hangs up instead.

    `peers` takes the address of each connection.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.create_server((address, 0), family=family)
    heard: list[bytes] = []

    def serve() -> None:
        left = list(steps)
        with contextlib.suppress(OSError), server:
            while left:
                connection, peer = server.accept()
                if peers is not None:
                    peers.append(peer)
                with connection:
                    while left and (request := connection.recv(1 << 20)):
                        heard.append(request)
                        step = left.pop(0)
                        if step is None:
                            break
                        connection.sendall(step)

    threading.Thread(target=serve, daemon=True).start()
    return server, heard


def tunnel(target: str, times: int = 1) -> socket.socket:
    """A proxy that takes one CONNECT, `times` in turn, and leads to `target` whatever is asked."""
    server = socket.create_server(("127.0.0.1", 0))
    host, _, port = target.partition(":")

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def lead(client: socket.socket) -> None:
        assert client.recv(1 << 16).startswith(b"CONNECT registry.example:443 HTTP/1.")
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection((host, int(port))) as inner:
            back = threading.Thread(target=pump, args=(inner, client))
            back.start()
            pump(client, inner)
            back.join()

    def serve() -> None:
        with server:
            for _ in range(times):
                with server.accept()[0] as client:
                    lead(client)

    threading.Thread(target=serve, daemon=True).start()
    return server
