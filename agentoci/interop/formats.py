"""The formats that are converted, and how a file of each is recognised."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

from agentoci.errors import Invalid, NotFound
from agentoci.interop.imported import Imported, read_file
from agentoci.interop.subject import Exported, Subject


class ImportFormat(StrEnum):
    """What a definition is made of."""

    SKILL = "skill"
    AGENTS_MD = "agents-md"
    MCP = "mcp"
    DOCKER_AGENT = "docker-agent"


class ExportFormat(StrEnum):
    """What a definition becomes."""

    A2A_CARD = "a2a-card"
    SKILL = "skill"
    DOCKER_AGENT = "docker-agent"
    MCP_SERVER = "mcp-server"


class UnknownFormat(Invalid):
    """A file of which nothing tells the format, or a folder with files of several."""


_IN_FOLDER: Final = {
    "SKILL.md": ImportFormat.SKILL,
    "AGENTS.md": ImportFormat.AGENTS_MD,
    "mcp.json": ImportFormat.MCP,
    ".mcp.json": ImportFormat.MCP,
    ".vscode/mcp.json": ImportFormat.MCP,
    ".cursor/mcp.json": ImportFormat.MCP,
    "docker-agent.yaml": ImportFormat.DOCKER_AGENT,
    "cagent.yaml": ImportFormat.DOCKER_AGENT,
    "agent.yaml": ImportFormat.DOCKER_AGENT,
}
_SUFFIXES: Final = {
    ".md": ImportFormat.AGENTS_MD,
    ".json": ImportFormat.MCP,
    ".jsonc": ImportFormat.MCP,
    ".hcl": ImportFormat.DOCKER_AGENT,
}
_HINT: Final = f"say which: --from {'|'.join(ImportFormat)}"


def recognise(path: Path) -> tuple[ImportFormat, Path]:
    """The format of a file or of the one file of a folder, and that file; a skill's is its folder.

    Raises NotFound, and UnknownFormat when it could be several or none.
    """
    if path.is_dir():
        found = [
            (form, path / name) for name, form in _IN_FOLDER.items() if (path / name).is_file()
        ]
        if len({form for form, _ in found}) > 1:
            there = ", ".join(str(file.relative_to(path)) for _, file in found)
            raise UnknownFormat(f"{path}: holds {there}", hint=_HINT)
        if not found:
            raise UnknownFormat(f"{path}: nothing in it tells its format", hint=_HINT)
        form, file = found[0]
        return form, path if form in (ImportFormat.SKILL, ImportFormat.AGENTS_MD) else file
    if not path.exists():
        raise NotFound(f"{path}: no such file")
    return _of_file(path), path


def file_of(path: Path, form: ImportFormat) -> Path:
    """The file of this format, if `path` is a folder that holds one; else `path`."""
    if not path.is_dir() or form in (ImportFormat.SKILL, ImportFormat.AGENTS_MD):
        return path
    names = [name for name, other in _IN_FOLDER.items() if other is form]
    return next((path / name for name in names if (path / name).is_file()), path)


def _of_file(path: Path) -> ImportFormat:
    if path.name == "SKILL.md":
        return ImportFormat.SKILL
    if form := _SUFFIXES.get(path.suffix.lower()):
        return form
    if path.suffix.lower() in (".yaml", ".yml") and b"agents:" in read_file(path):
        return ImportFormat.DOCKER_AGENT
    raise UnknownFormat(f"{path}: nothing tells its format", hint=_HINT)


def import_from(path: Path, form: ImportFormat, *, name: str | None = None) -> Imported:
    """Read a file of another tool's; raises NotFound, Invalid and SourceFaults."""
    path = file_of(path, form)
    match form:
        case ImportFormat.SKILL:
            from agentoci.interop.skillimport import from_skill

            return from_skill(path, name=name)
        case ImportFormat.AGENTS_MD:
            from agentoci.interop.agentsmd import from_agents_md

            return from_agents_md(path, name=name)
        case ImportFormat.MCP:
            from agentoci.interop.mcpjson import from_mcp_json

            return from_mcp_json(path, name=name)
        case ImportFormat.DOCKER_AGENT:
            from agentoci.interop.dockeragent import from_docker_agent

            return from_docker_agent(path, name=name)


def export_to(
    subject: Subject, form: ExportFormat, *, name: str | None = None, url: str | None = None
) -> Exported:
    """Write an agent in another format; `name` is an MCP server's, `url` where an agent answers.

    Raises Invalid when something is missing that the format cannot do without.
    """
    match form:
        case ExportFormat.A2A_CARD:
            from agentoci.interop.a2acard import to_card

            return to_card(subject, url=url)
        case ExportFormat.SKILL:
            from agentoci.interop.skillexport import to_skill

            return to_skill(subject)
        case ExportFormat.DOCKER_AGENT:
            from agentoci.interop.dockerexport import to_docker_agent

            return to_docker_agent(subject)
        case ExportFormat.MCP_SERVER:
            from agentoci.interop.serverexport import to_server

            return to_server(subject, name=name)
