"""What another format's file becomes: definitions, the files that go along, and what was lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentoci._internal import limits
from agentoci.agentfile import (
    Agentfile,
    Base,
    Copy,
    Definition,
    Instruction,
    Label,
    Place,
    SourcePath,
    Stage,
    render,
)
from agentoci.definition.problems import problem_with
from agentoci.errors import Invalid, NotFound
from agentoci.interop.losses import Loss, Losses
from agentoci.interop.subject import UNVERSIONED
from agentoci.spec.jsonio import Json

KNOWLEDGE: Final = "knowledge"
"""The folder beside the Agentfile whose content becomes the agent's knowledge."""

MAX_FILES: Final = 10_000
"""Files that one conversion takes along."""

LICENSES: Final = "org.opencontainers.image.licenses"
_NOWHERE: Final = Place(1, 1)
_NOT_OURS: Final = {".git", ".hg", ".svn", ".DS_Store", "__pycache__", "node_modules", ".venv"}
_GENERIC: Final = {
    "agent",
    "agents",
    "agentic",
    "cagent",
    "docker-agent",
    "config",
    "mcp",
    "settings",
}


@dataclass(frozen=True, slots=True)
class CarriedFile:
    """A file that becomes knowledge: its path there, and its bytes or where they are."""

    path: str
    source: bytes | Path


@dataclass(frozen=True, slots=True)
class ImportedAgent:
    """One agent: its definition's document, labels of its image, its knowledge."""

    name: str
    document: Mapping[str, Json]
    labels: Mapping[str, str] = field(default_factory=dict)
    files: tuple[CarriedFile, ...] = ()

    def agentfile(self) -> str:
        """An Agentfile that builds it from the folder that it is written to."""
        instructions: list[Instruction] = [
            Definition(f"{self.name}.agentdef", path_place=_NOWHERE, place=_NOWHERE, original="")
        ]
        if self.files:
            source = SourcePath(f"{KNOWLEDGE}/", _NOWHERE)
            destination = f"/agent/{KNOWLEDGE}/"
            instructions.append(
                Copy(
                    (source,),
                    destination,
                    None,
                    None,
                    (),
                    None,
                    destination_place=_NOWHERE,
                    place=_NOWHERE,
                    original="",
                )
            )
        if self.labels:
            instructions.append(Label(tuple(self.labels.items()), place=_NOWHERE, original=""))
        base = Base("scratch", None, place=_NOWHERE)
        stage = Stage(0, None, base, tuple(instructions), place=_NOWHERE, original="")
        return render(Agentfile("Agentfile", (), (), (stage,)))


@dataclass(frozen=True, slots=True)
class Imported:
    """The agents that a file speaks of, the main one first, and what could not be said of them."""

    agents: tuple[ImportedAgent, ...]
    losses: tuple[Loss, ...]


def new_document(name: str, version: str | None = None) -> dict[str, Json]:
    """A definition that says nothing yet."""
    return {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {"name": name, "version": version or UNVERSIONED},
        "spec": {},
    }


def put(document: dict[str, Json], path: str, value: Json) -> None:
    """Set a value by its dotted path, unless there is none, or a blank text."""
    if value in (None, [], {}) or (isinstance(value, str) and not value.strip()):
        return
    *around, last = path.split(".")
    inner = document
    for step in around:
        below = inner.setdefault(step, {})
        if not isinstance(below, dict):
            return
        inner = below
    inner[last] = value


def put_version(document: dict[str, Json], text: str | None, path: str, losses: Losses) -> None:
    """Set the version, filled up to three numbers; one that is none is lost."""
    import semver

    if not text:
        return
    full = ".".join([*text.removeprefix("v").split("."), "0", "0"][:3])
    candidates = [one for one in (text, full) if semver.Version.is_valid(one)]
    if not candidates:
        losses.note(path, text, "not a semantic version")
        return
    if candidates[0] != text:
        losses.note(path, text, f"written as {candidates[0]}")
    put(document, "metadata.version", candidates[0])


def checked_tool(tool: dict[str, Json], path: str, losses: Losses) -> dict[str, Json] | None:
    """The tool as it may stand in a definition, or None and a loss that says why not."""
    from agentoci.definition.tools import ToolRequirement

    problem = problem_with((), tool, ToolRequirement)
    if problem is None:
        return tool
    losses.note(path, tool, str(problem) + (f": {problem.hint}" if problem.hint else ""))
    return None


def add_tool(tools: list[Json], tool: dict[str, Json], path: str, losses: Losses) -> None:
    """Add a tool under a name that is free, if it may stand in a definition."""
    taken = {other.get("name") for other in tools if isinstance(other, dict)}
    name, count = str(tool["name"]), 1
    while tool["name"] in taken:
        count += 1
        tool = {**tool, "name": f"{name}-{count}"}
    if (made := checked_tool(tool, path, losses)) is not None:
        tools.append(made)


def name_from(path: Path) -> str:
    """What a file tells of its agent's name: its own, or its folder's when it is a usual one."""
    path = path.absolute()
    stem = path.name.lstrip(".").split(".")[0] if not path.is_dir() else ""
    if stem and stem.lower() not in _GENERIC:
        return stem
    folders = [path, *path.parents] if path.is_dir() else list(path.parents)
    return next((one.name for one in folders if one.name and not one.name.startswith(".")), "agent")


def read_file(path: Path, *, limit: int = limits.MAX_DEFINITION_BYTES) -> bytes:
    """A file to convert; raises NotFound, and Invalid when it is larger than `limit`."""
    from agentoci._internal.files import read_at_most

    if not path.is_file():
        raise NotFound(f"{path}: no such file")
    content = read_at_most(path, limit)
    if len(content) > limit:
        raise Invalid(f"{path}: larger than {limit // limits.KIB} KiB")
    return content


def collect(
    root: Path, below: str, shown: str, losses: Losses, *, into: str | None = None
) -> list[CarriedFile]:
    """The files at a path below `root`, a file or folder, in their order.

    They go where they lie below `root`, or with `into` (of a folder) where they lie below it. What
    is no file, is kept by other programs or leads out of `root` is a loss; links are not followed.
    """
    path = Path(*(part for part in below.split("/") if part not in ("", ".")))
    start = root / path
    if ".." in path.parts or below.startswith(("/", "~")) or not is_inside(start, root):
        losses.note(shown, below, "outside the folder that is converted")
        return []
    if not start.exists() or start.is_symlink():
        losses.note(shown, below, "no such file here")
        return []
    base = start if into is not None else root
    made: list[CarriedFile] = []
    for file in [start] if start.is_file() else _walk(start):
        inner = file.relative_to(base).as_posix()
        if file.name in _NOT_OURS:
            losses.note(shown, inner, "kept by other programs, not part of it")
        elif "\\" in inner:
            losses.note(shown, inner, "such a name is a path on other systems")
        elif file.is_symlink() or not file.is_file():
            losses.note(shown, inner, "a link or special file is not taken along")
        elif len(made) == MAX_FILES:
            losses.note(shown, inner, f"more than {MAX_FILES} files")
            break
        else:
            made.append(CarriedFile(f"{into}/{inner}" if into else inner, file))
    return made


def is_inside(path: Path, root: Path) -> bool:
    """Whether a path stays below a folder when its links are followed."""
    return path.resolve().is_relative_to(root.resolve())


def _walk(folder: Path) -> Iterator[Path]:
    """The files and links below a folder, and in place of what is in them, folders of others."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and entry.name not in _NOT_OURS:
            yield from _walk(entry)
        else:
            yield entry
