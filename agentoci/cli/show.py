"""agent show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@click.command("show")
@click.option(
    "--effective", is_flag=True, help="With all that its parents say, and who said each value."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="How to print.",
)
@click.argument("source", metavar="REF|PATH")
@access_options(credentials=False)
@click.pass_obj
def show_command(engine: Engine, source: str, form: str, *, effective: bool) -> None:
    """Show the definition of an image, a file or a folder.

    As its author wrote it, with what the Agentfile changed. With --effective the parents are
    merged, and every value has its origin: in YAML as a comment, in JSON under "origins" by JSON
    pointer. An image that is not here is read at its registry, and not pulled.

    \b
    Examples:
      agent show coordinator:1.0
      agent show --effective advanced_coordinator.agentdef
      agent show --effective --format json oci:DIR:coordinator:1.0
    """
    from agentoci.api.show import show

    shown = show(engine, source, effective=effective)
    if form == "json":
        output.document(shown.json())
    else:
        output.script(shown.yaml().rstrip("\n"))
