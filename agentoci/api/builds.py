"""Build: an Agentfile and its context become an image of the local store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.api.locations import given_name
from agentoci.api.pinning import lock_path, pins_of, read_pins
from agentoci.builder.options import BuildOptions, Profile
from agentoci.builder.replay import Records
from agentoci.builder.report import BuildReport, Built, Layer, NoReport, Step
from agentoci.release.lock import MATRIX_FILE
from agentoci.spec.mediatypes import Compression
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.builder.build import Builder
    from agentoci.builder.compiling import Compiled
    from agentoci.builder.packing import LayerPlan
    from agentoci.release.lock import Lock
    from agentoci.store.images import Image

__all__ = [
    "BuildOptions",
    "BuildReport",
    "Builds",
    "Built",
    "Compression",
    "Layer",
    "LayerPlan",
    "Profile",
    "Step",
]


class Builds:
    """The verb `build`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def build(
        self,
        context: Path,
        options: BuildOptions,
        *,
        report: BuildReport | None = None,
        locked: bool = False,
        sources: Sequence[str] = (),
        keep_lock: bool = False,
    ) -> Built:
        """Build and tag an image; images that FROM names are pulled when they are not here.

        What `agent.lock` beside the Agentfile pins is taken; a lock that does not fit is made anew,
        or refused when `locked`; `sources` (`HOST/PREFIX`) come before the places where parents and
        required agents are looked for otherwise. With `keep_lock` what is made anew holds for this
        build alone and is not written, nor is it when the build fails. Raises SourceFaults with
        every fault found, each with line and caret; LockDrift; and what locking raises.
        """
        report = report or NoReport()
        for tag in options.tags:
            given_name(tag)
        built = self._replay(context, options, report, locked=locked)
        if built is None:
            lock = self._lock(
                context, options, report, locked=locked, sources=sources, write=not keep_lock
            )
            pinned = replace(options, pins=pins_of(lock)) if lock else options
            built = self._builder(pinned, sources).build(context, pinned, report=report)
            if lock is not None and not keep_lock:
                from agentoci.api.locking import write_lock

                write_lock(lock_path(context, options), lock)
        self._warn(context, options, built, report)
        return built

    def compile(self, context: Path, options: BuildOptions) -> Compiled:
        """The definition that a build would make, parents merged; raises as `build` does."""
        pinned = _with_lock(context, options)
        return self._builder(pinned).compile(context, pinned)

    def plan(
        self, context: Path, options: BuildOptions, *, sources: Sequence[str] = ()
    ) -> list[LayerPlan]:
        """The layers that a build would make, before compression; writes nothing."""
        pinned = _with_lock(context, options)
        return self._builder(pinned, sources).plan(context, pinned)

    def _replay(
        self, context: Path, options: BuildOptions, report: BuildReport, *, locked: bool
    ) -> Built | None:
        """The same build as before, if nothing changed."""
        path = lock_path(context, options)
        pins = read_pins(path)
        unknown = pins is None or (path.parent / MATRIX_FILE).is_file()  # that is in no record
        if not options.use_cache or (locked and unknown):
            return None
        records = Records(self._engine.writable_store, self._engine.settings.cache)
        return records.replay(context, replace(options, pins=pins or options.pins), report)

    def _lock(
        self,
        context: Path,
        options: BuildOptions,
        report: BuildReport,
        *,
        locked: bool,
        sources: Sequence[str],
        write: bool,
    ) -> Lock | None:
        """The lock to build by; None where there is none, and none is asked for."""
        if not locked and not lock_path(context, options).exists():
            return None
        from agentoci.api.locking import fitting_lock

        return fitting_lock(
            self._engine,
            context,
            options,
            locked=locked,
            sources=sources,
            warn=report.warning,
            write=write,
        )

    def _warn(
        self, context: Path, options: BuildOptions, built: Built, report: BuildReport
    ) -> None:
        """Of what `compatibility.json` beside the Agentfile says against what is locked."""
        path = lock_path(context, options)
        if (path.parent / MATRIX_FILE).is_file():
            from agentoci.api.compatibility import incompatible, matrix_beside
            from agentoci.api.locking import read_lock

            lock = read_lock(path)
            for reason in incompatible(matrix_beside(path), built.name, built.version, lock):
                report.warning(f"{MATRIX_FILE}: {reason}")

    def _builder(self, options: BuildOptions, sources: Sequence[str] = ()) -> Builder:
        from agentoci.api.skills import open_artifact
        from agentoci.api.sources import parent_places
        from agentoci.builder.build import Builder

        engine = self._engine
        return Builder(
            engine.writable_store,
            engine.settings.cache,
            lookup=partial(self._image, options.pins.images),
            clock=engine.clock,
            artifacts=partial(open_artifact, engine),
            places=partial(parent_places, engine.settings.file, sources),
        )

    def _image(self, pinned: Mapping[str, str], reference: Reference) -> Image:
        from agentoci.store.images import read_image

        named = str(reference)
        desc = self._engine.transfers.ensure(pinned.get(named, named))
        return read_image(self._engine.store, desc, what=str(reference))


def _with_lock(context: Path, options: BuildOptions) -> BuildOptions:
    """The options with what the lock pins, if there is a lock that can be read."""
    return replace(options, pins=read_pins(lock_path(context, options)) or options.pins)
