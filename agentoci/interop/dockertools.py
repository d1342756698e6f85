"""Toolsets of a Docker Agent configuration: tools of a definition, or what an agent may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from agentoci.interop.dockerexport import READING_TOOLS
from agentoci.interop.imported import add_tool, put
from agentoci.interop.losses import Losses
from agentoci.interop.mcpserver import arguments, called_after, clean_url, settings
from agentoci.interop.names import agent_name
from agentoci.interop.taking import Path, Taking, show
from agentoci.spec.jsonio import Json

CARD: Final = "/.well-known/agent-card.json"
_CATALOGUE: Final = "docker:"

BUILT_IN: Final = {
    "think": "a scratchpad of Docker Agent's own; models reason without it",
    "todo": "a list of Docker Agent's own",
    "tasks": "a list of Docker Agent's own",
    "plan": "plans of Docker Agent's own",
    "session_plan": "plans of Docker Agent's own",
    "session_context": "sessions of Docker Agent's own",
    "shell": "running commands is not granted by a definition: add an MCP server that does it",
    "background_jobs": "running commands is not granted by a definition",
    "script": "commands are not carried over: add an MCP server that runs them",
    "fetch": "reading the web is not granted by a definition: add an MCP server that does it",
    "open_url": "there is no browser of a user",
    "webhook": "sending is not granted by a definition: add a service (http)",
    "lsp": "language servers are no tools of a definition",
    "user_prompt": "asking the user is the runtime's",
    "model_picker": "the model is chosen by who runs the agent",
    "background_agents": "an agent calls the agents that it requires",
    "scheduler": "who runs the agent decides when",
    "git": "add an MCP server that does it",
    "mcp_catalog": "tools are named one by one, not found while it runs",
}


class Toolsets:
    """The toolsets of one agent, read into its definition's document."""

    def __init__(
        self, taking: Taking, document: dict[str, Json], tools: list[Json], losses: Losses
    ) -> None:
        self._taking = taking
        self._document = document
        self._tools = tools
        self._losses = losses
        self.documents: list[tuple[Path, str]] = []
        """Places and paths of documents that the agent searches in."""

    def read(self, path: Path) -> None:
        """Read one toolset, and where it only names one at the top of the file, that one."""
        kind = self._taking.text(*path, "type") or ""
        reader = self._READERS.get(kind)
        if reader is not None:
            reader(self, path)
            return
        reason = BUILT_IN.get(kind, "no such toolset is known here")
        whole = self._taking.take(*path)
        self._losses.note(show(path), whole if whole != {"type": kind} else kind, reason)

    def _mcp(self, path: Path) -> None:
        shared = self._taking.peek(*path, "ref")
        if isinstance(shared, str) and self._taking.peek("mcps", shared) is not None:
            self._taking.take(*path, "ref")
            self._server(("mcps", shared), path, name=shared)
        else:
            self._server(path, path, name=None)

    def _server(self, path: Path, used: Path, *, name: str | None) -> None:
        """`path` is where the server is described, `used` where the agent takes it up."""
        taking = self._taking
        server, otherwise = self._how(path)
        called = taking.text(*path, "name") or name or otherwise
        tool: dict[str, Json] = {"name": agent_name(called, otherwise="server")}
        if tool["name"] != called:
            self._losses.note(show(path), called, f"the name is written {tool['name']}")
        put(tool, "interface", self._instruction(used) or self._instruction(path))
        tool["mcp"] = server
        add_tool(self._tools, tool, show(used), self._losses)

    def _how(self, path: Path) -> tuple[dict[str, Json], str]:
        """The server's `mcp` block, and what it may be called."""
        taking, losses = self._taking, self._losses
        if url := taking.text(*path, "remote", "url"):
            return self._remote(path, url)
        env = taking.pairs(*path, "env")
        made: dict[str, Json] = {}
        reference = taking.text(*path, "ref")
        if reference is not None:
            name = reference.removeprefix(_CATALOGUE)
            made["command"] = ["docker"]
            made["args"] = ["mcp", "gateway", "run", f"--servers={name}"]
            losses.note(show((*path, "ref")), reference, "Docker's MCP gateway runs it")
        else:
            command = taking.text(*path, "command") or ""
            args = taking.texts(*path, "args", blank=True)
            name = called_after(command, args)
            made["command"] = [command]
            put(made, "args", arguments(args, show((*path, "args")), losses))
            put(made, "cwd", taking.text(*path, "working_dir"))
        put(made, "env", settings(env, show((*path, "env")), losses))
        return made, name

    def _remote(self, path: Path, url: str) -> tuple[dict[str, Json], str]:
        transport = self._taking.text(*path, "remote", "transport_type") or "streamable"
        if not transport.startswith(("streamable", "http")):
            where = show((*path, "remote", "transport_type"))
            self._losses.note(where, transport, "the server must speak streamable HTTP")
        made: dict[str, Json] = {
            "url": clean_url(url, show((*path, "remote", "url")), self._losses)
        }
        headers = self._taking.pairs(*path, "remote", "headers")
        where = show((*path, "remote", "headers"))
        put(made, "headers", settings(headers, where, self._losses))
        return made, urlsplit(url).hostname or "server"

    def _instruction(self, path: Path) -> str | None:
        return self._taking.text(*path, "instruction")

    def _a2a(self, path: Path) -> None:
        url = self._taking.text(*path, "url") or ""
        card = url
        if not url.endswith(".json"):
            card = url.rstrip("/") + CARD
            self._losses.note(show((*path, "url")), url, "its agent card is taken to be below it")
        self._service(path, {"a2a": {"card": card}}, url)

    def _openapi(self, path: Path) -> None:
        url = self._taking.text(*path, "url") or ""
        self._losses.note(show((*path, "type")), "openapi", "the service's description is its URL")
        self._service(path, {"http": {"url": url}}, url)

    def _api(self, path: Path) -> None:
        url = self._taking.text(*path, "api_config", "endpoint") or ""
        name = self._taking.text(*path, "api_config", "name")
        use = self._taking.text(*path, "api_config", "instruction")
        self._service(path, {"http": {"url": url}}, url, name=name, use=use)

    def _service(
        self,
        path: Path,
        tool: dict[str, Json],
        url: str,
        *,
        name: str | None = None,
        use: str | None = None,
    ) -> None:
        called = name or self._taking.text(*path, "name") or urlsplit(url).hostname or "service"
        made: dict[str, Json] = {"name": agent_name(called, otherwise="service")}
        put(made, "interface", use or self._instruction(path))
        add_tool(self._tools, made | tool, show(path), self._losses)

    def _filesystem(self, path: Path) -> None:
        put(self._document, "spec.behavior.exploration", {"project_exploration": True})
        tools = self._taking.texts(*path, "tools")
        readonly = self._taking.take(*path, "readonly") is True
        if not readonly and not (tools and set(tools) <= set(READING_TOOLS)):
            where = show((*path, "type"))
            self._losses.note(where, "filesystem", "files may be read; writing is not granted here")

    def _memory(self, path: Path) -> None:
        del path
        put(self._document, "spec.behavior.memory", {"level": "BASIC", "persistence": True})

    def _rag(self, path: Path) -> None:
        source = path
        name = self._taking.text(*path, "ref")
        if name is not None:
            source = ("rag", name)
        elif self._taking.peek(*path, "rag_config") is not None:
            source = (*path, "rag_config")
        self.search(source)

    def search(self, source: Path) -> None:
        """Take the documents of a RAG source as knowledge."""
        for index, document in enumerate(self._taking.texts(*source, "docs")):
            self.documents.append(((*source, "docs", index), document))

    _READERS: Final[dict[str, Callable[[Toolsets, Path], None]]] = {
        "mcp": _mcp,
        "a2a": _a2a,
        "openapi": _openapi,
        "api": _api,
        "filesystem": _filesystem,
        "file": _filesystem,
        "memory": _memory,
        "rag": _rag,
    }
