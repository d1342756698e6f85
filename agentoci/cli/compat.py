"""agent compat: ask the compatibility matrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agentoci.cli import output
from agentoci.cli.params import format_option
from agentoci.errors import Difference

if TYPE_CHECKING:
    from agentoci.api.compatibility import Judgement

F = TypeVar("F", bound=Callable[..., Any])


def _file(function: F) -> F:
    return click.option(
        "--file",
        "file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("compatibility.json"),
        show_default=True,
        help="The matrix.",
    )(function)


@click.group("compat")
def compat_command() -> None:
    """Ask the compatibility matrix.

    compatibility.json says which versions of agents work together, and with which language models.
    Beside an Agentfile it also limits what `agent lock` chooses.

    \b
    Examples:
      agent compat check coordinator_agent@1.0.0 psm_gen@1.0
      agent compat list
    """


@compat_command.command("check")
@click.argument("agent", metavar="NAME[@VERSION]")
@click.argument("others", metavar="[NAME@VERSION]...", nargs=-1)
@click.option("--model", "models", multiple=True, help="A language model; repeatable.")
@click.option("--strict", is_flag=True, help="Fail on what the matrix says nothing of, too.")
@_file
@format_option
def check_command(
    agent: str,
    others: tuple[str, ...],
    models: tuple[str, ...],
    file: Path,
    form: str,
    *,
    strict: bool,
) -> None:
    """Say whether an agent works with others, or with models.

    Exits with 3 when one of them does not. A version of fewer numbers means all of them: 1.0 is any
    1.0.z.

    \b
    Examples:
      agent compat check coordinator_agent@1.0.0 psm_gen@1.0
      agent compat check coordinator_agent@2.0.0 --model claude-3
    """
    from agentoci.api.compatibility import Answer, Named, read_matrix

    if not others and not models:
        raise click.UsageError("name an agent to compare with, or --model")
    matrix = read_matrix(file)
    one = Named.parse(agent)
    answers = [(other, matrix.judge(one, Named.parse(other))) for other in others]
    answers += [(model, matrix.judge_model(one, model)) for model in models]
    _show(agent, answers, form)
    bad = [Answer.INCOMPATIBLE, *([Answer.UNKNOWN] if strict else [])]
    failed = [found for _, found in answers if found.answer in bad]
    if failed:
        raise NotCompatible(failed[0].reason)


class NotCompatible(Difference):
    """The matrix says no, or, by --strict, nothing."""


def _show(agent: str, answers: list[tuple[str, Judgement]], form: str) -> None:
    if form == "json":
        output.document(
            {
                "agent": agent,
                "answers": [
                    {"with": other, "answer": found.answer.value, "reason": found.reason}
                    for other, found in answers
                ],
            }
        )
        return
    for other, found in answers:
        output.result(f"{agent}  {other}  {found.answer.value}")
        if found.answer == "unknown":
            output.warning(found.reason)


@compat_command.command("list")
@_file
@format_option
def list_command(file: Path, form: str) -> None:
    """List what the matrix says.

    \b
    Examples:
      agent compat list
      agent compat list --file agents/compatibility.json --format json
    """
    from agentoci.api.compatibility import read_matrix

    rows = [row for rows in read_matrix(file).rows.values() for row in rows]
    if form == "json":
        output.document(
            [
                {
                    "agent": row.of.name,
                    "version": str(row.of.versions),
                    "compatibleWith": _words(row.partners),
                    "models": _words(row.models),
                }
                for row in rows
            ]
        )
        return
    shown = [
        (str(row.of), " ".join(_words(row.partners) or "-"), " ".join(_words(row.models) or "-"))
        for row in rows
    ]
    output.table(("AGENT", "WORKS WITH", "MODELS"), shown)


def _words(found: tuple[object, ...] | None) -> list[str] | None:
    return None if found is None else [str(one) for one in found]
