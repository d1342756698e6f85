"""definition → Docker Agent → definition keeps all that was not said to be lost."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentoci.definition.read import check_document
from agentoci.interop.dockeragent import from_docker_agent
from agentoci.interop.dockerexport import to_docker_agent
from agentoci.interop.subject import Subject
from agentoci.spec.jsonio import Json

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    str.strip
)
LINES = st.lists(TEXTS, min_size=1, max_size=4).map("\n".join)
ENV = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True),
    st.sampled_from(["env:NAME", "plain", "1.10", "no"]),
    max_size=2,
)
STDIO = st.fixed_dictionaries(
    {
        "command": st.lists(
            st.sampled_from(["npx", "-y", "some-mcp", "--x=1"]), min_size=1, max_size=3
        )
    },
    optional={"args": st.lists(TEXTS, max_size=2), "env": ENV},
)
REMOTE = st.fixed_dictionaries(
    {"url": st.sampled_from(["https://example.com/mcp", "http://localhost:8000/"])},
    optional={"headers": st.just({"Authorization": "Bearer env:TOKEN"})},
)
KINDS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda mcp: {"mcp": mcp}, STDIO | REMOTE),
    st.just({"a2a": {"card": "https://example.com/card.json"}}),
    st.just({"http": {"url": "https://example.com/api"}}),
    st.just({"skill": {"reference": "example.com/skills/pdf:1"}}),
    st.fixed_dictionaries({}, optional={"version": st.sampled_from(["*", ">=1.0"])}),
)
TOOLS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {"name": NAMES}, optional={"interface": LINES, "required": st.booleans()}
        ),
        KINDS,
    ).map(lambda parts: {**parts[0], **parts[1]}),
    max_size=4,
    unique_by=lambda tool: tool["name"],
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "interface": LINES,
        "requires": st.fixed_dictionaries({}, optional={"tools": TOOLS}),
        "knowledge": st.just({"static": ["a.md"]}),
        "behavior": st.fixed_dictionaries(
            {},
            optional={
                "memory": st.fixed_dictionaries(
                    {"level": st.sampled_from(["BASIC", "SMART"])},
                    optional={"persistence": st.booleans(), "max_size": st.just("1MB")},
                ),
                "exploration": st.just({"project_exploration": True}),
                "execution": st.just({"timeout_seconds": 5}),
            },
        ),
        "config_template": st.fixed_dictionaries(
            {},
            optional={
                "llm": st.fixed_dictionaries(
                    {},
                    optional={
                        "supported_models": st.lists(
                            st.sampled_from(["openai/gpt-4o", "dmr/ai/qwen3", "claude-3", "mine"]),
                            unique=True,
                        ),
                        "temperature": st.just({"default": 0.5, "max": 1}),
                    },
                ),
                "api_endpoints": st.just({"openai": "https://example.com/v1"}),
            },
        ),
        "constraints": st.just(
            [
                {"id": "max_iterations", "validation": "max_iterations <= 7"},
                {"id": "other", "description": "Other"},
            ]
        ),
        "invariants": st.lists(TEXTS, max_size=2, unique=True),
    },
)
DOCUMENTS = st.builds(
    lambda name, version, extra, spec: {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {"name": name, "version": version, **extra},
        "spec": spec,
    },
    NAMES,
    st.sampled_from(["0.0.0", "1.2.3", "2.0.0-rc.1"]),
    st.fixed_dictionaries(
        {}, optional={"author": TEXTS, "description": LINES, "tags": st.just(["x"])}
    ),
    SPECS,
)


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
