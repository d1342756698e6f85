"""The options of every verb that talks to a registry."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agentoci.api.access import Access
from agentoci.api.engine import Engine
from agentoci.cli.access import access_options


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
