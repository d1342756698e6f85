"""What the doctor says of a machine: every fault that it can see, one at a time."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci.api.access import Access
from agentoci.api.machine import Check, Grade, check_settings, examine_machine
from agentoci.config.settings import InvalidSettings, settings_without_file
from agentoci.store.layout import LayoutStore
from tests import commandline
from tests.certificates import Authority

OK, WARN, FAIL = Grade.OK, Grade.WARN, Grade.FAIL
SECRET = "correct horse"
PASSWORDLESS: dict[str, dict[str, dict[str, str]]] = {"auths": {"registry.example.com": {}}}

Examine = Callable[..., list[Check]]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {**commandline.home_variables(tmp_path / "own"), "PATH": os.defpath}


@pytest.fixture
def examine(variables: dict[str, str]) -> Iterator[Examine]:
    """Look at the machine as it is now; `variables` are added to the environment."""
    engines: list[Engine] = []

    def look(*, access: Access | None = None, **more: str) -> list[Check]:
        engines.append(Engine(read_settings({**variables, **more})))
        engines[-1].access = access or Access()
        return examine_machine(engines[-1])

    yield look
    for engine in engines:
        engine.close()


def called(found: list[Check], name: str) -> list[Check]:
    return [check for check in found if check.check == name]


def the(found: list[Check], name: str) -> Check:
    [check] = called(found, name)
    return check


def odd(found: list[Check]) -> list[str]:
    return [f"{check.check}: {check.detail}" for check in found if check.grade is not OK]


def home(variables: dict[str, str]) -> Path:
    return Path(variables["AGENTOCI_HOME"])


def write_config(variables: dict[str, str], text: str) -> Path:
    path = Path(variables["XDG_CONFIG_HOME"]) / "agentoci" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_logins(path: Path, document: object, *, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    path.chmod(mode)
    return path


def docker_file(variables: dict[str, str]) -> Path:
    return Path(variables["DOCKER_CONFIG"]) / "config.json"


def entry(user: str = "ada") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{SECRET}".encode()).decode()}


def test_fresh_machine_is_well(examine: Examine):
    found = examine()
    assert odd(found) == []
    assert {check.check for check in found} == {
        *("agentoci", "python", "openssl", "zstandard", "home", "store", "disk", "config file"),
        *("credentials", "default registry", "proxy", "plain http", "certificates"),
    }
    assert "made when it is first needed" in the(found, "home").detail
    assert the(found, "credentials").hint == "agent login HOST"


def test_looking_makes_nothing(examine: Examine, variables: dict[str, str]):
    examine()
    assert not home(variables).exists()


# Home and store


def test_home_that_cannot_be_made(examine: Examine, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    check = the(examine(AGENTOCI_HOME=str(tmp_path / "file" / "home")), "home")
    assert (check.grade, check.hint) == (FAIL, "set AGENTOCI_HOME to a folder that you may write")


def test_home_that_cannot_be_written(examine: Examine):
    check = the(examine(AGENTOCI_HOME="/proc/self"), "home")
    assert check.grade is FAIL


def test_store_is_read(examine: Examine, variables: dict[str, str]):
    with Engine(read_settings(variables)) as engine:
        root = engine.writable_store.root
    found = examine()
    assert the(found, "store").detail == f"{root}: 0 images"
    assert not called(found, "leftovers")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("oci-layout", '{"imageLayoutVersion":"2.0.0"}', "layout version '2.0.0'"),
        ("oci-layout", None, "holds something, but no oci-layout file"),
        ("index.json", "{", "index.json"),
        ("index.json", "{}", "has no list of manifests"),
    ],
)
def test_damaged_store(
    examine: Examine, variables: dict[str, str], name: str, text: str | None, said: str
):
    with Engine(read_settings(variables)) as engine:
        path = engine.writable_store.root / name
    path.unlink() if text is None else path.write_text(text)
    check = the(examine(), "store")
    assert check.grade is FAIL
    assert said in check.detail


@pytest.mark.parametrize(("age", "grade"), [(timedelta(hours=1), OK), (timedelta(days=2), WARN)])
def test_leftovers(examine: Examine, variables: dict[str, str], age: timedelta, grade: Grade):
    with Engine(read_settings(variables)) as engine:
        part = engine.writable_store.root / "ingest" / f"{'0' * 64}.part"
        part.write_bytes(bytes(1000))
        when = (engine.clock.now() - age).timestamp()
    os.utime(part, (when, when))
    check = the(examine(), "leftovers")
    assert check.grade is grade
    assert check.detail == "begun and not finished: downloads and builds of 1000 bytes"
    assert (check.hint is None) is (grade is OK)


def test_home_of_somebody_else_does_not_hide_the_rest(examine: Examine, variables: dict[str, str]):
    LayoutStore.create(home(variables) / "store", clock=Engine(read_settings(variables)).clock)
    (home(variables) / "store" / "index.json").unlink()
    (home(variables) / "store" / "index.json").mkdir()
    found = examine()
    assert the(found, "store").grade is FAIL
    assert "index.json" in the(found, "store").detail
    assert the(found, "disk").grade is OK


# Config file


def test_config_file_is_named(examine: Examine, variables: dict[str, str]):
    assert the(examine(), "config file").detail.startswith("none (")
    path = write_config(variables, 'default_registry = "registry.example.com/team"')
    found = examine()
    assert the(found, "config file").detail == str(path)
    assert the(found, "default registry").detail == "registry.example.com/team"


def test_bad_config_file_is_a_finding(variables: dict[str, str]):
    path = write_config(variables, 'defualt_registry = "x"')
    with pytest.raises(InvalidSettings):
        read_settings(variables)
    with Engine(settings_without_file(variables)) as engine:
        check = the(examine_machine(engine), "config file")
        with pytest.raises(InvalidSettings):
            check_settings(engine)
    assert check.grade is FAIL
    assert str(path) in check.detail
    assert check.hint == "did you mean 'default_registry'?"


def test_default_registry_must_be_one(examine: Examine, variables: dict[str, str]):
    write_config(variables, 'default_registry = "team"')
    check = the(examine(), "default registry")
    assert (check.grade, check.hint) == (FAIL, "default_registry is HOST[:PORT][/PREFIX]")


# Logins


def test_logins_are_told_by_place_and_host_only(
    examine: Examine, variables: dict[str, str], tmp_path: Path
):
    given = write_logins(tmp_path / "given.json", {"auths": {"given.example.com": entry()}})
    auths = {"registry.example.com": entry(), "https://index.docker.io/v1/": entry(), "old": {}}
    docker = write_logins(docker_file(variables), {"auths": auths})
    legacy = write_logins(Path(variables["HOME"]) / ".dockercfg", {"legacy.example.com": entry()})
    found = examine(
        access=Access(authfile=given),
        AGENTOCI_AUTH_HOST_EXAMPLE_COM=f"ada:{SECRET}",
        GITHUB_TOKEN=SECRET,
    )
    assert [check.detail for check in called(found, "credentials")] == [
        "AGENTOCI_AUTH_HOST_EXAMPLE_COM",
        f"{given}: given.example.com",
        f"{docker}: registry.example.com, docker.io",
        f"{legacy}: legacy.example.com",
        "GITHUB_TOKEN for ghcr.io",
    ]
    assert odd(found) == []
    assert SECRET not in repr(found)
    assert entry()["auth"] not in repr(found)


def test_logins_that_others_may_read(examine: Examine, variables: dict[str, str]):
    document = {"auths": {"registry.example.com": entry()}}
    path = write_logins(docker_file(variables), document, mode=0o644)
    check = the(examine(), "credentials")
    assert (check.grade, check.hint) == (WARN, f"chmod 600 {path}")
    write_logins(path, PASSWORDLESS, mode=0o644)
    assert the(examine(), "credentials").detail.startswith("none")


def test_helpers_that_are_missing(examine: Examine, variables: dict[str, str], tmp_path: Path):
    helpers = {"credHelpers": {"gcr.io": "gcloud"}, "credsStore": "pass"}
    path = write_logins(docker_file(variables), helpers)
    program = tmp_path / "bin" / "docker-credential-gcloud"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    [there, missing] = called(examine(PATH=str(program.parent)), "credentials")
    assert (there.grade, missing.grade) == (OK, WARN)
    assert there.detail == f"{path}: docker-credential-gcloud for gcr.io"
    assert missing.detail == f"{path}: docker-credential-pass for all others: not installed"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "config.json"),
        ('{"auths": []}', "auths must be an object"),
        ('{"auths": {"a.example": {"auth": "?"}}}', "auth is not base64"),
        ('{"credsStore": "../evil"}', "is not a credential helper's name"),
    ],
)
def test_logins_that_cannot_be_read(
    examine: Examine, variables: dict[str, str], document: str, said: str
):
    path = docker_file(variables)
    path.parent.mkdir(parents=True)
    path.write_text(document)
    check = the(examine(), "credentials")
    assert check.grade is FAIL
    assert said in check.detail


def test_variable_that_is_no_login(examine: Examine):
    check = the(examine(AGENTOCI_AUTH_HOST="?"), "credentials")
    assert check.grade is FAIL
    assert "AGENTOCI_AUTH_HOST is neither" in check.detail


# The way to registries


def test_proxies_are_shown_without_their_password(examine: Examine):
    proxy = f"http://ada:{SECRET.replace(' ', '')}@proxy.example.com:3128"
    found = examine(HTTPS_PROXY=proxy, NO_PROXY="internal.example.com")
    expected = "https by http://proxy.example.com:3128, but not for internal.example.com"
    assert the(found, "proxy").detail == expected
    assert "ada" not in repr(found)


def test_proxy_that_cannot_be_used(examine: Examine):
    check = the(examine(HTTPS_PROXY="socks5://proxy.example.com"), "proxy")
    assert check.grade is FAIL
    assert "socks5" in check.detail


def test_variable_that_only_others_use(examine: Examine):
    checks = called(examine(HTTP_PROXY="http://proxy.example.com"), "proxy")
    assert (checks[0].grade, checks[0].hint) == (WARN, "write it in lower case: http_proxy")


def test_plain_http_beyond_this_machine(examine: Examine, variables: dict[str, str]):
    text = 'insecure_registries = ["127.0.0.1:5000"]\n'
    write_config(variables, text)
    assert the(examine(), "plain http").grade is OK
    write_config(
        variables,
        'insecure_registries = ["old.example.com:5000"]\n'
        '[registries."lab.example.com"]\ninsecure = true\n',
    )
    check = the(examine(), "plain http")
    assert check.grade is WARN
    assert check.detail == "spoken to old.example.com:5000, lab.example.com"


def test_certificates_are_loaded(examine: Examine, variables: dict[str, str], authority: Authority):
    issued = authority.issue("doctor")
    folder = Path(variables["XDG_CONFIG_HOME"]) / "containers" / "certs.d" / "registry.example.com"
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority.cert.read_bytes())
    (folder / "me.cert").write_bytes(issued.cert.read_bytes())
    write_config(variables, f'[registries."host.example.com"]\nca_file = "{authority.cert}"\n')
    found = examine(access=Access(ca_file=authority.cert))
    checks = called(found, "certificates")
    assert f"ca_file {authority.cert}" in [check.detail for check in checks]
    assert 'registries."host.example.com"' in [check.detail for check in checks]
    [missing] = [check for check in checks if check.grade is FAIL]
    assert "me.key is missing" in missing.detail
    (folder / "me.key").write_bytes(issued.key.read_bytes())
    found = examine()
    assert odd(found) == []
    details = [check.detail for check in called(found, "certificates")]
    assert f"{folder}, with a client certificate" in details


def test_file_that_holds_no_certificates(
    examine: Examine, variables: dict[str, str], tmp_path: Path
):
    (tmp_path / "ca.pem").write_text("nothing")
    write_config(variables, f'ca_file = "{tmp_path}/ca.pem"')
    failed = [check for check in called(examine(), "certificates") if check.grade is FAIL]
    assert [str(tmp_path / "ca.pem") in check.detail for check in failed] == [True]
