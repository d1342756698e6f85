"""agent cp."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import PLATFORM, format_option, quiet_option

if TYPE_CHECKING:
    from agentoci.api.copying import CopyDone, CopyPlan
    from agentoci.api.engine import Engine
    from agentoci.content.recursion import Attachment, LeftOut
    from agentoci.spec.descriptor import Descriptor, Platform

recursive_option = click.option(
    "-r",
    "--recursive",
    is_flag=True,
    help="Bring signatures, SBOMs and all else that speaks of it.",
)
checkpoints_option = click.option(
    "--with-checkpoints",
    "checkpoints",
    is_flag=True,
    help="With --recursive, bring checkpoints too; they may hold private memories.",
)
platform_option = click.option(
    "--platform", type=PLATFORM, help="Of an index, copy what is for OS/ARCHITECTURE."
)


@click.command("cp")
@click.argument("source")
@click.argument("target")
@recursive_option
@checkpoints_option
@platform_option
@click.option("-t", "--tag", "tags", multiple=True, help="Give it this tag, too. Repeatable.")
@click.option(
    "--if-exists",
    type=click.Choice(["replace", "skip", "fail"]),
    default="replace",
    show_default=True,
    help="What to do when the target's name means other content; --tag tags always move.",
)
@click.option("--dry-run", is_flag=True, help="Show what would move, and change nothing.")
@quiet_option
@format_option
@access_options(credentials=False)
@click.pass_obj
def cp_command(
    engine: Engine,
    source: str,
    target: str,
    *,
    recursive: bool,
    checkpoints: bool,
    platform: Platform | None,
    tags: tuple[str, ...],
    if_exists: str,
    dry_run: bool,
    form: str,
    quiet: bool,
) -> None:
    """Copy an image between registries, layouts and archives.

    SOURCE and TARGET are references (HOST/NAME:TAG), image layouts (oci:DIR:NAME:TAG), archives
    (oci-archive:FILE:NAME:TAG) or short names, which are those of the local store. Digests stay as
    they are, the name appears last, and nothing is stored on the way. Without a name in the target
    layout or archive the source's is kept. With --if-exists fail or skip a version that is there
    stays what it is, and no other tag moves. An archive is written anew as a whole, and the same
    content gives the same file. Prints the digest.

    \b
    Examples:
      agent cp registry.example.com/team/bot:1.0 mirror.example.com/team/bot:1.0
      agent cp -r --if-exists fail STAGING@sha256:DIGEST registry.example.com/bot:1.4.2 -t 1.4 -t 1
      agent cp --recursive registry.example.com/team/bot:1.0 oci-archive:bot.tar
      agent cp --recursive oci-archive:bot.tar inside.example.com/team/bot:1.0
      agent cp --dry-run bot:1.0 oci:/media/usb/agents
    """
    from agentoci.api.copying import CopyRules
    from agentoci.cli.progress import showing
    from agentoci.content.standing import IfExists

    rules = CopyRules(recursive, checkpoints, platform, IfExists(if_exists), tags=tags)
    if dry_run:
        _show_plan(engine.copies.plan(source, target, rules), form=form, quiet=quiet)
        return
    with showing(engine, quiet=quiet) as timer:
        done = engine.copies.copy(source, target, rules)
    if not quiet:
        _say(done, timer())
    if form == "json":
        output.document(copy_document(done))
    else:
        output.result(done.digest)


def _say(done: CopyDone, seconds: float) -> None:
    say_left_out(done.left_out)
    match done.outcome:
        case "copied":
            attached = f", {len(done.attached)} attached" if done.attached else ""
            moved = f"{done.moved_blobs} of {done.blobs} blobs, {output.size(done.moved_bytes)}"
            asked = f", {output.counted(done.requests, 'request')}" if done.requests else ""
            also = f", also as {', '.join(done.names[1:])}" if done.names[1:] else ""
            output.talk(f"copied {done.target}{also}: {moved}{attached} in {seconds:.1f} s{asked}")
        case "exists":
            output.talk(f"{done.target}: everything was there already")
        case _:
            output.talk(f"left alone: {done.target} is there already as {done.digest}")


def say_left_out(left_out: Iterable[LeftOut]) -> None:
    """What was not copied, and why."""
    for one in left_out:
        item = one.attachment
        what = f"{item.kind or 'artifact'} {item.desc.digest}"
        output.warning(f"left out {what} of {item.subject.digest}: {one.reason}")


def copy_document(done: CopyDone) -> dict[str, object]:
    """The JSON form of a copy."""
    return {
        "source": done.source,
        "target": done.target,
        "digest": str(done.digest),
        "tags": output.tags_of(done.names),
        "outcome": str(done.outcome),
        "blobs": done.blobs,
        "movedBlobs": done.moved_blobs,
        "movedBytes": done.moved_bytes,
        "requests": done.requests,
        **_attachments(done.attached, done.left_out),
    }


def _show_plan(plan: CopyPlan, *, form: str, quiet: bool) -> None:
    if form == "json":
        output.document(_plan_document(plan))
        return
    if not quiet:
        say_left_out(plan.left_out)
        there = f", {len(plan.present)} are there already" if plan.present else ""
        moves = f"{len(plan.moves)} blobs and manifests, {output.size(plan.moved_bytes)}"
        output.talk(f"would copy {plan.target}: {moves}{there}")
    rows = [[str(desc.digest), output.size(desc.size), desc.media_type] for desc in plan.moves]
    output.table(["DIGEST", "SIZE", "TYPE"], rows)


def _plan_document(plan: CopyPlan) -> dict[str, object]:
    return {
        "source": plan.source,
        "target": plan.target,
        "digest": str(plan.digest),
        "moves": [_described(desc) for desc in plan.moves],
        "present": [_described(desc) for desc in plan.present],
        "movedBytes": plan.moved_bytes,
        **_attachments(plan.attached, plan.left_out),
    }


def _described(desc: Descriptor) -> dict[str, object]:
    return {"mediaType": desc.media_type, "digest": str(desc.digest), "size": desc.size}


def _attachments(
    attached: Iterable[Attachment], left_out: Iterable[LeftOut]
) -> dict[str, list[dict[str, object]]]:
    return {
        "attached": [_attached(item) for item in attached],
        "leftOut": [{**_attached(one.attachment), "reason": one.reason} for one in left_out],
    }


def _attached(item: Attachment) -> dict[str, object]:
    from agentoci.api.discovery import kind_shown

    return {
        "digest": str(item.desc.digest),
        "artifactType": item.kind if item.tag is None else None,
        "kind": kind_shown(item),
        "subject": str(item.subject.digest),
        "tag": item.tag,
    }
