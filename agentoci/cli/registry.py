"""agent login, logout, push, pull."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options, login_options, read_secret
from agentoci.cli.params import PLATFORM, format_option, quiet_option
from agentoci.errors import Invalid
from agentoci.spec.kinds import AGENT

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.pushing import PushOptions, Transferred
    from agentoci.spec.descriptor import Platform


@click.command("login")
@click.argument("registry")
@click.option("-u", "--username", help="User name; asked for on a terminal.")
@click.option("-p", "--password", hidden=True, help="Use --password-stdin.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
@click.option(
    "--identity-token-stdin", is_flag=True, help="Read an identity token from stdin instead."
)
@format_option
@login_options
@click.pass_obj
def login_command(
    engine: Engine,
    registry: str,
    username: str | None,
    password: str | None,
    *,
    password_stdin: bool,
    identity_token_stdin: bool,
    form: str,
) -> None:
    """Log in to a registry, or to a name space of it (HOST/TEAM).

    The credentials are checked first, then kept in the file that is asked first: --authfile,
    REGISTRY_AUTH_FILE, or where docker keeps them: in the credential helper that its config names,
    else in the config file.

    \b
    Examples:
      agent login registry.example.com
      echo "$TOKEN" | agent login registry.example.com -u ci --password-stdin
      agent login registry.example.com/team --authfile team.json
    """
    if password is not None:
        output.warning("a password on the command line is seen by others; use --password-stdin")
    if identity_token_stdin:
        if password_stdin or password is not None:
            raise click.UsageError("an identity token takes the place of a password: give one")
        token = read_secret("identity token", from_stdin=True)
        done = engine.logins.login(registry, username or "", identity_token=token)
    else:
        username = username or _ask_username(password_stdin=password_stdin)
        if password is None:
            from_stdin = password_stdin or not sys.stdin.isatty()
            password = read_secret("password", from_stdin=from_stdin)
        done = engine.logins.login(registry, username, password)
    if form == "json":
        output.document(
            {"registry": done.registry, "username": done.username, "keptIn": done.kept_in}
        )
    else:
        who = f" as {done.username}" if done.username else ""
        output.talk(f"logged in to {registry}{who}; kept in {done.kept_in}")


def _ask_username(*, password_stdin: bool) -> str:
    if password_stdin or not sys.stdin.isatty():
        raise Invalid("the user name is missing", hint="give it by -u NAME")
    return str(click.prompt("Username", err=True))


@click.command("logout")
@click.argument("registry")
@format_option
@login_options
@click.pass_obj
def logout_command(engine: Engine, registry: str, *, form: str) -> None:
    """Forget the credentials of a registry, or of a name space of it.

    \b
    Examples:
      agent logout registry.example.com
      agent logout registry.example.com/team --authfile team.json
    """
    done = engine.logins.logout(registry)
    if done.left_in:
        output.warning(f"{registry}: there is another login in {done.left_in}")
    if form == "json":
        output.document(
            {"registry": done.registry, "known": done.known, "leftIn": done.left_in or None}
        )
    else:
        known = f"logged out of {registry}" if done.known else f"was not logged in to {registry}"
        output.talk(known)


@click.command("push")
@click.argument("reference")
@click.argument("destination", required=False)
@click.option("-t", "--tag", "tags", multiple=True, help="Give it this tag, too. Repeatable.")
@click.option(
    "--if-exists",
    type=click.Choice(["replace", "skip", "fail"]),
    show_default="fail for full releases such as 1.4.2, else replace",
    help="What to do when the reference means other content there.",
)
@click.option(
    "--profile",
    type=click.Choice(["agent", "image"]),
    default="agent",
    show_default=True,
    help="Media types: our own, or those of container images.",
)
@quiet_option
@format_option
@access_options()
@click.pass_obj
def push_command(
    engine: Engine,
    reference: str,
    destination: str | None,
    *,
    tags: tuple[str, ...],
    if_exists: str | None,
    profile: str,
    form: str,
    quiet: bool,
) -> None:
    """Push an image to a registry or a layout.

    Goes where its name says, or to DESTINATION: a reference, or oci:DIR for an OCI image layout,
    which needs no server. Tags appear last, when everything they mean is there.

    A full release (1.4.2), as REFERENCE or --tag, that means other content there is refused, and
    nothing moves; only --if-exists replace moves it. Tags like 1.4 or latest and pre-releases move,
    unless REFERENCE is one and --if-exists says otherwise. All this is looked up before the push,
    for registries cannot do both at once. Prints the digest; when it was skipped, the one that is
    there.

    \b
    Examples:
      agent push registry.example.com/team/coordinator:1.0
      agent push coordinator:1.0 localhost:5000/coordinator:1.0
      agent push registry.example.com/team/coordinator:1.4.2 -t 1.4 -t latest
      agent push --if-exists skip registry.example.com/team/coordinator:edge
      agent push coordinator:1.0 oci:/media/usb/agents
    """
    from agentoci.api.pushing import PushOptions
    from agentoci.content.standing import IfExists

    options = PushOptions(
        profile == "image", tags, None if if_exists is None else IfExists(if_exists)
    )
    pushed(engine, reference, destination, options=options, quiet=quiet, form=form)


def pushed(
    engine: Engine,
    reference: str,
    destination: str | None,
    *,
    options: PushOptions,
    quiet: bool,
    form: str | None = None,
) -> None:
    """Push with progress, and say what moved; the result is printed in a form, if one is given."""
    from agentoci.cli.progress import showing

    with showing(engine, quiet=quiet) as timer:
        done = engine.transfers.push(reference, destination, options=options)
    _finish("pushed", done, timer(), quiet=quiet, form=form)


@click.command("pull")
@click.argument("reference")
@click.argument("name", required=False)
@click.option("--platform", type=PLATFORM, help="Of an index, pull what is for OS/ARCHITECTURE.")
@quiet_option
@format_option
@access_options()
@click.pass_obj
def pull_command(
    engine: Engine,
    reference: str,
    name: str | None,
    *,
    platform: Platform | None,
    form: str,
    quiet: bool,
) -> None:
    """Pull an image into the local store.

    From its registry, or from an OCI image layout (oci:DIR:NAME). With NAME it is kept under that
    name. An index comes with all that it lists unless --platform picks one. Other artifacts are
    pulled as well, and called what they are. Prints the digest.

    \b
    Examples:
      agent pull registry.example.com/team/coordinator:1.0
      agent pull oci:/media/usb/agents:coordinator:1.0
      agent pull --platform linux/arm64 registry.example.com/team/tool:2.1
    """
    from agentoci.cli.progress import showing

    with showing(engine, quiet=quiet) as timer:
        done = engine.transfers.pull(reference, name, platform=platform)
    _finish("pulled", done, timer(), quiet=quiet, form=form)
    if not quiet and done.kind != AGENT:
        output.talk(f"note: {done.target} is {done.kind}; `agent run` does not run it")


def _finish(verb: str, done: Transferred, seconds: float, *, quiet: bool, form: str | None) -> None:
    if not quiet:
        if done.skipped:
            output.talk(f"left alone: {done.target} is there already as {done.digest}")
        else:
            also = f", also as {', '.join(done.names[1:])}" if done.names[1:] else ""
            output.talk(f"{verb} {done.target}{also}: {_moved(done, seconds)}")
    if form == "json":
        output.document(_document(done))
    elif form is not None:
        output.result(done.digest)


def _moved(done: Transferred, seconds: float) -> str:
    asked = f", {output.counted(done.requests, 'request')}" if done.requests else ""
    if not done.moved_blobs:
        return f"everything was there already{asked}"
    rate = output.size(int(done.moved_bytes / max(seconds, 1e-3)))
    moved = f"{done.moved_blobs} of {done.blobs} blobs, {output.size(done.moved_bytes)}"
    return f"{moved} in {seconds:.1f} s ({rate}/s){asked}"


def _document(done: Transferred) -> dict[str, object]:
    return {
        "reference": done.target,
        "digest": str(done.digest),
        "tags": output.tags_of(done.names),
        "skipped": done.skipped,
        "kind": done.kind or None,
        "blobs": done.blobs,
        "movedBlobs": done.moved_blobs,
        "movedBytes": done.moved_bytes,
        "requests": done.requests,
    }
