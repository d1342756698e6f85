"""Logins by variables, and the keys of the config file that credentials depend on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.config.logins import EnvironmentLogin, ci_logins, own_logins, spelled
from agentoci.config.settings import InvalidSettings, read_settings

LABEL = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True).filter(lambda t: len(t) < 12)
HOST = st.lists(LABEL, min_size=2, max_size=4).map(".".join)


def unspelled(variable: str) -> str:
    """The host without port that a variable's name means: the only way back."""
    return variable.lower().replace("__", "-").replace("_", ".")


@given(HOST)
def test_no_two_hosts_share_a_variable(host: str) -> None:
    assert unspelled(spelled(host)) == host


def test_own_logins_come_in_their_order_and_hide_their_secrets() -> None:
    found = own_logins(
        {
            "AGENTOCI_USERNAME": "ada",
            "AGENTOCI_PASSWORD": "hunter2",
            "AGENTOCI_REGISTRY": "R.example",
            "AGENTOCI_AUTH_B_IO": "b:hunter2",
            "AGENTOCI_AUTH_A_IO": "a:hunter2",
            "AGENTOCI_AUTH_EMPTY": "",
        }
    )
    assert [one.username for one in found] == ["a", "b", "ada"]
    assert [one.is_for("r.example") for one in found] == [False, False, True]
    assert "hunter2" not in repr(found)


def test_registry_alone_is_no_login() -> None:
    assert own_logins({"AGENTOCI_REGISTRY": "r.example"}) == ()
    assert ci_logins({"CI_REGISTRY": "r.example", "CI": "true"}) == ()


def test_both_systems_may_be_there() -> None:
    found = ci_logins({"GITHUB_TOKEN": "t", "CI_REGISTRY": "r.io", "CI_JOB_TOKEN": "j"})
    assert found == (
        EnvironmentLogin("GITHUB_TOKEN", "unset", "t", "ghcr.io"),
        EnvironmentLogin("CI_JOB_TOKEN", "gitlab-ci-token", "j", "r.io"),
    )


def write(folder: Path, text: str) -> dict[str, str]:
    path = folder / "agentoci.toml"
    path.write_text(text)
    return {"AGENTOCI_CONFIG": str(path), "HOME": str(folder)}


def test_config_file_names_hosts_of_realms_and_of_tls(tmp_path: Path) -> None:
    text = 'realm_hosts = ["SSO.example"]\nsecure_registries = ["localhost:5443"]\n'
    file = read_settings(write(tmp_path, text)).file
    assert file.realm_hosts == ("sso.example",)
    assert file.secure_registries == ("localhost:5443",)


@pytest.mark.parametrize("key", ["realm_hosts", "secure_registries"])
def test_hosts_are_a_list(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{key} must be a list of hosts"):
        read_settings(write(tmp_path, f'{key} = "sso.example"'))


def test_login_is_kept_where_is_looked_first(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert read_settings(home).login_file == tmp_path / ".docker" / "config.json"
    named = read_settings({**home, "REGISTRY_AUTH_FILE": "/run/auth.json"})
    assert named.login_file == Path("/run/auth.json")
