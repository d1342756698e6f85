"""agent tags, untag, rm --remote: what a repository at a registry holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import format_option, quiet_option
from agentoci.errors import AgentociError

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.removal import RemotelyRemoved
    from agentoci.api.tags import TagRow


@click.command("tags")
@click.argument("repository")
@click.option("--digests", is_flag=True, help="Show the digest behind each tag.")
@click.option("--limit", type=click.IntRange(min=1), help="Show the first so many only.")
@click.option("--latest", metavar="RANGE", help="The digest of the newest version in a range.")
@click.option("-a", "--all", "everything", is_flag=True, help="Those made of digests, too.")
@quiet_option
@format_option
@access_options()
@click.pass_obj
def tags_command(
    engine: Engine,
    repository: str,
    limit: int | None,
    latest: str | None,
    form: str,
    *,
    digests: bool,
    everything: bool,
    quiet: bool,
) -> None:
    """List the tags of a repository.

    Versions come first, the newest leading, then all other tags by name. REPOSITORY is
    HOST/NAME, a name in the local store, or oci:DIR[:NAME] for an OCI image layout. Tags made of
    digests hold signatures and lists of referrers; `agent discover` shows what they mean.

    \b
    Examples:
      agent tags registry.example.com/team/coordinator
      agent tags registry.example.com/team/coordinator --digests --limit 10
      agent tags registry.example.com/team/coordinator --latest '^1.2'
      agent tags oci:/media/usb/agents
    """
    from agentoci.api.tags import list_tags

    if latest is not None:
        if digests or everything or limit is not None:
            raise click.UsageError("--latest shows one digest: it goes with no other choice")
        _show_newest(engine, repository, latest, form, quiet=quiet)
        return
    found = list_tags(engine, repository, digests=digests, limit=limit, everything=everything)
    if form == "json":
        tags = [_tag_document(row) for row in found.rows]
        document = {"repository": found.repository, "tags": tags}
        output.document({**document, "total": found.total, "hidden": found.hidden})
        return
    if digests:
        output.table(("TAG", "DIGEST"), ((r.tag, str(r.digest or "<gone>")) for r in found.rows))
    else:
        for row in found.rows:
            output.result(row.tag)
    if not quiet and (found.hidden or len(found.rows) < found.total or not found.total):
        hidden = f"; {found.hidden} made of digests are hidden (--all)" if found.hidden else ""
        output.talk(f"{len(found.rows)} of {output.counted(found.total, 'tag')}{hidden}")


def _show_newest(engine: Engine, repository: str, latest: str, form: str, *, quiet: bool) -> None:
    from agentoci.api.tags import newest_tag
    from agentoci.spec.ranges import VersionRange

    row = newest_tag(engine, repository, VersionRange.parse(latest))
    if form == "json":
        output.document(_tag_document(row))
        return
    output.result(row.digest)
    if not quiet:
        output.talk(f"{row.tag} is the newest in {latest}")


def _tag_document(row: TagRow) -> dict[str, object]:
    return {
        "tag": row.tag,
        "version": str(row.version) if row.version else None,
        "prerelease": bool(row.version and row.version.prerelease),
        "digest": str(row.digest) if row.digest else None,
    }


@click.command("untag")
@click.argument("references", nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Show what would be untagged.")
@format_option
@access_options()
@click.pass_obj
def untag_command(engine: Engine, references: tuple[str, ...], form: str, *, dry_run: bool) -> None:
    """Take tags away at their registry.

    The tag alone goes: the image stays under its digest and its other tags, also where the registry
    can delete whole images only. `agent rm --remote` deletes an image with all its tags; `agent
    rmi` removes names here.

    \b
    Examples:
      agent untag registry.example.com/team/coordinator:1.0-rc.1
      agent untag --dry-run registry.example.com/team/coordinator:old
    """
    from agentoci.api.removal import untag

    _remove_each(references, lambda text: untag(engine, text, dry_run=dry_run), form, dry=dry_run)


def remove_images(
    engine: Engine, references: Iterable[str], form: str, *, force: bool, dry_run: bool
) -> None:
    """Delete images at their registry, all that let us."""
    from agentoci.api.removal import remove

    _remove_each(
        references,
        lambda text: remove(engine, text, force=force, dry_run=dry_run),
        form,
        dry=dry_run,
    )


def _remove_each(
    references: Iterable[str], act: Callable[[str], RemotelyRemoved], form: str, *, dry: bool
) -> None:
    """Do it to every one, say what went, and raise the first error in the end."""
    done: list[RemotelyRemoved] = []
    errors: list[tuple[str, AgentociError]] = []
    for text in references:
        try:
            done.append(act(text))
        except AgentociError as exc:
            errors.append((text, exc))
            continue
        if form != "json":
            _show_removed(done[-1])
    if form == "json":
        removed = [_removed_document(each) for each in done]
        failed = [
            {
                "reference": text,
                "error": error.message,
                "hint": error.hint,
                "exitCode": error.exit_code,
            }
            for text, error in errors
        ]
        output.document({"removed": removed, "failed": failed, "dryRun": dry})
    elif dry and done:
        output.talk("nothing was changed (--dry-run)")
    for _, error in errors[1:]:
        output.error(error.message, error.hint)
    if errors:
        raise errors[0][1]


def _show_removed(removed: RemotelyRemoved) -> None:
    for tag in removed.tags:
        output.result(f"untagged: {removed.repository}:{tag}")
    if removed.deleted:
        output.result(f"deleted: {removed.repository}@{removed.digest}")
    if removed.attachments:
        output.warning(f"what speaks of it stays: {', '.join(removed.attachments)}")


def _removed_document(removed: RemotelyRemoved) -> dict[str, object]:
    return {
        "repository": removed.repository,
        "tags": list(removed.tags),
        "digest": str(removed.digest),
        "deleted": removed.deleted,
        "attachments": list(removed.attachments),
    }
