"""agent prune, gc."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import format_option

if TYPE_CHECKING:
    from agentoci.api.collection import Pruned
    from agentoci.api.engine import Engine

F = TypeVar("F", bound=Callable[..., Any])

_grace_option = click.option(
    "--grace",
    type=click.IntRange(min=0),
    default=3600,
    show_default=True,
    help="Seconds for which new blobs are kept: other programs may be writing an image.",
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be removed.")


_NAMES = {"everything": "all"}


def _remote_options(function: F) -> F:
    """The options that go with --remote."""
    options = (
        click.option("--remote", metavar="REPOSITORY", help="Prune this repository instead."),
        click.option(
            "--keep-semver",
            multiple=True,
            metavar="RULE",
            help="Releases to keep: 5, or major:2,minor:3. May be given several times.",
        ),
        click.option("--keep", multiple=True, metavar="PATTERN", help="Tags that stay: 'lts-*'."),
        click.option("--keep-prereleases", is_flag=True, help="Keep every pre-release."),
        click.option(
            "--prune-unversioned", is_flag=True, help="Remove tags that are no versions too."
        ),
        click.option(
            "--orphans", is_flag=True, help="Remove signatures of images that are not there."
        ),
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    )
    decorated: Any = function
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


@click.command("prune")
@click.option("-a", "--all", "everything", is_flag=True, help="Tagged images as well.")
@_dry_run_option
@_grace_option
@_remote_options
@format_option
@access_options()
@click.pass_obj
def prune_command(
    engine: Engine,
    /,
    form: str,
    grace: int,
    remote: str | None,
    *,
    everything: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Remove untagged images and what nothing needs.

    Images that an instance was made from stay.

    With --remote, remove old versions from a repository at a registry. --keep-semver 5 keeps the
    five highest releases; --keep-semver major:2,minor:3 keeps of the two highest majors the three
    highest minors each, and of those the highest release. Pre-releases stay while they come after
    every release. Tags that are no versions stay, unless --prune-unversioned; 1 and 1.0 go with the
    release that they mean. What is kept keeps its index, its signatures and its other attachments.

    \b
    Examples:
      agent prune --dry-run
      agent prune --all
      agent prune --remote registry.example.com/team/coordinator --keep-semver 5 --dry-run
      agent prune --remote registry.example.com/team/coordinator \\
          --keep-semver major:2,minor:3 --keep 'lts-*' --yes
    """
    given = _given(set(options) if remote is None else {"everything", "grace"})
    if given:
        side = "goes with --remote" if remote is None else "--remote prunes by rules"
        raise click.UsageError(f"{', '.join(given)}: {side}")
    if remote is not None:
        from agentoci.cli.remoteprune import RemoteOptions, prune_remote

        prune_remote(engine, remote, RemoteOptions(**options), form, dry_run=dry_run)
        return
    pruned = engine.collection.prune(
        every_unused=everything, dry_run=dry_run, grace=timedelta(seconds=grace)
    )
    _show(pruned, form, dry_run=dry_run)


def _given(names: set[str]) -> list[str]:
    """Of these options, those that the user wrote."""
    context = click.get_current_context()
    return sorted(
        f"--{_NAMES.get(name, name.replace('_', '-'))}"
        for name in names
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    )


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
