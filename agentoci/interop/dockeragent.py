"""Docker Agent configurations (schema versions 0 to 16): each agent becomes a definition."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from agentoci.definition.yamlio import load
from agentoci.errors import Invalid, SourceFaults
from agentoci.interop.dockerexport import MAX_ITERATIONS
from agentoci.interop.dockermodels import Models
from agentoci.interop.dockertools import BUILT_IN, Toolsets
from agentoci.interop.imported import (
    LICENSES,
    CarriedFile,
    Imported,
    ImportedAgent,
    add_tool,
    collect,
    name_from,
    new_document,
    put,
    put_version,
    read_file,
)
from agentoci.interop.losses import Losses
from agentoci.interop.names import ROOT, agent_name, skill_name
from agentoci.interop.skillexport import SKILLS
from agentoci.interop.skills import SKILL_FILE
from agentoci.interop.taking import Path as Steps
from agentoci.interop.taking import Taking, show
from agentoci.interop.yamlout import dump_yaml
from agentoci.spec.jsonio import Json

NEWEST: Final = 16
_VERSION: Final = re.compile(r"v?(\d{1,4})")
_TAG: Final = re.compile(r"v?\d+(?:\.\d+){0,2}")
_DEFAULT: Final = "a definition has no such setting"
_REASONS: Final = {
    "hooks": "commands are not carried over",
    "commands": "prompts of Docker Agent's user interface",
    "use_commands": "prompts of Docker Agent's user interface",
    "welcome_message": "a greeting of Docker Agent's user interface",
    "permissions": "which tools may be called unasked is not part of a definition",
    "safety": "which tools may be called unasked is not part of a definition",
    "budget": "limits of cost and tokens are set by who runs the agent",
    "budgets": "limits of cost and tokens are set by who runs the agent",
    "tools": "all tools of a server are offered, not some",
    "skills": "copy the folders of the skills to knowledge/skills",
    "use_skills": "copy the folders of the skills to knowledge/skills",
    "structured_output": "say in the interface what the output looks like",
    "harness": "no other program runs the agent",
    "max_tokens": "the length of answers is set by who runs the agent",
    "token_key": "who runs the agent says where the key is",
    "strategies": "the files come along as knowledge, no index over them",
    "results": "the files come along as knowledge, no index over them",
    "path": "the instance keeps its memory in a place of its own",
    "config": "give the server's settings by its variables",
    **{name: BUILT_IN[name] for name in ("think", "todo")},
}


def from_docker_agent(path: Path, *, name: str | None = None) -> Imported:
    """The agents of a configuration: `root`, else the first one, then the others.

    Files that it names are taken along from its own folder. Raises NotFound, and SourceFaults.
    """
    if path.suffix == ".hcl":
        raise Invalid(f"{path}: only YAML is read", hint="write the configuration as YAML")
    located = load(read_file(path), file=str(path))
    taking = Taking.of(located)
    if not taking.mapping("agents"):
        raise SourceFaults([located.fault((), "no agents in it", hint="expected a mapping agents")])
    reader = _Reader(taking, path, name)
    agents = reader.agents()
    taking.check()
    return Imported(agents, reader.losses.all())


class _Reader:
    """Reads one file."""

    def __init__(self, taking: Taking, path: Path, name: str | None) -> None:
        self.losses = Losses()
        self._taking = taking
        self._folder = path.absolute().parent
        keys = list(taking.mapping("agents"))
        self._main = ROOT if ROOT in keys else keys[0]
        self._names = self._named(keys, name or self._main_name(path))

    def _main_name(self, path: Path) -> str:
        if self._main != ROOT:
            return self._main
        return self._taking.text("agents", ROOT, "name") or name_from(path)

    def _named(self, keys: list[str], main: str) -> dict[str, str]:
        """Key → name of the definition, all different."""
        made: dict[str, str] = {}
        for key in [self._main, *(key for key in keys if key != self._main)]:
            wanted = main if key == self._main else key
            name = called = agent_name(wanted)
            count = 1
            while name in made.values():
                count += 1
                name = f"{called}-{count}"
            if name != wanted:
                self.losses.note(f"agents.{key}", wanted, f"the name is written {name}")
            made[key] = name
        return made

    def agents(self) -> tuple[ImportedAgent, ...]:
        """All agents; what nobody asked for is among the losses then."""
        self._check_version()
        made = tuple(self._agent(key) for key in self._names)
        self._taking.note_left(self.losses, _REASONS, _DEFAULT)
        return made

    def _check_version(self) -> None:
        text = self._taking.text("version") or "0"
        match = _VERSION.fullmatch(text)
        if match is None or int(match[1]) > NEWEST:
            reason = f"read as version {NEWEST}, the newest that is known here"
            self.losses.note("version", text, reason)

    def _agent(self, key: str) -> ImportedAgent:
        taking, path = self._taking, ("agents", key)
        taking.mapping(*path)
        taking.text(*path, "name")
        document = new_document(self._names[key])
        labels: dict[str, str] = {}
        put(document, "metadata.description", taking.text(*path, "description"))
        if key == self._main:
            self._metadata(document, labels)
        put(document, "spec.interface", self._instruction(path))
        tools: list[Json] = []
        files = self._tools(path, document, tools)
        files += self._principles(path, document)
        files += self._skills(path, document)
        Models(taking, document, self.losses).read(path)
        self._limit(path, document)
        put(document, "spec.requires.tools", tools)
        return ImportedAgent(self._names[key], document, labels, tuple(files))

    def _metadata(self, document: dict[str, Json], labels: dict[str, str]) -> None:
        taking = self._taking
        put(document, "metadata.author", taking.text("metadata", "author"))
        version = taking.text("metadata", "version")
        put_version(document, version, "metadata.version", self.losses)
        tags: list[Json] = list(taking.texts("metadata", "tags"))
        put(document, "metadata.tags", tags)
        if licence := taking.text("metadata", "license"):
            labels[LICENSES] = licence
        described = document["metadata"]
        if isinstance(described, dict) and "description" not in described:
            put(document, "metadata.description", taking.text("metadata", "description"))

    def _instruction(self, path: Steps) -> str | None:
        parts = [self._taking.text(*path, "instruction")]
        for index, name in enumerate(self._taking.texts(*path, "instruction_file")):
            shown = show((*path, "instruction_file", index))
            files = collect(self._folder, name, shown, self.losses)
            parts += [read_file(self._folder / f.path).decode(errors="replace") for f in files]
        return "\n\n".join(part for part in parts if part) or None

    def _tools(
        self, path: Steps, document: dict[str, Json], tools: list[Json]
    ) -> list[CarriedFile]:
        """Toolsets, then sub-agents; returns the files that searching toolsets read."""
        taking = self._taking
        toolsets = Toolsets(taking, document, tools, self.losses)
        for item in taking.items(*path, "toolsets"):
            toolsets.read(item)
        for name in taking.texts(*path, "use_toolsets"):
            toolsets.read(("toolsets", name))
        for name in taking.texts(*path, "rag"):
            toolsets.search(("rag", name))
        if taking.peek(*path, "memory") is not None:
            taking.take(*path, "memory")
            put(document, "spec.behavior.memory", {"level": "BASIC", "persistence": True})
        for kind in ("sub_agents", "handoffs"):
            for index, wanted in enumerate(taking.texts(*path, kind)):
                self._sub_agent((*path, kind, index), wanted, tools)
        files: list[CarriedFile] = []
        for where, below in toolsets.documents:
            files += collect(self._folder, below, show(where), self.losses)
        known: list[Json] = [file.path for file in _different(files)]
        put(document, "spec.knowledge.static", known)
        return _different(files)

    def _sub_agent(self, path: Steps, wanted: str, tools: list[Json]) -> None:
        if "handoffs" in path:
            self.losses.note(show(path), wanted, "the agent is called, the talk is not handed over")
        if wanted in self._names:
            name = self._names[wanted]
            if any(isinstance(tool, dict) and tool["name"] == name for tool in tools):
                return
            tool: dict[str, Json] = {"name": name}
            described = self._taking.peek("agents", wanted, "description")
            put(tool, "interface", described if isinstance(described, str) else None)
            add_tool(tools, tool, show(path), self.losses)
            return
        self._external(path, wanted, tools)

    def _external(self, path: Steps, wanted: str, tools: list[Json]) -> None:
        """An agent of another file: `REPOSITORY[:TAG]`, `NAME:REPOSITORY`, or a URL."""
        named, colon, rest = wanted.partition(":")
        if not (colon and "/" in rest and "/" not in named and not rest.startswith("//")):
            named, rest = "", wanted
        repository = rest.partition("@")[0]
        before, colon, tag = repository.rpartition(":")
        if colon and "/" not in tag and before:
            repository = before
        else:
            tag = ""
        if "://" in rest or "/" not in repository:
            self.losses.note(show(path), wanted, "no agent of this file, and no image")
            return
        reason = "an artifact of Docker Agent's: convert it too, and push it as an image"
        self.losses.note(show(path), wanted, reason)
        host = repository.partition("/")[0]
        if "." not in host and ":" not in host and host != "localhost":
            repository = f"docker.io/{repository}"
        tool: dict[str, Json] = {"name": agent_name(named or repository.rpartition("/")[2])}
        if _TAG.fullmatch(tag):
            tool["version"] = tag
        tool["reference"] = repository
        add_tool(tools, tool, show(path), self.losses)

    def _principles(self, path: Steps, document: dict[str, Json]) -> list[CarriedFile]:
        files: list[CarriedFile] = []
        for index, name in enumerate(self._taking.texts(*path, "add_prompt_files")):
            shown = show((*path, "add_prompt_files", index))
            files += collect(self._folder, name, shown, self.losses)
        known: list[Json] = [file.path for file in _different(files)]
        put(document, "spec.knowledge.principles", known)
        return _different(files)

    def _skills(self, path: Steps, document: dict[str, Json]) -> list[CarriedFile]:
        """Skills that are written out in the configuration, as folders of the knowledge."""
        if not isinstance(self._taking.peek(*path, "skills"), list):
            return []
        files: list[CarriedFile] = []
        for item in self._taking.items(*path, "skills"):
            if not isinstance(self._taking.peek(*item), dict):
                continue
            text = self._taking.text
            name, about = text(*item, "name") or "", text(*item, "description") or ""
            front: dict[str, Json] = {"name": skill_name(name), "description": about}
            tools = self._taking.texts(*item, "allowed_tools")
            put(front, "allowed-tools", " ".join(tools))
            body = text(*item, "instructions") or ""
            content = f"---\n{dump_yaml(front)}---\n\n{body}"
            files.append(CarriedFile(f"{SKILLS}/{front['name']}/{SKILL_FILE}", content.encode()))
            if front["name"] != name:
                self.losses.note(show(item), name, f"the name is written {front['name']}")
        files = _different(files)
        knowledge = Taking(document).texts("spec", "knowledge", "static")
        put(document, "spec.knowledge.static", [*knowledge, *(file.path for file in files)])
        return files

    def _limit(self, path: Steps, document: dict[str, Json]) -> None:
        limit = self._taking.number(*path, "max_iterations")
        if isinstance(limit, int) and limit > 0:
            validation = f"max_iterations <= {limit}"
            put(document, "spec.constraints", [{"id": MAX_ITERATIONS, "validation": validation}])


def _different(files: list[CarriedFile]) -> list[CarriedFile]:
    return list({file.path: file for file in files}.values())
