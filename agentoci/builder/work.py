"""One build under way: its stages, in the order in which the last one needs them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentoci._internal import files, limits
from agentoci.agentfile import Agentfile
from agentoci.agentfile.nodes import Copy, Definition, Interface, Require, Stage
from agentoci.builder.bindings import source_state
from agentoci.builder.called import mentioning
from agentoci.builder.compiling import UNVERSIONED, Compiled, Compiler
from agentoci.builder.context import Context, OutsideContext
from agentoci.builder.document import name_and_version, own_key
from agentoci.builder.lineages import Ground
from agentoci.builder.located import locate
from agentoci.builder.memo import Memo
from agentoci.builder.needs import BuildNeeds, unpacked
from agentoci.builder.options import BuildOptions, ImageLookup
from agentoci.builder.packing import LayerPlan, Packer
from agentoci.builder.parents import ParentFinder
from agentoci.builder.profiles import as_agent_layer, store_agent
from agentoci.builder.replay import Trace
from agentoci.builder.report import BuildReport, Layer, Step
from agentoci.builder.requirements import unsatisfied
from agentoci.builder.scanning import scan_layer, screen_stage
from agentoci.builder.skills import (
    ArtifactLookup,
    SkillPlanner,
    Skills,
    copied_skill_faults,
    no_artifacts,
)
from agentoci.builder.stages import StageBase, StageBuilder, StageResult
from agentoci.builder.statcache import StatCache
from agentoci.definition.lineage import KEY, Lineage
from agentoci.errors import AgentociError, Invalid
from agentoci.layers.tree import DestinationExists
from agentoci.layers.unpack import unpack_image
from agentoci.scan.content import without_secrets
from agentoci.spec import annotations as keys
from agentoci.spec.digest import Digest
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json, canonical
from agentoci.spec.reference import Reference
from agentoci.store.images import Image, read_image
from agentoci.store.layout import LayoutStore


@dataclass(slots=True)
class Work:
    """One build under way."""

    agentfile: Agentfile
    context: Context
    options: BuildOptions
    report: BuildReport
    packer: Packer
    stats: StatCache
    memo: Memo
    lookup: ImageLookup
    cache: Path
    trace: Trace
    find: ParentFinder
    artifacts: ArtifactLookup = no_artifacts
    results: dict[int, StageResult] = field(default_factory=dict)

    def stage_results(self) -> list[StageResult]:
        """Build every stage that the last one needs, in order."""
        needed = _needed(self.agentfile)
        steps = _steps([self.agentfile.stages[index] for index in needed])
        for index in needed:
            self._build_stage(self.agentfile.stages[index], steps)
        return [self.results[index] for index in needed]

    def plans(self) -> list[LayerPlan]:
        """The layers of the COPYs and skills of the last stage, scanned and not packed."""
        final = self.agentfile.final
        if any(isinstance(i, Copy) and i.from_stage is not None for i in final.instructions):
            raise Invalid("a dry run cannot plan COPY --from=STAGE", hint="build without --dry-run")
        base = StageBase() if final.base.stage is not None else self._base(final)
        builder = self._builder()
        plans = [plan for _, plans in builder.plan(final, base) for plan in plans]
        said = [i for i in final.instructions if isinstance(i, Definition | Require)]
        if said or self.packer.screen is not None:
            compiled = self.compiled()
            self._screen(final, base, compiled)
            plans += self._skills(final, compiled.document, base).plans
        for plan in plans:
            if self.packer.screen is not None:
                self.packer.screen.layer(plan.files, scan_layer(plan.files))
        return plans

    def needs(self) -> BuildNeeds:
        """What the image needs from elsewhere; nothing is packed, but FROM's images are looked up.

        Raises what `stage_results` raises of definitions and bases.
        """
        for stage in _line_of(self.agentfile):
            base = self._base(stage)
            self.results[stage.index] = unpacked(base, self._compile(stage, base))
        final = self.results[self.agentfile.final.index]
        stages = [self.agentfile.stages[index] for index in _needed(self.agentfile)]
        needs = BuildNeeds.of(self.agentfile, stages, final, self.context)
        return replace(needs, images=self._with_parents(needs.images))

    def _with_parents(self, named: Mapping[str, str]) -> Mapping[str, str]:
        """The images that stages name, and those of parents.

        An Agentfile that was made up names its parent where it was found, which may be elsewhere
        on another machine: the parent's own name stands for both.
        """
        used = self.find.used
        made_up = used.values() if self.agentfile.file.endswith(".agentdef") else ()
        images = {name: where for name, where in named.items() if name not in made_up}
        for name, where in used.items():
            images[where if name in images else name] = where
        return dict(sorted(images.items()))

    def compiled(self, stage: Stage | None = None) -> Compiled:
        """The definition of a stage (None: the last); nothing is packed, FROM is looked up."""
        stage = stage or self.agentfile.final
        if stage.base.stage is None:
            return self._compile(stage, self._base(stage))
        earlier = next(s for s in self.agentfile.stages if s.name == stage.base.stage)
        below = self.compiled(earlier)
        base = StageBase(definition=below.document, lineage=below.lineage)
        return self._compile(stage, base)

    def _build_stage(self, stage: Stage, steps: Iterator[Step]) -> None:
        base = self._base(stage)
        self.report.step(next(steps), base.layers)

        def compile_definition() -> Compiled:
            compiled = self._compile(stage, base)
            for text in self._warnings(stage, compiled):
                self.report.warning(text)
            self._screen(stage, base, compiled)
            return compiled

        builder = replace(
            self._builder(), skills_of=self._skills, pins=self.options.pins.requirements
        )
        self.results[stage.index] = builder.build(stage, base, compile_definition, steps)

    def _builder(self) -> StageBuilder:
        return StageBuilder(
            self.agentfile,
            self.packer,
            self.report,
            self._context_of,
            check_copied=copied_skill_faults,
        )

    def _skills(self, stage: Stage, document: Mapping[str, Json], base: StageBase) -> Skills:
        planner = SkillPlanner(
            self.agentfile,
            stage,
            self.context,
            self.cache,
            self.artifacts,
            self.trace,
            self.options.pins.requirements,
            self.report.warning,
        )
        return planner.plan(document, base.requirements, base.files)

    def _screen(self, stage: Stage, base: StageBase, compiled: Compiled) -> None:
        """Look for secrets in what is no layer; the definition of a base image is released."""
        if self.packer.screen is None:
            return
        said = {**compiled.document, KEY: compiled.lineage.json()}
        released = None
        if base.definition is not None and base.reference is not None:
            released = {**base.definition, KEY: base.lineage.json()}
        screen_stage(self.packer.screen, self.agentfile, stage, self.context, said, released)

    def _warnings(self, stage: Stage, compiled: Compiled) -> Iterator[str]:
        yield from compiled.warnings
        unpinned = [
            r for r in compiled.requirements if r.name not in self.options.pins.requirements
        ]
        for require in unsatisfied(self.packer.store, unpinned, trace=self.trace):
            yield (
                f"{self.agentfile.file}:{require.place.line}: nothing here satisfies "
                f"{require.source or require.name} {require.version}"
                f"{', which is optional' if require.optional else ''}"
            )
        is_final = stage.index == self.agentfile.final.index
        if is_final and stage.base.is_scratch and self.find.used:
            parents = ", ".join(sorted(self.find.used))
            yield f"the files of {parents} do not come along; FROM in place of scratch brings them"
        if is_final and name_and_version(compiled)[1] == UNVERSIONED:
            yield f"no version declared, it is {UNVERSIONED} (LABEL {keys.VERSION}=1.0.0 sets one)"

    def _base(self, stage: Stage) -> StageBase:
        if stage.base.is_scratch:
            return StageBase()
        if stage.base.stage is not None:
            earlier = next(s for s in self.agentfile.stages if s.name == stage.base.stage)
            return self.results[earlier.index].as_base()
        reference = Reference.parse(stage.base.reference)
        try:
            image = self.lookup(reference)
            return _image_as_base(self.packer.store, image, reference)
        except AgentociError as exc:
            raise locate(
                self.agentfile, stage.base.place, exc, width=len(stage.base.reference)
            ) from exc

    def _compile(self, stage: Stage, base: StageBase) -> Compiled:
        is_final = stage.index == self.agentfile.final.index
        version = self.options.version if is_final else None
        compiler = Compiler(self.agentfile, self.context, self.find, version)
        ground = _ground(stage, base)
        fallback = self.options.fallback_name
        made: list[Compiled] = []

        def compile_now() -> dict[str, Json]:
            made.append(compiler.compile(stage, ground=ground, fallback_name=fallback))
            return {"definition": made[0].document, KEY: made[0].lineage.json()}

        fingerprint = self._fingerprint(stage, base)
        if fingerprint is None:
            return compiler.compile(stage, ground=ground, fallback_name=fallback)
        key = f"lineage {fallback} {version} {fingerprint}"
        lineage = Lineage.of(self.memo.remember(key, compile_now), what=key)
        if made:
            return made[0]
        required = tuple(i for i in stage.instructions if isinstance(i, Require))
        return Compiled(lineage.document(), required, lineage=lineage)

    def _fingerprint(self, stage: Stage, base: StageBase) -> Digest | None:
        """Of everything that the compiled definition follows from; None: of parents, too."""
        parts = [repr(i) for i in stage.instructions if not isinstance(i, Copy)]
        parts.append(str(Digest.of(canonical(base.lineage.json()))))
        for instruction in stage.instructions:
            if isinstance(instruction, Require) and instruction.kind in ("mcp", "skill"):
                parts.append(source_state(self.context, instruction))
            if isinstance(instruction, Definition | Interface):
                for path, content in _read_by(self.context, instruction):
                    if content is not None and b"parent" in content:
                        return None
                    digest = "none" if content is None else str(Digest.of(content))
                    parts.append(f"{path} {digest}")
        return Digest.of("\n".join(parts).encode())

    def _context_of(self, instruction: Copy) -> Context:
        if instruction.from_ is None:
            return self.context
        if instruction.from_stage is not None:
            result = self.results[instruction.from_stage]
            store = self.packer.store
            config = ImageConfig(
                diff_ids=tuple(layer.diff_id for layer in result.layers), agentoci=own_key(result)
            )
            root = store_agent(store, config, tuple(x.desc for x in result.layers), {})
            return self._unpack(read_image(store, root, what=f"stage {instruction.from_}"))
        try:
            return self._unpack(self.lookup(Reference.parse(instruction.from_)))
        except AgentociError as exc:
            place = instruction.from_place or instruction.place
            raise locate(self.agentfile, place, exc, width=len(instruction.from_)) from exc

    def _unpack(self, image: Image) -> Context:
        """The content of an image as a context, unpacked once and kept in the cache."""
        folder = self.cache / "unpacked" / image.manifest.descriptor.digest.hex
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            store = self.packer.store
            layers = image.packed_layers(store)
            with contextlib.suppress(DestinationExists):  # another build was faster
                unpack_image(layers, folder, inventory=image.inventory(store))
        os.utime(folder)
        return Context.whole(folder)


def _needed(agentfile: Agentfile) -> list[int]:
    """The stages that the last one is made from, by FROM and COPY --from."""
    names = {stage.name: stage.index for stage in agentfile.stages if stage.name}
    needed: set[int] = set()
    waiting = [agentfile.final.index]
    while waiting:
        stage = agentfile.stages[waiting.pop()]
        needed.add(stage.index)
        if stage.base.stage is not None:
            waiting.append(names[stage.base.stage])
        copies = [i for i in stage.instructions if isinstance(i, Copy)]
        waiting += [i.from_stage for i in copies if i.from_stage is not None]
    return sorted(needed)


def _line_of(agentfile: Agentfile) -> list[Stage]:
    """The last stage after those that it is built on, without what is only copied from."""
    by_name = {stage.name: stage for stage in agentfile.stages if stage.name}
    line = [agentfile.final]
    while line[0].base.stage is not None:
        line.insert(0, by_name[line[0].base.stage])
    return line


def _steps(stages: list[Stage]) -> Iterator[Step]:
    texts = [text for s in stages for text in (s.original, *(i.original for i in s.instructions))]
    return (Step(number, len(texts), without_secrets(text)) for number, text in enumerate(texts, 1))


def _image_as_base(store: LayoutStore, image: Image, reference: Reference) -> StageBase:
    config = image.config
    created_by = [entry.created_by for entry in config.layer_history()]
    created_by += [""] * (len(config.diff_ids) - len(created_by))
    layers = tuple(
        Layer(as_agent_layer(desc), diff_id, made_by, cached=True)
        for desc, diff_id, made_by in zip(
            image.manifest.layers, config.diff_ids, created_by, strict=False
        )
    )
    requirements = config.agentoci.get("requirements")
    return StageBase(
        layers,
        image.inventory(store).entries,
        config.env,
        config.entrypoint,
        dict(config.labels),
        config.history,
        dict(image.definition),
        tuple(requirements) if isinstance(requirements, list) else (),
        config.agentoci.get("healthcheck"),
        str(reference),
        str(image.root.digest),
        Lineage.of(config.agentoci, what=str(reference)),
    )


def _ground(stage: Stage, base: StageBase) -> Ground:
    """What the stage's definition is built on."""
    return Ground(base.lineage, stage.base.stage or stage.base.reference)


def _read_by(
    context: Context, instruction: Definition | Interface
) -> Iterator[tuple[str, bytes | None]]:
    """The files that an instruction may read; None for one that is not there."""
    if isinstance(instruction, Definition):
        yield instruction.path, _content(context, instruction.path)
    elif instruction.kind == "file":
        yield instruction.value, _content(context, instruction.value)
    elif instruction.kind == "name":
        path = f"{instruction.value}.agentdef"
        content = _content(context, path)
        yield path, content
        if content is None:
            yield from mentioning(context, "", instruction.value)


def _content(context: Context, path: str) -> bytes | None:
    """A file of the context; compiling says what is wrong with another one."""
    try:
        found = context.lookup(path)
    except OutsideContext:
        found = None
    if found is None or not found.is_regular:
        return None
    return files.read_at_most(Path(context.locate(path)), limits.MAX_DEFINITION_BYTES)
