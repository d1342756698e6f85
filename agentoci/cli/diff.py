"""agent diff."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.buildoptions import source_options
from agentoci.cli.params import quiet_option
from agentoci.errors import Difference

if TYPE_CHECKING:
    from agentoci.api.diffing import AgentDiff, Change, Gate, Verdict
    from agentoci.api.engine import Engine
    from agentoci.cli.difftext import Painter


def _print_rules(form: str) -> None:
    if form == "json":
        output.document(_rules_document())
    else:
        for line in _rule_lines():
            output.result(line)


@click.command("diff")
@click.argument("before", metavar="A", required=False)
@click.argument("after", metavar="B", required=False)
@click.option("--semantic", is_flag=True, help="Print the verdict and its reasons only.")
@click.option("--stat", is_flag=True, help="Print numbers only.")
@click.option("--name-only", is_flag=True, help="Print what changed, not how.")
@click.option(
    "--fail-on",
    "gates",
    multiple=True,
    metavar="GATE[,GATE]",
    help="Exit with 3 when a gate stops a change; repeatable. --rules lists the gates.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when anything changed.")
@source_options(file="Agentfile or .agentdef of a folder that is compared.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour the output; auto: on a terminal, unless NO_COLOR is set.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print.",
)
@click.option(
    "--rules", is_flag=True, help="Print the rules of the verdict and the gates, and exit."
)
@quiet_option
@access_options(credentials=False)
@click.pass_obj
@click.pass_context
def diff_command(
    ctx: click.Context,
    engine: Engine,
    /,
    before: str | None,
    after: str | None,
    form: str,
    gates: tuple[str, ...],
    file: Path | None,
    build_args: Sequence[tuple[str, str]],
    color: str,
    **switches: bool,
) -> None:
    """Show what changed between two agents, and how much it matters.

    A and B are images (here, at a registry, in oci:DIR), folders to build, or .agentdef files.
    Nothing is pulled: of layers only those with changed files are read.

    \b
    Examples:
      agent diff coordinator:1.0.0 coordinator:1.1.0
      agent diff registry.example.com/team/coordinator:1.0.0 ./coordinator
      agent diff --semantic coordinator:1.0.0 .
      agent diff --fail-on widened-permission,new-tool,removed-output coordinator:1.0.0 .
    """
    if switches["rules"]:
        _print_rules(form)
        return
    if before is None or after is None:
        missing = "A" if before is None else "B"
        raise click.UsageError(f"Missing argument '{missing}'.")
    from agentoci.api.builds import BuildOptions
    from agentoci.api.diffing import check_gates, diff, judge
    from agentoci.cli.progress import showing

    chosen = _parse_gates(gates)
    shape = _shape(form, switches)
    options = BuildOptions(file=file, build_args=dict(build_args), epoch=engine.settings.epoch)
    texts = not switches["quiet"] and shape in ("text", "stat", "json")
    with showing(engine, quiet=switches["quiet"], bars=False):  # of images that FROM names
        found = diff(engine, before, after, texts=texts, options=options)
    if not switches["quiet"]:
        _print(found, judge(found), shape, _painter(engine, color))
    check_gates(found, chosen)
    if switches["exit_code"] and not found.is_empty:
        ctx.exit(Difference.exit_code)


def _parse_gates(given: Sequence[str]) -> list[Gate]:
    from agentoci.api.diffing import parse_gate

    names = [name.strip() for text in given for name in text.split(",")]
    return [parse_gate(name) for name in dict.fromkeys(filter(None, names))]


def _shape(form: str, switches: dict[str, bool]) -> str:
    """The one shape that is asked for; raises UsageError for two."""
    asked = [name for name in ("semantic", "stat", "name_only") if switches[name]]
    asked += [form] if form != "text" else []
    if len(asked) > 1:
        shown = " and ".join(f"--{name.replace('_', '-')}" for name in asked[:-1])
        last = f"--format {form}" if form != "text" else f"--{asked[-1].replace('_', '-')}"
        raise click.UsageError(f"{shown} and {last} exclude each other")
    return asked[0] if asked else "text"


def _painter(engine: Engine, color: str) -> Painter:
    from agentoci.cli.difftext import Painter

    said = engine.settings.environment
    plain = bool(said.get("NO_COLOR")) or said.get("TERM") == "dumb"
    return Painter(color == "always" or (color == "auto" and sys.stdout.isatty() and not plain))


def _print(found: AgentDiff, verdict: Verdict, shape: str, paint: Painter) -> None:
    from agentoci.api.diffing import next_version
    from agentoci.cli import difftext

    following = next_version(found, verdict)
    if shape == "json":
        output.document(_document(found, verdict, following))
    elif shape == "markdown":
        _print_changelog(found, verdict, following)
    elif shape == "semantic":
        _print_lines(difftext.semantic(verdict, paint))
    elif shape == "name_only":
        _print_lines(map(paint, difftext.names(found)))
    elif found.is_empty:
        same = found.before.digest == found.after.digest
        output.talk("nothing changed" + ("" if same else ", though the digests differ"))
    elif shape == "stat":
        header = ("SECTION", "ADDED", "REMOVED", "CHANGED", "LINES", "VERDICT")
        output.table(header, difftext.stat_rows(found))
    else:
        _print_lines(difftext.whole(found, verdict, following, paint))


def _print_changelog(found: AgentDiff, verdict: Verdict, following: str | None) -> None:
    """Under the version of B, or, where that is A's still, the one that follows."""
    from agentoci.api.diffing import render_changelog

    version = found.after.version
    if version == found.before.version and following is not None:
        version = following
    output.script(output.clean(render_changelog(found, verdict, version)).rstrip())


def _print_lines(lines: Iterator[str]) -> None:
    for line in lines:
        output.script(line)


def _document(found: AgentDiff, verdict: Verdict, following: str | None) -> dict[str, object]:
    return {
        "version": 1,
        "before": asdict(found.before),
        "after": asdict(found.after),
        "verdict": {
            "level": str(verdict.level),
            "next": following,
            "reasons": [
                {**asdict(reason), "level": str(reason.level)} for reason in verdict.reasons
            ],
        },
        "changes": [_change_document(change) for change in found.changes],
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "rule": change.rule.id,
        "section": change.section,
        "sign": change.rule.sign,
        "level": str(change.level),
        "subject": change.subject,
        "title": change.title,
        "before": change.before,
        "after": change.after,
        "text": asdict(change.text) if change.text is not None else None,
    }


def _rules_document() -> dict[str, object]:
    from agentoci.api.diffing import GATES, rules

    listed = [
        {
            "rule": rule.id,
            "section": rule.section.value,
            "level": str(rule.level),
            "title": rule.title,
            "reason": rule.reason,
        }
        for rule in rules().values()
    ]
    return {"rules": listed, "gates": [{"gate": g.name, "help": g.help} for g in GATES.values()]}


def _rule_lines() -> Iterator[str]:
    """The table of rules, then that of gates."""
    from agentoci.api.diffing import GATES, rules

    section = None
    for rule in rules().values():
        if rule.section is not section:
            section = rule.section
            yield f"{section.value.capitalize()}"
        yield f"  {rule.id:<32} {rule.level!s:<5}  {rule.title}: {rule.reason}"
    yield "Gates (--fail-on); the id of a rule is a gate, too"
    for gate in GATES.values():
        yield f"  {gate.name:<32} {gate.help}"
