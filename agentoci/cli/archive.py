"""agent save, load."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.params import output_option, quiet_option
from agentoci.errors import Invalid, NotFound

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@click.command("save")
@click.argument("references", nargs=-1, required=True)
@output_option
@click.option(
    "--tree", is_flag=True, help="Write definition.json, knowledge/, tools/ instead of layers."
)
@click.pass_obj
def save_command(
    engine: Engine, references: tuple[str, ...], target: Path | None, *, tree: bool
) -> None:
    """Save images to an archive.

    The archive is an OCI image layout in a tar, which `agent load`, skopeo, podman and others
    read. With --tree it holds the agent's files as they lie unpacked.

    \b
    Examples:
      agent save coordinator:1.0 > coordinator_image.tar
      agent save -o both.tar coordinator:1.0 helper:2.0
      agent save --tree coordinator:1.0 | tar -t
    """
    if tree and len(references) > 1:
        raise click.UsageError("--tree takes one image")
    if target is None and sys.stdout.isatty():
        raise Invalid("an archive is nothing for a terminal", hint="use -o FILE or > FILE")
    with output.writing(target) as stream:
        if tree:
            from agentoci.api.trees import save_tree

            save_tree(engine, references[0], stream)
        else:
            engine.transfers.save(list(references), stream)


@click.command("load")
@click.option(
    "-i",
    "--input",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to read; stdin when left out.",
)
@click.option("--replace", is_flag=True, help="Let tags move that mean other images here.")
@quiet_option
@click.pass_obj
def load_command(engine: Engine, source: Path | None, *, replace: bool, quiet: bool) -> None:
    """Load images from an archive.

    Takes what `agent save` wrote, in both forms, and OCI archives of other tools. A tag that means
    another image here is left alone unless --replace is given.

    \b
    Examples:
      agent load < coordinator_image.tar
      agent load -i coordinator_image.tar
    """
    with _reading(source) as stream:
        entries = engine.transfers.load(stream, replace=replace)
    for entry in entries:
        if not quiet:
            output.talk(f"loaded {entry.name or '<none>'}")
        output.result(entry.digest)


@contextlib.contextmanager
def _reading(source: Path | None) -> Iterator[IO[bytes]]:
    if source is None:
        if sys.stdin.isatty():
            raise Invalid("nothing to load", hint="use -i FILE or < FILE")
        yield sys.stdin.buffer
        return
    try:
        stream = source.open("rb")
    except FileNotFoundError as exc:
        raise NotFound(f"{source}: no such file") from exc
    with stream:
        yield stream
