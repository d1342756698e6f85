"""Tools: the entries of a definition that a REQUIRE makes, and the bindings of all of them.

The bindings are `agent/tools/bindings.json` and `agentoci.requirements` of the config, one list: an
agent or skill has a version range, and `resolved` when it is known which one it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn, Protocol

from agentoci._internal import files, limits
from agentoci.agentfile.nodes import Agentfile, Require
from agentoci.agentfile.tools import name_from
from agentoci.builder.context import Context, ContextFile, OutsideContext
from agentoci.definition.toolkinds import TOOL_KINDS, tool_kind_of
from agentoci.errors import SourceFaults
from agentoci.layers.source import reading_failed
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json

_BOUND: Final = ("interface", "reference", *TOOL_KINDS)
_SHOWN_NAMES: Final = 20


class Warn(Protocol):
    """Takes what the user should know."""

    def __call__(self, text: str, /) -> None:
        """One warning."""
        ...


def bindings_of(
    document: Mapping[str, Json],
    known: Sequence[Json] = (),
    agents: Mapping[str, Mapping[str, Json]] | None = None,
    skills: Mapping[str, Mapping[str, Json]] | None = None,
) -> tuple[Json, ...]:
    """The binding of every tool of a compiled definition, in its order.

    `agents` and `skills` say by name what requirements turned out to be; where they are silent a
    tool keeps what the base's bindings (`known`) say, as long as the same thing is required.
    """
    before = {str(entry["name"]): entry for entry in known if isinstance(entry, dict)}
    resolved = {None: agents or {}, "skill": skills or {}}
    return tuple(
        _binding(tool, before.get(str(tool["name"]), {}), resolved.get(tool_kind_of(tool), {}))
        for tool in tools_of(document)
    )


def _binding(
    tool: Mapping[str, Json], before: Mapping[str, Json], resolved: Mapping[str, Mapping[str, Json]]
) -> dict[str, Json]:
    name = str(tool["name"])
    made: dict[str, Json] = {"name": name, "required": tool.get("required", True)}
    if tool_kind_of(tool) is None or "version" in tool:
        made["version"] = tool.get("version", "*")
    made |= {key: tool[key] for key in _BOUND if key in tool}
    if name in resolved:
        made["resolved"] = dict(resolved[name])
    elif "resolved" in before and is_same(made, before):
        made["resolved"] = before["resolved"]
    return made


def is_same(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    """Whether two bindings ask for the same thing."""
    keys = ("version", "reference", *TOOL_KINDS)
    return all(one.get(key) == other.get(key) for key in keys)


def tools_of(document: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """The tools of a definition's document."""
    found: Json = dict(document)
    for key in ("spec", "requires", "tools"):
        found = found.get(key) if isinstance(found, dict) else None
    for tool in found if isinstance(found, list) else ():
        if isinstance(tool, dict):
            yield tool


def add_tool(tools: list[Json], made: Mapping[str, Json]) -> None:
    """Put a tool into a definition's list; what is said wins, key by key.

    A tool that becomes another kind of thing keeps its words only.
    """
    for index, tool in enumerate(tools):
        if isinstance(tool, dict) and tool.get("name") == made["name"]:
            kept = dict(tool)
            if tool_kind_of(tool) != tool_kind_of(made):
                kept = {key: tool[key] for key in ("name", "interface") if key in tool}
            tools[index] = {**kept, **made}
            return
    tools.append(dict(made))


