"""One stage: its base, the layers of its COPYs, then tool bindings, configuration and interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from agentoci.agentfile.nodes import (
    Agentfile,
    Copy,
    Entrypoint,
    Env,
    Healthcheck,
    Instruction,
    Label,
    Stage,
)
from agentoci.builder.bindings import bindings_of
from agentoci.builder.compiling import Compiled
from agentoci.builder.context import Context, OutsideContext, SourceMissing
from agentoci.builder.copying import RESERVED, CopiedFile, generated, kind_of, plan_copy
from agentoci.builder.located import locate
from agentoci.builder.names import TakenNames
from agentoci.builder.packing import LayerPlan, PackedPlan, Packer
from agentoci.builder.report import BuildReport, Layer, Step
from agentoci.builder.skills import Skills
from agentoci.definition.lineage import NO_LINEAGE, Lineage
from agentoci.errors import AgentociError, Fault, Invalid, SourceFaults
from agentoci.layers.inventory import FileEntry, Inventory
from agentoci.layers.pack import ALONE
from agentoci.layers.source import ChangedWhileReading, SourceDenied, SourceUnreadable
from agentoci.layers.split import Scale, split
from agentoci.spec.imageconfig import HistoryEntry
from agentoci.spec.jsonio import Json, canonical
from agentoci.spec.mediatypes import LayerKind


@dataclass(frozen=True, slots=True)
class StageBase:
    """What a stage starts from; empty for `scratch`."""

    layers: tuple[Layer, ...] = ()
    files: tuple[FileEntry, ...] = ()
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()
    definition: dict[str, Json] | None = None
    requirements: tuple[Json, ...] = ()
    healthcheck: Json = None
    reference: str | None = None
    digest: str | None = None
    lineage: Lineage = NO_LINEAGE


@dataclass(frozen=True, slots=True)
class StageResult:
    """A finished stage, ready to be an image or the base of another stage."""

    base: StageBase
    layers: tuple[Layer, ...]
    files: tuple[FileEntry, ...]
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]
    labels: dict[str, str]
    history: tuple[HistoryEntry, ...]
    compiled: Compiled
    requirements: tuple[Json, ...]
    healthcheck: Json

    def as_base(self) -> StageBase:
        """For a later FROM that names this stage."""
        return StageBase(
            self.layers,
            self.files,
            self.env,
            self.entrypoint,
            self.labels,
            self.history,
            self.compiled.document,
            self.requirements,
            self.healthcheck,
            lineage=self.compiled.lineage,
        )


SkillsOf = Callable[[Stage, Mapping[str, Json], StageBase], Skills]
"""The skills that a stage's definition requires, beyond those of its base."""

ContextOf = Callable[[Copy], Context]
"""Where a COPY copies from: the build context, or an unpacked stage or image."""


