"""agent convert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import format_option

if TYPE_CHECKING:
    from agentoci.api.converting import Exported, Imported, Loss
    from agentoci.api.engine import Engine

_FROM = ("auto", "skill", "agents-md", "mcp", "docker-agent")
_TO = ("a2a-card", "skill", "docker-agent", "mcp-server")


@click.command("convert")
@click.option(
    "--from",
    "source_format",
    type=click.Choice(_FROM),
    help="Make a definition of THING, a file or folder of this format.",
)
@click.option("--to", "target_format", type=click.Choice(_TO), help="Make this of THING, an agent.")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Folder (of --from, and of skills) or file to write; the main file goes to stdout else.",
)
@click.option("--name", help="Name of the agent (--from), or of the MCP server (--to mcp-server).")
@click.option("--url", help="Where the agent answers (--to a2a-card).")
@click.option("--strict", is_flag=True, help="Write nothing when something would be lost (exit 3).")
@click.option("--force", is_flag=True, help="Overwrite files.")
@format_option
@access_options()
@click.argument("thing")
@click.pass_obj
def convert_command(
    engine: Engine,
    /,
    thing: str,
    source_format: str | None,
    target_format: str | None,
    target: Path | None,
    name: str | None,
    url: str | None,
    form: str,
    **switches: bool,
) -> None:
    """Convert between definitions and other tools' formats.

    --from makes a definition and an Agentfile of an Agent Skill (folder), AGENTS.md, mcp.json or a
    Docker Agent configuration. --to makes an A2A agent card, an Agent Skill, a Docker Agent
    configuration or a server.json of an image (here, at a registry, oci:DIR) or .agentdef file.
    What the other format cannot say is listed on stderr. Nothing is run or downloaded.

    \b
    Examples:
      agent convert --from docker-agent team.yaml -o team
      agent convert --from mcp .vscode/mcp.json
      agent convert coordinator:1.0 --to a2a-card --url https://agents.example.com/coordinator
      agent convert coordinator:1.0 --to skill -o .claude/skills
    """
    if source_format and target_format:
        raise click.UsageError("--from and --to exclude each other: one side is ours")
    if target == Path("-"):
        target = None
    conversion = _Conversion(target, as_json=form == "json", **switches)
    if target_format is None:
        conversion.to_definition(Path(thing), source_format, name)
    else:
        conversion.to_other(engine, thing, target_format, name, url)


class _Conversion:
    """One conversion: its result goes to a folder, a file or stdout, its losses to stderr."""

    def __init__(self, target: Path | None, *, as_json: bool, strict: bool, force: bool) -> None:
        self._target = target
        self._as_json = as_json
        self._strict = strict
        self._force = force

    def to_definition(self, path: Path, form: str | None, name: str | None) -> None:
        """Of another tool's file."""
        from agentoci.api.converting import (
            ImportFormat,
            convert_from,
            definition_text,
            write_imported,
        )

        wanted = None if form in (None, "auto") else ImportFormat(form)
        found, imported = convert_from(path, wanted, name=name)
        self._report(imported.losses, f"{path} ({found})", "a definition")
        written = (
            write_imported(imported, self._target, overwrite=self._force) if self._target else []
        )
        main = imported.agents[0]
        if self._as_json:
            output.document(_imported_document(found, imported, written))
        elif self._target is not None:
            _show_files(written)
        else:
            output.script(output.clean(definition_text(main).rstrip("\n")))
            _tell_rest(imported)

    def to_other(
        self, engine: Engine, thing: str, form: str, name: str | None, url: str | None
    ) -> None:
        """Of an agent of ours."""
        from agentoci.api.converting import (
            ExportFormat,
            ExportOptions,
            convert_to,
            write_exported,
        )

        exported = convert_to(engine, thing, ExportFormat(form), ExportOptions(name, url))
        self._report(exported.losses, thing, form)
        written = (
            write_exported(exported, self._target, overwrite=self._force) if self._target else []
        )
        if self._as_json:
            output.document(_exported_document(form, exported, written))
        elif self._target is not None:
            _show_files(written)
        else:
            output.script(output.clean(exported.main[1].decode().rstrip("\n")))
            if len(exported.files) > 1:
                more = output.counted(len(exported.files) - 1, "more file")
                output.talk(f"-o FOLDER writes {more} beside it")

    def _report(self, losses: Sequence[Loss], what: str, form: str) -> None:
        """Name the losses; raises Difference when there must be none."""
        for loss in losses:
            output.talk(f"lost: {loss}")
        if losses and self._strict:
            from agentoci.errors import Difference

            raise Difference(
                f"{what}: {output.counted(len(losses), 'thing')} cannot be said in {form}",
                hint="without --strict it is converted all the same",
            )


def _imported_document(form: str, imported: Imported, written: Sequence[Path]) -> dict[str, object]:
    return {
        "format": str(form),
        "agents": [
            {
                "name": agent.name,
                "definition": agent.document,
                "agentfile": agent.agentfile(),
                "knowledge": [file.path for file in agent.files],
            }
            for agent in imported.agents
        ],
        "written": [str(path) for path in written],
        "losses": [loss.document() for loss in imported.losses],
    }


def _exported_document(form: str, exported: Exported, written: Sequence[Path]) -> dict[str, object]:
    path, content = exported.main
    return {
        "format": form,
        "name": exported.name,
        "file": path,
        "content": content.decode(),
        "files": list(exported.files),
        "written": [str(path) for path in written],
        "losses": [loss.document() for loss in exported.losses],
    }


def _show_files(paths: Sequence[Path]) -> None:
    for path in paths:
        output.result(path)


def _tell_rest(imported: Imported) -> None:
    """What -o would write besides."""
    main, *others = imported.agents
    parts = [output.counted(len(main.files), "file")] if main.files else []
    parts += [output.counted(len(others), "more agent")] if others else []
    output.talk(f"-o FOLDER writes {' and '.join(['it with an Agentfile', *parts])}")
