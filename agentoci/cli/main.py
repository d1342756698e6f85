"""The command `agent`: a group whose commands are imported when they are called."""

from __future__ import annotations

import gc
import importlib
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from agentoci._internal.version import __version__
from agentoci.errors import AgentociError, Invalid

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

COMMANDS: Final = {
    "init": ("init", "Write the files of a new agent."),
    "lint": ("lint", "Find what is wrong, or likely so, with the folder of an agent."),
    "validate": ("lint", "Check a definition, an Agentfile or another file by itself."),
    "build": ("build", "Build an image from an Agentfile and its context."),
    "lock": ("lock", "Pin what FROM and REQUIRE stand for in agent.lock."),
    "install": ("lock", "Pull exactly what agent.lock pins."),
    "update": ("lock", "Move agent.lock to the newest that fits, and pull it."),
    "compat": ("compat", "Ask the compatibility matrix."),
    "images": ("images", "List the images of the local store."),
    "inspect": ("images", "Show what an image is, here or at its registry."),
    "history": ("images", "Show the steps and layers of an image."),
    "show": ("show", "Show the definition of an image, a file or a folder."),
    "diff": ("diff", "Show what changed between two agents, and how much it matters."),
    "tag": ("images", "Give an image another name."),
    "rmi": ("images", "Remove images."),
    "prune": ("collect", "Remove untagged images and what nothing needs."),
    "gc": ("collect", "Remove blobs that nothing needs."),
    "save": ("archive", "Save images to an archive."),
    "load": ("archive", "Load images from an archive."),
    "convert": ("convert", "Convert between definitions and other tools' formats."),
    "checksum": ("integrity", "Print the sha256 of a file or an image."),
    "verify": ("integrity", "Verify a file or an image by its checksum."),
    "login": ("registry", "Log in to a registry, or to a name space of it (HOST/TEAM)."),
    "logout": ("registry", "Forget the credentials of a registry, or of a name space of it."),
    "push": ("registry", "Push an image to a registry or a layout."),
    "release": ("release", "Release what is in PATH as the next version of REPOSITORY."),
    "pull": ("registry", "Pull an image into the local store."),
    "cp": ("copying", "Copy an image between registries, layouts and archives."),
    "sync": ("syncing", "Copy many images at once, and account for each."),
    "tags": ("remote", "List the tags of a repository."),
    "search": ("search", "Search for agents by name and description."),
    "index": ("search", "Keep lists of agents that a search finds."),
    "attach": ("attachments", "Attach files to an image: an SBOM, a report, a licence."),
    "discover": ("attachments", "List what speaks of an image: signatures, SBOMs, reports."),
    "untag": ("remote", "Take tags away at their registry."),
    "manifest": ("raw", "Read and store manifests as they are."),
    "blob": ("raw", "Read and store blobs as they are."),
    "doctor": ("doctor", "Say what is wrong here, or what a registry can do."),
    "create": ("instances", "Create an instance without starting it."),
    "run": ("instances", "Create an instance of an image and run it."),
    "ps": ("instances", "List instances."),
    "logs": ("instances", "Show what an instance said."),
    "start": ("instances", "Start stopped instances."),
    "stop": ("instances", "Stop running instances."),
    "rm": ("instances", "Remove instances."),
    "completion": ("completion", "Print the shell completion script."),
}
"""Name → (module of `agentoci.cli`, help): `agent --help` reads this and imports no command."""


_OTHER_TOOLS: Final = {
    "catalog": "search",
    "copy": "cp",
    "delete": "rm --remote",
    "digest": "manifest head --digest",
    "image": "images",
    "list": "images",
    "list-tags": "tags",
    "ls": "tags",
    "mirror": "sync",
    "referrers": "discover",
    "repo": "tags",
    "resolve": "manifest head --digest",
    "tree": "discover --format tree",
}
"""What docker, oras, crane, skopeo, regctl and helm call it → our command."""

_COLLECT_SELDOM: Final = 100_000
"""New objects between two searches for garbage cycles: a command makes many and ends soon."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and first lines before it imports them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for an unknown one."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agentoci.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """A reader that goes away ends the command quietly, with the shell's code for SIGPIPE."""
        from agentoci.cli import output

        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            ctx.exit(output.READER_GONE)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown command is a usage error with the nearest name."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            near = [_OTHER_TOOLS.get(name), *difflib.get_close_matches(name, COMMANDS, 1)]
            meant = next(filter(None, near), None)
            hint = f" Did you mean {meant!r}?" if meant else ""
            raise click.UsageError(f"no such command: {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", prog_name="agent")
@click.pass_context
def agent(ctx: click.Context) -> None:
    """Build, push, pull and run agents as OCI artifacts.

    \b
    Examples:
      agent build -t coordinator:1.0 .
      agent push coordinator:1.0 registry.example.com/team/coordinator:1.0
      agent run -d --name coord_001 coordinator:1.0

    Exit codes: 0 done, 1 failed, 2 wrong usage or file, 3 difference, 4 registry unreachable,
    5 denied, 6 not found, 7 conflict, 8 integrity, 130 interrupted.
    """
    ctx.obj = ctx.with_resource(_engine(ctx.invoked_subcommand))


def _engine(verb: str | None) -> Engine:
    from agentoci.api.engine import Engine
    from agentoci.cli import output

    try:
        return Engine(warn=output.warning)
    except Invalid:
        if verb != "doctor":
            raise
    from agentoci.config.settings import settings_without_file

    return Engine(settings_without_file(), warn=output.warning)


def main() -> NoReturn:
    """Run the command line; every error ends as a message and an exit code."""
    gc.set_threshold(_COLLECT_SELDOM)
    from agentoci.cli import output

    output.prepare()
    status = output.settle(_run(sys.argv[1:]))
    if status == output.INTERRUPTED:
        output.leave(status)
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    from agentoci.cli import output

    try:
        status: Any = agent.main(arguments, prog_name="agent", standalone_mode=False)
    except AgentociError as exc:
        output.error(exc.message, exc.hint, lines=exc.shows_lines)
        return exc.exit_code
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return output.interrupted()
    except Exception as exc:  # noqa: BLE001 (no traceback reaches a user)
        return output.unexpected(exc)
    return status if isinstance(status, int) else 0