@dataclass(frozen=True, slots=True)
class StageBuilder:
    """Builds one stage after another."""

    agentfile: Agentfile
    packer: Packer
    report: BuildReport
    context_of: ContextOf
    skills_of: SkillsOf = lambda _stage, _document, _base: Skills()
    check_copied: Callable[[Sequence[CopiedFile]], Iterable[Fault]] = lambda _files: ()
    pins: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def plan(self, stage: Stage, base: StageBase) -> list[tuple[Copy, list[LayerPlan]]]:
        """The layers of every COPY, nothing packed yet; all faults are reported at once.

        Raises SourceFaults, and InstructionFailed for what the machine or a registry does not give.
        """
        faults: list[Fault] = []
        names = TakenNames()
        for path in (*(entry.path for entry in base.files), *sorted(RESERVED)):
            names.add_file(path)
        planned: list[tuple[Copy, list[LayerPlan]]] = []
        for instruction in stage.instructions:
            if isinstance(instruction, Copy):
                with self._collecting(instruction, faults):
                    files = plan_copy(instruction, self.context_of(instruction))
                    faults += self.check_copied(files)
                    _take_names(names, files)
                    planned.append((instruction, list(plan_layers(files, instruction.original))))
        if faults:
            raise SourceFaults(faults)
        return planned

    def build(
        self,
        stage: Stage,
        base: StageBase,
        compile_definition: Callable[[], Compiled],
        steps: Iterator[Step],
    ) -> StageResult:
        """Pack the stage's layers, and compile the definition meanwhile; tells every step."""
        planned = self._plan_or_tell_all(stage, base, compile_definition)
        copies = [plan for _, plans in planned for plan in plans]
        with self.packer.packing(copies) as finish:
            compiled = compile_definition()
            skills = self.skills_of(stage, compiled.document, base)
            requirements = bindings_of(
                compiled.document, base.requirements, self.pins, skills.resolved
            )
            closing = [*skills.plans, *_closing_plans(compiled.document, requirements)]
            made_closing = [self.packer.make_or_find(plan) for plan in closing]
            both = [*zip(copies, finish(), strict=True), *zip(closing, made_closing, strict=True)]
        both.sort(key=lambda pair: _layer_rank(pair[0]))
        content, packed = [plan for plan, _ in both], [made for _, made in both]
        files = _inventory(base, content, packed)
        if skills.plans:
            _check_names(files)
        interface = LayerPlan(
            LayerKind.INTERFACE,
            _interface_files(compiled.document, files, len(base.layers) + len(packed)),
            "interface",
        )
        packed.append(self.packer.make_or_find(interface))
        self._tell(stage, planned, content, packed, steps)
        made = tuple(each.layer for each in packed)
        return StageResult(
            base,
            base.layers + made,
            files,
            merge_env(base.env, stage.instructions),
            _entrypoint(base, stage.instructions),
            base.labels | dict(_labels(stage.instructions)),
            base.history + tuple(_history(stage, made)),
            compiled,
            requirements,
            _healthcheck(base, stage.instructions),
        )

    def _plan_or_tell_all(
        self, stage: Stage, base: StageBase, compile_definition: Callable[[], Compiled]
    ) -> list[tuple[Copy, list[LayerPlan]]]:
        """The plan; when that fails, the definition is compiled to tell its faults as well."""
        try:
            return self.plan(stage, base)
        except SourceFaults as exc:
            faults = [*exc.faults]
            try:
                compile_definition()
            except SourceFaults as others:
                faults += others.faults
            except AgentociError:  # it is told when the COPYs are mended
                pass
            raise SourceFaults(faults) from exc

    def _tell(
        self,
        stage: Stage,
        planned: Sequence[tuple[Copy, list[LayerPlan]]],
        content: Sequence[LayerPlan],
        packed: Sequence[PackedPlan],
        steps: Iterator[Step],
    ) -> None:
        made = {id(plan): each.layer for plan, each in zip(content, packed, strict=False)}
        of_copy = {id(copy): [made[id(plan)] for plan in plans] for copy, plans in planned}
        for instruction, step in zip(stage.instructions, steps, strict=False):
            self.report.step(step, of_copy.get(id(instruction), []))

    @contextmanager
    def _collecting(self, instruction: Copy, faults: list[Fault]) -> Iterator[None]:
        try:
            yield
        except (SourceMissing, OutsideContext) as exc:
            place = next(
                (s.place for s in instruction.sources if repr(s.text) in exc.message),
                instruction.place,
            )
            width = next((len(s.text) for s in instruction.sources if s.place == place), 1)
            faults.append(self.agentfile.fault(place, exc.message, width=width, hint=exc.hint))
        except Invalid as exc:
            faults.append(self.agentfile.fault(instruction.place, exc.message, hint=exc.hint))
        except (SourceDenied, SourceUnreadable, ChangedWhileReading) as exc:
            raise locate(self.agentfile, instruction.place, exc) from exc


def plan_layers(files: Sequence[CopiedFile], created_by: str) -> Iterator[LayerPlan]:
    """Cut the files of one COPY into layers, one kind after the other."""
    by_kind: dict[LayerKind, list[CopiedFile]] = {}
    for copied in files:
        by_kind.setdefault(kind_of(copied.entry.path), []).append(copied)
    scale = Scale.of(copied.entry for copied in files)
    for kind, members in by_kind.items():
        by_path = {copied.entry.path: copied for copied in members}
        for group in split([copied.entry for copied in members], scale):
            chosen = tuple(by_path[entry.path] for entry in group)
            yield LayerPlan(kind, chosen, created_by)


