"""A TCP proxy on loopback that behaves like a slow, narrow or broken line.

    with FaultProxy(registry.host, round_trip=0.02, rate=25e6) as proxy:
        proxy.arm(resets(1_000_000), times=2)
        pull(f"{proxy.host}/team/bot:1")

The line has a length (half the round trip each way, and one round trip before a new connection may
send) and a width, which all connections share; they take turns. One thread moves everything, so the
bytes in flight of one connection never wait for another's. `tests` and `bench` both use it.
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import struct
import termios
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Self

Way = Literal["up", "down"]
"""From the client to the server, or back."""

CHUNK: Final = 64 * 1024
WINDOW: Final = 4 * 1024 * 1024
"""Bytes of one connection and way that the line holds; a sender waits when there are more."""
QUEUE_SECONDS: Final = 0.005
"""How far ahead the line's width is given away: long enough that it never runs dry."""
TICK_SECONDS: Final = 0.05
_DRAIN_SECONDS: Final = 2.0
_REQUEST: Final = b" HTTP/1.1\r\n"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to a connection once `after` bytes have passed one way."""

    kind: Literal["reset", "close", "stall", "trickle", "refuse"]
    way: Way = "down"
    after: int = 0
    rate: float = 0.0


def resets(after: int, way: Way = "down") -> Trouble:
    """Let so many bytes pass, then end the connection with RST on both sides."""
    return Trouble("reset", way, after)


def closes(after: int, way: Way = "down") -> Trouble:
    """Let so many bytes pass, then end the connection with FIN on both sides."""
    return Trouble("close", way, after)


def stalls(after: int, way: Way = "down") -> Trouble:
    """Let so many bytes pass, then nothing more, and stay connected."""
    return Trouble("stall", way, after)


def trickles(rate: float, way: Way = "down", *, after: int = 0) -> Trouble:
    """Let so many bytes pass, then only `rate` bytes in a second."""
    return Trouble("trickle", way, after, rate)


def refuses() -> Trouble:
    """Reset the connection before a byte has passed."""
    return Trouble("refuse", "up")


@dataclass(slots=True)
class _Armed:
    trouble: Trouble
    times: int


@dataclass(slots=True)
class _Width:
    """A line's width: when the next byte may go, if so many may go in a second."""

    rate: float | None
    free_at: float = 0.0

    def take(self, size: int, now: float) -> float:
        """Send `size` bytes from `now` at the earliest; returns when the last one has left."""
        start = max(now, self.free_at)
        self.free_at = start + (size / self.rate if self.rate else 0.0)
        return self.free_at

    def is_full(self, now: float) -> bool:
        return self.free_at > now + QUEUE_SECONDS

    @property
    def chunk(self) -> int:
        """What is read at once: four milliseconds' worth."""
        return CHUNK if self.rate is None else int(min(CHUNK, max(self.rate * 0.004, 1)))


@dataclass(slots=True, eq=False)
class _Lane:
    """One way of a connection: bytes read, on their way until they are due, written."""

    way: Way
    source: socket.socket
    target: socket.socket
    shared: _Width
    delay: float
    opens_at: float
    own: _Width = field(default_factory=lambda: _Width(None))
    flight: deque[tuple[float, memoryview]] = field(default_factory=deque)
    held: int = 0
    taken: int = 0
    ended: bool = False
    shut: bool = False
    stalled: bool = False
    blocked: bool = False

    def may_read(self, now: float) -> bool:
        if self.ended or self.stalled or self.held >= WINDOW or now < self.opens_at:
            return False
        return not (self.shared.is_full(now) or self.own.is_full(now))

    def next_event(self, now: float) -> float | None:
        """When time alone makes something possible here."""
        times = [self.flight[0][0]] if self.flight and not self.blocked else []
        if not self.ended and not self.stalled and self.held < WINDOW:
            times += [w.free_at - QUEUE_SECONDS for w in (self.shared, self.own) if w.is_full(now)]
            times += [self.opens_at] if now < self.opens_at else []
        return min(times, default=None)

    def read(self, limit: int, now: float) -> bytes:
        """Take bytes from the source and put them on their way."""
        try:
            data = self.source.recv(min(self.shared.chunk, self.own.chunk, limit))
        except BlockingIOError:
            return b""
        if not data:
            self.ended = True
            return b""
        due = max(self.shared.take(len(data), now), self.own.take(len(data), now)) + self.delay
        self.flight.append((due, memoryview(data)))
        self.held += len(data)
        self.taken += len(data)
        return data

    def write(self, now: float) -> None:
        """Hand over what has arrived."""
        self.blocked = False
        while self.flight and self.flight[0][0] <= now:
            due, data = self.flight[0]
            try:
                count = self.target.send(data)
            except BlockingIOError:
                count = 0
            self.held -= count
            if count < len(data):
                self.flight[0] = (due, data[count:])
                self.blocked = True
                return
            self.flight.popleft()
        if self.ended and not self.flight and not self.shut:
            self.shut = True
            with contextlib.suppress(OSError):
                self.target.shutdown(socket.SHUT_WR)


