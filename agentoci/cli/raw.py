"""agent manifest, blob: content as it is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agentoci._internal import limits
from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import PLATFORM, format_option, json_option, output_option
from agentoci.errors import Invalid, NotFound

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.content.protocols import Reader
    from agentoci.spec.descriptor import Descriptor, Platform

_OTHER_TOOLS: Final = {"fetch": "get", "push": "put", "delete": "rm"}
"""What oras calls them."""

_STDIN: Final = Path("-")
_CHUNK: Final = 1024 * 1024
_FOR_A_TERMINAL: Final = 1024 * 1024
"""Bytes of a document that a terminal is shown."""


class _GetByDefault(click.Group):
    """A group whose `get` may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word in where a reference or an option of `get` stands in its place."""
        if args and args[0] in _OTHER_TOOLS:
            args = [_OTHER_TOOLS[args[0]], *args[1:]]
        if args and args[0] == "rm" and "rm" not in self.commands:
            raise click.UsageError("`agent rm --remote REFERENCE` deletes a manifest", ctx)
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["get", *args]
        return super().parse_args(ctx, args)


_platform_option = click.option(
    "--platform", type=PLATFORM, help="Of an index, the manifest for OS/ARCHITECTURE."
)
_source_argument = click.argument(
    "file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path)
)


@click.group("manifest", cls=_GetByDefault)
def manifest_command() -> None:
    """Read and store manifests as they are.

    `agent manifest REFERENCE` is short for `agent manifest get REFERENCE`.

    \b
    Examples:
      agent manifest registry.example.com/team/coordinator:1.0
      agent manifest --descriptor registry.example.com/team/coordinator:1.0
      agent manifest put manifest.json registry.example.com/team/coordinator:1.0
    """


@manifest_command.command("get")
@click.argument("reference")
@click.option("--descriptor", is_flag=True, help="Print media type, digest and size instead.")
@_platform_option
@output_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["raw", "json"]),
    default="raw",
    show_default=True,
    help="As it is, or indented.",
)
@access_options()
@click.pass_obj
def get_manifest_command(
    engine: Engine,
    reference: str,
    platform: Platform | None,
    target: Path | None,
    form: str,
    *,
    descriptor: bool,
) -> None:
    """Print a manifest, byte for byte.

    A name with a registry is asked for there, a short one looked for in the local store;
    oci:DIR:NAME reads an OCI image layout. A terminal is shown the document indented.

    \b
    Examples:
      agent manifest get registry.example.com/team/coordinator:1.0 | sha256sum
      agent manifest get --platform linux/arm64 registry.example.com/team/tool:2.1
    """
    from agentoci.api.raw import get_manifest, head_manifest

    if descriptor:
        output.document(head_manifest(engine, reference, platform=platform).document())
        return
    _, content = get_manifest(engine, reference, platform=platform)
    if target is None and (form == "json" or sys.stdout.isatty()):
        _show_document(content)
    else:
        with output.writing(target) as sink:
            sink.write(content)


@manifest_command.command("head")
@click.argument("reference")
@_platform_option
@click.option("--digest", is_flag=True, help="Print the digest only.")
@json_option
@access_options()
@click.pass_obj
def head_manifest_command(
    engine: Engine, reference: str, platform: Platform | None, *, digest: bool
) -> None:
    """Print the descriptor of a manifest: media type, digest and size, as JSON.

    \b
    Example:
      agent manifest head --digest registry.example.com/team/coordinator:1.0
    """
    from agentoci.api.raw import head_manifest

    found = head_manifest(engine, reference, platform=platform)
    if digest:
        output.result(found.digest)
    else:
        output.document(found.document())


@manifest_command.command("put")
@_source_argument
@click.argument("reference")
@format_option
@access_options()
@click.pass_obj
def put_manifest_command(engine: Engine, file: Path, reference: str, form: str) -> None:
    """Store a manifest at a registry, byte for byte, and print its digest.

    FILE may be - for stdin. Without a tag in REFERENCE it is stored under its digest. What it lists
    must be there already.

    \b
    Example:
      agent manifest put manifest.json registry.example.com/team/coordinator:1.0
    """
    from agentoci.api.raw import put_manifest

    _check_source(file)
    with click.open_file(str(file), "rb") as stream:
        content = stream.read(limits.MAX_MANIFEST_BYTES + 1)
    what = "<stdin>" if file == _STDIN else str(file)
    _stored(put_manifest(engine, content, reference, what=what), form)


@click.group("blob", cls=_GetByDefault)
def blob_command() -> None:
    """Read and store blobs as they are.

    `agent blob REFERENCE@DIGEST` is short for `agent blob get REFERENCE@DIGEST`.

    \b
    Examples:
      agent blob registry.example.com/team/coordinator@sha256:… -o layer.tar.zst
      agent blob put layer.tar.zst registry.example.com/team/coordinator
    """


@blob_command.command("get")
@click.argument("reference")
@output_option
@access_options()
@click.pass_obj
def get_blob_command(engine: Engine, reference: str, target: Path | None) -> None:
    """Write a blob to a file or to stdout, and verify it.

    A file appears when the content was right; what went to stdout is wrong if the exit code is 8. A
    terminal is shown small documents only.

    \b
    Examples:
      agent blob get registry.example.com/team/coordinator@sha256:… -o layer.tar.zst
      agent blob get oci:/media/usb/agents@sha256:… | tar -t --zstd
    """
    from agentoci.api.raw import open_blob

    with open_blob(engine, reference) as (desc, stream):
        if target is None and sys.stdout.isatty():
            _show_small(desc, stream)
            return
        with output.writing(target) as sink:
            while chunk := stream.read(_CHUNK):
                sink.write(chunk)


@blob_command.command("head")
@click.argument("reference")
@json_option
@access_options()
@click.pass_obj
def head_blob_command(engine: Engine, reference: str) -> None:
    """Print the descriptor of a blob: digest and size, as JSON.

    \b
    Example:
      agent blob head registry.example.com/team/coordinator@sha256:…
    """
    from agentoci.api.raw import head_blob

    output.document(head_blob(engine, reference).document())


@blob_command.command("put")
@_source_argument
@click.argument("reference")
@format_option
@access_options()
@click.pass_obj
def put_blob_command(engine: Engine, file: Path, reference: str, form: str) -> None:
    """Store a file as a blob at a registry, and print its digest.

    FILE may be - for stdin.

    \b
    Example:
      agent blob put layer.tar.zst registry.example.com/team/coordinator
    """
    from agentoci.api.raw import put_blob

    _check_source(file)
    with _on_disk(file) as path:
        _stored(put_blob(engine, path, reference), form)


@blob_command.command("rm")
@click.argument("reference")
@format_option
@access_options()
@click.pass_obj
def rm_blob_command(engine: Engine, reference: str, form: str) -> None:
    """Delete a blob at its registry, whoever needs it.

    \b
    Example:
      agent blob rm registry.example.com/team/coordinator@sha256:…
    """
    from agentoci.api.removal import remove_blob

    digest = remove_blob(engine, reference)
    if form == "json":
        output.document({"reference": reference, "digest": str(digest), "deleted": True})
    else:
        output.result(f"deleted: {digest}")


def _check_source(file: Path) -> None:
    if file != _STDIN and not file.exists():
        hint = "FILE comes first, and then REFERENCE"
        raise NotFound(f"{file}: no such file", hint=hint)


@contextlib.contextmanager
def _on_disk(file: Path) -> Iterator[Path]:
    """The file; a pipe is read to its end first, since a blob's digest comes before its bytes."""
    if file != _STDIN and file.is_file():
        yield file
        return
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile() as spool, click.open_file(str(file), "rb") as pipe:
        shutil.copyfileobj(pipe, spool, _CHUNK)
        spool.flush()
        yield Path(spool.name)


def _stored(desc: Descriptor, form: str) -> None:
    if form == "json":
        output.document(desc.document())
    else:
        output.result(desc.digest)


def _show_document(content: bytes) -> None:
    from agentoci.spec.jsonio import loads

    output.document(loads(content, what="the manifest"))


def _show_small(desc: Descriptor, stream: Reader) -> None:
    """A document for a terminal; raises Invalid for what is none."""
    from agentoci.spec.jsonio import InvalidJson, loads

    if desc.size <= _FOR_A_TERMINAL:
        content = b"".join(iter(lambda: stream.read(_FOR_A_TERMINAL), b""))
        try:
            output.document(loads(content, what="the blob"))
        except InvalidJson:
            pass
        else:
            return
    raise Invalid("a blob is nothing for a terminal", hint="use -o FILE or > FILE")
