"""agent search, index add, index rm, index ls."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import format_option, quiet_option

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.search import Searched
    from agentoci.api.searchindex import IndexChange

_GAP: Final = 3
_LEAST: Final = 20
_PIPED: Final = 45
"""Cells between columns; what a description always gets; what it gets where no terminal is."""


@click.command("search")
@click.argument("query")
@click.option("--source", "sources", multiple=True, metavar="SOURCE", help="Search here instead.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=25,
    show_default=True,
    help="Show the best so many.",
)
@click.option("-a", "--all", "everything", is_flag=True, help="Artifacts of any type, not agents.")
@click.option("--no-trunc", is_flag=True, help="Print whole digests and descriptions.")
@format_option
@access_options(credentials=False)
@click.pass_obj
def search_command(
    engine: Engine,
    /,
    query: str,
    sources: tuple[str, ...],
    limit: int,
    form: str,
    **switches: bool,
) -> None:
    """Search for agents by name and description.

    Asks the local store, the default registry and what [search] of the config file names, all at
    once. A SOURCE is local, oci-index://HOST/NAME:TAG (an index made by `agent index add`),
    registry://HOST (zot's search, else the list of repositories), catalog://HOST, zot://HOST,
    harbor://HOST or hub:// (Docker Hub). A source that fails is a warning, unless all do.

    \b
    Examples:
      agent search coordinator
      agent search planner --source oci-index://registry.example.com/team/agents-index:latest
      agent search coordinator --source catalog://localhost:5000/team --format json
    """
    from agentoci.api.search import SearchOptions, search

    options = SearchOptions(sources or None, limit, switches["everything"])
    found = search(engine, query, options)
    for complaint in found.complaints:
        if found.failure is None or complaint.error is not found.failure:
            output.warning(output.told(str(complaint.source), complaint.message))
    if form == "json":
        output.document(_document(query, found))
    elif found.failure is None:
        _print_hits(found, whole=switches["no_trunc"])
        if not found.hits:
            output.talk(f"nothing found for {query!r}")
    if found.failure is not None:
        raise found.failure


def _document(query: str, found: Searched) -> dict[str, object]:
    return {
        "query": query,
        "results": [
            {
                "name": hit.name,
                "version": hit.version,
                "digest": hit.digest,
                "source": hit.source,
                "title": hit.title,
                "description": hit.description,
                "artifactType": hit.kind or None,
            }
            for hit in found.hits
        ],
        "errors": [
            {"source": str(one.source), "error": one.message, "partial": one.error is None}
            for one in found.complaints
        ],
    }


def _print_hits(found: Searched, *, whole: bool) -> None:
    rows = [
        (hit.name, hit.version or "", _short(hit.digest, whole=whole), hit.source, hit.description)
        for hit in found.hits
    ]
    header = ("NAME", "VERSION", "DIGEST", "SOURCE", "DESCRIPTION")
    output.table(header, rows if whole else _fitted(header, rows))


def _short(digest: str | None, *, whole: bool) -> str:
    if digest is None or whole:
        return digest or ""
    return digest.partition(":")[2][:12]


def _fitted(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[Sequence[str]]:
    """The rows with their last column cut, so that a line fits the terminal."""
    room = _PIPED
    if sys.stdout.isatty():
        widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header) - 1)]
        room = shutil.get_terminal_size().columns - sum(widths) - _GAP * len(widths)
    room = max(room, _LEAST)
    for *others, last in rows:
        yield (*others, last if len(last) <= room else last[: room - 1] + "…")


@click.group("index")
def index_command() -> None:
    """Keep lists of agents that a search finds.

    A search index is an artifact in any registry, or in an OCI image layout (oci:DIR:NAME). Name
    it in the config file, and every search asks it:

    \b
      [search]
      sources = ["oci-index://registry.example.com/team/agents-index:latest"]

    \b
    Examples:
      agent index add registry.example.com/team/agents-index registry.example.com/team/bot:1.0
      agent index ls registry.example.com/team/agents-index
    """


@index_command.command("add")
@click.argument("index")
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--profile",
    type=click.Choice(["agent", "image"]),
    help="Media types: our own, or those of container images.  [default: as it is; agent]",
)
@quiet_option
@format_option
@access_options(credentials=False)
@click.pass_obj
def add_command(
    engine: Engine,
    index: str,
    images: tuple[str, ...],
    profile: str | None,
    form: str,
    *,
    quiet: bool,
) -> None:
    """List IMAGES in the search index INDEX.

    The index is made when it is not there. An image is looked up at its registry, or in the local
    store when its name has no registry; an entry of the same name and version is replaced. Prints
    the digest of the index.

    \b
    Examples:
      agent index add registry.example.com/team/agents-index registry.example.com/team/bot:1.0
      agent index add oci:/media/usb/agents:agents-index coordinator:1.0 planner:2.1
    """
    from agentoci.api import searchindex

    as_image = None if profile is None else profile == "image"
    done = searchindex.add(engine, index, images, as_image=as_image)
    if not quiet:
        _say_added(done)
    if form == "json":
        output.document(
            {
                "index": index,
                "digest": str(done.digest),
                "added": [entry.document() for entry in done.added],
                "replaced": [entry.document() for entry in done.replaced],
            }
        )
        return
    output.result(done.digest)


def _say_added(done: IndexChange) -> None:
    for entry in done.added:
        output.talk(f"added {entry.reference}")
    for entry in done.replaced:
        output.talk(f"replaced {entry.reference}, now {entry.digest}")
    if not (done.added or done.replaced):
        output.talk("everything was listed already")


@index_command.command("rm")
@click.argument("index")
@click.argument("names", nargs=-1, required=True)
@quiet_option
@format_option
@access_options()
@click.pass_obj
def rm_command(
    engine: Engine, index: str, names: tuple[str, ...], form: str, *, quiet: bool
) -> None:
    """Take agents out of the search index INDEX.

    A NAME goes with all its versions, NAME:VERSION alone. The images stay where they are. Prints
    the digest of the index.

    \b
    Example:
      agent index rm registry.example.com/team/agents-index registry.example.com/team/bot:1.0
    """
    from agentoci.api import searchindex

    done = searchindex.remove(engine, index, names)
    for entry in () if quiet else done.removed:
        output.talk(f"removed {entry.reference}")
    if form == "json":
        removed = [entry.document() for entry in done.removed]
        output.document({"index": index, "digest": str(done.digest), "removed": removed})
        return
    output.result(done.digest)


@index_command.command("ls")
@click.argument("index")
@format_option
@access_options()
@click.pass_obj
def ls_command(engine: Engine, index: str, form: str) -> None:
    """Show what the search index INDEX lists.

    \b
    Examples:
      agent index ls registry.example.com/team/agents-index
      agent index ls oci:/media/usb/agents:agents-index --format json
    """
    from agentoci.api import searchindex

    entries = searchindex.list_agents(engine, index).entries
    if form == "json":
        output.document([entry.document() for entry in entries])
        return
    header = ("NAME", "VERSION", "DIGEST", "DESCRIPTION")
    rows = [
        (one.name, one.version, _short(one.digest, whole=False), one.description or "")
        for one in entries
    ]
    output.table(header, _fitted(header, rows))
