"""Agents to compare, made of documents and files in memory, and strategies that make them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from agentoci.content.protocols import Reader
from agentoci.layers.inventory import EXECUTABLE_MODE, FILE_MODE, FileEntry, Inventory
from agentoci.release.changes import AgentDiff, Change, Side
from agentoci.release.compare import compare
from agentoci.release.view import AgentView
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class MemoryFiles:
    """Files in memory; keeps what was asked for."""

    contents: Mapping[str, bytes]
    asked: list[str] = field(default_factory=list)

    def read(self, entries: Sequence[FileEntry]) -> dict[str, bytes]:
        self.asked.extend(entry.path for entry in entries)
        return {entry.path: self.contents[entry.path] for entry in entries}

    @contextlib.contextmanager
    def stream(self, entry: FileEntry) -> Iterator[Reader]:
        self.asked.append(entry.path)
        yield io.BytesIO(self.contents[entry.path])


_serial = iter(range(10**9))


def agent(
    definition: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
    *,
    executable: frozenset[str] = frozenset(),
    links: Mapping[str, str] | None = None,
    base: str | None = None,
    **config: Any,
) -> AgentView:
    """An agent; each has a digest of its own, so that none is taken for another's twin."""
    contents = files or {}
    listed = [FileEntry.symlink(path, to, layer=0) for path, to in (links or {}).items()]
    listed += [
        FileEntry(
            path,
            len(content),
            EXECUTABLE_MODE if path in executable else FILE_MODE,
            hashlib.sha256(content).hexdigest(),
            0,
        )
        for path, content in contents.items()
    ]
    entries = Inventory.of(listed).entries
    document: dict[str, Json] = {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {"name": "bot", "version": "1.0.0"},
        "spec": {},
        **(definition or {}),
    }
    side = Side("bot", f"sha256:{next(_serial):064x}", "bot", "1.0.0")
    return AgentView(
        side, document, ImageConfig(**config), entries, (), base, MemoryFiles(contents)
    )


def spec(**parts: Any) -> dict[str, Any]:
    """A definition whose spec has these parts."""
    return {"spec": parts}


def changes(before: AgentView, after: AgentView) -> list[Change]:
    """What changed, in the order of the report."""
    return list(compare(before, after).changes)


def found(before: AgentView, after: AgentView) -> dict[str, str]:
    """Rule id (with the subject, where there is one) → level."""
    return {
        " ".join(filter(None, (one.rule.id, one.subject))): str(one.level)
        for one in changes(before, after)
    }


def diff(before: AgentView, after: AgentView) -> AgentDiff:
    """The whole diff."""
    return compare(before, after)


# Strategies: small pools, so that two agents have much in common.

_names = st.sampled_from(["alpha", "beta", "gamma", "delta"])
_texts = st.sampled_from(["one", "two", "three", "vier", "五"])
_ranges = st.sampled_from(["*", "1.0", ">=1.0", ">=1.0,<2", "^1.2", "~1.2", "1.0 || 2.x", ">=2"])
_sizes = st.sampled_from(["1GB", "1GiB", "512MB", "2GB"])
_counts = st.integers(1, 5)
_flags = st.booleans()
_urls = st.sampled_from(["https://a.example/x", "https://b.example", "http://c.example:8080/y"])


def _some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


def _several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(one, max_size=4, unique=True)


def _named(
    names: st.SearchStrategy[str], rest: st.SearchStrategy[dict[str, Any]], by: str = "name"
) -> st.SearchStrategy[list[dict[str, Any]]]:
    listed = st.dictionaries(names, rest, max_size=4)
    return listed.map(lambda found: [{by: name, **one} for name, one in found.items()])


_tools = _named(
    _names,
    st.one_of(
        _some(interface=_texts, version=_ranges, required=_flags),
        _some(interface=_texts, required=_flags, mcp=st.fixed_dictionaries({"url": _urls})),
        st.fixed_dictionaries({"http": _urls}),
    ),
)
_HEADINGS = ["## Title", "### Input", "### Output", "### 输入", "words", "```", ""]
_ITEMS = ["- one: first", "- two (required): second", "- `one` - first (required)", "  - deep"]
_lines = st.sampled_from([*_HEADINGS, *_ITEMS, "* three"])
_interfaces = st.lists(_lines, min_size=1, max_size=12).map("\n".join).filter(str.strip)
_bounds = st.tuples(_counts, _counts).map(sorted)
_window = _some(min=st.integers(1, 3), recommended=st.just(3), max=st.integers(3, 6))
_spec = _some(
    interface=_interfaces,
    requires=_some(tools=_tools),
    knowledge=_some(static=_several(_texts), dynamic=_several(_texts), principles=_several(_texts)),
    behavior=_some(
        memory=_some(level=st.sampled_from(["NONE", "BASIC", "SMART"]), persistence=_flags),
        exploration=_some(project_exploration=_flags, environment_discovery=_flags),
        execution=_some(max_recursion=_counts, enable_parallel=_flags),
    ),
    config_template=_some(
        llm=_some(
            supported_models=_several(_names),
            temperature=_some(min=st.just(0), max=st.sampled_from([0.2, 1, 2]), default=st.just(0)),
        ),
        context_window=_window,
        api_endpoints=st.dictionaries(_names, _urls, max_size=3),
    ),
    constraints=_named(_names, _some(description=_texts, validation=_texts), by="id"),
    invariants=_several(_texts),
)
_actions = _several(st.sampled_from(["start", "stop", "execute"]))
definitions = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"name": _names, "version": st.sampled_from(["1.0.0", "1.1.0"])},
            optional={"author": _texts, "tags": _several(_texts), "created": st.just("2024-01-15")},
        ),
        "spec": _spec,
    },
    optional={
        "permissions": _some(
            execution=st.dictionaries(_names, _actions, max_size=3).map(
                lambda users: [{"user": user, "actions": done} for user, done in users.items()]
            ),
            resource_limits=_some(max_memory=_sizes, max_api_calls_per_hour=_counts),
        ),
        "isolation": _some(
            network=st.sampled_from(["isolated", "host"]),
            resource=st.sampled_from(["cgroup_limited", "unlimited"]),
        ),
        "health_check": _some(endpoint=st.just("/health"), interval_seconds=_counts),
        "metrics": _named(
            st.sampled_from(["alpha", "beta"]),
            st.fixed_dictionaries({"type": st.sampled_from(["gauge", "counter"])}),
        ),
        "logging": _some(
            level=st.sampled_from(["INFO", "DEBUG"]),
            outputs=st.lists(
                st.one_of(
                    st.just({"type": "stdout"}),
                    _urls.map(lambda url: {"type": "elasticsearch", "endpoint": url}),
                ),
                max_size=3,
            ),
        ),
    },
)
_paths = st.sampled_from(
    ["agent/knowledge/a.md", "agent/knowledge/b.md", "agent/knowledge/c/d.md", "agent/tools/x.sh"]
)
_contents = st.sampled_from([b"", b"one\n", b"one\ntwo\n", b"\0\1", b"\xff", b"three"])
_keys = st.sampled_from(["A", "B", "org.opencontainers.image.revision"])

agents = st.builds(
    agent,
    definitions,
    st.dictionaries(_paths, _contents, max_size=4),
    executable=st.sets(_paths).map(frozenset),
    base=st.sampled_from([None, "base:1@sha256:00", "base:1@sha256:01"]),
    env=_several(st.sampled_from(["A=1", "B=2"])).map(tuple),
    labels=st.dictionaries(_keys, _texts, max_size=3),
    entrypoint=st.sampled_from([(), ("/bin/a",), ("/bin/b", "x")]),
)
