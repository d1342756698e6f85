"""The options of every verb that talks to a registry."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
from click.testing import CliRunner

from agentoci.api.access import Access
from agentoci.api.engine import Engine
from agentoci.cli.access import access_options
from tests.certificates import Authority
from tests.cli.conftest import Agent
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import redirects

ME = ("-u", "ada", "--password-stdin")


@click.command()
@click.argument("reference")
@access_options()
@click.pass_obj
def one_registry(engine: Engine, reference: str) -> None:
    """A verb of one registry."""
    assert reference == "x"


@click.command()
@access_options(credentials=False)
@click.pass_obj
def many_registries(engine: Engine) -> None:
    """A verb of several registries."""


def said(*arguments: str, stdin: str = "", command: click.Command = one_registry) -> Access:
    """What the engine has been told by these arguments."""
    with Engine() as engine:
        names = ["x", *arguments] if command is one_registry else list(arguments)
        done = CliRunner().invoke(command, names, obj=engine, input=stdin)
        if done.exit_code:
            raise click.UsageError(done.output)
        return engine.access


def test_no_option_says_nothing() -> None:
    assert said() == Access()


def test_password_is_read_from_stdin() -> None:
    found = said("-u", "ada", "--password-stdin", stdin="se cret \r\nmore")
    assert found == Access(username="ada", password="se cret ")
    assert "se cret" not in repr(found)


def test_identity_token_is_read_from_stdin() -> None:
    assert said("--identity-token-stdin", stdin="tok\n") == Access(identity_token="tok")


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("--password-stdin",), "secret", "needs a user name: -u NAME"),
        (("-u", "ada"), "", "give it by --password-stdin"),
        (("-u", "ada", "--password-stdin"), "", "the password is empty"),
        (("--identity-token-stdin",), "\n", "the identity token is empty"),
        (("-u", "ada", "--password-stdin", "--identity-token-stdin"), "s", "exclude each other"),
        (("--authfile", "/nonexistent/auth.json"), "", "does not exist"),
        (("--ca-file", "/nonexistent/ca.pem"), "", "does not exist"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(
    arguments: tuple[str, ...], stdin: str, message: str
) -> None:
    with pytest.raises(click.UsageError, match=message):
        said(*arguments, stdin=stdin)


def test_files_and_plain_http(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.write_text("{}")
    found = said("--authfile", str(file), "--plain-http", "--ca-file", str(file))
    assert found == Access(authfile=file, plain_http=True, ca_file=file)


@pytest.mark.parametrize(
    "arguments", [("--username", "ada"), ("--password-stdin",), ("--identity-token-stdin",)]
)
def test_credentials_for_several_registries_are_a_usage_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError, match="to no certain one: use agent login"):
        said(*arguments, command=many_registries)
    assert said("--plain-http", command=many_registries) == Access(plain_http=True)


# What it does at a registry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    """A registry that wants ada's password."""
    with FakeRegistry(auth=Basic()) as fake:
        yield fake


def test_push_and_pull_by_a_password_for_this_command(
    agent: Agent, stocked: Path, fake: FakeRegistry, home: Path
):
    reference = f"{fake.host}/team/talker:1"
    me = ("-u", "ada", "--password-stdin")
    agent("push", "talker:1.0", reference, *me, stdin=b"secret\n")
    agent("pull", reference, "mine:1", *me, stdin=b"secret\n")
    assert "denied" not in agent("pull", reference, "mine:1", code=5).out
    assert agent("pull", reference, "mine:1", *me, stdin=b"wrong\n", code=5).out == ""
    assert not (home / ".docker" / "config.json").exists()


def test_authfile_comes_before_the_stored_login(
    agent: Agent, stocked: Path, fake: FakeRegistry, home: Path
):
    agent("push", "talker:1.0", f"{fake.host}/a:1", *ME, stdin=b"secret\n")
    stored = home / ".docker" / "config.json"
    stored.parent.mkdir()
    wrong = base64.b64encode(b"ada:old").decode()
    stored.write_text(json.dumps({"auths": {fake.host: {"auth": wrong}}}))
    agent("pull", f"{fake.host}/a:1", "mine:1", code=5)
    file = home / "auth.json"
    login = ("login", fake.host, "--authfile", file, "-u", "ada", "--password-stdin")
    assert f"kept in {file}" in agent(*login, stdin=b"secret\n").err
    assert file.stat().st_mode & 0o777 == 0o600
    agent("pull", f"{fake.host}/a:1", "mine:1", "--authfile", file)


def test_password_given_by_hand_goes_to_the_first_registry_only(
    agent: Agent, stocked: Path, fake: FakeRegistry
):
    with FakeRegistry() as other:
        agent("push", "talker:1.0", f"{fake.host}/a:1", *ME, stdin=b"secret\n")
        location = f"{other.url}/v2/a/manifests/1"
        fake.on("HEAD", "/manifests/", redirects(location), times=9)
        fake.on("GET", "/manifests/", redirects(location), times=9)
        agent("pull", f"{fake.host}/a:1", "mine:1", *ME, stdin=b"secret\n", code=None)
        assert other.seen
        assert all("authorization" not in one.headers for one in other.seen)


