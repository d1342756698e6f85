"""Agent Skills in an image: checked where they are copied, brought in where they are required."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from agentoci._internal import files, limits
from agentoci.agentfile.nodes import Agentfile, Definition, Require, Stage
from agentoci.builder.bindings import is_same, tools_of
from agentoci.builder.context import Context
from agentoci.builder.copying import CopiedFile, copy_folder
from agentoci.builder.located import locate
from agentoci.builder.packing import LayerPlan
from agentoci.builder.replay import Trace
from agentoci.errors import AgentociError, Fault, Invalid, NotFound, SourceFaults, Unreachable
from agentoci.layers.inventory import FileEntry
from agentoci.layers.source import reading_failed
from agentoci.spec.jsonio import Json
from agentoci.spec.mediatypes import LayerKind
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.content.protocols import Fetcher
    from agentoci.spec.descriptor import Descriptor

FOLDER: Final = "agent/knowledge/skills"
"""Where required skills are in an image, each in a folder of its name."""

SKILL_FILE: Final = "SKILL.md"


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact that was found: where its content is, how it is called, and which version."""

    source: Fetcher
    root: Descriptor
    reference: str
    version: str | None = None


ArtifactLookup: TypeAlias = Callable[[str, str | None, Path], AbstractContextManager[Artifact]]
"""What a reference or `oci:DIR[:NAME]` means, and of a version range the newest that fits.

A relative DIR counts from the folder given. Raises NotFound and what registries say."""


class SkillMissing(NotFound):
    """A skill that the build needs is not there."""


class NoSkillFolder(Invalid):
    """A path that is required as a skill, and is none of the context."""


def no_artifacts(
    reference: str, version: str | None, folder: Path
) -> AbstractContextManager[Artifact]:
    """The lookup of a builder that has nowhere to look; raises SkillMissing."""
    del version, folder
    raise SkillMissing(f"{reference}: nowhere to look for it")


@dataclass(frozen=True, slots=True)
class Skills:
    """The layers of a stage's required skills, and by requirement what it turned out to be."""

    plans: tuple[LayerPlan, ...] = ()
    resolved: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


def copied_skill_faults(copied: Sequence[CopiedFile]) -> Iterator[Fault]:
    """What is wrong with every SKILL.md that one COPY brings."""
    for file in copied:
        path = file.entry.path
        if posixpath.basename(path) != SKILL_FILE or file.entry.link or file.entry.is_folder:
            continue
        from agentoci.interop.skills import read_skill

        limit = limits.MAX_DEFINITION_BYTES + 1
        content = file.entry.content
        if content is None:
            content = _read(file.entry.source or "", limit)
        shown = file.origin.path if file.origin else path
        try:
            read_skill(content, folder=posixpath.basename(posixpath.dirname(path)), file=shown)
        except SourceFaults as exc:
            yield from exc.faults


