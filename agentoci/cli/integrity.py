"""agent checksum, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.params import format_option

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@click.command("checksum")
@click.argument("things", nargs=-1, required=True)
@format_option
@click.pass_obj
def checksum_command(engine: Engine, things: tuple[str, ...], form: str) -> None:
    """Print the sha256 of a file or an image.

    For an image that is its manifest digest. The form is that of sha256sum.

    \b
    Examples:
      agent checksum coordinator.agent > coordinator.sha256
      agent checksum coordinator:1.0
    """
    from agentoci.api.integrity import checksum, checksum_line

    if form == "json":
        output.document([{"name": thing, "sha256": checksum(engine, thing)} for thing in things])
        return
    for thing in things:
        output.result(checksum_line(engine, thing))


@click.command("verify")
@click.argument("things", nargs=-1)
@click.option(
    "--checksum",
    "checksums",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with lines as `agent checksum` or sha256sum print them.",
)
@format_option
@click.pass_obj
def verify_command(engine: Engine, things: tuple[str, ...], checksums: Path, form: str) -> None:
    """Verify a file or an image by its checksum.

    Without THINGS, everything that the checksum file lists.

    \b
    Examples:
      agent verify coordinator.agent --checksum coordinator.sha256
      agent verify --checksum SHA256SUMS
    """
    from agentoci.api.integrity import compare, require

    verdicts = compare(engine, checksums, things)
    if form == "json":
        output.document(
            [{"name": v.thing, "sha256": v.found, "wanted": v.wanted, "ok": v.ok} for v in verdicts]
        )
    else:
        for verdict in filter(lambda each: each.ok, verdicts):
            output.result(f"{verdict.thing}: OK")
    require(verdicts, checksums)