def test_plain_http_is_for_the_named_registry(
    agent: Agent, stocked: Path, monkeypatch: pytest.MonkeyPatch
):
    with FakeRegistry() as fake:
        monkeypatch.setenv("http_proxy", fake.url)
        monkeypatch.setenv("no_proxy", "")
        agent("push", "talker:1.0", "lan.example/team/talker:1", "--plain-http")
        assert {urlsplit(one.target).netloc for one in fake.seen} == {"lan.example"}
        fake.on("HEAD", "/blobs/", redirects("ftp://lan.example/x"), times=9)
        agent("pull", "lan.example/team/talker:1", "mine:1", "--plain-http")


def test_ca_file_is_read_for_this_command(agent: Agent, home: Path):
    file = home / "ca.pem"
    file.write_text("no certificate")
    told = agent("pull", "tls.example/a:1", "--ca-file", file, code=2)
    assert f"{file}: no certificates" in told.err


def test_ca_file_is_trusted_for_this_command(
    agent: Agent, stocked: Path, authority: Authority, home: Path
):
    config = home / "config" / "agentoci" / "config.toml"
    config.parent.mkdir(parents=True)
    with FakeRegistry(auth=Basic(), tls=authority.issue("cli").server_context()) as fake:
        config.write_text(f'secure_registries = ["{fake.host}"]\n')
        push = ("push", "talker:1.0", f"{fake.host}/a:1", *ME)
        assert "ca_file" in agent(*push, stdin=b"secret\n", code=4).err
        assert not fake.seen
        agent(*push, "--ca-file", authority.cert, stdin=b"secret\n")


# Logins


def test_login_and_logout_print_json(agent: Agent, fake: FakeRegistry, home: Path):
    done = agent("login", fake.host, *ME, "--format", "json", stdin=b"secret\n")
    kept = str(home / ".docker" / "config.json")
    assert done.json == {"registry": fake.host, "username": "ada", "keptIn": kept}
    assert done.err == ""
    gone = agent("logout", fake.host, "--format", "json")
    assert gone.json == {"registry": fake.host, "known": True, "leftIn": None}


def test_login_by_an_identity_token(agent: Agent, home: Path):
    with FakeRegistry(auth=Tokens()) as fake:
        token = ("login", fake.host, "--identity-token-stdin")
        agent(*token, stdin=b"wrong\n", code=5)
        assert "logged in" in agent(*token, stdin=b"identity\n").err
        stored = json.loads((home / ".docker" / "config.json").read_text())
        assert stored["auths"][fake.host] == {"identitytoken": "identity"}
        agent(*token, "--password-stdin", stdin=b"x\n", code=2)


def test_login_to_a_name_space(agent: Agent, stocked: Path, fake: FakeRegistry, home: Path):
    agent("login", f"{fake.host}/team", *ME, stdin=b"secret\n")
    assert list(json.loads((home / ".docker" / "config.json").read_text())["auths"]) == [
        f"{fake.host}/team"
    ]
    agent("push", "talker:1.0", f"{fake.host}/team/talker:1")
    agent("push", "talker:1.0", f"{fake.host}/other/talker:1", code=5)
    assert f"logged out of {fake.host}/team" in agent("logout", f"{fake.host}/team").err
    assert "was not logged in" in agent("logout", f"{fake.host}/team").err


def test_login_goes_where_registry_auth_file_says(
    agent: Agent, fake: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "named.json"))
    agent("login", fake.host, *ME, stdin=b"secret\n")
    assert fake.host in (home / "named.json").read_text()
    assert not (home / ".docker" / "config.json").exists()


def test_logout_tells_of_another_login(
    agent: Agent, fake: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
):
    variable = "AGENTOCI_AUTH_" + fake.host.replace(".", "_").replace(":", "_")
    monkeypatch.setenv(variable, "ada:secret")
    agent("login", fake.host, *ME, stdin=b"secret\n")
    assert f"another login in {variable}" in agent("logout", fake.host).err


# Warnings


def test_expired_login_is_told_of_once(agent: Agent, stocked: Path, home: Path):
    with FakeRegistry(auth=Tokens()) as fake:
        agent("push", "talker:1.0", f"{fake.host}/a:1", *ME, stdin=b"secret\n")
        stored = home / ".docker" / "config.json"
        stored.parent.mkdir()
        old = base64.b64encode(b"ada:old").decode()
        stored.write_text(json.dumps({"auths": {fake.host: {"auth": old}}}))
        pulled = agent("pull", f"{fake.host}/a:1", "mine:1")
        warnings = [line for line in pulled.err.splitlines() if line.startswith("warning: ")]
        assert len(warnings) == 1
        assert f"reading without the login from {stored}" in warnings[0]
        assert agent("push", "talker:1.0", f"{fake.host}/a:1", code=5).out == ""


def test_missing_helper_is_told_of_once(agent: Agent, stocked: Path, home: Path):
    with FakeRegistry(auth=Tokens()) as fake:
        agent("push", "talker:1.0", f"{fake.host}/a:1", *ME, stdin=b"secret\n")
        stored = home / ".docker" / "config.json"
        stored.parent.mkdir()
        stored.write_text('{"credsStore": "absent"}')
        pulled = agent("pull", f"{fake.host}/a:1", "mine:1")
        assert pulled.err.count("docker-credential-absent: no such program on PATH") == 1
