"""Definitions, patches of definitions and what changes them, for properties of merging."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from agentoci.spec.jsonio import Json

NAMES = st.sampled_from(["one", "two", "three", "four"])
FILES = st.sampled_from(["a.md", "b/c.md", "d~1.md", "知.md"])
TEXTS = st.sampled_from(["some", "words", "more", "用"])


def given(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of the keys."""
    return st.fixed_dictionaries({}, optional=dict(keys))


def unique(
    entries: st.SearchStrategy[Any], key: str | None = None, *, most: int = 3
) -> st.SearchStrategy[list[Any]]:
    """A list without twins."""
    return st.lists(entries, max_size=most, unique_by=lambda e: e[key] if key else e)


@st.composite
def tools(draw: st.DrawFn) -> dict[str, Json]:
    """A tool of any kind."""
    made = draw(given(interface=TEXTS, required=st.booleans()))
    kind = draw(st.sampled_from(["agent", "http", "mcp"]))
    if kind == "agent" and draw(st.booleans()):
        made["version"] = draw(st.sampled_from(["1.0", ">=2", "*"]))
    if kind == "http":
        made["http"] = {"url": "https://x.example/" + draw(NAMES)}
    if kind == "mcp":
        made["mcp"] = {"command": [draw(NAMES)]}
    return {"name": draw(NAMES), **made}


CONSTRAINTS = NAMES.map(
    lambda name: {"id": name, "description": f"about {name}", "validation": f"{name} < 3"}
)
"""One constraint of each name: what two definitions say of one must not differ."""

GRANTS = st.fixed_dictionaries(
    {"user": NAMES, "actions": unique(st.sampled_from(["read", "start", "stop"]))}
)
METRICS = st.fixed_dictionaries(
    {"name": NAMES, "type": st.sampled_from(["gauge", "counter"])},
    optional={"labels": unique(NAMES)},
)
BEHAVIOR = given(
    memory=given(level=st.sampled_from(["NONE", "SMART"]), persistence=st.booleans()),
    execution=given(max_recursion=st.integers(1, 9), enable_parallel=st.booleans()),
)
METADATA = st.fixed_dictionaries(
    {"name": NAMES, "version": st.sampled_from(["1.0.0", "2.0.0"])},
    optional={"author": TEXTS, "tags": st.lists(TEXTS, max_size=2), "description": TEXTS},
)
SPEC = {
    "interface": TEXTS,
    "requires": given(tools=unique(tools(), "name")),
    "knowledge": given(static=unique(FILES), dynamic=unique(FILES), principles=unique(FILES)),
    "behavior": BEHAVIOR,
    "config_template": given(
        llm=given(supported_models=unique(NAMES)),
        api_endpoints=st.dictionaries(NAMES, st.just("https://x.example"), max_size=2),
    ),
    "constraints": unique(CONSTRAINTS, "id"),
    "invariants": unique(TEXTS),
}
BESIDE = {
    "permissions": given(execution=unique(GRANTS, "user"), resource_limits=given(max_memory=TEXTS)),
    "isolation": given(network=st.sampled_from(["isolated", "host"])),
    "metrics": unique(METRICS, "name"),
    "logging": given(level=st.sampled_from(["INFO", "DEBUG"]), outputs=unique(TEXTS)),
}
EXTENSIONS = given(
    tools=given(add=unique(tools(), "name"), remove=unique(NAMES)),
    knowledge=given(add=unique(FILES), remove=unique(FILES)),
    behavior=given(override=BEHAVIOR),
    constraints=given(add=unique(CONSTRAINTS, "id")),
    invariants=given(add=unique(TEXTS)),
)
HEAD = {"apiVersion": st.just("agent/v1"), "kind": st.just("AgentDefinition")}


def definitions() -> st.SearchStrategy[dict[str, Any]]:
    """Whole definitions, without parents; not all that the model forbids is left out."""
    return st.fixed_dictionaries(
        {**HEAD, "metadata": METADATA, "spec": given(**SPEC)}, optional=BESIDE
    )


def children() -> st.SearchStrategy[dict[str, Any]]:
    """Whole definitions with extensions."""
    spec = given(**SPEC, extensions=EXTENSIONS)
    return st.fixed_dictionaries({**HEAD, "metadata": METADATA, "spec": spec}, optional=BESIDE)


def changes() -> st.SearchStrategy[dict[str, Any]]:
    """Patches that are no definitions: what an Agentfile says."""
    removed = st.lists(st.sampled_from(["/metrics/one", "/permissions", "/spec/behavior/memory"]))
    return given(
        metadata=given(version=st.just("3.0.0"), author=TEXTS),
        spec=given(**SPEC, extensions=EXTENSIONS),
        removed=removed,
        **BESIDE,
    )


def patches() -> st.SearchStrategy[dict[str, Any]]:
    """Anything that can be merged."""
    return st.one_of(children(), changes(), definitions())