@dataclass(frozen=True, slots=True)
class SkillPlanner:
    """Finds the skills that one stage requires; errors are told at their REQUIRE."""

    agentfile: Agentfile
    stage: Stage
    context: Context
    cache: Path
    lookup: ArtifactLookup
    trace: Trace
    pins: Mapping[str, Mapping[str, Json]]
    warn: Callable[[str], None]

    def plan(
        self, document: Mapping[str, Json], known: Sequence[Json], base: Sequence[FileEntry]
    ) -> Skills:
        """The skills of a compiled definition that are not in the base already.

        `known` are the base's bindings, `base` its files. Raises SourceFaults for a bad skill,
        and InstructionFailed for one that cannot be had; an optional one is warned of.
        """
        plans: list[LayerPlan] = []
        resolved: dict[str, Mapping[str, Json]] = {}
        owners: dict[str, str] = {}
        for tool in tools_of(document):
            if "skill" not in tool or self._is_in_base(tool, known):
                continue
            name = str(tool["name"])
            found = self._found(name, tool)
            if found is None:
                continue
            self._refuse_mixing(name, found, base, owners)
            plans.append(LayerPlan(LayerKind.KNOWLEDGE, tuple(found.files), f"skill {name}"))
            resolved[name] = found.resolved
        return Skills(tuple(plans), resolved)

    def _found(self, name: str, tool: Mapping[str, Json]) -> _Found | None:
        """The skills of one requirement; None for an optional one that cannot be had."""
        try:
            return self._skills(name, tool)
        except SourceFaults:
            raise
        except (NotFound, NoSkillFolder, Unreachable) as exc:
            if tool.get("required") is not False:
                raise self._located(name, exc) from exc
            self.trace.replayable = False  # it may be there the next time
            self.warn(f"without the optional skill {name}: {exc.message}")
            return None
        except AgentociError as exc:
            raise self._located(name, exc) from exc

    def _is_in_base(self, tool: Mapping[str, Json], known: Sequence[Json]) -> bool:
        """Whether the base has it, and nothing here asks for it anew."""
        name = tool["name"]
        said = [i for i in self.stage.instructions if isinstance(i, Require) and i.name == name]
        if said or self._is_said_by_definition(tool):
            return False
        for binding in known:
            if isinstance(binding, dict) and binding.get("name") == name:
                there = binding.get("resolved")
                pin = self.pins.get(str(name), {}).get("digest")
                fits = pin is None or (isinstance(there, dict) and there.get("digest") == pin)
                return there is not None and is_same(tool, binding) and fits
        return False

    def _is_said_by_definition(self, tool: Mapping[str, Json]) -> bool:
        """Whether a definition of this context names a folder that is here: it may have changed."""
        skill = tool["skill"]
        path = skill.get("path") if isinstance(skill, dict) else None
        defines = any(isinstance(i, Definition) for i in self.stage.instructions)
        return defines and isinstance(path, str) and self.context.lookup(path) is not None

    def _skills(self, name: str, tool: Mapping[str, Json]) -> _Found:
        block = tool["skill"]
        skill = block if isinstance(block, dict) else {}
        select = skill.get("select")
        chosen = select if isinstance(select, str) else None
        if isinstance(path := skill.get("path"), str):
            return self._from_context(path, chosen)
        return self._from_artifact(name, tool, str(skill.get("reference")), chosen)

    def _from_context(self, path: str, select: str | None) -> _Found:
        from agentoci.interop.skills import read_skill

        found = self.context.lookup(path)
        if found is None or not found.is_folder:
            raise NoSkillFolder(
                f"the skill {path!r} is no folder of the context",
                hint="a skill of a registry is written HOST/NAME:TAG",
            )
        file = f"{found.path}/{SKILL_FILE}" if found.path else SKILL_FILE
        listed = {entry.path: entry for entry in self.context.listing(found.path)}
        if file not in listed or not listed[file].is_regular:
            raise NoSkillFolder(f"the folder {path!r} has no {SKILL_FILE}", hint="a skill has one")
        content = _read(self.context.locate(file), limits.MAX_DEFINITION_BYTES + 1)
        folder = found.path.rpartition("/")[2] or None
        skill = read_skill(content, folder=folder, file=file)
        if select not in (None, skill.name):
            raise NoSkillFolder(f"the skill in {path!r} is called {skill.name!r}")
        copied = copy_folder(self.context, found.path, f"{FOLDER}/{skill.name}")
        return _Found(copied, [skill.name], {"skills": [skill.name]})

    def _from_artifact(
        self, name: str, tool: Mapping[str, Json], reference: str, select: str | None
    ) -> _Found:
        from agentoci.interop import skilllayouts

        pin = self.pins.get(name, {})
        version = None if "digest" in pin else tool.get("version")
        wanted = version if isinstance(version, str) else None
        with self.lookup(_pinned(reference, pin), wanted, self.context.root) as artifact:
            self._note(artifact, chosen=wanted is not None)
            folder = self.cache / "unpacked" / f"skill-{artifact.root.digest.hex}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            source, root = artifact.source, artifact.root
            skilllayouts.unpack_artifact(source, root, folder, what=reference)
            kind = skilllayouts.describe_artifact(source, root, what=reference)
        found = skilllayouts.find_skills(folder, what=reference)
        chosen = skilllayouts.choose_skills(found, select, what=reference, kind=kind)
        context = Context.whole(folder)
        copied = [
            file
            for each in chosen
            for file in copy_folder(context, each.path, f"{FOLDER}/{each.skill.name}")
        ]
        copied.sort(key=lambda file: file.entry.path)
        names = [each.skill.name for each in chosen]
        resolved: dict[str, Json] = {
            "reference": str(pin.get("reference") or artifact.reference),
            "digest": str(root.digest),
            "skills": [*names],
        }
        if isinstance(is_version := pin.get("version", artifact.version), str):
            resolved["version"] = is_version
        return _Found(copied, names, resolved)

    def _note(self, artifact: Artifact, *, chosen: bool) -> None:
        """What the build read: it is not replayed when a tag has moved, or there are more now."""
        if chosen or artifact.reference.startswith("oci:"):
            self.trace.replayable = False
            return
        reference = Reference.parse(artifact.reference)
        if reference.digest is None:
            self.trace.images[reference.tagged] = str(artifact.root.digest)

    def _refuse_mixing(
        self, name: str, found: _Found, base: Sequence[FileEntry], owners: dict[str, str]
    ) -> None:
        """A skill is one thing: its files are never mixed with those of another version."""
        for skill in found.names:
            if skill in owners:
                message = f"{owners[skill]} and {name} both bring the skill {skill!r}"
                hint = "require it once; skill:REFERENCE#NAME takes one of several"
                raise self._located(name, Invalid(message, hint=hint))
            owners[skill] = name
        paths = {file.entry.path for file in found.files}
        folders = {"/".join(path.split("/")[:4]) + "/" for path in paths}
        for entry in base:
            if entry.path not in paths and any(entry.path.startswith(f) for f in folders):
                message = f"the base has {entry.path!r}, which this version of the skill has not"
                hint = "take the skill out of the base, or build from another one"
                raise self._located(name, Invalid(message, hint=hint))

    def _located(self, name: str, error: AgentociError) -> AgentociError:
        for instruction in reversed(self.stage.instructions):
            if isinstance(instruction, Require) and instruction.name == name:
                width = len(f"skill:{instruction.source}")
                return locate(self.agentfile, instruction.name_place, error, width=width)
        return locate(self.agentfile, self.stage.place, error)


@dataclass(frozen=True, slots=True)
class _Found:
    """The files of the skills of one requirement, and what it turned out to be."""

    files: list[CopiedFile]
    names: list[str]
    resolved: dict[str, Json]


def _pinned(reference: str, pin: Mapping[str, Json]) -> str:
    """The reference with the digest of the lock, where it has one."""
    digest = pin.get("digest")
    if not isinstance(digest, str):
        return reference
    if reference.startswith("oci:"):
        folder = reference.removeprefix("oci:").partition(":")[0]
        return f"oci:{folder}:{digest}"
    named = Reference.parse(str(pin.get("reference") or reference))
    return f"{named.name}@{digest}"


def _read(path: str, limit: int) -> bytes:
    try:
        return files.read_at_most(Path(path), limit)
    except OSError as exc:
        raise reading_failed(path, exc) from exc
