"""Logins of other tools are ours, and ours are theirs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agentoci.api.access import Access
from agentoci.api.engine import Engine
from agentoci.registry.auth.credentials import Credential
from tests.registries import PASSWORD, USER, Registry, find_tool

pytestmark = [pytest.mark.integration, pytest.mark.interop]

LOGINS = {
    "oras": ("oras", "login", "--plain-http", "-u", USER, "-p", PASSWORD),
    "crane": ("crane", "auth", "login", "--insecure", "-u", USER, "-p", PASSWORD),
    "skopeo": ("skopeo", "login", "--tls-verify=false", "-u", USER, "-p", PASSWORD),
}
READS = {
    "oras": ("oras", "repo", "ls", "--plain-http"),
    "crane": ("crane", "catalog", "--insecure"),
    "skopeo": ("skopeo", "login", "--get-login"),
}


def run(*command: str) -> str:
    """What a tool of this machine prints; skips the test when it is not there."""
    program = find_tool(command[0])
    if program is None:
        pytest.skip(f"no {command[0]} on this machine; scripts/install-peers installs it")
    done = subprocess.run(
        [str(program), *command[1:]], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def session(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the session, which podman's tools want to be there."""
    (home / "runtime").mkdir()


@pytest.mark.parametrize("tool", list(LOGINS))
def test_login_of_another_tool_is_found(tool: str, private_registry: Registry) -> None:
    run(*LOGINS[tool], private_registry.host)
    with Engine() as engine:
        found = engine.keychain.lookup(private_registry.host, "team/bot")
        assert found == Credential(USER, PASSWORD)
        engine.client.check_login(private_registry.host, found)


def test_name_space_of_podmans_tools_is_found(private_registry: Registry) -> None:
    run(*LOGINS["skopeo"], f"{private_registry.host}/team")
    with Engine() as engine:
        lookup = engine.keychain.lookup
        assert lookup(private_registry.host, "team/bot") == Credential(USER, PASSWORD)
        assert lookup(private_registry.host, "other/bot") is None


@pytest.mark.parametrize("tool", list(READS))
def test_other_tools_find_our_login(tool: str, private_registry: Registry) -> None:
    with Engine() as engine:
        engine.logins.login(private_registry.host, USER, PASSWORD)
    printed = run(*READS[tool], private_registry.host)
    assert tool != "skopeo" or printed.strip() == USER


def test_podmans_tools_find_our_login_to_a_name_space(
    private_registry: Registry, home: Path
) -> None:
    with Engine() as engine:
        engine.access = Access(authfile=home / "auth.json")
        engine.logins.login(f"{private_registry.host}/team", USER, PASSWORD)
    read = (*READS["skopeo"], "--authfile", str(home / "auth.json"))
    assert run(*read, f"{private_registry.host}/team/bot").strip() == USER