class RequiredTools:
    """The tools that the REQUIREs of an Agentfile name; raises SourceFaults at their place."""

    def __init__(self, agentfile: Agentfile, context: Context, warn: Warn) -> None:
        self._agentfile = agentfile
        self._context = context
        self._warn = warn

    def entries(self, require: Require) -> list[dict[str, Json]]:
        """The tools of one REQUIRE, as a definition lists them: of an mcp file, all its servers."""
        made: dict[str, Json] = {"name": require.name, "required": not require.optional}
        match require.kind:
            case "agent":
                made["version"] = require.version
                if require.source:
                    made["reference"] = require.source
            case "a2a":
                made["a2a"] = {"card": require.source}
            case "http":
                made["http"] = {"url": require.source}
            case "skill":
                made["skill"] = self._skill(require)
            case "mcp":
                return self._servers(require, made)
        return [made]

    def _skill(self, require: Require) -> Json:
        key = "path" if is_folder(self._context, require.source) else "reference"
        if key == "path":
            self._find(require)
        made: dict[str, Json] = {key: require.source}
        if require.item:
            made["select"] = require.item
        return made

    def _servers(self, require: Require, made: dict[str, Json]) -> list[dict[str, Json]]:
        if require.source.startswith(("http://", "https://")):
            return [{**made, "mcp": {"url": require.source}}]
        from agentoci.interop.toolfiles import read_servers

        servers = all_ = read_servers(self._content(require), file=require.source)
        if require.item is not None:
            servers = [server for server in servers if server.name == require.item]
        elif not require.name:
            servers = [server for server in servers if not server.disabled]
        if not servers:
            self._refuse(require, *_no_server(require.item, [server.name for server in all_]))
        if require.name and len(servers) > 1:
            listed = ", ".join(server.name for server in servers)
            self._refuse(require, f"the file lists {listed}", "choose one of them: mcp:FILE#SERVER")
        entries: dict[str, dict[str, Json]] = {}
        for server in servers:
            name = require.name or name_from(server.name.rpartition("/")[2])
            if name is None or name in entries:
                message = f"no tool can be called {server.name[:60]!r}"
                if name is not None:
                    message = f"two servers would be called {name!r}"
                hint = f'write REQUIRE "mcp:{require.source}#{server.name}" AS NAME'
                self._refuse(require, message, hint)
            for note in server.notes:
                self._warn(f"{require.source}: {server.name}: {note}")
            entries[name] = {**made, "name": name, "mcp": server.mcp}
        return [*entries.values()]

    def _content(self, require: Require) -> bytes:
        found = self._find(require)
        if found is None or not found.is_regular:
            hint = "an MCP server is a file of the context, or a URL: https://HOST/PATH"
            self._refuse(require, f"{require.source!r} is not in the context", hint)
        where = self._context.locate(require.source)
        try:
            return files.read_at_most(Path(where), limits.MAX_DEFINITION_BYTES + 1)
        except OSError as exc:
            raise reading_failed(where, exc) from exc

    def _find(self, require: Require) -> ContextFile | None:
        try:
            return self._context.lookup(require.source)
        except OutsideContext as exc:
            self._refuse(require, exc.message, exc.hint)

    def _refuse(self, require: Require, message: str, hint: str | None) -> NoReturn:
        width = len(require.source)
        fault = self._agentfile.fault(require.name_place, message, width=width, hint=hint)
        raise SourceFaults([fault])


def _no_server(wanted: str | None, names: Sequence[str]) -> tuple[str, str]:
    """What to say where a file lists servers, and none of them is meant."""
    listed = ", ".join(name[:60] for name in names[:_SHOWN_NAMES])
    listed += ", ..." if len(names) > _SHOWN_NAMES else ""
    if wanted is None:
        return "every server in the file is switched off", f"mcp:FILE#SERVER takes one: {listed}"
    return f"the file lists no server {wanted[:60]!r}", f"one of: {listed}"


def source_state(context: Context, require: Require) -> str:
    """What the tools of a REQUIRE follow from besides what it says: a file, or what is there."""
    found = _lookup(context, require.source)
    if found is None or not found.is_regular:
        return f"{require.source} {found is not None}"
    content = files.read_at_most(
        Path(context.locate(require.source)), limits.MAX_DEFINITION_BYTES + 1
    )
    return f"{require.source} {Digest.of(content)}"


def is_folder(context: Context, source: str) -> bool:
    """Whether what a REQUIRE calls a skill is a folder of the context, not a reference.

    `./a`, `/a` and `a/` always are; `a/b` without tag, digest or host is when it is there.
    """
    from agentoci.definition.tools import is_skill_path

    if is_skill_path(source):
        return True
    if ":" in source or "@" in source:
        return False
    return _lookup(context, source) is not None


def _lookup(context: Context, path: str) -> ContextFile | None:
    try:
        return context.lookup(path)
    except OutsideContext:
        return None
