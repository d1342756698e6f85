"""agent sync."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.copying import (
    checkpoints_option,
    platform_option,
    recursive_option,
    say_left_out,
)
from agentoci.cli.params import format_option, quiet_option
from agentoci.errors import NotFound

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.syncing import SyncOptions
    from agentoci.api.synclists import SyncEntry
    from agentoci.api.syncreport import SyncReport, SyncRow
    from agentoci.spec.descriptor import Platform

_STDIN = "-"


@click.command("sync")
@click.argument("places", nargs=-1, metavar="[LIST] [DESTINATION]")
@click.option(
    "--source", "sources", multiple=True, help="Sync this, instead of a list. Repeatable."
)
@recursive_option
@checkpoints_option
@platform_option
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Images at a time.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the account of every image to this file, as JSON, whatever happens.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option("--dry-run", is_flag=True, help="Say what would be copied, and copy nothing.")
@quiet_option
@format_option
@access_options(credentials=False)
@click.pass_obj
def sync_command(
    engine: Engine,
    places: tuple[str, ...],
    sources: tuple[str, ...],
    *,
    recursive: bool,
    checkpoints: bool,
    platform: Platform | None,
    jobs: int,
    report_file: Path | None,
    fail_fast: bool,
    dry_run: bool,
    form: str,
    quiet: bool,
) -> None:
    """Copy many images at once, and account for each.

    LIST is a YAML or JSON file, or has a line `SOURCE [TARGET]` per image; - is stdin. A SOURCE
    without a tag (HOST/NAME, oci:DIR, oci-archive:FILE) means all its images. At DESTINATION,
    HOST[/PREFIX] or oci:DIR, they keep their repositories' names and tags. A failure stops no other
    image: the exit code is 1 then, and the report has the exit code of each. Running it again
    copies what is missing, and asks two requests for what is there.

    \b
    A list:
      images:
        - source: registry.example.com/team/bot
          tags: ["1.0", "2.*"]       # or newest: 5; without either, all
          recursive: true
        - source: registry.example.com/team/tool:2.1
          target: mirror.example.com/tools/tool
          platform: linux/amd64

    \b
    Examples:
      agent sync images.yaml mirror.example.com
      agent sync --source registry.example.com/team/bot mirror.example.com/backup
      agent sync --recursive --source oci:/media/usb/agents inside.example.com
      agent sync --report report.json images.yaml
    """
    from agentoci.api.syncing import SyncOptions
    from agentoci.api.syncreport import SyncReport

    if report_file is not None and not report_file.absolute().parent.is_dir():
        raise NotFound(f"{report_file.parent}: no such folder")
    entries, destination = _read(places, sources)
    options = SyncOptions(jobs, recursive, checkpoints, platform, dry_run, fail_fast)
    report = SyncReport(_say_failure if quiet else _say)
    try:
        _run(engine, entries, destination, report, options)
    finally:
        if report_file is not None:
            report.write(report_file)
    _show(report, form=form, quiet=quiet)
    if report.failure is not None:
        raise report.failure


def _run(
    engine: Engine,
    entries: list[SyncEntry],
    destination: str | None,
    report: SyncReport,
    options: SyncOptions,
) -> None:
    from agentoci.api.synctasks import Destination

    where = Destination.parse(destination) if destination else None
    engine.syncs.run(entries, where, report, options)


def _read(places: tuple[str, ...], sources: tuple[str, ...]) -> tuple[list[SyncEntry], str | None]:
    """What to sync, and where to; wrong numbers of arguments are usage errors."""
    from agentoci.api.synclists import SyncEntry, read_sync_list

    if sources:
        if len(places) != 1:
            raise click.UsageError("with --source there is one argument: DESTINATION")
        return [SyncEntry(source) for source in sources], places[0]
    if len(places) not in (1, 2):
        raise click.UsageError("expected LIST and maybe DESTINATION, or --source and DESTINATION")
    content, name = _content(places[0])
    return read_sync_list(content, file=name), places[1] if places[1:] else None


def _content(place: str) -> tuple[bytes, str]:
    if place == _STDIN:
        return sys.stdin.buffer.read(), "<stdin>"
    try:
        return Path(place).read_bytes(), place
    except (FileNotFoundError, IsADirectoryError) as exc:
        hint = "without a list, name the images by --source"
        raise NotFound(f"{place}: no such list", hint=hint) from exc


def _say_failure(row: SyncRow) -> None:
    if row.error is not None:
        output.error(output.told(row.source, row.error.message), row.error.hint)


def _say(row: SyncRow) -> None:
    say_left_out(row.left_out)
    _say_failure(row)
    if row.outcome == "copied":
        attached = f", {row.attached} attached" if row.attached else ""
        output.talk(f"copied {row.target}: {output.size(row.moved_bytes)}{attached}")


def _show(report: SyncReport, *, form: str, quiet: bool) -> None:
    if form == "json":
        output.document(report.document())
        return
    output.table(
        ["OUTCOME", "TARGET", "DIGEST"],
        [
            [str(row.outcome), row.target or row.source, str(row.digest or "")]
            for row in report.rows
        ],
    )
    if not quiet:
        from agentoci.api.syncreport import SyncOutcome

        counts = {each: report.count(each) for each in SyncOutcome}
        said = [f"{count} {each}" for each, count in counts.items() if count] or ["nothing to do"]
        if report.requests:
            said.append(output.counted(report.requests, "request"))
        output.talk(f"{output.counted(len(report.rows), 'image')}: {', '.join(said)}")
