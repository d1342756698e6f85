"""The ground that the other tests stand on holds."""

from __future__ import annotations

import http.client
import os
import socket
from base64 import b64encode
from pathlib import Path

import pytest

from tests.registries import PASSWORD, USER, Registry, answers


def status_of(host: str, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", "/v2/", headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("way", ["connect", "connect_ex"])
def test_a_connection_to_another_machine_fails_the_test(way: str):
    with (
        socket.socket() as stranger,
        pytest.raises(pytest.fail.Exception, match=r"went to 192\.0\.2\.1"),
    ):
        getattr(stranger, way)(("192.0.2.1", 80))


def test_a_connection_by_a_library_fails_the_test():
    with pytest.raises(pytest.fail.Exception, match=r"went to 192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_a_name_of_another_machine_fails_the_test():
    with pytest.raises(pytest.fail.Exception, match=r"went to registry\.example"):
        socket.getaddrinfo("registry.example", 443)


def test_the_home_is_the_tests_own(home: Path, tmp_path: Path):
    assert home == tmp_path / "home"
    assert Path.home() == home
    assert Path(os.environ["AGENTOCI_HOME"]).is_relative_to(tmp_path)
    assert Path(os.environ["XDG_CONFIG_HOME"]).is_relative_to(tmp_path)


@pytest.mark.integration
def test_every_registry_answers(registry: Registry):
    assert answers(registry.host)


@pytest.mark.integration
def test_the_private_registry_wants_its_user(private_registry: Registry):
    proof = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert status_of(private_registry.host) == 401
    assert status_of(private_registry.host, {"Authorization": f"Basic {proof}"}) == 200
