"""agent prune, gc."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.params import format_option

if TYPE_CHECKING:
    from agentoci.api.collection import Pruned
    from agentoci.api.engine import Engine

_grace_option = click.option(
    "--grace",
    type=click.IntRange(min=0),
    default=3600,
    show_default=True,
    help="Seconds for which new blobs are kept: other programs may be writing an image.",
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be removed.")


@click.command("prune")
@click.option("-a", "--all", "everything", is_flag=True, help="Tagged images as well.")
@_dry_run_option
@_grace_option
@format_option
@click.pass_obj
def prune_command(
    engine: Engine, form: str, grace: int, *, everything: bool, dry_run: bool
) -> None:
    """Remove untagged images and what nothing needs.

    Images that an instance was made from stay.

    \b
    Examples:
      agent prune --dry-run
      agent prune --all
    """
    pruned = engine.collection.prune(
        every_unused=everything, dry_run=dry_run, grace=timedelta(seconds=grace)
    )
    _show(pruned, form, dry_run=dry_run)


@click.command("gc")
@_dry_run_option
@_grace_option
@format_option
@click.pass_obj
def gc_command(engine: Engine, form: str, grace: int, *, dry_run: bool) -> None:
    """Remove blobs that nothing needs.

    \b
    Example:
      agent gc --dry-run
    """
    collected = engine.collection.collect(dry_run=dry_run, grace=timedelta(seconds=grace))
    _show(collected, form, dry_run=dry_run)


def _show(pruned: Pruned, form: str, *, dry_run: bool) -> None:
    if form == "json":
        output.document(
            {
                "images": [{"digest": str(e.digest), "name": e.name} for e in pruned.images],
                "blobs": [str(digest) for digest in pruned.files],
                "size": pruned.size,
                "dryRun": dry_run,
            }
        )
        return
    for entry in pruned.images:
        output.result(f"image {entry.name or entry.digest}")
    for digest in pruned.files:
        output.result(f"blob {digest}")
    output.talk(f"{'would free' if dry_run else 'freed'} {output.size(pruned.size)}")
