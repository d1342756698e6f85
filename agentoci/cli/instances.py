"""agent create, run, ps, logs, start, stop, rm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import format_option
from agentoci.errors import AgentociError

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.runs import Instance, InstanceView, RunOptions

_name_option = click.option("--name", help="Name of the instance; a random one when left out.")
_env_option = click.option(
    "-e", "--env", "environment", multiple=True, metavar="KEY=VALUE", help="Set a variable."
)
_PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("create", context_settings=_PASS_ON)
@_name_option
@_env_option
@access_options(credentials=False)
@click.argument("reference")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def create_command(
    engine: Engine,
    reference: str,
    name: str | None,
    environment: tuple[str, ...],
    arguments: tuple[str, ...],
) -> None:
    """Create an instance without starting it.

    \b
    Example:
      agent create --name coord_001 coordinator:1.0
    """
    options = _options(name, environment, arguments)
    _fetch(engine, reference)
    instance = engine.runs.create(reference, options)
    output.result(instance.name)


@click.command("run", context_settings=_PASS_ON)
@click.option("-d", "--detach", is_flag=True, help="Run in the background.")
@click.option("--rm", "remove", is_flag=True, help="Remove the instance when it ends.")
@_name_option
@_env_option
@access_options(credentials=False)
@click.argument("reference")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run_command(
    engine: Engine,
    reference: str,
    name: str | None,
    environment: tuple[str, ...],
    arguments: tuple[str, ...],
    *,
    detach: bool,
    remove: bool,
) -> int:
    """Create an instance of an image and run it.

    Pulls the image when it is not here. ARGUMENTS follow the image's ENTRYPOINT. In the foreground
    the exit code is that of the agent; detached, the name of the instance is printed.

    \b
    Examples:
      agent run coordinator:1.0
      agent run -d --name coord_001 coordinator:1.0
      agent run --rm -e LLM_MODEL=gpt-4 coordinator:1.0 --task "deploy the blog"
    """
    if detach and remove:
        raise click.UsageError("--rm goes with runs in the foreground")
    options = _options(name, environment, arguments)
    _fetch(engine, reference)
    if detach:
        output.result(engine.runs.run_detached(reference, options).name)
        return 0
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    instance, status = engine.runs.run_attached(reference, options, terminal=terminal)
    if remove:
        engine.runs.remove(instance)
    return status


def _fetch(engine: Engine, reference: str) -> None:
    """Pull the image if it is not here, and show how that goes."""
    from agentoci.cli.progress import showing

    with showing(engine, quiet=False):
        engine.transfers.ensure(reference)


def _options(
    name: str | None, environment: tuple[str, ...], arguments: tuple[str, ...]
) -> RunOptions:
    from agentoci.api.runs import RunOptions, check_environment

    return RunOptions(name, arguments, check_environment(environment))


@click.command("ps")
@click.option("-a", "--all", "everything", is_flag=True, help="Stopped instances as well.")
@click.option("-q", "--quiet", is_flag=True, help="Print names only.")
@format_option
@click.pass_obj
def ps_command(engine: Engine, form: str, *, everything: bool, quiet: bool) -> None:
    """List instances.

    \b
    Examples:
      agent ps
      agent ps --all --format json
    """
    views = engine.runs.list(stopped_too=everything)
    if quiet:
        for view in views:
            output.result(view.name)
    elif form == "json":
        output.document([_view_document(view) for view in views])
    else:
        now = engine.clock.now()
        output.table(
            ("NAME", "IMAGE", "STATUS", "CREATED", "PID"),
            (
                (
                    view.name,
                    view.image,
                    _status(view),
                    output.age(view.created, now),
                    str(view.pid or ""),
                )
                for view in views
            ),
        )


def _status(view: InstanceView) -> str:
    if view.uptime is not None:
        return f"{view.state} {output.duration(view.uptime)}"
    if view.exit_code is not None:
        return f"{view.state} ({view.exit_code})"
    return str(view.state or "unreadable")


def _view_document(view: InstanceView) -> dict[str, object]:
    return {
        "name": view.name,
        "uuid": view.uuid,
        "image": view.image,
        "digest": view.digest,
        "definition": view.definition,
        "state": str(view.state) if view.state else None,
        "health": view.health,
        "created": view.created,
        "started": view.started,
        "ended": view.ended,
        "exitCode": view.exit_code,
        "pid": view.pid,
        "uptimeSeconds": view.uptime,
    }


@click.command("logs")
@click.argument("instance")
@click.option("-f", "--follow", is_flag=True, help="Go on until the instance stops.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="The last lines only.")
@click.option("-t", "--timestamps", is_flag=True, help="The time before each line.")
@click.pass_obj
def logs_command(
    engine: Engine, instance: str, tail: int | None, *, follow: bool, timestamps: bool
) -> None:
    """Show what an instance said.

    Its stdout goes to stdout, its stderr to stderr.

    \b
    Examples:
      agent logs coord_001
      agent logs -f --tail 20 coord_001
    """
    for line in engine.runs.logs(engine.runs.get(instance), follow=follow, tail=tail):
        stamp = f"{line.time} " if timestamps else ""
        output.log_line(stamp + line.text, line.stream, end="" if line.partial else "\n")


@click.command("start")
@click.argument("instances", nargs=-1, required=True)
@click.pass_obj
def start_command(engine: Engine, instances: tuple[str, ...]) -> None:
    """Start stopped instances.

    \b
    Example:
      agent start coord_001
    """
    _each(engine, instances, engine.runs.start)


@click.command("stop")
@click.argument("instances", nargs=-1, required=True)
@click.option(
    "-t",
    "--time",
    "seconds",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    help="Seconds to wait before it is killed.",
)
@click.pass_obj
def stop_command(engine: Engine, instances: tuple[str, ...], seconds: float) -> None:
    """Stop running instances.

    \b
    Example:
      agent stop --time 30 coord_001
    """
    _each(engine, instances, lambda found: engine.runs.stop(found, grace_seconds=seconds))


@click.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="INSTANCE...")
@click.option("-f", "--force", is_flag=True, help="Kill it first; or delete what others need.")
@click.option("--remote", is_flag=True, help="Delete images at their registry instead.")
@click.option("--dry-run", is_flag=True, help="With --remote: show what would be deleted.")
@format_option
@access_options()
@click.pass_obj
def rm_command(engine: Engine, /, names: tuple[str, ...], form: str, **switches: bool) -> None:
    """Remove instances.

    With everything in them: memory, learned knowledge, history and workspace.

    With --remote, delete images at their registry: the manifest goes, and with it every tag that
    means it, so this is refused while other tags do, or a tagged index lists it, unless --force
    says so. `agent untag` takes a single tag away.

    \b
    Examples:
      agent rm coord_001
      agent rm --remote registry.example.com/team/coordinator:1.0
    """
    if switches["remote"]:
        from agentoci.cli.remote import remove_images

        force, dry_run = switches["force"], switches["dry_run"]
        remove_images(engine, names, form, force=force, dry_run=dry_run)
        return
    if switches["dry_run"] or form == "json":
        raise click.UsageError("--dry-run and --format json go with --remote")
    for name in names:
        if "/" in name:
            raise click.UsageError(
                f"{name!r} is an image: rm --remote, or rmi for one that is here"
            )
    _each(engine, names, lambda found: engine.runs.remove(found, force=switches["force"]))


def _each(engine: Engine, names: Iterable[str], act: Callable[[Instance], object]) -> None:
    """Do it to every one that lets us, print their names, and raise the first error in the end."""
    first: AgentociError | None = None
    for name in names:
        try:
            instance = engine.runs.get(name)
            act(instance)
            output.result(instance.name)
        except AgentociError as exc:
            if first is not None:
                output.error(exc.message, exc.hint)
            first = first or exc
    if first is not None:
        raise first
