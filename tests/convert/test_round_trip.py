"""definition → Docker Agent → definition keeps all that was not said to be lost."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given

from agentoci.definition.read import check_document
from agentoci.interop.dockeragent import from_docker_agent
from agentoci.interop.dockerexport import to_docker_agent
from agentoci.interop.subject import Subject
from agentoci.spec.jsonio import Json
from tests.convert.documents import DOCUMENTS


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Path → value; entries of lists by their names, for their order has no meaning."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for entry in value:
            assert isinstance(entry, dict)
            yield from leaves(entry, f"{path}[{entry.get('name', entry.get('id'))}]")
    else:
        yield path, value


def by_name(path: str, document: Any) -> str:
    """A loss's path, with the names of entries instead of their numbers."""

    def named(match: re.Match[str]) -> str:
        found = document
        for step in re.findall(r"[^.\[\]]+", match.string[: match.end()]):
            found = found[int(step)] if isinstance(found, list) else found[step]
        if not isinstance(found, dict):
            return ""
        return f"[{found.get('name', found.get('id'))}]"

    return re.sub(r"\[\d+\]", named, path)


@given(DOCUMENTS)
def test_what_is_not_lost_comes_back(document: Any):
    check_document(document, what="the strategy")
    exported = to_docker_agent(Subject(document))
    assert yaml.safe_load(exported.main[1])["version"] == "6"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, exported.main[0].replace("/", "_"))
        file.write_bytes(exported.main[1])
        back = from_docker_agent(file)
    check_document(back.agents[0].document, what="what came back")
    lost = [by_name(loss.path, document) for loss in exported.losses]
    there = dict(leaves(dict(back.agents[0].document)))
    for path, value in leaves(document):
        if any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in lost):
            continue
        if value in ([], {}, "*") or (path.endswith(".required") and value is True):
            continue
        assert there.get(path) == written_there(path, value, document), path


def written_there(path: str, value: Json, document: Any) -> Json:
    """A program stands apart from its arguments there, as it does in mcp.json."""
    tools = document["spec"].get("requires", {}).get("tools", [])
    for tool in tools:
        prefix = f"spec.requires.tools[{tool['name']}].mcp."
        if path.startswith(prefix) and "command" in tool["mcp"]:
            command, args = tool["mcp"]["command"], tool["mcp"].get("args", [])
            if path == f"{prefix}command":
                return [command[0]]
            if path == f"{prefix}args":
                return [*command[1:], *args]
    return value
