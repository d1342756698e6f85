"""An agent as a Docker Agent configuration: one YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agentoci.interop.losses import Losses
from agentoci.interop.names import ROOT
from agentoci.interop.secrets import filled_in
from agentoci.interop.subject import PARENT, UNVERSIONED, Exported, Head, Subject, take_head
from agentoci.interop.taking import Path, Taking, show
from agentoci.interop.yamlout import dump_yaml
from agentoci.spec.jsonio import Json

VERSION: Final = "6"
"""The schema version that is written: all that we write exists since, and newer tools read it."""

READING_TOOLS: Final = (
    "read_file",
    "read_multiple_files",
    "list_directory",
    "directory_tree",
    "search_files_content",
)
"""Of Docker Agent's filesystem toolset, what only looks."""

MAX_ITERATIONS: Final = "max_iterations"
_AT_MOST: Final = re.compile(r"max_iterations\s*(<=?)\s*([1-9]\d{0,8})")
_PROVIDERS: Final = {
    "gpt": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic",
    "gemini": "google",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "grok": "xai",
}
_DEFAULT: Final = "Docker Agent has no such setting"
_REASONS: Final = {
    "parent": PARENT,
    "knowledge": "a configuration is one file: it carries no others",
    "tags": f"version {VERSION} of the configuration has no tags",
    "constraints": "only a limit of max_iterations has an equivalent",
    "invariants": "put them into the instruction, if the agent shall read them",
    "max": "only the temperature itself has an equivalent, no range",
    "min": "only the temperature itself has an equivalent, no range",
}


def to_docker_agent(subject: Subject) -> Exported:
    """The configuration, its first agent being this one."""
    losses, taking = Losses(), Taking(dict(subject.document))
    head = take_head(taking)
    agents = _Agents(head, taking, losses)
    main = agents.main()
    document: dict[str, Json] = {"version": VERSION, "agents": {head.name: main, **agents.others}}
    if agents.models:
        document["models"] = dict(agents.models)
    known = {
        "author": head.author,
        "license": subject.label("licenses"),
        "version": None if head.version == UNVERSIONED else head.version,
    }
    if metadata := {key: value for key, value in known.items() if value}:
        document["metadata"] = dict(metadata)
    taking.note_left(losses, _REASONS, _DEFAULT)
    return Exported(head.name, {f"{head.name}.yaml": dump_yaml(document).encode()}, losses.all())


