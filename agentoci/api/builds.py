"""Build: an Agentfile and its context become an image of the local store."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.api.locations import given_name
from agentoci.builder.options import BuildOptions, Profile
from agentoci.builder.replay import Records
from agentoci.builder.report import BuildReport, Built, Layer, NoReport, Step
from agentoci.spec.mediatypes import Compression
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.builder.build import Builder
    from agentoci.builder.compiling import Compiled
    from agentoci.builder.packing import LayerPlan
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
        self, context: Path, options: BuildOptions, *, report: BuildReport | None = None
    ) -> Built:
        """Build and tag an image; images that FROM names are pulled when they are not here.

        Raises SourceFaults with every fault found, each with line and caret.
        """
        engine = self._engine
        for tag in options.tags:
            given_name(tag)
        if options.use_cache:
            records = Records(engine.writable_store, engine.settings.cache)
            built = records.replay(context, options, report or NoReport())
            if built is not None:
                return built
        return self._builder().build(context, options, report=report)

    def compile(self, context: Path, options: BuildOptions) -> Compiled:
        """The definition that a build would make, parents merged; raises as `build` does."""
        return self._builder().compile(context, options)

    def plan(self, context: Path, options: BuildOptions) -> list[LayerPlan]:
        """The layers that a build would make, before compression; writes nothing."""
        return self._builder().plan(context, options)

    def _builder(self) -> Builder:
        from agentoci.api.skills import open_artifact
        from agentoci.builder.build import Builder

        engine = self._engine
        return Builder(
            engine.writable_store,
            engine.settings.cache,
            lookup=self._image,
            clock=engine.clock,
            artifacts=partial(open_artifact, engine),
        )

    def _image(self, reference: Reference) -> Image:
        from agentoci.store.images import read_image

        desc = self._engine.transfers.ensure(str(reference))
        return read_image(self._engine.store, desc, what=str(reference))
