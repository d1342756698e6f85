"""A `server.json` of the MCP registry (schema 2025-12-11): how the server it describes is reached.

A remote comes first, for nothing has to be started; then the first package that a common program
starts over stdio.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from agentoci.definition.places import Path
from agentoci.spec.jsonio import Json

_RUNNERS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "npm": (("npx", "-y"), "{identifier}@{version}"),
    "pypi": (("uvx",), "{identifier}=={version}"),
    "oci": (("docker", "run", "-i", "--rm"), "{identifier}:{version}"),
    "nuget": (("dnx", "--yes"), "{identifier}@{version}"),
}
STARTED: Final = ", ".join(_RUNNERS)
"""The kinds of packages that can be started."""

_TRANSPORTS: Final = ("streamable-http", "sse")
_VARIABLE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")


@dataclass(frozen=True, slots=True)
class Choice:
    """The remote or package that was chosen, and where it stands."""

    path: Path
    entry: Mapping[str, Json]

    @property
    def is_remote(self) -> bool:
        """Whether it runs already, somewhere."""
        return self.path[0] == "remotes"


def is_server_file(document: Mapping[str, Json]) -> bool:
    """Whether a JSON object is a `server.json`."""
    return "name" in document and ("packages" in document or "remotes" in document)


def choose(document: Mapping[str, Json]) -> Choice | None:
    """The remote or package to use; None when there is none that agents can use."""
    for index, remote in _entries(document, "remotes"):
        url = remote.get("url")
        if remote.get("type") in _TRANSPORTS and isinstance(url, str):
            return Choice(("remotes", index), remote)
    for index, package in _entries(document, "packages"):
        transport = package.get("transport")
        kind = transport.get("type") if isinstance(transport, dict) else "stdio"
        known = package.get("registryType") in _RUNNERS
        if known and kind == "stdio" and isinstance(package.get("identifier"), str):
            return Choice(("packages", index), package)
    return None


def block_of(choice: Choice, notes: list[str]) -> dict[str, Json]:
    """The `mcp` block of a definition; what it cannot say is added to the notes."""
    if choice.is_remote:
        return _remote(choice.entry, notes)
    return _package(choice.entry, notes)


def _remote(remote: Mapping[str, Json], notes: list[str]) -> dict[str, Json]:
    url = _filled(str(remote["url"]), remote.get("variables"))
    if remote.get("type") == "sse":
        notes.append("it speaks SSE, the transport before streamable HTTP")
    if _VARIABLE.search(url):
        notes.append("its URL has variables without defaults")
    block: dict[str, Json] = {"url": url}
    if headers := _inputs(remote, "headers", notes):
        block["headers"] = headers
    return block


def _package(package: Mapping[str, Json], notes: list[str]) -> dict[str, Json]:
    kind = str(package["registryType"])
    program, spelling = _RUNNERS[kind]
    version = package.get("version")
    identifier = str(package["identifier"])
    pinned = kind == "oci" and ("@" in identifier or ":" in identifier.rpartition("/")[2])
    if isinstance(version, str) and not pinned:
        identifier = spelling.format(identifier=identifier, version=version)
    hint = package.get("runtimeHint")
    if isinstance(hint, str) and hint not in ("", program[0]):
        notes.append(f"it is started by {program[0]}, not by {hint}")
    env = _inputs(package, "environmentVariables", notes)
    passed = [word for name in env for word in ("-e", name)] if kind == "oci" else []
    runtime = [*_arguments(package, "runtimeArguments", notes), *passed]
    arguments = [*runtime, identifier, *_arguments(package, "packageArguments", notes)]
    block: dict[str, Json] = {"command": list(program), "args": cast("list[Json]", arguments)}
    if env:
        block["env"] = env
    return block


def _inputs(entry: Mapping[str, Json], key: str, notes: list[str]) -> dict[str, Json]:
    """Variables or headers: a given value, a default, or the variable to look up at run time."""
    made: dict[str, Json] = {}
    for _, item in _entries(entry, key):
        name = str(item.get("name", ""))
        value = item.get("value", item.get("default"))
        variable = re.sub(r"\W", "_", name, flags=re.ASCII).upper()
        if item.get("isSecret") is True:
            made[name] = f"env:{variable}"
        elif isinstance(value, str):
            text = _filled(value, item.get("variables"))
            scheme = re.fullmatch(r"([A-Za-z][A-Za-z0-9-]* )?\{([A-Za-z_][\w-]*)\}", text)
            if scheme:
                text = f"{scheme[1] or ''}env:{scheme[2].replace('-', '_').upper()}"
            made[name] = text
        elif item.get("isRequired") is True:
            made[name] = f"env:{variable}"
        else:
            notes.append(f"{name} may be set, and is not")
    return made


def _arguments(entry: Mapping[str, Json], key: str, notes: list[str]) -> Iterator[str]:
    for _, item in _entries(entry, key):
        name, value = item.get("name"), item.get("value", item.get("default"))
        if not isinstance(value, str):
            if item.get("isRequired") is True:
                shown = name or item.get("valueHint") or "an argument"
                notes.append(f"{shown} must be given, and has no default")
            elif item.get("type") == "named" and isinstance(name, str) and "format" not in item:
                notes.append(f"{name} may be given, and is not")
            continue
        if item.get("type") == "named" and isinstance(name, str):
            yield name
        yield _filled(value, item.get("variables"))


def _filled(text: str, variables: Json) -> str:
    """The text with `{name}` replaced where the variable has a value or a default."""
    known = variables if isinstance(variables, dict) else {}

    def value_of(match: re.Match[str]) -> str:
        found = known.get(match[1])
        value = found.get("value", found.get("default")) if isinstance(found, dict) else None
        return value if isinstance(value, str) else match[0]

    return _VARIABLE.sub(value_of, text)


def _entries(document: Mapping[str, Json], key: str) -> Iterator[tuple[int, Mapping[str, Json]]]:
    found = document.get(key)
    for index, entry in enumerate(found if isinstance(found, list) else ()):
        if isinstance(entry, dict):
            yield index, entry
