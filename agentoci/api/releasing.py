"""Release: what changed decides the version; the image is pushed by digest, then gets its tags."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from semver import Version

from agentoci.api.diffing import build_candidate, diff
from agentoci.api.pinning import lock_path
from agentoci.api.releasetargets import ReleaseTarget, open_target
from agentoci.api.revisions import origin_of
from agentoci.api.tagging import Tagged, Tagging
from agentoci.builder.options import BuildOptions
from agentoci.builder.report import BuildReport, StepsOnly, WarningsOnly
from agentoci.release.changes import AgentDiff
from agentoci.release.history import History, release_of
from agentoci.release.nextversion import NOTHING, VersionTaken, choose, is_news, last_before
from agentoci.release.notes import release_notes
from agentoci.release.rules import Level
from agentoci.release.tagplan import Kept, TagPlan, plan_tags
from agentoci.release.verdict import Verdict, judge
from agentoci.release.versionrequest import Part, VersionRequest
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.version import TagVersion
from agentoci.store.images import read_image

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

__all__ = ["Kept", "Level", "Part", "ReleaseOptions", "Released", "VersionRequest", "release"]


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """How to release: `request` is what is said of the version, `build` how the image is built.

    `source` and `revision` are what the image says of its origin (None: what git or the CI job
    says); `notes` asks for the notes even of a release that is there; `dry_run` plans and changes
    nothing at the repository. What `agent.lock` pins must fit; `locked` wants one to be there.
    """

    request: VersionRequest = field(default_factory=VersionRequest)
    build: BuildOptions = field(default_factory=BuildOptions)
    source: str | None = None
    revision: str | None = None
    notes: bool = False
    dry_run: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """What a release did, or would do.

    `digest` is None only in a plan (a dry run); `before` is the tag of the release that it was
    compared with, None for the first. When there was nothing to release, `changed` is False, and
    `version` and `digest` are those that are there. `moved` are the tags that changed, or would;
    `declared` is the version that the definition says.
    """

    repository: str
    version: Version
    tag: str
    digest: Digest | None
    verdict: Verdict
    before: str | None = None
    changed: bool = True
    moved: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    notes: str | None = None
    requests: int = 0
    is_plan: bool = False
    declared: Version | None = None


def release(
    engine: Engine,
    repository: str,
    path: Path,
    options: ReleaseOptions | None = None,
    *,
    report: BuildReport | None = None,
) -> Released:
    """Release a folder or an `.agentdef` as the next version of `HOST/NAME` or `oci:DIR:NAME`.

    Nothing changed: nothing is released, and tags that a release before left behind are set right.
    Running it again after it was stopped anywhere completes it. Raises VersionTooSmall when the
    change needs a larger step than was asked for, VersionTaken, VersionUnclear, and what building,
    comparing and pushing raise.
    """
    options = options or ReleaseOptions()
    target = open_target(engine, repository, push=not options.dry_run)
    build = replace(options.build, tags=(), name=options.build.name or target.agent)
    with engine.writable_store.using():  # what is built has no name that would keep it
        return _Work(engine, target, path, replace(options, build=build), report).run()


@dataclass(slots=True)
class _Work:
    engine: Engine
    target: ReleaseTarget
    path: Path
    options: ReleaseOptions
    report: BuildReport | None
    tags: list[str] = field(default_factory=list)
    history: History = field(default_factory=lambda: History(()))
    meanings: dict[str, Descriptor] = field(default_factory=dict)
    before: int = 0
    declared: Version = NOTHING

    def run(self) -> Released:
        engine, request = self.engine, self.options.request
        self.before = engine.client.requests if engine.has_client else 0
        steps = None if self.report is None else StepsOnly(self.report)
        candidate = self._candidate(self.options.build, steps)
        self.declared = declared = self._declared(candidate)
        self.tags = self.target.tags()
        self.history = History.of(self.tags)
        standing = None if request.version is None else self.history.named(request.version)
        if standing is not None:
            return self._stand_by(standing)
        last = last_before(request, self.history)
        changes = None if last is None else self._since(last)
        verdict = Verdict(Level.NONE, ()) if changes is None else judge(changes)
        if last is not None and verdict.level is Level.NONE and not self._asked(declared, last):
            return self._finish(last)
        version = choose(
            request, declared, self.history, verdict.level, [r.title for r in verdict.decisive]
        )
        if (newest := self._same_pre(version)) is not None:
            return self._finish(newest)
        return self._release(version, verdict, last, changes)

    def _declared(self, candidate: Descriptor) -> Version:
        text = read_image(self.engine.store, candidate, what=str(self.path)).version
        return Version.parse(text) if Version.is_valid(text) else NOTHING

    def _asked(self, declared: Version, last: TagVersion) -> bool:
        """Whether a version was named that is not there yet: it is released without a change.

        A part to raise is none: each time it would be another one.
        """
        request = self.options.request
        return request.version is not None or (
            request.part is None and is_news(declared, last, request.line)
        )

    def _stand_by(self, standing: TagVersion) -> Released:
        """The version that was asked for is there: fine, when it is what would be released."""
        verdict = judge(self._since(standing))
        if verdict.level is Level.NONE:
            return self._finish(standing)
        raise VersionTaken(
            f"{self.target.shown}:{standing.tag} is released already, with other content "
            f"({'; '.join(reason.title for reason in verdict.decisive)})",
            hint="choose a higher version",
        )

    def _same_pre(self, version: Version) -> TagVersion | None:
        """The pre-release before this one, when nothing changed since."""
        word = self.options.request.pre
        newest = None if word is None else self.history.newest_pre(version, word)
        if newest is None or judge(self._since(newest)).level is not Level.NONE:
            return None
        return newest

    def _since(self, tag: TagVersion) -> AgentDiff:
        """What changed from a release to what is to be released."""
        folder = str(self.path.absolute())
        there = self.target.named(self._meaning(tag).digest)
        return diff(self.engine, there, folder, texts=False, options=self.options.build)

    def _meaning(self, tag: TagVersion) -> Descriptor:
        if tag.tag not in self.meanings:
            found = self.target.resolve_tags([tag.tag])
            if tag.tag not in found:
                raise VersionTaken(f"{self.target.shown}:{tag.tag} is listed, and not there")
            self.meanings.update(found)
        return self.meanings[tag.tag]

    def _release(
        self,
        version: Version,
        verdict: Verdict,
        last: TagVersion | None,
        changes: AgentDiff | None,
    ) -> Released:
        plan = plan_tags(self.tags, version)
        done = Released(
            self.target.shown,
            version,
            plan.version,
            None,
            verdict,
            None if last is None else last.tag,
            moved=(plan.version, *plan.moves),
            kept=plan.kept,
            notes=self._notes(version, changes),
        )
        if not self.options.dry_run:
            root = self._build(version)
            self.target.push(root)
            done = self._tagged(done, root, plan)
        return self._counted(done)

    def _build(self, version: Version) -> Descriptor:
        options = self.options
        origin = origin_of(
            self._folder, self.engine.settings, source=options.source, revision=options.revision
        )
        if origin.dirty:
            self.engine.warn(f"{self.path}: has changes that are not committed")
        annotations = {**origin.annotations, **options.build.annotations}
        build = replace(options.build, version=str(version), annotations=annotations)
        warnings = None if self.report is None else WarningsOnly(self.report)
        return self._candidate(build, warnings)

    def _candidate(self, build: BuildOptions, report: BuildReport | None) -> Descriptor:
        file = self.path if self.path.is_file() else build.file
        lock = lock_path(self._folder, replace(build, file=file))
        locked = self.options.locked or lock.exists()
        return build_candidate(self.engine, self.path, build, report=report, locked=locked)

    @property
    def _folder(self) -> Path:
        return self.path.parent if self.path.is_file() else self.path

    def _finish(self, tag: TagVersion) -> Released:
        """Nothing is to be released; tags that were left behind are set right."""
        root = self._meaning(tag)
        version = release_of(tag)
        plan = plan_tags(self.tags, version)
        earlier = self.history.last(below=version)
        done = Released(
            self.target.shown,
            version,
            tag.tag,
            root.digest,
            Verdict(Level.NONE, ()),
            tag.tag,
            changed=False,
            notes=self._notes_again(version, earlier, tag),
        )
        if not self.options.dry_run:
            return self._counted(self._tagged(done, root, plan))
        there = self.target.resolve_tags(plan.moves)
        late = [t for t in plan.moves if t not in there or there[t].digest != root.digest]
        return self._counted(replace(done, moved=tuple(late), kept=plan.kept))

    def _tagged(self, done: Released, root: Descriptor, plan: TagPlan) -> Released:
        tagging = Tagging(self.target, root, done.version, self.engine.warn)
        tagged: Tagged = tagging.run(plan)
        return replace(done, digest=root.digest, moved=tagged.moved, kept=tagged.kept)

    def _notes_again(
        self, version: Version, earlier: TagVersion | None, later: TagVersion
    ) -> str | None:
        """The notes of a release that is there: who was stopped before they were written."""
        if not self.options.notes:
            return None
        changes = None
        if earlier is not None:
            names = [self.target.named(self._meaning(tag).digest) for tag in (earlier, later)]
            changes = diff(self.engine, names[0], names[1], texts=False)
        return self._notes(version, changes)

    def _notes(self, version: Version, changes: AgentDiff | None) -> str:
        date = self.engine.clock.now().date().isoformat()
        return release_notes(changes, str(version), date)

    def _counted(self, done: Released) -> Released:
        requests = self.engine.client.requests if self.engine.has_client else 0
        return replace(
            done,
            requests=requests - self.before,
            is_plan=self.options.dry_run,
            declared=None if self.declared == NOTHING else self.declared,
        )