@dataclass(slots=True, eq=False)
class _Connection:
    up: _Lane
    down: _Lane
    trouble: Trouble | None
    ending: Trouble | None = None
    ends_by: float = 0.0
    closed: bool = False

    @property
    def lanes(self) -> tuple[_Lane, _Lane]:
        return self.up, self.down

    def lane(self, way: Way) -> _Lane:
        return self.up if way == "up" else self.down

    @property
    def is_over(self) -> bool:
        """Both ends have hung up, or one has while the other way stands still."""
        if all(lane.shut for lane in self.lanes):
            return True
        return any(one.ended and two.stalled for one, two in (self.lanes, self.lanes[::-1]))

    def end(self, *, reset: bool) -> None:
        """Close both sockets, with RST or with FIN."""
        self.closed = True
        for connection in (self.up.source, self.down.source):
            with contextlib.suppress(OSError):
                if reset:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()


class FaultProxy:
    """Forwards connections to `upstream` (`address:port`) while the block runs.

    `round_trip` in seconds, `rate` in bytes per second for each way; both may change between
    connections. `sent` and `received` count the bytes from clients and from the server.
    """

    def __init__(
        self,
        upstream: str,
        *,
        round_trip: float = 0.0,
        rate: float | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        host, _, port = upstream.rpartition(":")
        self.round_trip = round_trip
        self.connections = 0
        self.sent = 0
        self.received = 0
        self.requests = 0
        self.fired: list[Trouble] = []
        self._upstream = (host, int(port))
        self._widths: dict[Way, _Width] = {"up": _Width(rate), "down": _Width(rate)}
        self._armed: list[_Armed] = []
        self._scripts: deque[Trouble | None] = deque()
        self._open: list[_Connection] = []
        self._bell, self._rung = socket.socketpair()
        self._stopped = self._dropping = False
        self._listener: socket.socket | None = None
        self._address = (address, 0)
        self.listen()

    @property
    def host(self) -> str:
        """`address:port` for clients."""
        return f"{self._address[0]}:{self._address[1]}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def arm(self, trouble: Trouble, *, times: int = 1) -> None:
        """Spoil the next `times` connections that get so far: most are short and do not."""
        self._armed.append(_Armed(trouble, times))

    def script(self, *troubles: Trouble | None) -> None:
        """Spoil the next connections one by one; None leaves one alone."""
        self._scripts.extend(troubles)

    def drop(self) -> None:
        """Reset every connection that is open now."""
        self._dropping = True
        self._bell.send(b"!")

    def listen(self) -> None:
        """Accept connections (again), always on the same port."""
        listener = socket.create_server(self._address, backlog=128)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * CHUNK)
        listener.setblocking(False)
        self._address = listener.getsockname()[:2]
        self._listener = listener
        self._bell.send(b"!")

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens while the block runs; connections that are open stay."""
        listener, self._listener = self._listener, None
        assert listener is not None
        self._bell.send(b"!")
        listener.shutdown(socket.SHUT_RDWR)  # at once, though `select` still holds the socket
        listener.close()
        try:
            yield
        finally:
            self.listen()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="fault proxy")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._bell.send(b"!")
        self._thread.join()
        for connection in self._open:
            connection.end(reset=True)
        for each in (self._listener, self._bell, self._rung):
            if each is not None:
                each.close()

    def _run(self) -> None:
        while not self._stopped:
            now = time.monotonic()
            readable, writable = self._wait(now)
            self._handle_bell()
            now = time.monotonic()
            for connection in list(self._open):
                self._move(connection, readable, writable, now)
            still_open = [each for each in self._open if not each.closed]
            self._open = still_open[1:] + still_open[:1]  # another one goes first the next time
            if self._listener is not None and self._listener in readable:
                self._accept(self._listener, now)

    def _wait(self, now: float) -> tuple[set[socket.socket], set[socket.socket]]:
        """What is ready: sockets, or nothing when the time has come for bytes on their way."""
        lanes = [lane for connection in self._open for lane in connection.lanes]
        listener = self._listener
        reads = [self._rung, *([listener] if listener is not None else [])]
        reads += [lane.source for lane in lanes if lane.may_read(now)]
        writes = [lane.target for lane in lanes if lane.blocked]
        times = [due for lane in lanes if (due := lane.next_event(now)) is not None]
        if any(connection.ending for connection in self._open):
            times.append(now + 0.001)
        pause = max(min(times, default=now + TICK_SECONDS) - now, 0)
        try:
            ready = select.select(reads, writes, [], min(pause, TICK_SECONDS))
        except (OSError, ValueError):  # the listener was closed under us
            return set(), set()
        return set(ready[0]), set(ready[1])

    def _handle_bell(self) -> None:
        self._rung.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._rung.recv(1024)
        if self._dropping:
            self._dropping = False
            for connection in self._open:
                connection.end(reset=True)

    def _accept(self, listener: socket.socket, now: float) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        self.connections += 1
        trouble = self._scripts.popleft() if self._scripts else None
        trouble = trouble or self._fire("up", 0, kind="refuse")
        try:
            server = socket.create_connection(self._upstream, timeout=5)
        except OSError:
            server, trouble = socket.socket(), refuses()
        for each in (client, server):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._connected(client, server, trouble, now)
        if trouble is not None and trouble.kind == "refuse":
            self.fired.append(trouble)
            connection.end(reset=True)
        else:
            self._open.append(connection)

    def _connected(
        self, client: socket.socket, server: socket.socket, trouble: Trouble | None, now: float
    ) -> _Connection:
        delay, opens_at = self.round_trip / 2, now + self.round_trip
        return _Connection(
            _Lane("up", client, server, self._widths["up"], delay, opens_at),
            _Lane("down", server, client, self._widths["down"], delay, opens_at),
            trouble,
        )

    def _move(
        self,
        connection: _Connection,
        readable: set[socket.socket],
        writable: set[socket.socket],
        now: float,
    ) -> None:
        if connection.closed:
            return
        try:
            for lane in connection.lanes:
                if lane.source in readable and lane.may_read(now) and not connection.ending:
                    self._read(connection, lane, now)
                if not lane.blocked or lane.target in writable:
                    lane.write(now)
        except OSError:
            connection.end(reset=True)
            return
        if connection.ending is not None:
            self._finish(connection, connection.ending, now)
        elif connection.is_over:
            connection.end(reset=False)

    def _read(self, connection: _Connection, lane: _Lane, now: float) -> None:
        """Read up to where trouble begins; what is behind stays unread."""
        trouble = connection.trouble or self._next_armed(lane)
        mine = trouble is not None and trouble.way == lane.way
        left = trouble.after - lane.taken if trouble is not None and mine else CHUNK
        if left > 0:
            self._count(lane, lane.read(left, now))
        if trouble is not None and mine and lane.taken >= trouble.after and not lane.ended:
            self._begin(connection, lane, trouble, now)

    def _count(self, lane: _Lane, data: bytes) -> None:
        if lane.way == "down":
            self.received += len(data)
            return
        self.sent += len(data)
        self.requests += data.count(_REQUEST)

    def _next_armed(self, lane: _Lane) -> Trouble | None:
        """The nearest trouble that still lies ahead on this way."""
        ahead = [
            armed.trouble
            for armed in self._armed
            if armed.times and armed.trouble.way == lane.way and armed.trouble.after >= lane.taken
        ]
        return min(ahead, key=lambda trouble: trouble.after, default=None)

    def _fire(self, way: Way, taken: int, *, kind: str) -> Trouble | None:
        """Use up one of the troubles that `arm` set for this moment."""
        for armed in self._armed:
            found = armed.trouble
            if armed.times and (found.way, found.after, found.kind) == (way, taken, kind):
                armed.times -= 1
                return found
        return None

    def _begin(self, connection: _Connection, lane: _Lane, trouble: Trouble, now: float) -> None:
        if connection.trouble is None:
            self._fire(lane.way, trouble.after, kind=trouble.kind)
            connection.trouble = trouble
        if trouble.kind == "trickle":
            if lane.own.rate is None:
                lane.own.rate = trouble.rate
                self.fired.append(trouble)
                connection.trouble = Trouble("trickle", lane.way, 1 << 62)
            return
        self.fired.append(trouble)
        if trouble.kind == "stall":
            lane.stalled = True
            return
        connection.ending, connection.ends_by = trouble, now + _DRAIN_SECONDS

    def _finish(self, connection: _Connection, trouble: Trouble, now: float) -> None:
        """End the connection when what had passed before has really arrived."""
        lane = connection.lane(trouble.way)
        waiting = bool(lane.flight) or _unread(lane.target) > 0
        if not waiting or now > connection.ends_by + self.round_trip:
            connection.end(reset=trouble.kind == "reset")


def _unread(connection: socket.socket) -> int:
    """Bytes that the kernel has not yet brought to the other side."""
    with contextlib.suppress(OSError):
        return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0])
    return 0
