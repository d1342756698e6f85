"""agent lock, install, update: what names stand for, and bringing that here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.buildoptions import source_options
from agentoci.cli.params import format_option, quiet_option

if TYPE_CHECKING:
    from agentoci.api.builds import BuildOptions
    from agentoci.api.engine import Engine
    from agentoci.api.locking import Installed, Locked
    from agentoci.release.lock import Lock, Pin

_path = click.argument("path", type=click.Path(path_type=Path), default=Path())
_sources = click.option(
    "--source",
    "sources",
    metavar="HOST[/PREFIX]",
    multiple=True,
    help="Where to look for parents and required agents first; repeatable.",
)


@click.command("lock")
@source_options()
@click.option("--upgrade", is_flag=True, help="Take the newest that fits, of NAMEs or of all.")
@click.option("--check", is_flag=True, help="Change nothing; exit with 3 unless it fits.")
@_sources
@quiet_option
@format_option
@access_options()
@click.argument("arguments", metavar="[PATH] [NAME]...", nargs=-1)
@click.pass_obj
def lock_command(
    engine: Engine,
    arguments: tuple[str, ...],
    file: Path | None,
    build_args: Sequence[tuple[str, str]],
    sources: tuple[str, ...],
    form: str,
    *,
    upgrade: bool,
    check: bool,
    quiet: bool,
) -> None:
    """Pin what FROM and REQUIRE stand for in agent.lock.

    The lock lies beside the Agentfile; that of a file which only -f finds is called FILE.lock. It
    pins base images, required agents (with all that they need) and skills by digest; `agent build`
    takes what it pins, `agent build --locked` fails when it does not fit. Pins that still fit are
    kept: --upgrade takes newer ones. Prints the pins; what changed goes to stderr.

    Agents are looked for in the local store and at the default registry; without one, where the
    base image is; then at `requirement_sources` of the config file. Parents are looked for there,
    too. What the default registry has is pinned by its full reference, so that the lock serves
    everybody.

    \b
    Examples:
      agent lock
      agent lock --check
      agent lock --upgrade
      agent lock --upgrade . psm_generator
      agent lock --source registry.example.com/agents
    """
    from agentoci.api.locking import check_lock, make_lock

    path, names = _path_and_names(arguments, file, named=upgrade)
    if check and upgrade:
        raise click.UsageError("--check changes nothing, --upgrade does")
    options = _options(engine, file, build_args)
    if check:
        _show(check_lock(engine, path, options), form)
        return
    done = make_lock(engine, path, options, upgrade=_upgraded(names, all_=upgrade), sources=sources)
    _tell(done, quiet=quiet)
    _show(done.lock, form, done)


@click.command("install")
@source_options()
@quiet_option
@format_option
@access_options()
@_path
@click.pass_obj
def install_command(
    engine: Engine,
    path: Path,
    file: Path | None,
    build_args: Sequence[tuple[str, str]],
    form: str,
    *,
    quiet: bool,
) -> None:
    """Pull exactly what agent.lock pins.

    Everything is pulled by digest, whatever became of its tags; what is here already is not asked
    for. A lock that is missing or does not fit the Agentfile is refused with 3. Prints what was
    pulled.

    \b
    Examples:
      agent install
      agent install --format json agents/coordinator
    """
    options = _options(engine, file, build_args)
    _install(engine, path, options, form, quiet=quiet)


@click.command("update")
@source_options()
@_sources
@quiet_option
@format_option
@access_options()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-C",
    "--directory",
    "path",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder of the Agentfile (this one).",
)
@click.pass_obj
def update_command(
    engine: Engine,
    names: tuple[str, ...],
    path: Path,
    file: Path | None,
    build_args: Sequence[tuple[str, str]],
    sources: tuple[str, ...],
    form: str,
    *,
    quiet: bool,
) -> None:
    """Move agent.lock to the newest that fits, and pull it.

    Like `agent lock --upgrade`, then `agent install`: of the NAMEs, or of everything.

    \b
    Examples:
      agent update
      agent update psm_generator
      agent update -C agents/coordinator
    """
    from agentoci.api.locking import make_lock

    options = _options(engine, file, build_args)
    done = make_lock(engine, path, options, upgrade=_upgraded(names, all_=True), sources=sources)
    _tell(done, quiet=quiet)
    _install(engine, path, options, form, quiet=quiet)


def _path_and_names(
    arguments: tuple[str, ...], file: Path | None, *, named: bool
) -> tuple[Path, tuple[str, ...]]:
    """With --upgrade the first is the folder when it holds a lock, without it is in any case.

    The lock of a `file` lies beside that; then the first is the folder when it is one.
    """
    from agentoci.api.builds import BuildOptions
    from agentoci.api.pinning import lock_path

    path, names = Path(), arguments
    first = Path(arguments[0]) if arguments else path
    is_path = first.is_dir() if file else lock_path(first, BuildOptions()).is_file()
    if arguments and (not named or is_path):
        path, names = Path(arguments[0]), arguments[1:]
    if names and not named:
        raise click.UsageError(f"{names[0]}: names are for --upgrade")
    return path, names


def _upgraded(names: tuple[str, ...], *, all_: bool) -> tuple[str, ...]:
    from agentoci.api.locking import EVERYTHING

    return names or ((EVERYTHING,) if all_ else ())


def _options(
    engine: Engine, file: Path | None, build_args: Sequence[tuple[str, str]]
) -> BuildOptions:
    from agentoci.api.builds import BuildOptions

    return BuildOptions(file=file, build_args=dict(build_args), epoch=engine.settings.epoch)


def _tell(done: Locked, *, quiet: bool) -> None:
    if quiet:
        return
    for change in done.changes:
        output.talk(str(change))
    for missing in done.lock.missing:
        output.talk(f"{missing.name}: optional, and nowhere found")
    for name in done.unpushed:
        output.warning(f"{name} is in the local store only: nobody else can install it")
    what = f"wrote {done.path}" if done.is_written else f"{done.path} stays as it is"
    output.talk(f"{what} ({output.counted(done.requests, 'request')})")


def _show(lock: Lock, form: str, done: Locked | None = None) -> None:
    if form != "json":
        rows = [(p.kind.value, p.name, p.version or "", str(p.digest)) for p in lock.pins]
        output.table(("KIND", "NAME", "VERSION", "DIGEST"), rows)
        return
    document: dict[str, object] = {
        "pins": [_pin(pin) for pin in lock.pins],
        "missing": [one.name for one in lock.missing],
    }
    if done is not None:
        document |= {
            "path": str(done.path),
            "written": done.is_written,
            "requests": done.requests,
            "changes": [
                {
                    "kind": change.kind.value,
                    "name": change.name,
                    "old": _pin(change.old) if change.old else None,
                    "new": _pin(change.new) if change.new else None,
                }
                for change in done.changes
            ],
            "unpushed": list(done.unpushed),
        }
    output.document(document)


def _pin(pin: Pin) -> dict[str, object]:
    return {
        "kind": pin.kind.value,
        "name": pin.name,
        "version": pin.version,
        "reference": pin.reference,
        "digest": str(pin.digest),
        "required": pin.required,
        "wantedBy": dict(sorted(pin.wanted_by.items())),
    }


def _install(engine: Engine, path: Path, options: BuildOptions, form: str, *, quiet: bool) -> None:
    from agentoci.api.locking import install
    from agentoci.cli.progress import showing

    with showing(engine, quiet=quiet):
        done = install(engine, path, options)
    if form == "json":
        output.document({"installed": [_pin(o.pin) | {"pulled": o.is_new} for o in done]})
        return
    for one in done:
        if one.is_new:
            output.result(f"{one.pin.reference}@{one.pin.digest}")
    if not quiet:
        output.talk(_counted(done))


def _counted(done: Sequence[Installed]) -> str:
    pulled = sum(one.is_new for one in done)
    return f"{pulled} of {output.counted(len(done), 'pin')} pulled, the rest was here"
