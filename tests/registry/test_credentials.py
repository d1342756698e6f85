"""docker's config file and its helpers."""

from __future__ import annotations

import base64
import json
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentoci.registry.auth.credentials import Credential, OneCredential, canonical_host
from agentoci.registry.auth.dockerconfig import DockerConfig
from agentoci.registry.auth.helpers import CredentialHelper, CredentialHelperFailed
from agentoci.registry.errors import InvalidRegistryConfig
from tests.store.conftest import NOBODY

ADA = Credential("ada", "pass:word")
AUTH = base64.b64encode(b"ada:pass:word").decode()

# A helper that keeps one secret per server in a folder, as docker's own `pass` helper does.
HELPER = """#!/bin/sh
read -r input
case "$1" in
get) file="$STORE/$(echo "$input" | tr /: __)"
     if [ -f "$file" ]; then cat "$file"; else
     echo "credentials not found in native keychain"; exit 1; fi ;;
store) server=$(echo "$input" | sed 's/.*"ServerURL": "\\([^"]*\\)".*/\\1/')
     echo "$input" > "$STORE/$(echo "$server" | tr /: __)" ;;
erase) rm "$STORE/$(echo "$input" | tr /: __)" ;;
esac
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "config.json"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """PATH with the helper `fake`, whose secrets are below STORE."""
    (tmp_path / "store").mkdir()
    add_helper(tmp_path, "fake", HELPER)
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "STORE": str(tmp_path / "store")}


def add_helper(folder: Path, name: str, script: str) -> None:
    program = folder / "bin" / f"docker-credential-{name}"
    program.parent.mkdir(exist_ok=True)
    program.write_text(script)
    program.chmod(0o755)


def write(path: Path, document: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("ghcr.io/", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("localhost:5000", "localhost:5000"),
        ("ghcr.io/team", "ghcr.io/team"),
    ],
)
def test_keys_mean_hosts(key: str, host: str) -> None:
    assert canonical_host(key) == host


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v1/", "ghcr.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "index.docker.io"),
    ],
)
def test_inline_entry_is_found(path: Path, key: str, host: str) -> None:
    write(path, {"auths": {key: {"auth": AUTH}}})
    assert DockerConfig(path, environment={}).lookup(host) == ADA


@pytest.mark.parametrize(
    "host", ["evil-ghcr.io", "ghcr.io.evil", "ghcr.io:5000", "io", "docker.io"]
)
def test_other_hosts_get_nothing(path: Path, host: str) -> None:
    write(path, {"auths": {"ghcr.io": {"auth": AUTH}, "ghcr.io/team": {"auth": AUTH}}})
    assert DockerConfig(path, environment={}).lookup(host) is None


def test_exact_key_beats_its_other_spellings(path: Path) -> None:
    other = base64.b64encode(b"old:old").decode()
    write(path, {"auths": {"https://ghcr.io": {"auth": other}, "ghcr.io": {"auth": AUTH}}})
    assert DockerConfig(path, environment={}).lookup("ghcr.io") == ADA


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"username": "ada", "password": "pass:word"}, ADA),
        ({"auth": base64.b64encode(b"ada:pass:word\0\0").decode()}, ADA),
        ({"auth": base64.b64encode("ada:pä".encode()).decode()}, Credential("ada", "pä")),
        ({"identitytoken": "t"}, Credential(identity_token="t")),
        ({"registrytoken": "t"}, Credential(registry_token="t")),
        ({}, None),
        ({"auth": ""}, None),
    ],
)
def test_forms_of_an_entry(path: Path, entry: object, expected: Credential | None) -> None:
    write(path, {"auths": {"ghcr.io": entry}})
    assert DockerConfig(path, environment={}).lookup("ghcr.io") == expected


@pytest.mark.parametrize(
    "document", ["{", "[]", '{"auths": []}', '{"auths": {"ghcr.io": 1}}',
                 '{"auths": {"ghcr.io": {"auth": "%%%"}}}']
)  # fmt: skip
def test_broken_file_is_named(path: Path, document: str) -> None:
    write(path, document)
    with pytest.raises(InvalidRegistryConfig, match=r"config\.json") as caught:
        DockerConfig(path, environment={}).lookup("ghcr.io")
    assert caught.value.exit_code == 2


def test_missing_and_empty_files_hold_nothing(path: Path) -> None:
    config = DockerConfig(path, environment={})
    assert config.lookup("ghcr.io") is None
    assert config.erase("ghcr.io") is False
    assert not path.parent.exists()
    write(path, "\n")
    assert config.lookup("ghcr.io") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_file_in_a_folder_of_somebody_else_holds_nothing() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        write(folder / "closed" / "auth.json", {"auths": {"ghcr.io": {"auth": AUTH}}})
        (folder / "closed").chmod(0o700)
        (folder / "private.json").touch(mode=0o600)
        os.seteuid(NOBODY)
        try:
            closed = DockerConfig(folder / "closed" / "auth.json", environment={})
            assert closed.lookup("ghcr.io") is None
            with pytest.raises(InvalidRegistryConfig, match=r"private\.json: cannot be read"):
                DockerConfig(folder / "private.json", environment={}).lookup("ghcr.io")
        finally:
            os.seteuid(0)


def test_login_is_kept_in_a_private_file(path: Path) -> None:
    config = DockerConfig(path, environment={})
    assert config.store("localhost:5000", ADA) == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"auths": {"localhost:5000": {"auth": AUTH}}}
    assert config.lookup("localhost:5000") == ADA


def test_docker_hub_is_kept_under_its_old_name(path: Path) -> None:
    DockerConfig(path, environment={}).store("docker.io", ADA)
    assert list(json.loads(path.read_text())["auths"]) == ["https://index.docker.io/v1/"]


def test_unknown_keys_survive_login_and_logout(path: Path) -> None:
    kept = {"proxies": {"default": {"httpProxy": "x"}}, "auths": {"other": {"auth": AUTH}}}
    write(path, kept)
    config = DockerConfig(path, environment={})
    config.store("ghcr.io", ADA)
    assert config.erase("https://ghcr.io")
    assert json.loads(path.read_text()) == kept
    assert config.erase("ghcr.io") is False


def test_logout_removes_every_spelling(path: Path) -> None:
    write(path, {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}, "docker.io": {}}})
    assert DockerConfig(path, environment={}).erase("docker.io")
    assert json.loads(path.read_text()) == {"auths": {}}


def test_symlinked_file_stays_a_symlink(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text("{}")
    path.parent.mkdir()
    path.symlink_to(real)
    DockerConfig(path, environment={}).store("ghcr.io", ADA)
    assert path.is_symlink()
    assert "ghcr.io" in real.read_text()


def test_logins_at_the_same_time_are_all_kept(path: Path) -> None:
    hosts = [f"host{number}.example" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda host: DockerConfig(path, environment={}).store(host, ADA), hosts))
    assert set(json.loads(path.read_text())["auths"]) == set(hosts)


def test_helper_keeps_the_secret_out_of_the_file(path: Path, environment: dict[str, str]) -> None:
    write(path, {"credsStore": "fake"})
    config = DockerConfig(path, environment=environment)
    assert config.store("localhost:5000", ADA) == "docker-credential-fake"
    assert json.loads(path.read_text()) == {"credsStore": "fake", "auths": {"localhost:5000": {}}}
    assert config.lookup("localhost:5000") == ADA
    assert config.erase("localhost:5000")
    assert config.lookup("localhost:5000") is None
    assert config.erase("localhost:5000") is False


def test_docker_hub_is_asked_for_by_its_old_name(
    path: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    write(path, {"credsStore": "fake"})
    DockerConfig(path, environment=environment).store("docker.io", ADA)
    assert [one.name for one in (tmp_path / "store").iterdir()] == ["https___index.docker.io_v1_"]
    assert DockerConfig(path, environment=environment).lookup("docker.io") == ADA


def test_helper_of_the_host_beats_the_store_beats_the_file(
    path: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    say = '#!/bin/sh\necho \'{"ServerURL":"x","Username":"%s","Secret":"s"}\'\n'
    for name in ("one", "two"):
        add_helper(tmp_path, name, say % name)
    auths = {"a.io": {"auth": AUTH}, "b.io": {"auth": AUTH}}
    write(path, {"auths": auths, "credsStore": "two", "credHelpers": {"a.io": "one"}})
    config = DockerConfig(path, environment=environment)
    assert config.lookup("a.io") == Credential("one", "s")
    assert config.lookup("b.io") == Credential("two", "s")


def test_helper_without_the_host_leaves_it_to_the_file(
    path: Path, environment: dict[str, str]
) -> None:
    write(path, {"auths": {"a.io": {"auth": AUTH}}, "credsStore": "fake"})
    assert DockerConfig(path, environment=environment).lookup("a.io") == ADA


def test_token_of_a_helper_is_an_identity_token(
    environment: dict[str, str], tmp_path: Path
) -> None:
    add_helper(tmp_path, "acr", '#!/bin/sh\necho \'{"Username":"<token>","Secret":"id"}\'\n')
    found = CredentialHelper("acr", environment).get("x.azurecr.io")
    assert found == Credential(identity_token="id")


def test_missing_helper_is_a_warning(path: Path) -> None:
    write(path, {"credsStore": "absent", "auths": {"a.io": {"auth": AUTH}}})
    said: list[str] = []
    config = DockerConfig(path, environment={"PATH": "/nonexistent"}, warn=said.append)
    assert config.lookup("a.io") == ADA
    assert config.lookup("b.io") is None
    assert "docker-credential-absent: no such program on PATH; going on without" in said[0]


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\necho TOPSECRET; echo TOPSECRET >&2; exit 3\n",
        "#!/bin/sh\necho TOPSECRET\n",
        "#!/bin/sh\nexec sleep 20\n",
    ],
)
def test_failing_helper_is_an_error_that_tells_no_secret(
    environment: dict[str, str], tmp_path: Path, script: str
) -> None:
    add_helper(tmp_path, "bad", script)
    with pytest.raises(CredentialHelperFailed, match="docker-credential-bad") as caught:
        CredentialHelper("bad", environment, timeout_seconds=0.2).get("a.io")
    assert "TOPSECRET" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_helper_sees_only_its_environment(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "leak")
    say = '#!/bin/sh\necho "{\\"Username\\":\\"u${OURS}\\",\\"Secret\\":\\"s\\"}"\n'
    add_helper(tmp_path, "env", say)
    assert CredentialHelper("env", environment).get("a.io") == Credential("u", "s")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "a b"])
def test_helper_is_a_name_not_a_path(name: str) -> None:
    with pytest.raises(InvalidRegistryConfig):
        CredentialHelper(name, {})


def test_one_credential_is_for_one_host() -> None:
    provider = OneCredential("docker.io", ADA)
    assert provider.lookup("index.docker.io") == ADA
    assert provider.lookup("ghcr.io") is None


# Name spaces, as podman has them


def test_name_space_is_kept_and_forgotten_by_itself(path: Path) -> None:
    config = DockerConfig(path, environment={})
    other = Credential("bob", "other")
    config.store("a.io", ADA)
    assert config.store("a.io/team", other) == str(path)
    assert set(json.loads(path.read_text())["auths"]) == {"a.io", "a.io/team"}
    assert config.lookup("a.io", "team/bot") == other
    assert config.lookup("a.io", "bot") == ADA
    assert config.erase("a.io/team")
    assert config.lookup("a.io", "team/bot") == ADA
    assert config.erase("a.io/team") is False


def test_name_space_is_never_told_to_a_helper(
    path: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    add_helper(tmp_path, "spy", '#!/bin/sh\nread -r x; echo "$1 $x" >> "$STORE/log"; exit 1\n')
    write(path, {"credsStore": "spy", "credHelpers": {"a.io": "spy"}})
    config = DockerConfig(path, environment=environment)
    config.store("a.io/team", ADA)
    assert config.lookup("a.io", "team/bot") == ADA
    assert config.erase("a.io/team")
    assert not (tmp_path / "store" / "log").exists()


def test_helper_runs_once_per_registry(
    path: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    counting = (
        '#!/bin/sh\nread -r x; echo "$x" >> "$STORE/log"\necho \'{"Username":"u","Secret":"s"}\'\n'
    )
    add_helper(tmp_path, "counting", counting)
    write(path, {"credsStore": "counting"})
    config = DockerConfig(path, environment=environment)
    with ThreadPoolExecutor(8) as pool:
        names = [f"team/{number}" for number in range(16)]
        assert set(pool.map(lambda name: config.lookup("a.io", name), names)) == {
            Credential("u", "s")
        }
    config.lookup("b.io")
    assert (tmp_path / "store" / "log").read_text().split() == ["a.io", "b.io"]


def test_failing_helper_is_asked_once_and_fails_each_time(
    path: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    add_helper(tmp_path, "bad", '#!/bin/sh\necho x >> "$STORE/log"; echo garbage\n')
    write(path, {"credsStore": "bad"})
    config = DockerConfig(path, environment=environment)
    for name in ("one", "two"):
        with pytest.raises(CredentialHelperFailed, match="its answer is not JSON"):
            config.lookup("a.io", name)
    assert (tmp_path / "store" / "log").read_text() == "x\n"


def test_login_is_seen_behind_a_cached_answer(path: Path, environment: dict[str, str]) -> None:
    write(path, {"credsStore": "fake"})
    config = DockerConfig(path, environment=environment)
    assert config.lookup("a.io") is None
    config.store("a.io", ADA)
    assert config.lookup("a.io") == ADA


def test_old_file_is_one_map_of_keys(tmp_path: Path) -> None:
    old = tmp_path / ".dockercfg"
    write(old, {"https://index.docker.io/v1/": {"auth": AUTH, "email": "ada@example.com"}})
    assert DockerConfig(old, environment={}, legacy=True).lookup("docker.io") == ADA


def test_identity_token_is_kept_as_docker_keeps_it(path: Path) -> None:
    config = DockerConfig(path, environment={})
    config.store("a.io", Credential("ada", identity_token="idt"))
    config.store("b.io", Credential(identity_token="idt"))
    auths = json.loads(path.read_text())["auths"]
    user = base64.b64encode(b"ada:").decode()
    assert auths == {
        "a.io": {"auth": user, "identitytoken": "idt"},
        "b.io": {"identitytoken": "idt"},
    }
    assert config.lookup("b.io") == Credential(identity_token="idt")


def test_source_is_the_file_or_the_helper(path: Path, environment: dict[str, str]) -> None:
    write(path, {"auths": {"a.io": {"auth": AUTH}}, "credHelpers": {"b.io": "fake"}})
    config = DockerConfig(path, environment=environment)
    config.store("b.io", ADA)
    sources = [found.source for host in ("a.io", "b.io") if (found := config.lookup(host))]
    assert sources == [str(path), "docker-credential-fake"]
