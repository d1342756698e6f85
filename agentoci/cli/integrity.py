"""agent checksum, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentoci.cli import output

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@click.command("checksum")
@click.argument("things", nargs=-1, required=True)
@click.pass_obj
def checksum_command(engine: Engine, things: tuple[str, ...]) -> None:
    """Print the sha256 of a file or an image.

    For an image that is its manifest digest. The form is that of sha256sum.

    \b
    Examples:
      agent checksum coordinator.agent > coordinator.sha256
      agent checksum coordinator:1.0
    """
    from agentoci.api.integrity import checksum_line

    for thing in things:
        output.result(checksum_line(engine, thing))


@click.command("verify")
@click.argument("thing")
@click.option(
    "--checksum",
    "checksums",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with lines as `agent checksum` or sha256sum print them.",
)
@click.pass_obj
def verify_command(engine: Engine, thing: str, checksums: Path) -> None:
    """Verify a file or an image by its checksum.

    \b
    Example:
      agent verify coordinator.agent --checksum coordinator.sha256
    """
    from agentoci.api.integrity import verify

    verify(engine, thing, checksums)
    output.result(f"{thing}: OK")
