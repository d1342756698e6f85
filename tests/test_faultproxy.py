"""The proxy that stands for bad lines does what it says: tests and benchmark rely on it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faultproxy import FaultProxy, closes, refuses, resets, stalls, trickles
from tests.registry.fake import FakeRegistry

CONTENT = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@contextlib.contextmanager
def connected(proxy: FaultProxy) -> Iterator[socket.socket]:
    address, _, port = proxy.host.rpartition(":")
    with socket.create_connection((address, int(port)), timeout=20) as connection:
        yield connection


def fetch(proxy: FaultProxy, path: str) -> bytes:
    connection = http.client.HTTPConnection(proxy.host, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


@pytest.fixture
def blob(fake: FakeRegistry) -> str:
    return f"/v2/a/blobs/{fake.put('a', CONTENT)}"


def test_bytes_pass_unchanged_and_are_counted(fake: FakeRegistry, blob: str) -> None:
    with FaultProxy(fake.host) as proxy:
        assert fetch(proxy, blob) == CONTENT
        assert fetch(proxy, "/v2/") == b"{}"
        assert proxy.connections == 2
        assert proxy.requests == 2
        assert proxy.received > len(CONTENT)
        assert 0 < proxy.sent < 1000


def test_upload_passes_unchanged(fake: FakeRegistry) -> None:
    with FaultProxy(fake.host, rate=50e6, round_trip=0.004) as proxy:
        connection = http.client.HTTPConnection(proxy.host, timeout=20)
        with contextlib.closing(connection):
            digest = fake.put("b", CONTENT)
            connection.request("POST", f"/v2/a/blobs/uploads/?digest={digest}", CONTENT)
            assert connection.getresponse().status == 201
    assert fake.blobs["a", digest] == CONTENT


@pytest.mark.parametrize("after", [0, 1, 1000, 1_000_000])
def test_reset_lets_exactly_so_many_bytes_pass(fake: FakeRegistry, blob: str, after: int) -> None:
    with FaultProxy(fake.host) as proxy:
        proxy.arm(resets(after))
        with connected(proxy) as connection:
            connection.sendall(f"GET {blob} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert len(received_until_reset(connection)) == after
        assert fetch(proxy, blob) == CONTENT, "one connection only"
        assert proxy.fired == [resets(after)]


def received_until_reset(connection: socket.socket) -> bytes:
    data = b""
    try:
        while part := connection.recv(100_000):
            data += part
    except ConnectionResetError:
        return data
    pytest.fail("closed in good order")


def test_close_ends_without_an_error(fake: FakeRegistry, blob: str) -> None:
    with FaultProxy(fake.host) as proxy:
        proxy.arm(closes(100_000))
        with connected(proxy) as connection:
            connection.sendall(f"GET {blob} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert len(b"".join(iter(lambda: connection.recv(1 << 20), b""))) == 100_000


def test_cut_of_a_request_leaves_the_server_its_first_bytes(fake: FakeRegistry) -> None:
    with FaultProxy(fake.host) as proxy:
        session = http.client.HTTPConnection(fake.host, timeout=20)
        session.request("POST", "/v2/a/blobs/uploads/")
        location = session.getresponse().headers["Location"]
        session.close()
        head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
        proxy.arm(resets(len(head) + 70_000, "up"))
        with connected(proxy) as connection, contextlib.suppress(OSError):
            connection.sendall(head.encode() + CONTENT)
            connection.recv(1)
        wait_for(lambda: fake.received == 70_000)
        [upload] = fake.sessions.values()
        wait_for(lambda: bytes(upload.content) == CONTENT[:70_000])


def wait_for(condition: object) -> None:
    deadline = time.monotonic() + 20
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.005)


def test_trouble_comes_so_many_times(fake: FakeRegistry, blob: str) -> None:
    with FaultProxy(fake.host) as proxy:
        proxy.arm(resets(500_000), times=2)
        for _ in range(2):
            with pytest.raises((OSError, http.client.HTTPException)):
                fetch(proxy, blob)
        assert fetch(proxy, blob) == CONTENT
        assert fetch(proxy, "/v2/") == b"{}"


def test_small_connections_are_not_meant(fake: FakeRegistry, blob: str) -> None:
    with FaultProxy(fake.host) as proxy:
        proxy.arm(resets(500_000))
        assert fetch(proxy, "/v2/") == b"{}"
        with pytest.raises((OSError, http.client.HTTPException)):
            fetch(proxy, blob)


def test_script_goes_connection_by_connection(fake: FakeRegistry) -> None:
    with FaultProxy(fake.host) as proxy:
        proxy.script(None, refuses(), None)
        assert fetch(proxy, "/v2/") == b"{}"
        with pytest.raises((OSError, http.client.HTTPException)):
            fetch(proxy, "/v2/")
        assert fetch(proxy, "/v2/") == b"{}"


def test_stalled_line_stays_open(fake: FakeRegistry, blob: str) -> None:
    with FaultProxy(fake.host) as proxy:
        proxy.arm(stalls(300_000))
        with connected(proxy) as connection:
            connection.sendall(f"GET {blob} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            data = b""
            while len(data) < 300_000:
                data += connection.recv(1 << 20)
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            assert fetch(proxy, blob) == CONTENT, "others go on"
            assert proxy.open >= 1
        wait_for(lambda: proxy.open == 0)


def test_trickle_is_slow_and_arrives(fake: FakeRegistry) -> None:
    with FaultProxy(fake.host) as proxy:
        proxy.arm(trickles(2000))
        begin = time.monotonic()
        answer = fetch(proxy, "/v2/")
        assert answer == b"{}"
        assert time.monotonic() - begin > 100 / 2000, "a hundred bytes of headers and more"


def test_round_trips_count_the_handshake(fake: FakeRegistry) -> None:
    with FaultProxy(fake.host, round_trip=0.05) as proxy:
        connection = http.client.HTTPConnection(proxy.host, timeout=20)
        begin = time.monotonic()
        for number in (2, 3, 4):
            connection.request("GET", "/v2/")
            connection.getresponse().read()
            assert time.monotonic() - begin >= number * 0.05
        connection.close()


def test_width_is_shared_by_all_connections(fake: FakeRegistry, blob: str) -> None:
    """Four connections, 2 MiB each, at 16 MiB a second: half a second together."""
    with FaultProxy(fake.host, rate=16 * 2**20, round_trip=0.01) as proxy:
        begin = time.monotonic()
        found: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: found.append(fetch(proxy, blob))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [CONTENT] * 4
        assert time.monotonic() - begin >= 0.48


def test_refused_connections_and_a_line_that_comes_back(fake: FakeRegistry) -> None:
    with FaultProxy(fake.host) as proxy:
        with proxy.refusing(), pytest.raises(ConnectionRefusedError):
            fetch(proxy, "/v2/")
        assert fetch(proxy, "/v2/") == b"{}"


def test_drop_ends_what_is_open(fake: FakeRegistry) -> None:
    with FaultProxy(fake.host) as proxy:
        with connected(proxy) as connection:
            wait_for(lambda: proxy.open == 1)
            proxy.drop()
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        assert fetch(proxy, "/v2/") == b"{}"


def test_server_that_is_away_resets_its_clients(fake: FakeRegistry) -> None:
    with FakeRegistry() as gone:
        host = gone.host
    with FaultProxy(host) as proxy, pytest.raises((OSError, http.client.HTTPException)):
        fetch(proxy, "/v2/")
