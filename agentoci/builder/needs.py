"""What a build needs from elsewhere: images, agents, skills. The lock says which these are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentoci.agentfile.nodes import Agentfile, Copy, Require, Stage
from agentoci.builder.bindings import bindings_of, is_folder, tools_of
from agentoci.builder.compiling import Compiled
from agentoci.builder.context import Context
from agentoci.builder.document import name_and_version
from agentoci.builder.located import InstructionFailed
from agentoci.builder.stages import StageBase, StageResult
from agentoci.definition.toolkinds import tool_kind_of
from agentoci.errors import AgentociError, Fault
from agentoci.release.requirements import SkillRequirement
from agentoci.spec.jsonio import Json
from agentoci.spec.reference import Reference


@dataclass(frozen=True, slots=True)
class BuildNeeds:
    """An image's needs, and how it calls itself.

    `images` are the references of FROM and COPY --from that pin no digest, and the names of parents
    that are images, each with where it is; `agents` the bindings of required agents, `skills` those
    that are neither in the context nor in the base, `agentfile` what asks for them.
    """

    name: str
    version: str
    images: Mapping[str, str]
    agents: tuple[Json, ...]
    skills: tuple[SkillRequirement, ...]
    agentfile: Agentfile

    def fault(self, name: str, message: str, *, hint: str | None = None) -> Fault | None:
        """A fault at the REQUIRE of that name; None when something else asks for it."""
        for stage in reversed(self.agentfile.stages):
            for node in reversed(stage.instructions):
                if isinstance(node, Require) and node.name == name:
                    kind = "" if node.kind == "agent" else f"{node.kind}:"
                    width = len(f"{kind}{node.source or name}")
                    return self.agentfile.fault(node.name_place, message, width=width, hint=hint)
        return None

    def located(self, name: str, error: AgentociError) -> AgentociError:
        """An error of a requirement at its REQUIRE, or as it is where there is none."""
        fault = self.fault(name, error.message, hint=error.hint)
        return InstructionFailed(fault, error) if fault else error

    @classmethod
    def of(
        cls, agentfile: Agentfile, stages: Sequence[Stage], final: StageResult, context: Context
    ) -> BuildNeeds:
        """Gather them; `stages` are those that the image is made from."""
        name, version = name_and_version(final.compiled)
        bound = [entry for entry in final.requirements if isinstance(entry, dict)]
        agents = [entry for entry in bound if tool_kind_of(entry) is None]
        in_base = {entry["name"] for entry in bound if tool_kind_of(entry) and "resolved" in entry}
        skills = skill_requirements(agentfile, final.compiled.document, context)
        return cls(
            name,
            version,
            {name: name for name in sorted(_images(stages))},
            tuple(agents),
            tuple(skill for skill in skills if skill.name not in in_base),
            agentfile,
        )


def skill_requirements(
    agentfile: Agentfile, definition: Mapping[str, Json] | None, context: Context
) -> list[SkillRequirement]:
    """The skills from registries and layouts that a build needs, by name; for the lock.

    `definition` is the document that the last stage begins with, if any; what an Agentfile says
    comes before what a definition says.
    """
    found = {
        skill.name: skill
        for tool in tools_of(definition or {})
        if (skill := _outside(tool)) is not None
    }
    for stage in agentfile.stages:
        for node in stage.instructions:
            if isinstance(node, Require) and node.kind == "skill":
                found.pop(node.name, None)
                if not is_folder(context, node.source):
                    found[node.name] = SkillRequirement(
                        node.name, node.source, required=not node.optional
                    )
    return [found[name] for name in sorted(found)]


def _outside(tool: Mapping[str, Json]) -> SkillRequirement | None:
    skill = tool.get("skill")
    reference = skill.get("reference") if isinstance(skill, dict) else None
    if not isinstance(reference, str):
        return None
    version = tool.get("version")
    return SkillRequirement(
        str(tool["name"]),
        reference,
        version if isinstance(version, str) else None,
        tool.get("required") is not False,
    )


def _images(stages: Sequence[Stage]) -> set[str]:
    named = {s.base.reference for s in stages if s.base.stage is None and not s.base.is_scratch}
    named |= {
        copy.from_
        for stage in stages
        for copy in stage.instructions
        if isinstance(copy, Copy) and copy.from_ is not None and copy.from_stage is None
    }
    read = map(Reference.parse, named)
    return {str(reference) for reference in read if reference.digest is None}


def unpacked(base: StageBase, compiled: Compiled) -> StageResult:
    """A stage of which only the definition was made."""
    return StageResult(
        base,
        base.layers,
        base.files,
        base.env,
        base.entrypoint,
        base.labels,
        base.history,
        compiled,
        bindings_of(compiled.document, base.requirements),
        base.healthcheck,
    )
