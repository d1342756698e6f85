"""agent attach, discover."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import DIGEST, PAIR, format_option, quiet_option

if TYPE_CHECKING:
    from agentoci.api.discovery import Discovered
    from agentoci.api.engine import Engine
    from agentoci.api.repair import Repair
    from agentoci.content.recursion import Attachment
    from agentoci.spec.digest import Digest

_SHOWN: Final = 60
"""Characters of annotations in a table; --format json shows them whole."""


@click.command("attach")
@click.argument("image")
@click.argument("files", nargs=-1, metavar="[FILE[:MEDIATYPE]]...")
@click.option("--artifact-type", metavar="TYPE", help="What is attached: a media type.")
@click.option(
    "-a", "--annotation", "annotations", type=PAIR, multiple=True, help="Say more, as KEY=VALUE."
)
@click.option("--replace", is_flag=True, help="Take earlier attachments of this type away.")
@click.option(
    "--config-type",
    metavar="TYPE",
    help="For registries that refuse artifactType: the config's type stands for it.",
)
@click.option("--local", is_flag=True, help="Attach in the local store, whatever the name says.")
@quiet_option
@format_option
@access_options()
@click.pass_obj
def attach_command(
    engine: Engine,
    image: str,
    files: tuple[str, ...],
    *,
    artifact_type: str | None,
    annotations: tuple[tuple[str, str], ...],
    replace: bool,
    config_type: str | None,
    local: bool,
    form: str,
    quiet: bool,
) -> None:
    """Attach files to an image: an SBOM, a report, a licence.

    They become an artifact whose subject the image is, beside it at its registry; a short name is
    that of an image in the local store, oci:DIR:NAME one of a layout. The image keeps its digest,
    and `agent discover` lists what is attached. A file without MEDIATYPE gets one by its suffix.
    The same files, types and annotations give the same digest. Prints the digest.

    \b
    Examples:
      agent attach registry.example.com/team/bot:1.0 sbom.json --artifact-type application/spdx+json
      agent attach bot:1.0 report.txt:text/plain --artifact-type application/vnd.example.report
      agent attach bot:1.0 report.txt --artifact-type application/vnd.example.report --replace
    """
    from agentoci.api.attachments import AttachedFile, AttachOptions, attach

    options = AttachOptions(artifact_type, config_type, dict(annotations), replace, local)
    done = attach(engine, image, [AttachedFile.parse(text) for text in files], options)
    for digest in () if quiet else done.replaced:
        output.talk(f"replaced {digest}")
    if form == "json":
        output.document(
            {
                "reference": done.target,
                "subject": str(done.subject),
                "digest": str(done.digest),
                "replaced": [str(digest) for digest in done.replaced],
                "left": [str(digest) for digest in done.left],
            }
        )
    else:
        output.result(done.digest)
    done.check()


@click.command("discover")
@click.argument("image")
@click.argument("digests", nargs=-1, type=DIGEST, metavar="[DIGEST]...")
@click.option("--artifact-type", metavar="TYPE", help="List only what is of this type.")
@click.option("-r", "--recursive", is_flag=True, help="List what speaks of those, too.")
@click.option("--local", is_flag=True, help="Look in the local store, whatever the name says.")
@click.option("--repair", is_flag=True, help="Mend the registry's list of referrers.")
@click.option("--dry-run", is_flag=True, help="With --repair, show what is wrong (exit code 3).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "tree", "json"]),
    default="table",
    show_default=True,
    help="How to print.",
)
@access_options()
@click.pass_obj
def discover_command(
    engine: Engine,
    image: str,
    digests: tuple[Digest, ...],
    *,
    artifact_type: str | None,
    recursive: bool,
    local: bool,
    repair: bool,
    dry_run: bool,
    form: str,
) -> None:
    """List what speaks of an image: signatures, SBOMs, reports.

    At its registry, in a layout (oci:DIR:NAME), or, a short name, in the local store. What cosign
    keeps under tags is listed too. Nothing is pulled.

    A registry without the referrers API has a list that all clients write in turns; one that was
    overwritten at the wrong moment is mended by --repair. An entry that is lost altogether comes
    back by its DIGEST, which `agent attach` printed.

    \b
    Examples:
      agent discover registry.example.com/team/bot:1.0
      agent discover --recursive --format tree registry.example.com/team/bot:1.0
      agent discover --repair registry.example.com/team/bot:1.0
    """
    if not repair:
        if digests or dry_run:
            raise click.UsageError("DIGEST and --dry-run belong to --repair")
        from agentoci.api.discovery import discover

        _show(
            discover(engine, image, artifact_type=artifact_type, recursive=recursive, local=local),
            form,
        )
        return
    if artifact_type or recursive or local:
        raise click.UsageError("--repair mends a registry's whole list of one image")
    from agentoci.api.repair import repair as mend

    done = mend(engine, image, digests, dry_run=dry_run)
    _show_repair(done, form, dry_run=dry_run)
    if dry_run:
        done.check()


def _show(found: Discovered, form: str) -> None:
    from agentoci.api.discovery import kind_shown

    if form == "json":
        output.document(
            {
                "reference": found.shown,
                "digest": str(found.subject.digest),
                "referrers": [_document(item) for item in found.found],
            }
        )
    elif form == "tree":
        output.result(f"{found.shown} {found.subject.digest.short}")
        _show_below(found)
    else:
        output.table(
            ("DIGEST", "TYPE", "SIZE", "CREATED", "ANNOTATIONS"),
            [
                (
                    str(item.desc.digest),
                    kind_shown(item),
                    output.size(item.desc.size),
                    _created(item),
                    _annotations(item),
                )
                for item in found.found
            ],
        )
        if not found.found:
            output.talk(f"nothing speaks of {found.shown}")


def _show_below(found: Discovered) -> None:
    """A registry may list circles, and chains of any length: each branch is shown once."""
    from agentoci.api.discovery import kind_shown

    below: dict[Digest, list[Attachment]] = {}
    for item in found.found:
        below.setdefault(item.subject.digest, []).append(item)
    waiting = _branches(below.pop(found.subject.digest, []), "")
    while waiting:
        item, indent, last = waiting.pop()
        output.result(
            f"{indent}{'└── ' if last else '├── '}{kind_shown(item)} {item.desc.digest.short}"
        )
        more = below.pop(item.desc.digest, [])
        waiting += _branches(more, indent + ("    " if last else "│   "))


def _branches(items: list[Attachment], indent: str) -> list[tuple[Attachment, str, bool]]:
    """Each with the indent of its line, and whether it is the last; the first one at the end."""
    return [(item, indent, item is items[-1]) for item in reversed(items)]


def _document(item: Attachment) -> dict[str, object]:
    from agentoci.api.discovery import kind_shown

    return {
        "digest": str(item.desc.digest),
        "mediaType": item.desc.media_type,
        "artifactType": item.kind if item.tag is None else None,
        "kind": kind_shown(item),
        "tag": item.tag,
        "subject": str(item.subject.digest),
        "size": item.desc.size,
        "created": _created(item) or None,
        "annotations": dict(item.desc.annotations),
    }


def _created(item: Attachment) -> str:
    from agentoci.api.discovery import CREATED

    return item.desc.annotations.get(CREATED, "")


def _annotations(item: Attachment) -> str:
    from agentoci.api.discovery import CREATED

    known = sorted(item.desc.annotations.items())
    text = ", ".join(f"{key}={value}" for key, value in known if key != CREATED)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _show_repair(done: Repair, form: str, *, dry_run: bool) -> None:
    added = [str(desc.digest) for desc in done.add]
    corrected = [str(desc.digest) for desc in done.correct]
    dropped = {str(digest): reason for digest, reason in done.drop.items()}
    if form == "json":
        output.document(
            {
                "reference": done.shown,
                "added": added,
                "corrected": corrected,
                "dropped": dropped,
                "dryRun": dry_run,
            }
        )
        return
    for digest in added:
        output.result(f"added: {digest}")
    for digest in corrected:
        output.result(f"corrected: {digest}")
    for digest, reason in dropped.items():
        output.result(f"dropped: {digest} ({reason})")
    if not done.differs:
        output.talk(f"{done.shown}: its list of referrers is right")
