"""Diff: what changed between two agents, wherever they are; nothing is pulled."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal.threads import each
from agentoci.api.ends import entry_meant, find_in_layout
from agentoci.api.locations import ArchiveLocation, LayoutLocation, parse_any_location
from agentoci.builder.options import BuildOptions
from agentoci.builder.report import BuildReport
from agentoci.content.protocols import ContentNotFound, Fetcher
from agentoci.errors import Invalid, NotFound
from agentoci.release.changelog import render_changelog
from agentoci.release.changes import AgentDiff, Change, Side, TextDiff
from agentoci.release.compare import compare
from agentoci.release.gates import GATES, Gate, GateFailed, check_gates, parse_gate
from agentoci.release.rules import Level, Rule, Section, Sign, rules
from agentoci.release.verdict import Reason, Verdict, judge
from agentoci.release.view import AgentView, OpenedImage, open_both
from agentoci.release.wording import describe_values
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import InvalidReference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

__all__ = [
    "GATES",
    "AgentDiff",
    "AgentView",
    "Change",
    "Gate",
    "GateFailed",
    "Level",
    "Reason",
    "Rule",
    "Section",
    "Side",
    "Sign",
    "TextDiff",
    "Verdict",
    "check_gates",
    "describe_values",
    "diff",
    "judge",
    "next_version",
    "parse_gate",
    "render_changelog",
    "rules",
]

UNVERSIONED: Final = "0.0.0"
"""The version of an agent that declares none."""

_PATH_STARTS: Final = ("./", "../", "/", "~")
_PATH_ENDS: Final = ("/", ".agentdef", "/Agentfile")
_ARCHIVE_ENDS: Final = (".tar", ".tar.gz", ".tgz", ".tar.zst")


class ArchiveWithoutScheme(Invalid):
    """An archive named as a plain file: only `oci-archive:` says that an image in it is meant."""


def diff(
    engine: Engine, a: str, b: str, *, texts: bool = True, options: BuildOptions | None = None
) -> AgentDiff:
    """What changed from A to B: images here, at a registry, in `oci:DIR[:NAME]`, or folders.

    Of remote images manifest, config and inventory are read, and of the layers only those with
    files that changed (none at all without `texts`). A folder or `.agentdef` is built as `options`
    say (their tags do not count) and leaves no name behind. A word is an image when there is one of
    this name here, else a folder when there is one. Raises what finding, reading and building
    raise.
    """
    with ExitStack() as stack:
        before, after = _open_both(engine, (a, b), stack, options)
        if before.image.root.digest == after.image.root.digest:
            return AgentDiff(before.side, after.side, ())
        return compare(*open_both(before, after, workers=_workers(engine)), texts=texts)


def _workers(engine: Engine) -> int:
    """At a registry both sides wait for their answers together."""
    return 2 if engine.has_client else 1


def next_version(found: AgentDiff, verdict: Verdict) -> str | None:
    """The smallest release that the changes allow after A's; None when A is no release."""
    from semver import Version

    from agentoci.release.nextversion import bump

    text = found.before.version
    if text == UNVERSIONED or not Version.is_valid(text) or Version.parse(text).prerelease:
        return None
    return str(bump(Version.parse(text), verdict.level))


def _open_both(
    engine: Engine, texts: tuple[str, str], stack: ExitStack, options: BuildOptions | None
) -> list[OpenedImage]:
    """Both sides, the images first: a folder that gives its agent no name takes the other's."""
    paths = {text: path for text in texts if (path := as_path(engine, text)) is not None}
    places = [(text, *_locate(engine, text, stack)) for text in texts if text not in paths]
    opened_images = each(_open, places, workers=_workers(engine), name="diff")
    found = {opened.reference: opened for opened in opened_images}
    name = opened_images[0].image.name if opened_images else None
    if paths:
        stack.enter_context(engine.writable_store.using())
    for text, path in paths.items():
        root = build_candidate(engine, path, options, name=name)
        found[text] = OpenedImage.open(engine.store, root, reference=text)
    return [found[text] for text in texts]


def _open(place: tuple[str, Fetcher, Descriptor]) -> OpenedImage:
    text, source, root = place
    return OpenedImage.open(source, root, reference=text)


def as_path(engine: Engine, text: str) -> Path | None:
    """The folder or file that is meant, or None for an image.

    Raises NotFound, and ArchiveWithoutScheme for the file of an archive.
    """
    path = Path(text).expanduser()
    if text.endswith(_ARCHIVE_ENDS) and ":" not in text and path.is_file():
        hint = f"an image in an archive is written oci-archive:{text}"
        raise ArchiveWithoutScheme(f"{text}: an archive, where an Agentfile is meant", hint=hint)
    if text in (".", "..") or text.startswith(_PATH_STARTS) or text.endswith(_PATH_ENDS):
        if not path.exists():
            raise NotFound(f"{text}: no such file or folder", hint="an image is NAME:TAG")
        return path
    return path if path.exists() and ":" not in text and not _is_here(engine, text) else None


def _is_here(engine: Engine, text: str) -> bool:
    try:
        return engine.transfers.find_here(text) is not None
    except (ContentNotFound, InvalidReference):
        return False


def build_candidate(
    engine: Engine,
    path: Path,
    options: BuildOptions | None = None,
    *,
    name: str | None = None,
    report: BuildReport | None = None,
    locked: bool = False,
) -> Descriptor:
    """Build a folder or an `.agentdef` without a name for it, with the cache.

    `name` is the agent's where nothing says how it is called. The store's index and `agent.lock`
    are afterwards as they were; layers stay until `agent gc`, for the next build to reuse. `locked`
    refuses a lock that does not fit. Raises what `build` raises.
    """
    chosen = options or BuildOptions(epoch=engine.settings.epoch)
    context = path
    if path.is_file():
        context, chosen = path.parent, replace(chosen, file=path)
    chosen = replace(chosen, tags=(), name=chosen.name or name)
    before = {entry.digest for entry in engine.store.index.read()}
    root = engine.builds.build(context, chosen, report=report, locked=locked, keep_lock=True).root
    if root.digest not in before:
        with engine.writable_store.index.changing() as change:
            change.remove(lambda entry: entry.digest == root.digest and entry.name is None)
    return root


def _locate(engine: Engine, text: str, stack: ExitStack) -> tuple[Fetcher, Descriptor]:
    """Where an image is, and its root; raises ContentNotFound and registry errors."""
    location = parse_any_location(text)
    if isinstance(location, ArchiveLocation):
        from agentoci.store.archivefile import ArchiveFile

        archive = stack.enter_context(ArchiveFile(location.file))
        return archive, entry_meant(archive.entries, location).desc.bare()
    if isinstance(location, LayoutLocation):
        layout, found = find_in_layout(engine, location)
        return layout, found.desc.bare()
    entry = engine.transfers.find_here(text)
    if entry is not None:
        return engine.store, entry.desc.bare()
    reference = engine.transfers.at_registry(location)
    repository = engine.client.repository(reference)
    return repository, repository.resolve(reference.selector)