class _Agents:
    """The agents of a configuration in the making, and the models that they use."""

    def __init__(self, head: Head, taking: Taking, losses: Losses) -> None:
        self._head = head
        self._taking = taking
        self._losses = losses
        self.others: dict[str, Json] = {}
        self.models: dict[str, Json] = {}
        self._model = "auto"

    def main(self) -> dict[str, Json]:
        """The agent itself; what it calls comes into `others`."""
        fallback = self._choose_models()
        made: dict[str, Json] = {"model": self._model}
        if fallback:
            made["fallback"] = {"models": list(fallback)}
        if self._head.description:
            made["description"] = self._head.description
        made["instruction"] = self._head.interface or self._head.summary()
        if self._head.interface is None:
            reason = "the description stands for it: an agent needs an instruction"
            self._losses.note("spec.interface", None, reason)
        if toolsets := [*self._tools(), *self._abilities()]:
            made["toolsets"] = toolsets
        if self.others:
            made["sub_agents"] = list(self.others)
        if limit := self._limit():
            made["max_iterations"] = limit
        return made

    # Models

    def _choose_models(self) -> list[str]:
        """Name the first model as the agent's; returns the others."""
        wanted = self._taking.texts("spec", "config_template", "llm", "supported_models")
        found = [self._with_provider(index, name) for index, name in enumerate(wanted)]
        found = [name for name in found if name]
        temperature = self._taking.number(
            "spec", "config_template", "llm", "temperature", "default"
        )
        if not found:
            if temperature is not None:
                where = "spec.config_template.llm.temperature.default"
                self._losses.note(where, temperature, "it belongs to a model, and none is named")
            return []
        self._model, *others = found
        provider, _, model = self._model.partition("/")
        settings = dict(self._endpoint(provider))
        if temperature is not None:
            settings["temperature"] = temperature
        if settings:
            self._model = "main"
            self.models["main"] = {"provider": provider, "model": model, **settings}
        return others

    def _with_provider(self, index: int, name: str) -> str:
        if name.partition("/")[2] and name.partition("/")[0]:
            return name
        start = re.split(r"[-.:\d]", name.lower())[0]
        provider = _PROVIDERS.get(start) or _PROVIDERS.get(name[:2].lower())
        where = f"spec.config_template.llm.supported_models[{index}]"
        if provider is None:
            self._losses.note(where, name, "its provider is not known: write PROVIDER/MODEL")
            return ""
        self._losses.note(where, name, f"taken for a model of {provider}")
        return f"{provider}/{name}"

    def _endpoint(self, provider: str) -> Iterator[tuple[str, Json]]:
        url = self._taking.text("spec", "config_template", "api_endpoints", provider)
        if url:
            yield "base_url", url

    # Tools

    def _tools(self) -> list[Json]:
        made: list[Json] = []
        for path in self._taking.items("spec", "requires", "tools"):
            name = self._taking.text(*path, "name") or ""
            if self._taking.peek(*path, "required") is True:
                self._taking.take(*path, "required")
            toolset = self._toolset(path, name)
            if toolset is not None:
                if use := self._taking.text(*path, "interface"):
                    toolset["instruction"] = use
                made.append(toolset)
        return made

    def _toolset(self, path: Path, name: str) -> dict[str, Json] | None:
        taking = self._taking
        if taking.peek(*path, "mcp") is not None:
            return {"type": "mcp", "name": name, **self._mcp((*path, "mcp"))}
        if taking.peek(*path, "a2a") is not None:
            card = taking.text(*path, "a2a") if isinstance(taking.peek(*path, "a2a"), str) else None
            return {"type": "a2a", "name": name, "url": card or taking.text(*path, "a2a", "card")}
        for kind, reason in (
            ("http", "Docker Agent calls a service by its description only (openapi, api)"),
            ("skill", "skills lie beside the configuration, it does not name them"),
        ):
            if taking.peek(*path, kind) is not None:
                self._losses.note(show(path), taking.take(*path), reason)
                return None
        self._sub_agent(path, name)
        return None

    def _mcp(self, path: Path) -> dict[str, Json]:
        taking = self._taking
        if url := taking.text(*path, "url"):
            remote: dict[str, Json] = {"url": url, "transport_type": "streamable"}
            if headers := self._values((*path, "headers"), "${env.%s}"):
                remote["headers"] = headers
            return {"remote": remote}
        command, *more = taking.texts(*path, "command") or [""]
        made: dict[str, Json] = {"command": command}
        if arguments := [*more, *taking.texts(*path, "args", blank=True)]:
            made["args"] = list(arguments)
        if env := self._values((*path, "env"), "${%s}"):
            made["env"] = env
        return made

    def _values(self, path: Path, form: str) -> dict[str, Json]:
        made: dict[str, Json] = {}
        for name, value in self._taking.pairs(*path).items():
            if re.search(r"(?:^| )file:", value):
                where = show((*path, name))
                self._losses.note(where, value, "a secret in a file has no equivalent")
            else:
                made[name] = filled_in(value, form)
        return made

    def _sub_agent(self, path: Path, name: str) -> None:
        if name in (ROOT, self._head.name):
            reason = "the name is that of the main agent there"
            self._losses.note(show(path), self._taking.take(*path), reason)
            return
        use = self._taking.text(*path, "interface")
        version = self._taking.peek(*path, "version")
        if version == "*":
            self._taking.take(*path, "version")
        self.others[name] = {
            "model": self._model,
            **({"description": use} if use else {}),
            "instruction": use or f"You are {name}.",
        }
        reason = "another image: what stands here for it knows only what it is needed for"
        self._losses.note(f"{show(path)}.name", name, reason)

    def _abilities(self) -> Iterator[dict[str, Json]]:
        """Toolsets for what the agent may do by itself."""
        taking = self._taking
        memory = ("spec", "behavior", "memory")
        if taking.peek(*memory, "level") == "BASIC":
            taking.take(*memory, "level")
            yield {"type": "memory"}
            if taking.peek(*memory, "persistence") is True:
                taking.take(*memory, "persistence")
        elif taking.peek(*memory, "level") == "SMART":
            yield {"type": "memory"}
        elif taking.peek(*memory, "level") == "NONE":
            taking.take(*memory, "level")
        looks = ("spec", "behavior", "exploration", "project_exploration")
        if taking.peek(*looks) is True:
            taking.take(*looks)
            yield {"type": "filesystem", "tools": list(READING_TOOLS)}
        elif taking.peek(*looks) is False:
            taking.take(*looks)

    def _limit(self) -> int | None:
        for path in self._taking.items("spec", "constraints"):
            validation = self._taking.peek(*path, "validation")
            match = _AT_MOST.fullmatch(validation.strip()) if isinstance(validation, str) else None
            limit = int(match[2]) - (match[1] == "<") if match else 0
            if limit > 0:
                self._taking.take(*path, "validation")
                if self._taking.peek(*path, "id") == MAX_ITERATIONS:
                    self._taking.take(*path, "id")
                return limit
        return None
