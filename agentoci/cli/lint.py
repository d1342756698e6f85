"""agent lint and agent validate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.buildoptions import allow_secret_option, source_options
from agentoci.cli.params import format_option
from agentoci.errors import Difference, Invalid

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.api.linting import Finding, Fixed, Validated


class LintFailed(Invalid):
    """There are errors: what was linted does not build, or must not."""


class WarningsFound(Difference):
    """There are warnings, and --strict was given."""


class NotValid(Invalid):
    """A file that was validated has faults."""


def _show_rules(form: str) -> None:
    from agentoci.api.linting import RULES

    if form != "text":
        documents = [
            {
                "rule": rule.id,
                "severity": rule.severity.value,
                "fixable": rule.fixable,
                "summary": rule.summary,
            }
            for rule in RULES.values()
        ]
        output.document(documents)
        return
    rows = [
        (rule.id, rule.severity.value, "fix" if rule.fixable else "", rule.summary)
        for rule in RULES.values()
    ]
    output.table(("RULE", "SEVERITY", "", "WHAT IT FINDS"), rows)


def _show_variables(form: str) -> None:
    from agentoci.api.linting import VARIABLES

    if form != "text":
        documents = [
            {"name": v.name, "kind": str(v.kind), "known": v.known, "meaning": v.meaning}
            for v in VARIABLES.values()
        ]
        output.document(documents)
        return
    rows = [(v.name, str(v.kind), v.known, v.meaning) for v in VARIABLES.values()]
    output.table(("VARIABLE", "KIND", "KNOWN AT", "MEANING"), rows)


@click.command("lint")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@source_options()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="How to print.",
)
@click.option("--fix", "fixing", is_flag=True, help="Mend what can be mended without a doubt.")
@click.option("--strict", is_flag=True, help="Fail by warnings, too (exit code 3).")
@click.option(
    "--disable", "disabled", metavar="RULE", multiple=True, help="Rule to leave out; repeatable."
)
@allow_secret_option
@click.option("--rules", is_flag=True, help="List the rules and exit.")
@click.option("--variables", is_flag=True, help="List what constraints may speak of and exit.")
@click.pass_obj
def lint_command(
    engine: Engine,
    /,
    path: Path,
    file: Path | None,
    build_args: Sequence[tuple[str, str]],
    form: str,
    disabled: Sequence[str],
    allowed_secrets: Sequence[str],
    *,
    fixing: bool,
    strict: bool,
    rules: bool,
    variables: bool,
) -> None:
    """Find what is wrong, or likely so, with the folder of an agent.

    Everything that `agent build` would refuse, all at once, and what builds but was hardly meant.
    Nothing is built, and no registry is asked: bases and parents count as far as they are here.
    The exit code is 2 for errors, 3 for warnings with --strict, else 0.

    \b
    Examples:
      agent lint
      agent lint --strict --format sarif ./coordinator >lint.sarif
      agent lint --fix --disable base-unpinned .
    """
    if rules or variables:
        (_show_rules if rules else _show_variables)(form)
        return
    from agentoci.api.linting import LintOptions, lint, mend

    options = LintOptions(file, dict(build_args), frozenset(disabled), frozenset(allowed_secrets))
    findings: Sequence[Finding]
    if fixing:
        mended = mend(engine, path, options)
        _show_fixes(mended.fixed)
        findings = mended.left
    else:
        findings = lint(engine, path, options)
    _show(findings, form)
    _conclude(findings, strict=strict)


def _show(findings: Sequence[Finding], form: str) -> None:
    if form == "sarif":
        from agentoci.api.linting import to_sarif

        output.document(to_sarif(findings))
    elif form == "json":
        output.document([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            output.lines(_text(finding))


def _text(finding: Finding) -> str:
    fault = finding.fault
    head, *rest = fault.render().split("\n")
    place = f"{fault.file}:{fault.line}:{fault.column}: "
    message = head.removeprefix(place)
    return "\n".join([f"{place}{finding.severity}: {message} [{finding.rule}]", *rest])


def _show_fixes(fixed: Sequence[Fixed]) -> None:
    for each in fixed:
        output.talk(f"{each.file}:{each.line}")
        output.talk(f"  - {each.before}")
        if each.after is not None:
            output.talk(f"  + {each.after}")
    output.talk(f"mended {output.counted(len(fixed), 'line')}")


def _conclude(findings: Sequence[Finding], *, strict: bool) -> None:
    """Say how many there are; raise when that fails the lint."""
    counts = Counter(finding.severity.value for finding in findings)
    said = ", ".join(
        output.counted(counts[kind], kind) for kind in ("error", "warning", "note") if counts[kind]
    )
    fixable = sum(finding.fix is not None for finding in findings)
    hint = f"agent lint --fix mends {fixable} of them" if fixable else None
    if counts["error"]:
        raise LintFailed(said, hint=hint)
    if counts["warning"] and strict:
        raise WarningsFound(said, hint=hint)
    output.talk(said or "nothing found")


@click.command("validate")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@format_option
def validate_command(files: Sequence[Path], form: str) -> None:
    """Check a definition, an Agentfile or another file by itself.

    The name says what a file is: *.agentdef, Agentfile, *.agentinst, SKILL.md, agent.lock,
    compatibility.json. The exit code is 2 when one has faults.

    \b
    Examples:
      agent validate coordinator.agentdef Agentfile
      agent validate --format json compatibility.json
    """
    checked = [_validated(file, alone=len(files) == 1) for file in files]
    if form == "json":
        output.document([_validated_json(each) for each in checked])
    else:
        for each in checked:
            _show_validated(each)
    if bad := [each for each in checked if each.faults]:
        count = sum(len(each.faults) for each in bad)
        raise NotValid(f"{output.counted(count, 'fault')} in {output.counted(len(bad), 'file')}")


def _validated(path: Path, *, alone: bool) -> Validated:
    """A file of an unknown kind among others, of `*` say, is a fault beside theirs."""
    from agentoci.api.linting import UnknownKind, Validated, validate
    from agentoci.errors import Fault

    try:
        return validate(path)
    except UnknownKind as exc:
        if alone:
            raise
        fault = Fault(str(path), 1, 1, "the name does not say what it is", hint=exc.hint)
        return Validated(str(path), "unknown", (fault,))


def _show_validated(checked: Validated) -> None:
    for fault in checked.faults:
        output.lines(fault.render())
    if not checked.faults:
        remark = f" ({checked.remark})" if checked.remark else ""
        output.result(f"{checked.file}: ok{remark}")


def _validated_json(checked: Validated) -> dict[str, object]:
    faults = [
        {
            "line": fault.line,
            "column": fault.column,
            "width": fault.width,
            "message": fault.message,
            "hint": fault.hint,
        }
        for fault in checked.faults
    ]
    return {
        "file": checked.file,
        "kind": checked.kind,
        "valid": not faults,
        "faults": faults,
        "remark": checked.remark,
    }
