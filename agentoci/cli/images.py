"""agent images, inspect, history, tag, rmi."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import REFERENCE, format_option
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.images import ImageRow

_NONE = "<none>"


@click.command("images")
@click.argument("name", required=False)
@click.option("-q", "--quiet", is_flag=True, help="Print digests only.")
@click.option("--no-trunc", is_flag=True, help="Print whole digests.")
@format_option
@click.pass_obj
def images_command(engine: Engine, /, name: str | None, form: str, **switches: bool) -> None:
    """List the images of the local store.

    The table leaves out names by digest (of what was pulled so, or installed) where a tag means the
    same; JSON has them all.

    \b
    Examples:
      agent images
      agent images coordinator --format json
    """
    rows = engine.images.list(name=name)
    if switches["quiet"]:
        for digest in dict.fromkeys(row.digest for row in rows):
            output.result(digest)
    elif form == "json":
        output.document([_row_document(row) for row in rows])
    else:
        now = engine.clock.now()
        whole = switches["no_trunc"]
        output.table(
            ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"),
            (
                (
                    row.repository or _NONE,
                    row.tag or _NONE,
                    str(row.digest) if whole else row.digest.short,
                    output.age(row.stored, now),
                    output.size(row.size),
                )
                for row in _without_shadows(rows)
            ),
        )


def _without_shadows(rows: Sequence[ImageRow]) -> list[ImageRow]:
    """No name by digest beside a tag that means the same: it says nothing more to a reader."""
    tagged = {(row.repository, row.digest) for row in rows if row.tag}
    return [row for row in rows if row.tag or (row.repository, row.digest) not in tagged]


def _row_document(row: ImageRow) -> dict[str, object]:
    return {
        "repository": row.repository,
        "tag": row.tag,
        "digest": str(row.digest),
        "size": row.size,
        "stored": row.stored,
        "name": row.name,
        "artifactType": row.kind,
    }


@click.command("inspect")
@click.argument("reference")
@click.option("--remote", is_flag=True, help="Ask the registry, though the image is here too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "table"]),
    default="json",
    show_default=True,
    help="How to print.",
)
@access_options()
@click.pass_obj
def inspect_command(engine: Engine, reference: str, form: str, *, remote: bool) -> None:
    """Show what an image is, here or at its registry.

    Reads manifest and config only; nothing is pulled.

    \b
    Examples:
      agent inspect coordinator:1.0
      agent inspect --remote registry.example.com/team/coordinator:1.0
    """
    from agentoci.api.inspection import inspect

    found = inspect(engine, reference, remote=remote)
    if form == "json":
        output.document(found)
        return
    for key in ("reference", "digest", "artifactType", "profile", "created"):
        output.result(f"{key + ':':<14}{found.get(key) or ''}")
    layers = found.get("layers")
    output.table(
        ("LAYER", "SIZE", "DIGEST", "MADE BY"),
        [
            (
                str(layer.get("kind") or ""),
                output.size(int(str(layer.get("size") or 0))),
                str(layer.get("digest"))[7:19],
                str(layer.get("createdBy") or ""),
            )
            for layer in (layers if isinstance(layers, list) else [])
            if isinstance(layer, dict)
        ],
    )


@click.command("history")
@click.argument("reference")
@format_option
@click.pass_obj
def history_command(engine: Engine, reference: str, form: str) -> None:
    """Show the steps and layers of an image.

    \b
    Example:
      agent history coordinator:1.0
    """
    from agentoci.api.inspection import history

    rows = history(engine, reference)
    if form == "json":
        output.document(
            [
                {"createdBy": r.created_by, "kind": r.kind, "digest": r.digest, "size": r.size}
                for r in rows
            ]
        )
        return
    output.table(
        ("LAYER", "KIND", "SIZE", "CREATED BY"),
        (
            (
                (r.digest or "")[7:19] or "<empty>",
                r.kind or "",
                output.size(r.size),
                r.created_by,
            )
            for r in rows
        ),
    )


@click.command("tag")
@click.argument("source")
@click.argument("name", type=REFERENCE)
@click.pass_obj
def tag_command(engine: Engine, source: str, name: Reference) -> None:
    """Give an image another name.

    \b
    Example:
      agent tag coordinator:1.0 registry.example.com/team/coordinator:latest
    """
    output.result(engine.images.tag(source, name))


@click.command("rmi")
@click.argument("references", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Though instances or other names use it.")
@click.pass_obj
def rmi_command(engine: Engine, references: tuple[str, ...], *, force: bool) -> None:
    """Remove images.

    Takes names away; an image that loses its last one is deleted with the blobs that only it
    needed.

    \b
    Examples:
      agent rmi coordinator:1.0
      agent rmi 3f2a9c1d
    """
    removed = engine.images.remove(references, force=force)
    for name in removed.untagged:
        output.result(f"untagged: {name}")
    for digest in removed.deleted:
        output.result(f"deleted: {digest}")
    if removed.freed:
        output.talk(f"freed {output.size(removed.freed)}")
