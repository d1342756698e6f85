"""Names with several addresses, some of them dead."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from agentoci.content.reader import fetch_bytes
from agentoci.registry.errors import RegistryUnreachable
from agentoci.registry.http.dialing import Address, Dialer
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import FakeRegistry

CONTENT = b"from somewhere" * 10
BLOB = Descriptor.of("application/octet-stream", CONTENT)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def black_hole() -> Iterator[Address]:
    """An address where connections are neither made nor refused: its queue is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield socket.AF_INET, server.getsockname()


def refusing() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.AF_INET, server.getsockname()


def address_of(server: socket.socket) -> Address:
    return socket.AF_INET, server.getsockname()


def test_black_hole_costs_a_moment_and_only_once(
    listener: socket.socket, black_hole: Address
) -> None:
    asked = []

    def resolve(host: str, port: int) -> list[Address]:
        asked.append((host, port))
        return [black_hole, address_of(listener)]

    dialer = Dialer(resolve)
    with dialer.dial("registry.example", 443, 20.0) as sock:
        assert sock.getpeername() == listener.getsockname()
        assert sock.gettimeout() == 20.0
    assert dialer._known["registry.example", 443][1] == [address_of(listener), black_hole]
    with dialer.dial("registry.example", 443, 20.0) as sock:
        assert sock.getpeername() == listener.getsockname()
    assert asked == [("registry.example", 443)]


def test_address_that_refuses_is_passed_over(listener: socket.socket) -> None:
    dialer = Dialer(lambda host, port: [refusing(), refusing(), address_of(listener)])
    with dialer.dial("registry.example", 443, 20.0) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_families_take_turns() -> None:
    from agentoci.registry.http.dialing import _alternating

    found = [(10, "a"), (10, "b"), (10, "c"), (2, "d")]
    assert _alternating(found) == [(10, "a"), (2, "d"), (10, "b"), (10, "c")]
    assert _alternating([]) == []


def test_all_dead_is_the_last_ones_error(black_hole: Address) -> None:
    with pytest.raises(ConnectionRefusedError):
        Dialer(lambda host, port: [refusing()]).dial("x", 1, 5.0)
    with pytest.raises(TimeoutError):
        Dialer(lambda host, port: [black_hole]).dial("x", 1, 0.3)


def test_family_that_the_machine_lacks_is_passed_over(listener: socket.socket) -> None:
    dialer = Dialer(lambda host, port: [(socket.AF_APPLETALK, ("x", 1)), address_of(listener)])
    with dialer.dial("registry.example", 443, 20.0) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_small_packets_are_not_held_back(listener: socket.socket) -> None:
    with Dialer(lambda host, port: [address_of(listener)]).dial("x", 1, 5.0) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_name_that_is_unknown_for_a_moment_is_asked_for_again(
    fake: FakeRegistry, open_repository: Open, clock: StepClock
) -> None:
    fake.put("team/bot", CONTENT)
    failures = [socket.gaierror(socket.EAI_AGAIN, "try again"), socket.gaierror(-2, "unknown")]

    def resolve(host: str, port: int) -> list[Address]:
        if failures:
            raise failures.pop()
        return [(socket.AF_INET, (host, port))]

    assert fetch_bytes(open_repository(fake, resolve=resolve), BLOB) == CONTENT
    assert clock.sleeps == [0.25, 0.5]


def test_name_that_stays_unknown_is_said(fake: FakeRegistry, open_repository: Open) -> None:
    def resolve(host: str, port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(RegistryUnreachable, match="the name does not resolve"):
        fetch_bytes(open_repository(fake, resolve=resolve), BLOB)


def test_registry_is_reached_past_a_black_hole(
    fake: FakeRegistry, open_repository: Open, black_hole: Address, clock: StepClock
) -> None:
    fake.put("team/bot", CONTENT)

    def resolve(host: str, port: int) -> list[Address]:
        return [black_hole, (socket.AF_INET, (host, port))]

    assert fetch_bytes(open_repository(fake, resolve=resolve), BLOB) == CONTENT
    assert not clock.sleeps
