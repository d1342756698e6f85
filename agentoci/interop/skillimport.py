"""An Agent Skill as an agent: its folder becomes knowledge, its description what the agent does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentoci.errors import NotFound
from agentoci.interop.imported import (
    KNOWLEDGE,
    LICENSES,
    CarriedFile,
    Imported,
    ImportedAgent,
    collect,
    is_inside,
    new_document,
    put,
    put_version,
    read_file,
)
from agentoci.interop.losses import Losses
from agentoci.interop.names import agent_name
from agentoci.interop.skillexport import SKILLS
from agentoci.interop.skills import SKILL_FILE, Skill, read_skill

_KEPT: Final = "it stays in the SKILL.md only"


def from_skill(path: Path, *, name: str | None = None) -> Imported:
    """An agent with the skill; `path` is its folder, or the SKILL.md in it.

    Raises NotFound, and SourceFaults when the skill is not valid.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / SKILL_FILE
    if not file.is_file() or not is_inside(file, folder):
        raise NotFound(f"{file}: no such file", hint=f"name a folder with a {SKILL_FILE} in it")
    skill = read_skill(read_file(file), folder=folder.absolute().name, file=str(file))
    losses = Losses()
    called = agent_name(name or skill.name)
    into = f"{SKILLS}/{skill.name}"
    document = new_document(called)
    put(document, "metadata.description", " ".join(skill.description.split()))
    put(document, "spec.interface", skill.description)
    put(document, f"spec.{KNOWLEDGE}.static", [f"{into}/{SKILL_FILE}"])
    _note(skill, losses)
    put(document, "metadata.author", skill.metadata.get("author"))
    put_version(document, skill.metadata.get("version"), "metadata.version", losses)
    labels = {LICENSES: skill.license} if skill.license else {}
    files: list[CarriedFile] = collect(folder, ".", "files", losses, into=into)
    agent = ImportedAgent(called, document, labels, tuple(files))
    return Imported((agent,), losses.all())


def _note(skill: Skill, losses: Losses) -> None:
    if skill.compatibility:
        losses.note("compatibility", skill.compatibility, _KEPT)
    if skill.allowed_tools:
        losses.note("allowed-tools", skill.allowed_tools, _KEPT)
    for key, value in skill.metadata.items():
        if key not in ("author", "version"):
            losses.note(f"metadata.{key}", value, _KEPT)
