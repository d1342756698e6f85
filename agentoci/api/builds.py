"""Build: an Agentfile and its context become an image of the local store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.builder.build import Builder, Built
from agentoci.builder.options import BuildOptions
from agentoci.builder.packing import Layer, LayerPlan
from agentoci.builder.profiles import Profile
from agentoci.builder.report import BuildReport, Step
from agentoci.spec.mediatypes import Compression
from agentoci.spec.reference import Reference
from agentoci.store.images import Image, read_image

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

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
        return self._builder().build(context, options, report=report)

    def plan(self, context: Path, options: BuildOptions) -> list[LayerPlan]:
        """The layers that a build would make, before compression; writes nothing."""
        return self._builder().plan(context, options)

    def _builder(self) -> Builder:
        engine = self._engine
        return Builder(
            engine.writable_store, engine.settings.cache, lookup=self._image, clock=engine.clock
        )

    def _image(self, reference: Reference) -> Image:
        desc = self._engine.transfers.ensure(str(reference))
        return read_image(self._engine.store, desc, what=str(reference))
