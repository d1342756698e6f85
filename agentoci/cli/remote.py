"""agent tags, untag: what a repository at a registry holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import format_option

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.tags import TagRow


@click.command("tags")
@click.argument("repository")
@click.option("--digests", is_flag=True, help="Show the digest behind each tag.")
@click.option("--limit", type=click.IntRange(min=1), help="Show the first so many only.")
@format_option
@access_options()
@click.pass_obj
def tags_command(
    engine: Engine, repository: str, limit: int | None, form: str, *, digests: bool
) -> None:
    """List the tags of a repository.

    Versions come first, the newest leading, then all other tags by name. REPOSITORY is
    HOST/NAME, a name in the local store, or oci:DIR[:NAME] for an OCI image layout.

    \b
    Examples:
      agent tags registry.example.com/team/coordinator
      agent tags registry.example.com/team/coordinator --digests --limit 10
      agent tags oci:/media/usb/agents
    """
    from agentoci.api.tags import list_tags

    found = list_tags(engine, repository, digests=digests, limit=limit)
    if form == "json":
        tags = [_tag_document(row) for row in found.rows]
        output.document({"repository": found.repository, "tags": tags, "total": found.total})
        return
    if digests:
        output.table(("TAG", "DIGEST"), ((r.tag, str(r.digest or "<gone>")) for r in found.rows))
    else:
        for row in found.rows:
            output.result(row.tag)
    if len(found.rows) < found.total:
        output.talk(f"{len(found.rows)} of {found.total} tags")


def _tag_document(row: TagRow) -> dict[str, object]:
    return {
        "tag": row.tag,
        "version": str(row.version) if row.version else None,
        "prerelease": bool(row.version and row.version.prerelease),
        "digest": str(row.digest) if row.digest else None,
    }
