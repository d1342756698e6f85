"""AGENTS.md: what a project tells coding agents, as an agent that keeps to it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentoci.errors import Fault, NotFound, SourceFaults
from agentoci.interop.imported import (
    KNOWLEDGE,
    CarriedFile,
    Imported,
    ImportedAgent,
    is_inside,
    name_from,
    new_document,
    put,
    read_file,
)
from agentoci.interop.losses import Losses
from agentoci.interop.names import agent_name
from agentoci.interop.subject import first_paragraph, heading_of
from agentoci.spec.jsonio import Json

FILE: Final = "AGENTS.md"
_SKIPPED: Final = {"node_modules", "vendor", "target", "dist", "build", KNOWLEDGE}
"""Folders of others' files, and the one that a conversion writes."""

_MAX_NESTED: Final = 200


def from_agents_md(path: Path, *, name: str | None = None) -> Imported:
    """An agent whose principles are the file, and those in the folders below it.

    `path` is the file or its folder. Raises NotFound, and SourceFaults when it is not text.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file() or not is_inside(file, file.parent):
        raise NotFound(f"{file}: no such file", hint=f"name an {FILE}, or its folder")
    losses = Losses()
    text = _text(file)
    nested = _nested(file.parent, losses) if path.is_dir() else []
    called = agent_name(name or name_from(file.parent))
    document = new_document(called)
    put(document, "metadata.description", first_paragraph(text) or heading_of(text))
    put(document, "spec.interface", _interface(text, called))
    files = [CarriedFile(FILE, file), *nested]
    principles: list[Json] = [carried.path for carried in files]
    put(document, "spec.knowledge.principles", principles)
    return Imported((ImportedAgent(called, document, files=tuple(files)),), losses.all())


def _interface(text: str, name: str) -> str:
    """What the file begins with; the whole is among the principles, and need not be read twice."""
    title = heading_of(text) or name
    about = first_paragraph(text) or "Works on the project as its AGENTS.md says."
    return f"# {title}\n\n{about}\n"


def _text(file: Path) -> str:
    content = read_file(file)
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise SourceFaults([Fault(str(file), line, 1, "not UTF-8 text")]) from exc
    if not text.strip():
        raise SourceFaults([Fault(str(file), 1, 1, "the file is empty")])
    return text


def _nested(root: Path, losses: Losses) -> list[CarriedFile]:
    """The files of folders below: there the nearest one counts, which no definition says."""
    made: list[CarriedFile] = []
    folders = [root]
    while folders and len(made) < _MAX_NESTED:
        for entry in sorted(folders.pop().iterdir()):
            if entry.is_symlink() or entry.name.startswith(".") or entry.name in _SKIPPED:
                continue
            if entry.is_dir():
                folders.append(entry)
            elif entry.name == FILE and entry.parent != root:
                inner = entry.relative_to(root).as_posix()
                made.append(CarriedFile(inner, entry))
                losses.note(inner, None, "it counts in its folder only, which is not said any more")
    return made
