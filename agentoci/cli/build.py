"""agent build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentoci.cli import output
from agentoci.cli.access import access_options
from agentoci.cli.buildoptions import allow_secret_option, packing_options, source_options
from agentoci.cli.params import REFERENCE, quiet_option
from agentoci.spec.reference import DEFAULT_TAG, Reference

if TYPE_CHECKING:
    from agentoci.api.builds import Built, LayerPlan, Step
    from agentoci.api.engine import Engine


@click.command("build")
@click.option(
    "-t", "--tag", "tags", type=REFERENCE, multiple=True, help="Name of the image; repeatable."
)
@source_options()
@click.option("--no-cache", is_flag=True, help="Read and pack everything anew.")
@packing_options
@allow_secret_option
@click.option(
    "--replace", is_flag=True, help="Let a full release (1.0.0) mean other content than before."
)
@click.option("--locked", is_flag=True, help="Fail when agent.lock is missing or does not fit.")
@click.option(
    "--source",
    "sources",
    metavar="HOST[/PREFIX]",
    multiple=True,
    help="Where to look for parents and required agents first; repeatable.",
)
@click.option("--push", is_flag=True, help="Push every tag afterwards.")
@click.option(
    "--dry-run", is_flag=True, help="Show the layers that would be packed; scans for secrets."
)
@click.option(
    "--iidfile", type=click.Path(path_type=Path, dir_okay=False), help="Write the digest there."
)
@quiet_option
@access_options(credentials=False)
@click.argument("path", type=click.Path(path_type=Path))
@click.pass_obj
def build_command(
    engine: Engine,
    /,
    path: Path,
    tags: tuple[Reference, ...],
    file: Path | None,
    build_args: Sequence[tuple[str, str]],
    profile: str,
    compression: str,
    allowed_secrets: tuple[str, ...],
    sources: tuple[str, ...],
    iidfile: Path | None,
    **switches: bool,
) -> None:
    """Build an image from an Agentfile and its context.

    Prints the digest on stdout; the steps go to stderr. A folder that holds only an .agentdef
    builds too. A build fails by secrets in what it would pack, and when the definition's name and
    full version are in the store already with other content.

    \b
    Examples:
      agent build -t coordinator:1.0 .
      agent build -t coordinator:1.0 -f coordinator.agentdef .
      agent build -t registry.example.com/team/bot:2.1 --push .
    """
    from agentoci.api.builds import BuildOptions, Compression, Profile
    from agentoci.cli.progress import showing

    if switches["push"]:
        _check_destinations(engine, tags)
    options = BuildOptions(
        tags=tags,
        file=file,
        build_args=dict(build_args),
        use_cache=not switches["no_cache"],
        profile=Profile(profile),
        compression=Compression(compression),
        epoch=engine.settings.epoch,
        replace=switches["replace"],
        allowed_secrets=frozenset(allowed_secrets),
    )
    if switches["dry_run"]:
        _show_plan(engine.builds.plan(path, options, sources=sources))
        return
    report = Steps(quiet=switches["quiet"])
    with showing(engine, quiet=switches["quiet"], bars=False):  # of the images that FROM names
        built = engine.builds.build(
            path, options, report=report, locked=switches["locked"], sources=sources
        )
    report.summary(built)
    _warn_of_other_versions(tags, built)
    if iidfile is not None:
        iidfile.write_text(f"{built.root.digest}\n", encoding="ascii")
    if switches["push"]:
        _push(engine, tags, quiet=switches["quiet"])
    output.result(built.root.digest)


def _warn_of_other_versions(tags: Sequence[Reference], built: Built) -> None:
    """A tag that is a full release, on an agent that calls itself otherwise: one of them is old."""
    from agentoci.spec.version import TagVersion

    for tag in tags:
        named = TagVersion.parse(tag.tag or "")
        if named is None or not named.is_full or built.version == "0.0.0":
            continue
        if built.version.partition("+")[0] != str(named).partition("+")[0]:
            output.warning(f"{tag} is a tag of {named}, and the agent says {built.version}")


def _check_destinations(engine: Engine, tags: Sequence[Reference]) -> None:
    """Before the build: a long one should not end with names that lead nowhere."""
    if not tags:
        raise click.UsageError("--push needs a name: -t HOST/NAME:TAG")
    for tag in tags:
        engine.transfers.at_registry(tag)


def _push(engine: Engine, tags: Sequence[Reference], *, quiet: bool) -> None:
    """Push to every repository that is named, with all its tags at once."""
    from agentoci.api.pushing import PushOptions
    from agentoci.cli.registry import pushed

    by_name: dict[str, list[Reference]] = {}
    for tag in tags:
        by_name.setdefault(tag.name, []).append(tag)
    for first, *rest in by_name.values():
        options = PushOptions(tags=tuple(tag.tag or DEFAULT_TAG for tag in rest))
        pushed(engine, str(first), None, options=options, quiet=quiet)


class Steps:
    """Steps as docker's builder prints them."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def step(self, step: Step, layers: Sequence[object]) -> None:
        from agentoci.api.builds import Layer

        if self._quiet:
            return
        made = [layer for layer in layers if isinstance(layer, Layer)]
        mark = "  CACHED" if made and all(layer.cached for layer in made) else ""
        output.talk(f"[{step.number}/{step.total}] {step.text.strip()}{mark}")

    def warning(self, text: str) -> None:
        output.warning(text)

    def summary(self, built: Built) -> None:
        if self._quiet:
            return
        output.talk("")
        output.talk(f"{'LAYER':<11}  {'FILES':>6}  {'SIZE':>8}  {'DIGEST':<12}")
        for layer in built.layers:
            title = layer.desc.annotations.get("org.opencontainers.image.title", "")
            files = str(layer.file_count) if layer.file_count else ""
            mark = "  CACHED" if layer.cached else ""
            output.talk(
                f"{title.partition('-')[0]:<11}  {files:>6}  {output.size(layer.desc.size):>8}  "
                f"{layer.desc.digest.short}{mark}"
            )
        output.talk(f"{built.name} {built.version}")


def _show_plan(plans: Sequence[LayerPlan]) -> None:
    rows = [
        (str(plan.kind), str(plan.file_count), output.size(plan.size), plan.created_by)
        for plan in plans
    ]
    output.table(("LAYER", "FILES", "SIZE", "MADE BY"), rows)
