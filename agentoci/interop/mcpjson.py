"""`mcp.json`, as editors and desktop programs keep it: servers become tools of a definition."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agentoci.definition.places import Located
from agentoci.errors import SourceFaults
from agentoci.interop import serverfile
from agentoci.interop.imported import (
    Imported,
    ImportedAgent,
    add_tool,
    name_from,
    new_document,
    put,
    read_file,
)
from agentoci.interop.losses import Losses
from agentoci.interop.mcpserver import arguments, clean_url, settings
from agentoci.interop.names import agent_name
from agentoci.interop.serverlist import URL_KEYS, is_switched_off, list_of, load_list
from agentoci.interop.taking import Path as Steps
from agentoci.interop.taking import Taking, show
from agentoci.spec.jsonio import Json

_DEFAULT: Final = "a definition has no such setting"
_REASONS: Final = {
    "inputs": "who runs the agent sets the variables; nobody is asked",
    "envFile": "files of variables are read at run time, if at all",
    "autoApprove": "which tools may be called unasked is the runtime's to decide",
    "alwaysAllow": "which tools may be called unasked is the runtime's to decide",
}


def from_mcp_json(path: Path, *, name: str | None = None) -> Imported:
    """An agent that has the servers of the file as tools; raises SourceFaults and NotFound."""
    located = load_list(read_file(path), file=str(path))
    losses, taking = Losses(), Taking.of(located)
    called = agent_name(name or name_from(path))
    if isinstance(located.data, dict) and serverfile.is_server_file(located.data):
        return _registered(located, called, losses)
    start = list_of(located)
    if start is None:
        hint = "an object mcpServers (or servers) with an entry for each server"
        raise SourceFaults([located.fault((), "no MCP servers in it", hint=hint)])
    tools: list[Json] = []
    for server in taking.mapping(*start):
        _add(taking, (*start, server), tools, losses)
    taking.check()
    document = new_document(called)
    put(document, "spec.requires.tools", tools)
    taking.note_left(losses, _REASONS, _DEFAULT)
    return Imported((ImportedAgent(called, document),), losses.all())


def _registered(located: Located, called: str, losses: Losses) -> Imported:
    """An agent with the one server that a registry's `server.json` describes."""
    taking = Taking.of(located)
    choice = serverfile.choose(taking.mapping())
    if choice is None:
        hint = f"packages of {serverfile.STARTED}, over stdio, or a remote with a URL"
        raise SourceFaults([located.fault((), "the server cannot be started from here", hint=hint)])
    notes: list[str] = []
    block = serverfile.block_of(choice, notes)
    taking.take(*choice.path)
    for note in notes:
        losses.note(show(choice.path), None, note)
    server = (taking.text("name") or "").rpartition("/")[2]
    tool: dict[str, Json] = {"name": agent_name(server, otherwise="server")}
    put(tool, "interface", taking.text("description") or taking.text("title"))
    tool["mcp"] = read_server(Taking(block), (), losses)
    tools: list[Json] = []
    add_tool(tools, tool, show(choice.path), losses)
    document = new_document(called)
    put(document, "spec.requires.tools", tools)
    taking.take("$schema")
    taking.note_left(losses, {"version": "the server's; the agent has its own"}, _DEFAULT)
    taking.check()
    return Imported((ImportedAgent(called, document),), losses.all())


def _add(taking: Taking, path: Steps, tools: list[Json], losses: Losses) -> None:
    entry = taking.mapping(*path)
    taking.take(*path, "disabled")
    taking.take(*path, "enabled")
    server = str(path[-1])
    if is_switched_off(entry):
        losses.note(show(path), taking.take(*path), "the server is switched off there: left out")
        return
    name = agent_name(server, otherwise="server")
    if name != server:
        losses.note(show(path), server, f"the name is written {name}")
    tool: dict[str, Json] = {"name": name}
    if use := taking.text(*path, "description"):
        tool["interface"] = use
    tool["mcp"] = read_server(taking, path, losses)
    add_tool(tools, tool, show(path), losses)


def read_server(taking: Taking, path: Steps, losses: Losses) -> dict[str, Json]:
    """The `mcp` block of one entry."""
    kind = taking.text(*path, "type") or taking.text(*path, "transport")
    started = taking.peek(*path, "command") is not None
    urls = [] if started else [url for key in URL_KEYS if (url := taking.text(*path, key))]
    made: dict[str, Json] = {}
    if urls:
        put(made, "url", clean_url(urls[0], show((*path, "url")), losses))
        headers = taking.pairs(*path, "headers")
        put(made, "headers", settings(headers, show((*path, "headers")), losses))
        if kind == "sse":
            losses.note(show((*path, "type")), kind, "the server must speak streamable HTTP")
        return made
    command: list[Json] = list(taking.texts(*path, "command"))
    put(made, "command", command)
    args = taking.texts(*path, "args", blank=True)
    put(made, "args", arguments(args, show((*path, "args")), losses))
    env = taking.pairs(*path, "env")
    put(made, "env", settings(env, show((*path, "env")), losses))
    put(made, "cwd", taking.text(*path, "cwd"))
    return made
