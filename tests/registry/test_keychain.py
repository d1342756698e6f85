"""Where credentials are looked for, in which order."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from agentoci.api.access import Access
from agentoci.api.engine import Engine
from agentoci.config.logins import InvalidLogin
from agentoci.config.settings import read_settings
from agentoci.registry.auth.credentials import Credential, keys_for

HOST = "reg.example:5000"


def auths(entries: Mapping[str, str]) -> str:
    """A file of credentials: key → user; the password is `p`."""
    return json.dumps({"auths": raw(entries)})


def raw(entries: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        key: {"auth": base64.b64encode(f"{user}:p".encode()).decode()}
        for key, user in entries.items()
    }


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def user_of(
    environment: Mapping[str, str],
    host: str = HOST,
    repository: str = "team/bot",
    access: Access | None = None,
) -> str | None:
    """Whom the keychain of a command in this environment takes us for."""
    with Engine(read_settings(environment)) as engine:
        engine.access = access or Access()
        found = engine.keychain.lookup(host, repository)
        return found.username if found else None


@pytest.fixture
def everywhere(tmp_path: Path) -> dict[str, str]:
    """A login of another user in each place, which is called like the place."""
    folders = {name: tmp_path / name for name in ("home", "docker", "runtime", "config")}
    write(folders["docker"] / "config.json", auths({HOST: "docker"}))
    write(folders["runtime"] / "containers" / "auth.json", auths({HOST: "runtime"}))
    write(folders["config"] / "containers" / "auth.json", auths({HOST: "config"}))
    write(folders["home"] / ".dockercfg", json.dumps(raw({HOST: "dockercfg"})))
    return {
        "HOME": str(folders["home"]),
        "DOCKER_CONFIG": str(folders["docker"]),
        "XDG_RUNTIME_DIR": str(folders["runtime"]),
        "XDG_CONFIG_HOME": str(folders["config"]),
        "REGISTRY_AUTH_FILE": str(write(tmp_path / "named.json", auths({HOST: "named"}))),
        "AGENTOCI_AUTH_REG_EXAMPLE_5000": "variable:p",
        "AGENTOCI_REGISTRY": HOST,
        "AGENTOCI_USERNAME": "username",
        "AGENTOCI_PASSWORD": "p",
        "CI_REGISTRY": HOST,
        "CI_REGISTRY_USER": "ci",
        "CI_REGISTRY_PASSWORD": "p",
        "CI_JOB_TOKEN": "job",
    }


def test_places_are_asked_in_the_documented_order(
    everywhere: dict[str, str], tmp_path: Path
) -> None:
    authfile = write(tmp_path / "given.json", auths({HOST: "authfile"}))
    assert user_of(everywhere, access=Access(authfile=authfile)) == "authfile"

    places: list[tuple[str | Path, ...]] = [
        ("AGENTOCI_AUTH_REG_EXAMPLE_5000",),
        ("AGENTOCI_USERNAME", "AGENTOCI_PASSWORD"),
        ("REGISTRY_AUTH_FILE",),
        (tmp_path / "docker" / "config.json",),
        (tmp_path / "runtime" / "containers" / "auth.json",),
        (tmp_path / "config" / "containers" / "auth.json",),
        (tmp_path / "home" / ".dockercfg",),
        ("CI_REGISTRY_PASSWORD",),
        ("CI_JOB_TOKEN",),
    ]
    order = []
    for place in places:
        order.append(user_of(everywhere))
        for part in place:
            if isinstance(part, Path):
                part.unlink()
            else:
                del everywhere[part]
    assert order == [
        "variable", "username", "named", "docker", "runtime", "config", "dockercfg", "ci",
        "gitlab-ci-token",
    ]  # fmt: skip
    assert user_of(everywhere) is None


def test_another_registry_gets_none_of_them(everywhere: dict[str, str]) -> None:
    for host in ("reg.example", "reg.example:5001", "other.example:5000", "reg-example:5000"):
        assert user_of(everywhere, host) is None


def test_a_place_without_the_registry_leaves_it_to_the_next(tmp_path: Path) -> None:
    write(tmp_path / ".docker" / "config.json", auths({"other.example": "other"}))
    write(tmp_path / ".config" / "containers" / "auth.json", auths({HOST: "podman"}))
    home = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "none")}
    assert user_of(home) == "podman"


def test_places_without_variables_are_those_of_the_user(tmp_path: Path) -> None:
    settings = read_settings({"HOME": str(tmp_path)})
    docker, session, config, old = settings.auth_files
    assert docker == tmp_path / ".docker" / "config.json"
    assert str(session).startswith("/run/containers/")
    assert config == tmp_path / ".config" / "containers" / "auth.json"
    assert old == tmp_path / ".dockercfg"


# Name spaces


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("team/bot/deep", "bot"),
        ("team/bot", "bot"),
        ("team/other", "team"),
        ("teams/bot", "host"),
        ("bot", "host"),
        ("", "host"),
    ],
)
@pytest.mark.parametrize("file", ["docker/config.json", "runtime/containers/auth.json"])
def test_most_special_key_wins(tmp_path: Path, repository: str, user: str, file: str) -> None:
    keys = {HOST: "host", f"{HOST}/team": "team", f"{HOST}/team/bot": "bot"}
    write(tmp_path / file, auths(keys))
    environment = {
        "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "XDG_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    assert user_of(environment, repository=repository) == user


def test_file_that_comes_first_beats_a_more_special_key_further_on(tmp_path: Path) -> None:
    write(tmp_path / ".docker" / "config.json", auths({HOST: "first"}))
    write(tmp_path / ".config" / "containers" / "auth.json", auths({f"{HOST}/team": "special"}))
    assert user_of({"HOME": str(tmp_path)}) == "first"


@pytest.mark.parametrize("key", ["docker.io/library/redis", "index.docker.io/library", "docker.io"])
def test_name_spaces_of_docker_hub(tmp_path: Path, key: str) -> None:
    write(tmp_path / ".docker" / "config.json", auths({key: "hub"}))
    home = {"HOME": str(tmp_path)}
    assert user_of(home, "docker.io", "library/redis") == "hub"


def test_keys_go_from_the_repository_to_the_registry() -> None:
    assert keys_for("h:1", "a/b/c") == ("h:1/a/b/c", "h:1/a/b", "h:1/a", "h:1")
    assert keys_for("h:1", "") == ("h:1",)


# Variables


@pytest.mark.parametrize(
    ("host", "variable"),
    [
        ("ghcr.io", "GHCR_IO"),
        ("ghcr.io", "ghcr_io"),
        ("reg-one.example.com", "REG__ONE_EXAMPLE_COM"),
        ("127.0.0.1:5000", "127_0_0_1_5000"),
        ("localhost:5000", "LOCALHOST_5000"),
        ("docker.io", "DOCKER_IO"),
        ("docker.io", "INDEX_DOCKER_IO"),
    ],
)
@pytest.mark.parametrize("value", ["ada:p:w", base64.b64encode(b"ada:p:w").decode()])
def test_variable_belongs_to_the_registry_in_its_name(
    tmp_path: Path, host: str, variable: str, value: str
) -> None:
    environment = {"HOME": str(tmp_path), f"AGENTOCI_AUTH_{variable}": value}
    with Engine(read_settings(environment)) as engine:
        assert engine.keychain.lookup(host) == Credential("ada", "p:w")


@pytest.mark.parametrize(
    ("host", "variable"),
    [
        ("reg-example.com", "REG_EXAMPLE_COM"),
        ("reg.example.com", "REG__EXAMPLE_COM"),
        ("ghcr.io:443", "GHCR_IO"),
        ("evil.ghcr.io", "GHCR_IO"),
    ],
)
def test_variable_belongs_to_no_registry_of_a_similar_name(
    tmp_path: Path, host: str, variable: str
) -> None:
    assert user_of({"HOME": str(tmp_path), f"AGENTOCI_AUTH_{variable}": "ada:p"}, host) is None


def test_variable_may_hold_an_identity_token(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "AGENTOCI_AUTH_GHCR_IO": "<token>:idt"}
    with Engine(read_settings(environment)) as engine:
        assert engine.keychain.lookup("ghcr.io") == Credential(identity_token="idt")


@pytest.mark.parametrize("value", ["hunter2", "%%%", "ada:", ":hunter2", "aHVudGVyMg=="])
def test_variable_without_user_and_password_is_an_error(tmp_path: Path, value: str) -> None:
    with pytest.raises(InvalidLogin, match="AGENTOCI_AUTH_X is neither") as caught:
        user_of({"HOME": str(tmp_path), "AGENTOCI_AUTH_X": value})
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("missing", ["AGENTOCI_REGISTRY", "AGENTOCI_USERNAME", "AGENTOCI_PASSWORD"])
def test_user_name_password_and_registry_go_together(tmp_path: Path, missing: str) -> None:
    three = {"AGENTOCI_REGISTRY": HOST, "AGENTOCI_USERNAME": "u", "AGENTOCI_PASSWORD": "hunter2"}
    del three[missing]
    with pytest.raises(InvalidLogin, match="not all three are set") as caught:
        user_of({"HOME": str(tmp_path), **three})
    assert "hunter2" not in str(caught.value)


def test_broken_variable_hurts_nobody_who_asks_no_registry(tmp_path: Path) -> None:
    environment = {"AGENTOCI_HOME": str(tmp_path), "AGENTOCI_AUTH_X": "broken"}
    with Engine(read_settings(environment)) as engine:
        assert engine.images.list() == []


@pytest.mark.parametrize(
    ("environment", "host", "expected"),
    [
        ({"GITHUB_TOKEN": "t", "GITHUB_ACTOR": "ada"}, "ghcr.io", Credential("ada", "t")),
        ({"GITHUB_TOKEN": "t"}, "ghcr.io", Credential("unset", "t")),
        ({"GITHUB_TOKEN": "t"}, "docker.io", None),
        ({"GITHUB_TOKEN": ""}, "ghcr.io", None),
        ({"CI_REGISTRY": "R.io", "CI_JOB_TOKEN": "t"}, "r.io", Credential("gitlab-ci-token", "t")),
        ({"CI_REGISTRY": "r.io", "CI_REGISTRY_USER": "u"}, "r.io", None),
        ({"CI_JOB_TOKEN": "t"}, "registry.gitlab.com", None),
    ],
)
def test_ci_jobs_know_their_own_registry(
    tmp_path: Path, environment: dict[str, str], host: str, expected: Credential | None
) -> None:
    with Engine(read_settings({"HOME": str(tmp_path), **environment})) as engine:
        assert engine.keychain.lookup(host) == expected


# What is said of a credential


def test_credential_knows_where_it_came_from(everywhere: dict[str, str], tmp_path: Path) -> None:
    with Engine(read_settings(everywhere)) as engine:
        found = engine.keychain.lookup(HOST)
        assert found is not None
        assert found.source == "AGENTOCI_AUTH_REG_EXAMPLE_5000"
    del everywhere["AGENTOCI_AUTH_REG_EXAMPLE_5000"], everywhere["AGENTOCI_USERNAME"]
    del everywhere["AGENTOCI_PASSWORD"]
    with Engine(read_settings(everywhere)) as engine:
        found = engine.keychain.lookup(HOST)
        assert found is not None
        assert found.source == str(tmp_path / "named.json")
