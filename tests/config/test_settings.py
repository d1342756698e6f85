"""Settings: what counts, in which order, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentoci.config.settings import ConfigFile, InvalidSettings, debugging, read_settings
from tests.store.conftest import NOBODY


def write(folder: Path, text: str | bytes) -> dict[str, str]:
    """A config file, and the environment that names it."""
    path = folder / "agentoci.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return {"AGENTOCI_CONFIG": str(path), "HOME": str(folder)}


# Places


def test_the_home_that_is_named_comes_first(tmp_path: Path) -> None:
    named = {"AGENTOCI_HOME": "/srv/agents", "XDG_DATA_HOME": "/data", "HOME": str(tmp_path)}
    settings = read_settings(named)
    assert settings.home == Path("/srv/agents")
    assert settings.store == Path("/srv/agents/store")
    assert settings.instances == Path("/srv/agents/instances")
    assert settings.cache == Path("/srv/agents/cache")


def test_a_relative_home_does_not_move_with_the_folder(tmp_path: Path) -> None:
    settings = read_settings({"AGENTOCI_HOME": "agents", "HOME": str(tmp_path)})
    assert settings.home == Path.cwd() / "agents"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_has_the_machines_home(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_DATA_HOME": "/data"}
    assert read_settings(environment).home == Path("/var/lib/agentoci")


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"XDG_DATA_HOME": "/data"}, "/data/agentoci"),
        ({"XDG_DATA_HOME": ""}, "/nowhere/.local/share/agentoci"),
        ({}, "/nowhere/.local/share/agentoci"),
        ({"AGENTOCI_HOME": ""}, "/nowhere/.local/share/agentoci"),
    ],
)
def test_others_have_a_home_of_their_own(environment: dict[str, str], home: str) -> None:
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        assert read_settings({"HOME": "/nowhere", **environment}).home == Path(home)
    finally:
        if root:
            os.seteuid(0)


def test_dockers_config_is_where_docker_has_it(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert read_settings(home).docker_config == tmp_path / ".docker" / "config.json"
    named = read_settings({**home, "DOCKER_CONFIG": "/etc/docker"})
    assert named.docker_config == Path("/etc/docker/config.json")


def test_without_home_the_users_own_counts(home: Path) -> None:
    settings = read_settings({"DOCKER_CONFIG": ""})
    assert settings.docker_config == home / ".docker" / "config.json"


def test_the_process_environment_is_read_by_default(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    assert read_settings().home == home / "agentoci"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12")
    settings = read_settings()
    assert settings.epoch == 12
    assert settings.environment["SOURCE_DATE_EPOCH"] == "12"


# The config file


def test_the_config_file_is_read(tmp_path: Path) -> None:
    text = """
    default_registry = "registry.example:5000/team/"
    insecure_registries = ["a.example", "b.example:80"]
    ca_file = "/etc/ca.pem"
    """
    assert read_settings(write(tmp_path, text)).file == ConfigFile(
        "registry.example:5000/team", ("a.example", "b.example:80"), "/etc/ca.pem"
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", 'default_registry = ""\n'])
def test_a_config_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    assert read_settings(write(tmp_path, text)).file == ConfigFile()


def test_the_file_that_is_named_comes_before_the_users(tmp_path: Path) -> None:
    for folder, registry in ((".config", "home"), ("xdg", "xdg")):
        path = tmp_path / folder / "agentoci" / "config.toml"
        path.parent.mkdir(parents=True)
        path.write_text(f'default_registry = "{registry}.example"\n')
    environment = write(tmp_path, 'default_registry = "named.example"\n')
    environment["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    assert read_settings(environment).file.default_registry == "named.example"
    environment["AGENTOCI_CONFIG"] = ""
    assert read_settings(environment).file.default_registry == "xdg.example"
    environment["XDG_CONFIG_HOME"] = ""
    assert read_settings(environment).file.default_registry == "home.example"


def test_no_config_file_is_no_fault_unless_it_was_named(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert read_settings(home).file == ConfigFile()
    assert read_settings({**home, "AGENTOCI_CONFIG": ""}).file == ConfigFile()
    with pytest.raises(InvalidSettings, match=r"AGENTOCI_CONFIG names .*missing\.toml") as caught:
        read_settings({**home, "AGENTOCI_CONFIG": str(tmp_path / "missing.toml")})
    assert caught.value.exit_code == 2


def test_a_config_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=f"{tmp_path}: Is a directory"):
        read_settings({"HOME": str(tmp_path), "AGENTOCI_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    "text",
    [
        "default_registry: x",
        'default_registry = "a"\ndefault_registry = "b"\n',
        "default_registry = 'a",
        b'ca_file = "\xff"',
        "x = " + "[" * 100_000,
        b"\xef\xbb\xbf",
    ],
    ids=["yaml", "twice", "open", "latin", "deep", "mark"],
)
def test_what_is_no_toml_is_refused(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(InvalidSettings, match=r"agentoci\.toml: ") as caught:
        read_settings(write(tmp_path, text))
    assert caught.value.hint == "the file is TOML"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('default_registri = "x"', "unknown key 'default_registri'", "did you mean 'default_reg"),
        ("[insecure_registry]", "unknown key 'insecure_registry'", "mean 'insecure_registries'?"),
        ("colour = true", "unknown key 'colour'", "known are default_registry, insecure_reg"),
    ],
)
def test_an_unknown_key_has_a_hint(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidSettings, match=message) as caught:
        read_settings(write(tmp_path, text))
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('insecure_registries = "a"', "insecure_registries must be a list of hosts"),
        ("insecure_registries = [1]", "insecure_registries must be a list of hosts"),
        ("default_registry = 5", "default_registry must be a string"),
        ('ca_file = ["a"]', "ca_file must be a string"),
    ],
)
def test_a_value_of_another_kind_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        read_settings(write(tmp_path, text))


# Variables


@pytest.mark.parametrize(
    ("text", "epoch"), [("", 0), ("0", 0), ("1700000000", 1_700_000_000), ("8589934591", 2**33 - 1)]
)
def test_source_date_epoch(tmp_path: Path, text: str, epoch: int) -> None:
    settings = read_settings({"HOME": str(tmp_path), "SOURCE_DATE_EPOCH": text})
    assert settings.epoch == epoch
    assert read_settings({"HOME": str(tmp_path)}).epoch == 0


@pytest.mark.parametrize(
    "text", ["now", "-1", "1.5", "1e9", " 1", "8589934592", "9" * 5000, "1_000", "0x10", "²"]
)
def test_an_epoch_that_is_no_number_of_seconds(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSettings, match="is not a number of seconds") as caught:
        read_settings({"HOME": str(tmp_path), "SOURCE_DATE_EPOCH": text})
    assert caught.value.hint == "or leave it unset"


def test_proxies_are_read_as_curl_does(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert read_settings(home).proxies == ("", "", "")
    upper = {"HTTP_PROXY": "http://a", "HTTPS_PROXY": "http://b", "NO_PROXY": "c"}
    assert read_settings({**home, **upper}).proxies == ("", "http://b", "c")
    lower = {"http_proxy": "http://d", "https_proxy": "http://e", "no_proxy": "f"}
    assert read_settings({**home, **upper, **lower}).proxies == ("http://d", "http://e", "f")


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("", False), ("1", True)])
def test_debugging(monkeypatch: pytest.MonkeyPatch, value: str | None, *, expected: bool) -> None:
    if value is not None:
        monkeypatch.setenv("AGENTOCI_DEBUG", value)
    assert debugging() is expected
