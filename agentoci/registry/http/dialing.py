"""Opening connections: several addresses in a short order, so that a dead one costs a moment.

Half the networks announce IPv6 and some let it end in nowhere, so the next address is tried beside
the one that is silent (RFC 8305, "Happy Eyeballs", without its refinements).
"""

from __future__ import annotations

import errno
import itertools
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

_HEAD_START: Final = 0.25
"""Seconds that an address has for itself before the next one is tried as well."""

_FRESH: Final = 10.0
"""Seconds for which a name is not looked up again: threads that start together ask once."""

_IDLE: Final = 30
"""Seconds of silence after which the system asks whether the peer is still there."""

Address = tuple[int, Any]
"""The family, and the socket address in that family's form."""

Resolver = Callable[[str, int], Sequence[Address]]
"""The addresses of a host and port, best first; raises socket.gaierror."""


def system_addresses(host: str, port: int) -> list[Address]:
    """What the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


class Dialer:
    """Connects to hosts; remembers names for a moment, and which address answered.

    Time is the sockets' own here, for it is they who wait. Safe to use from several threads.
    """

    def __init__(self, resolve: Resolver = system_addresses) -> None:
        self._resolve = resolve
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, int], threading.Lock] = {}
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}

    def dial(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connected socket with this timeout; raises OSError, socket.gaierror, TimeoutError."""
        place = host.strip("[]"), port
        addresses = self._addresses(place)
        try:
            sock, address = _race(addresses, timeout)
        except OSError:
            self._known.pop(place, None)
            raise
        if address != addresses[0]:
            rest = [one for one in addresses if one != address]
            self._known[place] = time.monotonic(), [address, *rest]
        sock.settimeout(timeout)
        _tune(sock)
        return sock

    def _addresses(self, place: tuple[str, int]) -> list[Address]:
        with self._lock:
            asking = self._asking.setdefault(place, threading.Lock())
        with asking:
            when, found = self._known.get(place, (0.0, []))
            if not found or time.monotonic() - when > _FRESH:
                found = _alternating(self._resolve(*place))
                if not found:
                    raise socket.gaierror(socket.EAI_NONAME, "no addresses")
                self._known[place] = time.monotonic(), found
            return found


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """One of each family in turn, in the resolver's order."""
    first = [one for one in addresses if one[0] == addresses[0][0]]
    others = [one for one in addresses if one[0] != addresses[0][0]]
    pairs = itertools.zip_longest(first, others)
    return [one for pair in pairs for one in pair if one is not None]


def _race(addresses: Sequence[Address], timeout: float) -> tuple[socket.socket, Address]:
    """The first that connects; the others are closed."""
    deadline = time.monotonic() + timeout
    waiting = list(addresses)
    trouble: OSError = TimeoutError("timed out")
    with selectors.DefaultSelector() as running:
        try:
            while waiting or running.get_map():
                if waiting:
                    try:
                        _start(running, waiting.pop(0))
                    except OSError as exc:
                        trouble = exc
                        continue
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("timed out")
                for key, _ in running.select(min(left, _HEAD_START) if waiting else left):
                    running.unregister(key.fileobj)
                    sock, address = key.data
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code == 0:
                        return sock, address
                    sock.close()
                    trouble = OSError(code, os.strerror(code))
            raise trouble
        finally:
            for key in running.get_map().values():
                key.data[0].close()


def _start(running: selectors.BaseSelector, address: Address) -> None:
    """Begin to connect; raises OSError when it is clear at once that it cannot be."""
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(0)
    code = sock.connect_ex(place)
    if code in {0, errno.EINPROGRESS}:
        running.register(sock, selectors.EVENT_WRITE, (sock, address))
        return
    sock.close()
    raise OSError(code, os.strerror(code))


def _tune(sock: socket.socket) -> None:
    """Send at once, and notice a peer that is gone while it stores what we sent."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
