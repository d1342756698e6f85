"""agent login, logout, push, pull."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.params import quiet_option
from agentoci.errors import Invalid

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.transfers import Transferred


@click.command("login")
@click.argument("registry")
@click.option("-u", "--username", help="User name; asked for on a terminal.")
@click.option("-p", "--password", hidden=True, help="Use --password-stdin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.pass_obj
def login_command(
    engine: Engine,
    registry: str,
    username: str | None,
    password: str | None,
    *,
    password_stdin: bool,
) -> None:
    """Log in to a registry.

    The credentials are checked first, then kept where docker keeps them: in the credential helper
    that its config names, else in the config file.

    \b
    Examples:
      agent login registry.example.com
      echo "$TOKEN" | agent login registry.example.com -u ci --password-stdin
    """
    if password is not None:
        output.warning("a password on the command line is seen by others; use --password-stdin")
    terminal = sys.stdin.isatty()
    if username is None:
        if password_stdin or not terminal:
            raise Invalid("the user name is missing", hint="give it by -u NAME")
        username = click.prompt("Username", err=True)
    if password is None:
        password = _read_password(terminal=terminal, from_stdin=password_stdin)
    kept = engine.logins.login(registry, username, password)
    output.talk(f"logged in to {registry} as {username}; kept in {kept}")


def _read_password(*, terminal: bool, from_stdin: bool) -> str:
    if from_stdin or not terminal:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = str(click.prompt("Password", hide_input=True, err=True))
    if not password:
        raise Invalid("the password is empty")
    return password


@click.command("logout")
@click.argument("registry")
@click.pass_obj
def logout_command(engine: Engine, registry: str) -> None:
    """Forget the credentials of a registry.

    \b
    Example:
      agent logout registry.example.com
    """
    known = engine.logins.logout(registry)
    output.talk(f"logged out of {registry}" if known else f"was not logged in to {registry}")


@click.command("push")
@click.argument("reference")
@click.argument("destination", required=False)
@click.option(
    "--profile",
    type=click.Choice(["agent", "image"]),
    default="agent",
    show_default=True,
    help="Media types: our own, or those of container images.",
)
@quiet_option
@click.pass_obj
def push_command(
    engine: Engine, reference: str, destination: str | None, profile: str, *, quiet: bool
) -> None:
    """Push an image to a registry or a layout.

    Goes where its name says, or to DESTINATION: a reference, or oci:DIR for an OCI image layout,
    which needs no server. Prints the digest.

    \b
    Examples:
      agent push registry.example.com/team/coordinator:1.0
      agent push coordinator:1.0 localhost:5000/coordinator:1.0
      agent push coordinator:1.0 oci:/media/usb/agents
    """
    pushed(engine, reference, destination, as_image=profile == "image", quiet=quiet, show=True)


def pushed(
    engine: Engine,
    reference: str,
    destination: str | None,
    *,
    as_image: bool,
    quiet: bool,
    show: bool = False,
) -> None:
    """Push with progress, and say what moved."""
    from agentoci.cli.progress import showing

    with showing(engine, quiet=quiet) as timer:
        done = engine.transfers.push(reference, destination, as_image=as_image)
    _finish("pushed", done, timer(), quiet=quiet, show=show)


@click.command("pull")
@click.argument("reference")
@click.argument("name", required=False)
@quiet_option
@click.pass_obj
def pull_command(engine: Engine, reference: str, name: str | None, *, quiet: bool) -> None:
    """Pull an image into the local store.

    From its registry, or from an OCI image layout (oci:DIR:NAME). With NAME it is kept under that
    name. Prints the digest.

    \b
    Examples:
      agent pull registry.example.com/team/coordinator:1.0
      agent pull oci:/media/usb/agents:coordinator:1.0
    """
    from agentoci.cli.progress import showing

    with showing(engine, quiet=quiet) as timer:
        done = engine.transfers.pull(reference, name)
    _finish("pulled", done, timer(), quiet=quiet, show=True)


def _finish(verb: str, done: Transferred, seconds: float, *, quiet: bool, show: bool) -> None:
    if not quiet:
        if done.moved_blobs:
            rate = output.size(int(done.moved_bytes / max(seconds, 1e-3)))
            moved = f"{done.moved_blobs} of {done.blobs} blobs, {output.size(done.moved_bytes)}"
            output.talk(f"{verb} {done.target}: {moved} in {seconds:.1f} s ({rate}/s)")
        else:
            output.talk(f"{verb} {done.target}: everything was there already")
    if show:
        output.result(done.digest)