def merge_env(known: Sequence[str], instructions: Iterable[Instruction]) -> tuple[str, ...]:
    """`KEY=VALUE` strings, later ones in the place of earlier ones of the same key."""
    merged = dict(text.partition("=")[::2] for text in known)
    for instruction in instructions:
        if isinstance(instruction, Env):
            merged.update(instruction.pairs)
    return tuple(f"{key}={value}" for key, value in merged.items())


def _layer_rank(plan: LayerPlan) -> int:
    """Knowledge and files first, then tools, then configuration (the spec's picture)."""
    return {LayerKind.TOOLS: 1, LayerKind.CONFIG: 2}.get(plan.kind, 0)


def _closing_plans(document: dict[str, Json], requirements: Sequence[Json]) -> Iterator[LayerPlan]:
    if requirements:
        bindings = canonical({"version": 1, "tools": list(requirements)})
        file = generated("agent/tools/bindings.json", bindings)
        yield LayerPlan(LayerKind.TOOLS, (file,), "tool bindings")
    spec = document.get("spec")
    chosen = ("behavior", "config_template")
    config = {key: spec[key] for key in chosen if key in spec} if isinstance(spec, dict) else {}
    if config:
        file = generated("agent/config.json", canonical(config))
        yield LayerPlan(LayerKind.CONFIG, (file,), "configuration")


def _interface_files(
    document: dict[str, Json], files: Sequence[FileEntry], layer: int
) -> tuple[CopiedFile, ...]:
    definition = generated("agent/definition.json", canonical(document))
    own = _file_entry(definition, definition.entry.sha256 or "", layer)
    listed = [entry for entry in files if entry.path != own.path]
    inventory = Inventory.of([*listed, own]).encode()
    return definition, generated("agent/files.json", inventory)


def _inventory(
    base: StageBase, plans: Sequence[LayerPlan], packed: Sequence[PackedPlan]
) -> tuple[FileEntry, ...]:
    """Every file of the image so far, each with the layer that it is read from."""
    found = {entry.path: entry for entry in base.files}
    first = len(base.layers)
    for index, (plan, made) in enumerate(zip(plans, packed, strict=True), first):
        for copied in plan.files:
            if not copied.entry.is_folder:
                path = copied.entry.path
                found[path] = _file_entry(copied, made.files.get(path, ""), index)
    return tuple(sorted(found.values(), key=lambda entry: entry.path))


def _take_names(names: TakenNames, files: Iterable[CopiedFile]) -> None:
    for copied in files:
        take = names.add_folder if copied.entry.is_folder else names.add_file
        take(copied.entry.path)


def _check_names(files: Iterable[FileEntry]) -> None:
    names = TakenNames()
    for entry in files:
        names.add_file(entry.path)


def _file_entry(copied: CopiedFile, sha256: str, layer: int) -> FileEntry:
    entry = copied.entry
    if entry.link is not None:
        return FileEntry.symlink(entry.path, entry.link, layer=layer)
    content = None if sha256.startswith(ALONE) else sha256
    return FileEntry(entry.path, entry.size, entry.mode, content, layer)


def _history(stage: Stage, layers: Sequence[Layer]) -> Iterator[HistoryEntry]:
    for instruction in stage.instructions:
        if not isinstance(instruction, Copy):
            yield HistoryEntry(instruction.original, empty_layer=True)
    for layer in layers:
        yield HistoryEntry(layer.created_by)


def _labels(instructions: Iterable[Instruction]) -> Iterator[tuple[str, str]]:
    for instruction in instructions:
        if isinstance(instruction, Label):
            yield from instruction.pairs


def _entrypoint(base: StageBase, instructions: Iterable[Instruction]) -> tuple[str, ...]:
    found = [i.argv for i in instructions if isinstance(i, Entrypoint)]
    return found[-1] if found else base.entrypoint


def _healthcheck(base: StageBase, instructions: Iterable[Instruction]) -> Json:
    for instruction in instructions:
        if isinstance(instruction, Healthcheck):
            if instruction.argv is None:
                return None
            return {
                "command": list(instruction.argv),
                "interval_seconds": instruction.interval_seconds,
                "timeout_seconds": instruction.timeout_seconds,
                "retries": instruction.retries,
                "start_period_seconds": instruction.start_period_seconds,
            }
    return base.healthcheck
