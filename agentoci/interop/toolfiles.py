"""MCP servers as other tools list them: an `mcpServers` block, or a registry's `server.json`.

Keys that only steer the other tool (`disabled`, `alwaysAllow`, a `timeout`) are
passed over; what would have meant something to an agent and cannot be said is a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentoci.definition.places import Located, Path
from agentoci.definition.problems import problem_with
from agentoci.definition.tools import McpServer, is_secret_reference, names_secret
from agentoci.errors import Fault, SourceFaults
from agentoci.interop import serverfile
from agentoci.interop.mcpserver import secret_arguments
from agentoci.interop.secrets import looks_secret, setting
from agentoci.interop.serverlist import URL_KEYS, is_switched_off, list_of, load_list
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class ListedServer:
    """One server: its name in the file, its `mcp` block in a definition, and what was left out."""

    name: str
    mcp: dict[str, Json]
    notes: tuple[str, ...] = ()
    disabled: bool = False


def read_servers(content: bytes, *, file: str) -> list[ListedServer]:
    """The MCP servers that a file lists, in its order; `file` names it in messages.

    `${NAME}` in any tool's spelling becomes `env:NAME`. Raises SourceFaults with every fault: a
    literal secret among the variables, headers and arguments is one, for it would be in the image.
    """
    located = load_list(content, file=file)
    document = located.data
    faults: list[Fault] = []
    if isinstance(document, dict) and serverfile.is_server_file(document):
        found = [_registered(located, document, faults)]
    else:
        found = list(_listed(located, faults))
    if faults:
        raise SourceFaults(faults)
    return found


def _listed(located: Located, faults: list[Fault]) -> Iterator[ListedServer]:
    where = list_of(located)
    servers = located.value(where) if where else None
    if where is None or not isinstance(servers, dict):
        hint = 'it has {"mcpServers": {"NAME": {"command": …}}}, or is a registry\'s server.json'
        raise SourceFaults([located.fault((), "the file lists no MCP servers", hint=hint)])
    if not servers:
        raise SourceFaults([located.fault(where, "no server is listed here", at_key=True)])
    for name, entry in servers.items():
        path = (*where, name)
        if not isinstance(entry, dict):
            faults.append(located.fault(path, "a server is a mapping with 'command' or 'url'"))
            continue
        yield _server(located, path, name, entry, faults)


def _server(
    located: Located, path: Path, name: str, entry: Mapping[str, Json], faults: list[Fault]
) -> ListedServer:
    block: dict[str, Json] = {}
    notes: list[str] = []
    for key in ("command", "args", "cwd"):
        if key in entry:
            block[key] = entry[key]
    if isinstance(command := block.get("command"), str):
        block["command"] = [command]  # other tools do not split it at blanks either
    for key in URL_KEYS:
        if key in entry and "command" not in block:
            block.setdefault("url", entry[key])
    for key in ("env", "headers"):
        if values := entry.get(key):
            block[key] = _settings(located, (*path, key), values, notes, faults)
    _check_arguments(located, (*path, "args"), entry.get("args"), faults)
    if entry.get("type", entry.get("transport")) == "sse":
        notes.append("it speaks SSE, the transport before streamable HTTP")
    if problem := problem_with((), block, McpServer):
        faults.append(located.fault((*path, *problem.path), problem.message, hint=problem.hint))
    return ListedServer(name, block, tuple(notes), disabled=is_switched_off(entry))


def _settings(
    located: Located, path: Path, values: Json, notes: list[str], faults: list[Fault]
) -> Json:
    """Variables or headers, with references where the file has placeholders."""
    if not isinstance(values, dict):
        return values
    made: dict[str, Json] = {}
    for name, value in values.items():
        if not isinstance(value, str):
            made[name] = located.written((*path, name)) or value
            continue
        found = setting(name, value)
        made[name] = found.value
        if _is_literal_secret(name, value, found.value):
            faults.append(_secret_fault(located, (*path, name), name, found.value))
        elif found.loss:
            notes.append(f"{path[-1]} {name}: {found.loss}")
    return made


def _is_literal_secret(name: str, value: str, made: str) -> bool:
    if is_secret_reference(value) or not value or "$" in value:
        return False
    return names_secret(name) or looks_secret(value) or made != value


def _secret_fault(located: Located, path: Path, name: str, reference: str) -> Fault:
    """Without the line of the file: it holds the secret."""
    place = located.place(path)
    hint = f"write {reference} and set the variable where the agent runs"
    if not is_secret_reference(reference):
        hint = "write env:NAME or file:PATH, and keep the secret where the agent runs"
    message = f"the value of {name!r} is a secret, and would be in the image for all to read"
    return Fault(located.file, place.line, place.column, message, hint=hint)


def _check_arguments(located: Located, path: Path, values: Json, faults: list[Fault]) -> None:
    texts = [str(value) for value in values] if isinstance(values, list) else []
    for index, _ in secret_arguments(texts):
        place = located.place((*path, index))
        hint = "give it to the server by a variable: env: {NAME: env:NAME}"
        message = "an argument is a secret, and would be in the image for all to read"
        faults.append(Fault(located.file, place.line, place.column, message, hint=hint))


def _registered(
    located: Located, document: Mapping[str, Json], faults: list[Fault]
) -> ListedServer:
    notes: list[str] = []
    name = document.get("name")
    if not isinstance(name, str) or not name:
        faults.append(located.fault(("name",), "the server's name is missing"))
        name = ""
    choice = serverfile.choose(document)
    if choice is None:
        hint = f"it can be reached by a remote, or started as one of {serverfile.STARTED}"
        faults.append(located.fault((), "no way to reach the server that agents have", hint=hint))
        return ListedServer(name, {})
    block = serverfile.block_of(choice, notes)
    if problem := problem_with((), block, McpServer):
        faults.append(located.fault(choice.path, problem.message, hint=problem.hint))
    return ListedServer(name, block, tuple(notes))
