"""What the needs of one build stand for: base images, agents and skills, resolved to digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.api.agentsources import AgentSources
from agentoci.api.compatibility import Matrix, matrix_beside
from agentoci.api.pinning import lock_path, pinned_text, pins_of
from agentoci.api.sources import parent_places, sources_of
from agentoci.builder.build import Builder
from agentoci.builder.needs import BuildNeeds
from agentoci.builder.options import BuildOptions
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError, Denied, NotFound, Unreachable
from agentoci.release.candidates import Candidate, Demand, Requirement, Want
from agentoci.release.conflicts import RequirementNotFound
from agentoci.release.drift import Needs, drift, drifted, is_at, is_of_skill, ruled_out
from agentoci.release.lock import Lock, Missing, Pin, PinKind
from agentoci.release.requirements import SkillRequirement, requirements_of
from agentoci.release.resolve import Chosen, Goal, Resolution, resolve
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from agentoci.spec.registrypath import RegistryPath
from agentoci.store.images import Image, read_image

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@dataclass(slots=True)
class Resolving:
    """Resolves the needs of one build, `kept` being what is pinned already.

    `fresh` asks registries for tags again that the local store knows, too.
    """

    engine: Engine
    context: Path
    options: BuildOptions
    kept: Lock
    sources: Sequence[str] = ()
    fresh: bool = False

    def check(self, path: Path) -> None:
        """Raise LockDrift unless the pins fit, and the compatibility matrix allows them."""
        if found := self.drift(limited=True):
            raise drifted(path, found)

    def drift(self, *, limited: bool) -> list[str]:
        """Why the pins do not fit; `limited` counts what the compatibility matrix forbids."""
        build = self._build_needs(strict=True)
        reasons = drift(self.kept, _needs(build))
        if limited:
            reasons += ruled_out(self.kept, build.name, build.version, self._matrix())
        return reasons

    def _matrix(self) -> Matrix:
        return matrix_beside(lock_path(self.context, self.options))

    def lock(self) -> Lock:
        """The new lock."""
        build = self._build_needs(strict=False)
        images = [self._image_pin(name, where) for name, where in build.images.items()]
        skills = [self._skill_pin(build, skill) for skill in build.skills]
        found = self._resolve(build)
        agents = [_agent_pin(chosen) for chosen in found.chosen]
        pins = [*images, *(pin for pin in skills if pin), *agents]
        missing = [Missing(one.name, _wanted_by(one.wants)) for one in found.unresolved]
        return Lock.of(map(self._shared, pins), missing)

    def _shared(self, pin: Pin) -> Pin:
        """The pin by its full reference, if the default registry has what a short name is here.

        Others may have another default registry, or none. It is asked once, by HEAD.
        """
        place = place_of(pin)
        if place is None or self.engine.settings.file.default_registry is None:
            return pin
        full = self.engine.transfers.at_registry(place)
        try:
            self.engine.client.repository(full).resolve(str(pin.digest))
        except ContentNotFound:
            return pin
        except (Denied, Unreachable) as exc:
            self.engine.warn(f"{full} is not known to be there: {exc.message}")
            return pin
        return replace(pin, reference=str(full))

    def _build_needs(self, *, strict: bool) -> BuildNeeds:
        builder = Builder(
            self.engine.writable_store,
            self.engine.settings.cache,
            lookup=partial(self._image, strict=strict),
            clock=self.engine.clock,
            scans=False,
            places=partial(parent_places, self.engine.settings.file, self.sources),
        )
        return builder.needs(self.context, replace(self.options, pins=pins_of(self.kept)))

    # Images

    def _image(self, reference: Reference, *, strict: bool = False) -> Image:
        """The image that a FROM stands for: as pinned, else as it is now."""
        root = pinned_root(self.engine, self.kept, reference, strict=strict)
        if root is None:
            if self.fresh and not reference.is_local:
                self.engine.transfers.pull(str(reference))
            root = self.engine.transfers.ensure(str(reference))
        return read_image(self.engine.store, root, what=str(reference))

    def _image_pin(self, name: str, where: str) -> Pin:
        digest = self._image(Reference.parse(where)).root.digest
        kept = self.kept.named(PinKind.IMAGE).get(name)
        if kept is not None and kept.digest == digest:
            where = kept.reference
        return Pin(PinKind.IMAGE, name, where, digest)

    def _skill_pin(self, build: BuildNeeds, skill: SkillRequirement) -> Pin | None:
        kept = self.kept.named(PinKind.SKILL).get(skill.name)
        if kept is not None and is_of_skill(kept, skill):
            return kept
        try:
            return self._new_skill_pin(skill)
        except AgentociError as exc:
            if isinstance(exc, NotFound) and not skill.required:
                return None
            raise build.located(skill.name, exc) from exc

    def _new_skill_pin(self, skill: SkillRequirement) -> Pin:
        from agentoci.api.skills import open_artifact

        self._refresh(skill)
        folder = self.context
        with open_artifact(self.engine, skill.reference, skill.version, folder) as artifact:
            return Pin(
                PinKind.SKILL,
                skill.name,
                artifact.reference,
                artifact.root.digest,
                artifact.version,
                skill.required,
            )

    def _refresh(self, skill: SkillRequirement) -> None:
        """Pull what the local store may have an older copy of."""
        if self.fresh and skill.version is None and not skill.reference.startswith("oci:"):
            reference = Reference.parse(skill.reference)
            if not reference.is_local and reference.digest is None:
                self.engine.transfers.pull(skill.reference)

    # Agents

    def _resolve(self, build: BuildNeeds) -> Resolution:
        matrix = self._matrix()
        wanted = requirements_of(list(build.agents), what="the definition")
        sources = AgentSources(self.engine, self._sources(build), self.fresh)
        kept = {
            pin.name: candidate
            for pin in self.kept.pins
            if pin.kind is PinKind.AGENT and (candidate := _candidate(pin, wanted)) is not None
        }
        sources.warm(wanted, kept)
        goal = Goal(
            f"{build.name} {build.version}",
            (*wanted, *matrix.of(build.name, build.version)),
            build.name,
            kept,
            matrix,
            sources.names(),
            sources.shown,
        )
        try:
            return resolve(goal, sources)
        except RequirementNotFound as exc:
            raise _located(build, exc) from exc

    def _sources(self, build: BuildNeeds) -> tuple[RegistryPath, ...]:
        """Without a default registry also what stands before the name of the image or its base."""
        named = [*self.options.tags, *map(Reference.parse, build.images.values())]
        beside = [one.name.rpartition("/")[0] for one in named if one.registry is not None]
        return sources_of(self.engine.settings.file, self.sources, beside)


def pinned_root(
    engine: Engine, lock: Lock, reference: Reference, *, strict: bool
) -> Descriptor | None:
    """The root of the image that a lock pins for a reference, pulled by digest.

    None when nothing is pinned; unless `strict`, also when that image is gone.
    """
    pin = lock.named(PinKind.IMAGE).get(str(reference))
    if pin is None:
        return None
    try:
        return engine.transfers.ensure(pinned_text(pin.reference, str(pin.digest)))
    except ContentNotFound:
        if strict:
            raise
        return None


def _needs(build: BuildNeeds) -> Needs:
    return Needs(
        tuple(build.images),
        requirements_of(list(build.agents), what="the definition"),
        build.skills,
    )


def _located(build: BuildNeeds, error: RequirementNotFound) -> RequirementNotFound:
    """The same, each name at the REQUIRE that asks for it, if there is one."""
    told = [
        fault.render() if (fault := build.fault(name, text)) else text
        for name, text in error.missing.items()
    ]
    return RequirementNotFound("\n".join(told), hint=error.hint, missing=error.missing)


def place_of(pin: Pin) -> Reference | None:
    """The short name by which a pin is known on this machine alone; None when it has another."""
    if pin.reference.startswith("oci:"):
        return None
    reference = Reference.parse(pin.reference)
    return reference if reference.is_local else None


def _candidate(pin: Pin, wanted: Sequence[Requirement]) -> Candidate | None:
    from semver import Version

    if pin.version is None or not Version.is_valid(pin.version):
        return None
    repository = Reference.parse(pin.reference).name
    for one in wanted:
        if one.name == pin.name and one.repository and is_at(repository, one.repository):
            repository = one.repository
    version = Version.parse(pin.version)
    return Candidate(pin.name, version, pin.reference, repository, digest=pin.digest)


def _agent_pin(chosen: Chosen) -> Pin:
    candidate = chosen.known.candidate
    return Pin(
        PinKind.AGENT,
        candidate.name,
        candidate.reference,
        chosen.known.digest,
        str(candidate.version),
        chosen.required,
        _wanted_by(chosen.wants),
    )


def _wanted_by(wants: Sequence[Want]) -> dict[str, str]:
    return {
        want.key: str(want.requirement.range)
        for want in wants
        if want.requirement.demand is not Demand.LIMIT
    }
