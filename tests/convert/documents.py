"""Documents for property tests: definitions, and what other tools' users might write."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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

# Other tools' files, by people who read no manual

_ODD = """
a ä A_B 302ai root x/y x/y:1.2 n:o/p:1 docker:duck 1.0 v2 ../x docs sse null env:FOO file:x npx
mcp filesystem shell memory rag a2a api openapi think auto openai a,b openai/gpt-4o --token
--api-key=zzz -y ${X} http://e.com/x https://u:p@e.com/x?token=abc \\
"""
ODD = st.sampled_from([*_ODD.split(), "", " ", "a\nb", "A B", "Bearer ${env.T}"])
KEYS = ODD.filter(lambda text: "@" not in text)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(0, 3) | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def some(*keys: str, values: st.SearchStrategy[Any] = ANY) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of these keys."""
    return st.dictionaries(st.sampled_from(keys), values, max_size=5)


SERVERS = some("command", "url", "type", "cwd", "description", values=ODD) | some(
    "command", "args", "env", "headers", "disabled"
)
MCP_FILES = st.fixed_dictionaries(
    {"mcpServers": st.dictionaries(KEYS, SERVERS, max_size=3)}, optional={"inputs": ANY}
)
TOOLSETS = st.fixed_dictionaries(
    {"type": ODD},
    optional={
        "remote": some("url", "transport_type", values=ODD) | ANY,
        "args": st.lists(ODD, max_size=3) | ANY,
        "env": st.dictionaries(KEYS, ODD, max_size=2) | ANY,
        **dict.fromkeys(("name", "url", "command", "ref", "tools", "api_config"), ODD | ANY),
    },
)
MODELS = some("provider", "model", "type", "base_url", values=ODD) | some(
    "model", "temperature", "provider_opts", "max_tokens"
)
AGENTS = st.fixed_dictionaries(
    {},
    optional={
        "toolsets": st.lists(TOOLSETS, max_size=3),
        **dict.fromkeys(("model", "description", "instruction", "name"), ODD),
        **{key: st.lists(ODD, max_size=3) for key in ("sub_agents", "handoffs", "rag")},
        **dict.fromkeys(("skills", "memory", "fallback", "hooks", "max_iterations"), ANY),
        **{key: st.lists(ODD, max_size=2) for key in ("add_prompt_files", "instruction_file")},
    },
)
DOCKER_FILES = st.fixed_dictionaries(
    {"agents": st.dictionaries(KEYS, AGENTS, min_size=1, max_size=3)},
    optional={
        "metadata": some("author", "version", "license", "tags", "description", "readme"),
        "models": st.dictionaries(KEYS, MODELS, max_size=2),
        "providers": st.dictionaries(KEYS, MODELS, max_size=2),
        "mcps": st.dictionaries(KEYS, TOOLSETS, max_size=2),
        **dict.fromkeys(("version", "rag", "permissions", "toolsets", "budget"), ANY),
    },
)
