"""agent init."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from agentoci.cli import output


def _list_templates(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    """`--list-templates` prints them and ends, as `--help` does."""
    if not value:
        return
    from agentoci.api.scaffold import TEMPLATES

    output.table(("TEMPLATE", "WHAT IT GIVES"), TEMPLATES.items())
    ctx.exit()


class _TemplateParam(click.ParamType):  # type: ignore[type-arg]  # generic since 8.4 only
    """The name of a template, completed by the shell."""

    name = "template"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        """The templates that begin so."""
        from click.shell_completion import CompletionItem

        from agentoci.api.scaffold import TEMPLATES

        del ctx, param
        return [
            CompletionItem(name, help=text)
            for name, text in TEMPLATES.items()
            if name.startswith(incomplete)
        ]


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "--template",
    type=_TemplateParam(),
    default="minimal",
    show_default=True,
    help="What to start from; see --list-templates.",
)
@click.option("--name", help="Name of the agent (the folder's).")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option(
    "--list-templates",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_list_templates,
    help="List the templates and exit.",
)
def init_command(path: Path, template: str, name: str | None, *, force: bool) -> None:
    """Write the files of a new agent.

    They build, lint without a finding and run. Prints the files written; those that are there
    already are not touched (exit code 7) unless --force.

    \b
    Examples:
      agent init greeter
      agent init --template coordinator --name coordinator_agent .
      agent init --list-templates
    """
    from agentoci.api.scaffold import scaffold

    made = scaffold(path, template=template, name=name, overwrite=force)
    for file in made.files:
        output.result(made.folder / file)
    output.talk(f"next: agent build -t {made.name}:0.1.0-dev {shlex.quote(str(made.folder))}")
    output.talk(f"      agent run --rm {made.name}:0.1.0-dev")
    output.talk("change and build as often as you like; agent release makes 0.1.0 of it")
