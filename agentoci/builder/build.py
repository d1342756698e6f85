"""Build: from a context and an Agentfile to an image in the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from agentoci._internal import limits
from agentoci._internal.clock import Clock, timestamp
from agentoci.builder.compiling import UNVERSIONED, Compiled
from agentoci.builder.context import Context
from agentoci.builder.copying import CopiedFile
from agentoci.builder.document import manifest_annotations, name_and_version, own_key
from agentoci.builder.immutable import refuse_other_content
from agentoci.builder.memo import Memo
from agentoci.builder.needs import BuildNeeds
from agentoci.builder.options import BuildOptions, ImageLookup, Profile
from agentoci.builder.packing import LayerPlan, Packer
from agentoci.builder.parents import ParentFinder, Places, TracedLookup, as_named
from agentoci.builder.profiles import store_agent, store_as_image
from agentoci.builder.replay import Recorder, Records, Trace, tag_all
from agentoci.builder.report import BuildReport, Built, NoReport
from agentoci.builder.scanning import Screen, screen_agentfile
from agentoci.builder.shown import Shown
from agentoci.builder.skills import ArtifactLookup, no_artifacts
from agentoci.builder.sources import read_agentfile
from agentoci.builder.stages import StageResult
from agentoci.builder.statcache import StatCache
from agentoci.builder.work import Work
from agentoci.errors import Invalid
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.imageconfig import ImageConfig
from agentoci.store.images import read_image
from agentoci.store.layout import LayoutStore


class TooManyLayers(Invalid):
    """More layers than image tools can stack."""


class Builder:
    """Builds images into one store; `cache` holds what later builds need not do again.

    Without `scans` secrets pass, which only the benchmark wants. `places` says where parents may be
    that are not here.
    """

    def __init__(
        self,
        store: LayoutStore,
        cache: Path,
        *,
        lookup: ImageLookup,
        clock: Clock,
        scans: bool = True,
        artifacts: ArtifactLookup = no_artifacts,
        places: Places = as_named,
    ) -> None:
        self._store = store
        self._cache = cache
        self._lookup = lookup
        self._clock = clock
        self._scans = scans
        self._artifacts = artifacts
        self._places = places

    def build(
        self, context: Path, options: BuildOptions, *, report: BuildReport | None = None
    ) -> Built:
        """Build the image and tag it.

        Raises SourceFaults with every fault of the Agentfile, SecretsFound with every secret, and
        the errors of what it needs.
        """
        with Shown(context, options.file).faults():
            return self._build(context, options, report or NoReport())

    def _build(self, context: Path, options: BuildOptions, report: BuildReport) -> Built:
        trace = self._trace()
        recorder = Recorder(report)
        work = self._prepare(context, options, recorder, trace)
        with self._store.using():
            final = work.stage_results()[-1]
            work.stats.save()
            if work.packer.screen is not None:
                work.packer.screen.conclude(recorder)
            root = store_stage(self._store, final, options)
            name, version = name_and_version(final.compiled)
            refuse_other_content(self._store, root, name, version, options)
            tag_all(self._store, root, options)
        built = Built(root, final.layers, name, version)
        Records(self._store, self._cache).keep(context, options, trace, recorder, built)
        return built

    def compile(self, context: Path, options: BuildOptions) -> Compiled:
        """The definition that a build would make; raises as `build` does, and packs nothing."""
        with Shown(context, options.file).faults(), self._store.using():
            return self._prepare(context, options, NoReport(), self._trace()).compiled()

    def plan(self, context: Path, options: BuildOptions) -> list[LayerPlan]:
        """What a build would pack, for `--dry-run`; nothing is written.

        Raises as `build` does of the last stage, SecretsFound too.
        """
        with Shown(context, options.file).faults():
            work = self._prepare(context, options, NoReport(), self._trace())
            plans = work.plans()
            if work.packer.screen is not None:
                work.packer.screen.conclude(NoReport())
            return plans

    def needs(self, context: Path, options: BuildOptions) -> BuildNeeds:
        """What a build needs from elsewhere, for the lock; raises what `build` raises of these."""
        with Shown(context, options.file).faults(), self._store.using():
            return self._prepare(context, options, NoReport(), self._trace()).needs()

    def _trace(self) -> Trace:
        return Trace(int(self._clock.now().timestamp() * 1e9))

    def _prepare(
        self, context: Path, options: BuildOptions, report: BuildReport, trace: Trace
    ) -> Work:
        opened = Context.open(context, trace=trace)
        stats = StatCache.load(self._cache, context, opened_ns=trace.opened_ns)
        memo = Memo(self._cache / "memo", enabled=options.use_cache)
        images = TracedLookup(self._store, self._lookup, trace, options.pins.images.keys())
        parents = ParentFinder(opened, images, self._places)
        agentfile = read_agentfile(opened, options, memo, report, trace, parents)
        screen = Screen(options.allowed_secrets, context) if self._scans else None
        if screen is not None:
            screen_agentfile(screen, agentfile, context, options.build_args.items())
        packer = Packer(
            self._store,
            self._cache,
            options.compression,
            options.epoch,
            options.use_cache,
            known=lambda copied: _known(stats, copied),
            learn=lambda copied, sha256: _learn(stats, copied, sha256),
            screen=screen,
        )
        return Work(
            agentfile,
            opened,
            options,
            report,
            packer,
            stats,
            memo,
            images,
            self._cache,
            trace,
            parents,
            self._artifacts,
        )


def store_stage(store: LayoutStore, stage: StageResult, options: BuildOptions) -> Descriptor:
    """Write the config and manifest of a finished stage, in the profile of the options.

    Raises TooManyLayers.
    """
    if len(stage.layers) > limits.MAX_LAYERS:
        raise TooManyLayers(
            f"the image would have {len(stage.layers)} layers, the most is {limits.MAX_LAYERS}",
            hint="copy more files with fewer COPY instructions",
        )
    config = ImageConfig(
        env=stage.env,
        entrypoint=stage.entrypoint,
        labels=_labels(stage, options),
        diff_ids=tuple(layer.diff_id for layer in stage.layers),
        history=stage.history,
        created=timestamp(datetime.fromtimestamp(options.epoch, UTC)),
        agentoci=own_key(stage),
    )
    layers = tuple(layer.desc for layer in stage.layers)
    annotations = manifest_annotations(stage) | dict(options.annotations)
    root = store_agent(store, config, layers, annotations)
    if options.profile is Profile.IMAGE:
        return store_as_image(store, read_image(store, root, what="the built image"))
    return root


def _labels(stage: StageResult, options: BuildOptions) -> dict[str, str]:
    """The labels; one that tells the version tells the one that the image has, not its base's."""
    label = stage.labels.get(keys.VERSION)
    version = options.version or name_and_version(stage.compiled)[1]
    if label is None or (options.version is None and f"{version}.".startswith(f"{label}.")):
        return stage.labels
    others = {key: value for key, value in stage.labels.items() if key != keys.VERSION}
    return others if version == UNVERSIONED else others | {keys.VERSION: version}


def _known(stats: StatCache, copied: CopiedFile) -> str | None:
    return copied.entry.sha256 if copied.origin is None else stats.sha256(copied.origin)


def _learn(stats: StatCache, copied: CopiedFile, sha256: str) -> None:
    if copied.origin is not None:
        stats.learn(copied.origin, sha256)
