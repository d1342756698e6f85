"""agent doctor: what is wrong on this machine, and what a registry can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.params import format_option

if TYPE_CHECKING:
    from agentoci.api.doctor import Examined
    from agentoci.api.engine import Engine
    from agentoci.api.machine import Check


@click.command("doctor")
@click.argument("registry", required=False)
@click.option("--read-only", is_flag=True, help="Write nothing to the registry.")
@click.option("--image", help="An image at the registry to read, with --read-only.")
@click.option("--cached", is_flag=True, help="Print what is known, and ask nobody.")
@format_option
@access_options()
@click.pass_obj
def doctor_command(
    engine: Engine,
    registry: str | None,
    image: str | None,
    form: str,
    *,
    read_only: bool,
    cached: bool,
) -> None:
    """Say what is wrong here, or what a registry can do.

    Without REGISTRY it looks at this machine: home, store, disk, settings, logins, proxies and
    certificates. The exit code is 1 if something fails.

    With REGISTRY, which is HOST or HOST/PREFIX, it finds out how blobs can be sent there, whether
    agents are taken as they are, what can be deleted, and more. It writes less than 2 MiB to
    PREFIX/agentoci-doctor and PREFIX/agentoci-doctor-mount, and removes it again; some registries
    keep the empty repositories. What was found is remembered, and push and pull make use of it.

    \b
    Examples:
      agent doctor
      agent doctor registry.example.com/team
      agent doctor --read-only --image registry.example.com/team/bot:1.0 registry.example.com
      agent doctor --cached --format json registry.example.com
    """
    _check_usage(registry, image, read_only=read_only, cached=cached)
    if registry is None:
        _examine_machine(engine, form)
        return
    from agentoci.api.doctor import look_at_registry, places_of, probe_registry, recall
    from agentoci.api.machine import check_settings

    check_settings(engine)
    if cached:
        _show_facts(recall(engine, registry), form)
        return
    if read_only:
        examined = look_at_registry(engine, registry, image=image)
    else:
        output.talk(f"writing to {' and '.join(places_of(registry))}; it is removed again")
        examined = probe_registry(engine, registry)
    _show_registry(examined, form)


def _check_usage(registry: str | None, image: str | None, *, read_only: bool, cached: bool) -> None:
    if registry is None and (image or read_only or cached):
        raise click.UsageError("--read-only, --image and --cached need a REGISTRY")
    if cached and (image or read_only):
        raise click.UsageError("--cached asks nobody: leave --read-only and --image out")
    if image and not read_only:
        raise click.UsageError("--image goes with --read-only: else content of our own is read")


def _examine_machine(engine: Engine, form: str) -> None:
    from agentoci.api.machine import Grade, Unhealthy, examine_machine

    found = examine_machine(engine)
    failed = sum(check.grade is Grade.FAIL for check in found)
    if form == "json":
        output.document({"checks": [_check_document(check) for check in found], "failed": failed})
    else:
        rows = ((check.check, check.grade.value, _with_hint(check)) for check in found)
        output.table(("CHECK", "RESULT", "DETAIL"), rows)
    if failed:
        raise Unhealthy(f"{failed} of {len(found)} checks failed")


def _with_hint(check: Check) -> str:
    return f"{check.detail} (hint: {check.hint})" if check.hint else check.detail


def _check_document(check: Check) -> dict[str, object]:
    return {
        "check": check.check,
        "result": check.grade.value,
        "detail": check.detail,
        "hint": check.hint,
    }


def _show_registry(examined: Examined, form: str) -> None:
    """The table, what stays there, and in the end the error that cut it short."""
    if form == "json":
        output.document(
            {
                "registry": examined.registry,
                "checks": [
                    {"check": each.check, "result": each.result.value, "detail": each.detail}
                    for each in examined.findings
                ],
                "left": list(examined.left),
                "facts": _facts_document(examined),
                "error": examined.error.message if examined.error else None,
            }
        )
    else:
        rows = ((each.check, each.result.value, each.detail) for each in examined.findings)
        output.table(("CHECK", "RESULT", "DETAIL"), rows)
    for place in examined.left:
        output.warning(f"could not be removed again: {place}")
    if examined.error:
        raise examined.error


def _show_facts(examined: Examined, form: str) -> None:
    if form == "json":
        output.document({"registry": examined.registry, "facts": _facts_document(examined)})
        return
    shown = {True: "yes", False: "no", None: "unknown"}
    rows = (
        (name.replace("_", " "), shown[value] if value in shown else str(value))
        for name, value in examined.facts.items()
    )
    output.table(("FACT", "VALUE"), rows)


def _facts_document(examined: Examined) -> dict[str, object]:
    """The facts under names as all our JSON has them: `deleteTags`."""
    return {_camel(name): value for name, value in examined.facts.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
