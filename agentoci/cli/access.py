"""The options of every verb that talks to a registry: who we are there, and how it is reached."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from agentoci.api.access import Access

F = TypeVar("F", bound=Callable[..., Any])

_OURS: Final = "access_"
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

_CREDENTIALS: Final = (
    click.option("-u", "--username", "access_username", help="User name at the registry."),
    click.option(
        "--password-stdin", "access_password", is_flag=True, help="Read its password from stdin."
    ),
    click.option(
        "--identity-token-stdin",
        "access_token",
        is_flag=True,
        help="Read an identity token from stdin instead.",
    ),
)
_REFUSED: Final = tuple(
    click.option(
        name,
        f"access_refused_{count}",
        hidden=True,
        is_flag=count > 0,
        help="Not here: several registries are asked. Use `agent login` or --authfile.",
    )
    for count, name in enumerate(("--username", "--password-stdin", "--identity-token-stdin"))
)
_CONNECTION: Final = (
    click.option("--plain-http", "access_plain", is_flag=True, help="Speak http without TLS."),
    click.option(
        "--ca-file", "access_ca", type=_FILE, help="Trust these certificate authorities too."
    ),
)


def access_options(*, credentials: bool = True) -> Callable[[F], F]:
    """Options that change nothing in the command's signature; the engine takes what they say.

    `-u/--username`, `--password-stdin` and `--identity-token-stdin` belong to the one registry that
    the command speaks to; with `credentials=False`, for commands that speak to several, they are
    usage errors. Then `--authfile`, `--plain-http`, `--ca-file`.

        @click.command("pull")
        @click.argument("reference")
        @access_options()
        @click.pass_obj
        def pull_command(engine: Engine, reference: str) -> None: ...
    """
    authfile = click.option(
        "--authfile", "access_authfile", type=_FILE, help="Ask this auth.json before all others."
    )
    return _giving(*(_CREDENTIALS if credentials else _REFUSED), authfile, *_CONNECTION)


def login_options(function: F) -> F:
    """The options of `login` and `logout`: their file may be made first."""
    authfile = click.option(
        "--authfile",
        "access_authfile",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The file of logins to change, instead.",
    )
    return _giving(authfile, *_CONNECTION)(function)


def _giving(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Add options, and hand their values to the engine before the command runs."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(*arguments: Any, **values: Any) -> Any:
            given = {name: values.pop(name) for name in list(values) if name.startswith(_OURS)}
            engine = click.get_current_context().obj
            if any(given.values()):
                engine.access = _access(given)
            return function(*arguments, **values)

        wrapped: Any = command
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped  # type: ignore[no-any-return]

    return decorate


def _access(given: Mapping[str, Any]) -> Access:
    from agentoci.api.access import Access

    if any(given.get(f"access_refused_{count}") for count in range(3)):
        raise click.UsageError(
            "this command may speak to several registries, so a password on its command line "
            "would belong to no certain one: use agent login, or --authfile"
        )
    username, password, token = _credential(given)
    return Access(
        username=username,
        password=password,
        identity_token=token,
        authfile=given.get("access_authfile"),
        plain_http=bool(given.get("access_plain")),
        ca_file=given.get("access_ca"),
    )


def _credential(given: Mapping[str, Any]) -> tuple[str, str, str]:
    """User name, password and identity token; reads stdin when told to."""
    username = given.get("access_username") or ""
    if given.get("access_token"):
        if given.get("access_password"):
            raise click.UsageError("--password-stdin and --identity-token-stdin exclude each other")
        return username, "", read_secret("identity token", from_stdin=True)
    if given.get("access_password") and not username:
        raise click.UsageError("--password-stdin needs a user name: -u NAME")
    if not username:
        return "", "", ""
    return username, read_secret("password", from_stdin=bool(given.get("access_password"))), ""


def read_secret(what: str, *, from_stdin: bool) -> str:
    """A line of stdin, or an answer at the terminal that is not shown; raises UsageError."""
    if from_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        secret = str(click.prompt(what.capitalize(), hide_input=True, err=True))
    else:
        raise click.UsageError(f"the {what} is missing: give it by --password-stdin")
    if not secret:
        raise click.UsageError(f"the {what} is empty")
    return secret
