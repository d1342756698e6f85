"""agent release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.build import Steps
from agentoci.cli.buildoptions import allow_secret_option, packing_options, source_options
from agentoci.cli.params import format_option, quiet_option
from agentoci.errors import NotFound

if TYPE_CHECKING:
    from semver import Version

    from agentoci.api.engine import Engine
    from agentoci.api.releasing import Released

_SHOWN: Final = 10
"""Reasons told; the JSON has all."""

_STDOUT: Final = Path("-")


@click.command("release")
@source_options()
@packing_options
@allow_secret_option
@click.option("--locked", is_flag=True, help="Fail when agent.lock is missing; it must fit anyway.")
@click.option("--version", "version", metavar="VERSION", help="Release exactly this version.")
@click.option(
    "--bump", type=click.Choice(["major", "minor", "patch"]), help="Raise this part of the last."
)
@click.option("--pre", metavar="WORD", help="A pre-release: with rc 1.5.0-rc.1, then 1.5.0-rc.2.")
@click.option("--line", metavar="LINE", help="Go on from the last release of a line (1, 1.3).")
@click.option(
    "--source-url",
    "source",
    metavar="URL",
    help="Where the source is (git's origin, or the CI's).",
)
@click.option("--revision", metavar="ID", help="Its commit (git's HEAD, or the CI's).")
@click.option(
    "--notes",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write what changed there, as Markdown; - prints it in place of the digest.",
)
@click.option("--dry-run", is_flag=True, help="Show version and tags, and release nothing.")
@quiet_option
@format_option
@access_options(credentials=False)
@click.argument("repository")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.pass_obj
def release_command(
    engine: Engine,
    /,
    repository: str,
    path: Path,
    file: Path | None,
    build_args: tuple[tuple[str, str], ...],
    profile: str,
    compression: str,
    allowed_secrets: tuple[str, ...],
    version: str | None,
    bump: str | None,
    pre: str | None,
    line: str | None,
    source: str | None,
    revision: str | None,
    notes: Path | None,
    form: str,
    *,
    dry_run: bool,
    locked: bool,
    quiet: bool,
) -> None:
    """Release what is in PATH as the next version of REPOSITORY.

    Builds PATH, compares it with the last release (as `agent diff --semantic` does), and raises the
    version by what changed: MAJOR, MINOR or PATCH; below 1.0.0 a breaking change raises the minor
    version and all others the patch. The version that the definition declares is taken if it is
    higher than the last release; one that is released already leaves the choice to the command, and
    so does 1.2.0-dev (work in progress), once 1.2.0 is released or too small for the change: until
    then it becomes 1.2.0. The first release is the version declared, or 0.1.0. A version that is
    too small for the change is refused (3), so is one that is released already (7). The version
    goes into the image, no file is changed, nor is agent.lock: where there is one it must fit (3),
    and `agent lock` makes it fit.

    The image is pushed by its digest, then the tags 1.4.2, 1.4, 1 and latest are moved, those that
    stand for a line only if no higher release is in it. Stopped anywhere, run it again: it goes on.
    When nothing changed there is nothing to release (0). Pre-releases move no other tag. Prints the
    digest; with --dry-run the version.

    \b
    Examples:
      agent release registry.example.com/team/bot
      agent release --dry-run registry.example.com/team/bot ./bot
      agent release --pre rc registry.example.com/team/bot
      agent release --line 1.3 registry.example.com/team/bot
      agent release --version 2.0.0 --notes NOTES.md registry.example.com/team/bot
      agent release oci:/srv/agents:bot .
    """
    from agentoci.api.builds import BuildOptions, Compression, Profile
    from agentoci.api.releasing import ReleaseOptions, VersionRequest, release
    from agentoci.cli.progress import showing

    if notes is not None and not notes.absolute().parent.is_dir():
        raise NotFound(f"{notes.parent}: no such folder")
    request = VersionRequest.parse(version=version, bump=bump, pre=pre, line=line)
    build = BuildOptions(
        file=file,
        build_args=dict(build_args),
        profile=Profile(profile),
        compression=Compression(compression),
        epoch=engine.settings.epoch,
        allowed_secrets=frozenset(allowed_secrets),
    )
    options = ReleaseOptions(
        request, build, source, revision, notes=notes is not None, dry_run=dry_run, locked=locked
    )
    with showing(engine, quiet=quiet, bars=False):
        done = release(engine, repository, path, options, report=Steps(quiet=quiet))
    if not quiet:
        _tell(done)
    _print(done, notes, form)


def _print(done: Released, notes: Path | None, form: str) -> None:
    text = done.notes or ""
    if notes is not None and notes != _STDOUT and not done.is_plan:
        with output.writing(notes) as stream:
            stream.write(text.encode())
    if form == "json":
        output.document(_document(done))
    elif notes == _STDOUT:
        with output.writing(None) as stream:
            stream.write(text.encode())
    else:
        output.result(done.version if done.is_plan else done.digest)


def _tell(done: Released) -> None:
    """What was found, then what was done."""
    would = "would be " if done.is_plan else ""
    if not done.changed:
        output.talk(f"nothing changed since {done.before}: {done.digest}")
        if done.moved:
            output.talk(f"{would}set right: {', '.join(done.moved)}")
        return
    if done.before is None:
        output.talk("the first release")
    else:
        output.talk(f"since {done.before}: {done.verdict.level}")
    for reason in done.verdict.reasons[:_SHOWN]:
        output.talk(f"  {reason.level}  {reason.title}")
    if len(done.verdict.reasons) > _SHOWN:
        output.talk(f"  and {len(done.verdict.reasons) - _SHOWN} more: `agent diff` shows them")
    if done.declared is not None and not _is_as_declared(done.declared, done.version):
        output.talk(f"the image says {done.version}, where the definition says {done.declared}")
    for kept in done.kept:
        output.talk(f"left alone: {kept.tag} ({kept.reason})")
    also = [tag for tag in done.moved if tag != done.tag]
    output.talk(
        f"{would}released {done.repository}:{done.tag}"
        + (f", also as {', '.join(also)}" * bool(also))
    )


def _is_as_declared(declared: Version, released: Version) -> bool:
    """The same, or the release that a pre-release leads to."""
    return released in (declared, declared.finalize_version())


def _document(done: Released) -> dict[str, object]:
    return {
        "repository": done.repository,
        "version": str(done.version),
        "tag": done.tag,
        "digest": None if done.digest is None else str(done.digest),
        "released": done.changed and not done.is_plan,
        "changed": done.changed,
        "dryRun": done.is_plan,
        "before": done.before,
        "declared": None if done.declared is None else str(done.declared),
        "verdict": done.verdict.level.name,
        "reasons": [
            {"level": reason.level.name, "rule": reason.rule, "title": reason.title}
            for reason in done.verdict.reasons
        ],
        "moved": list(done.moved),
        "kept": [{"tag": kept.tag, "reason": kept.reason} for kept in done.kept],
        "notes": done.notes,
        "requests": done.requests,
    }
