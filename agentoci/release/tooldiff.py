"""What changed of the tools that an agent needs, and of the hosts that it speaks to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from agentoci.release.changes import Change, change
from agentoci.release.documents import compare_sets, named_at, object_at, same, value_at
from agentoci.release.view import AgentView
from agentoci.spec.jsonio import Json
from agentoci.spec.ranges import InvalidRange, VersionRange

Tool = Mapping[str, Json]

_CALLED: Final = ("mcp", "a2a", "http")
_TARGETS: Final = (*_CALLED, "skill", "reference")
_PLAIN: Final = {"name", "interface", "version", "required", "resolved", *_TARGETS}


def compare_tools(before: AgentView, after: AgentView) -> Iterator[Change]:
    """The changes of tools by name; their order says nothing."""
    old, new = _tools(before), _tools(after)
    for name, tool in old.items():
        if name not in new:
            yield change(f"tool.{_need(tool)}-removed", name, dict(tool))
        else:
            yield from _compare(name, tool, new[name])
    for name, tool in new.items():
        if name not in old:
            yield change(f"tool.{_need(tool)}-added", name, None, dict(tool))


def compare_hosts(before: AgentView, after: AgentView) -> Iterator[Change]:
    """Hosts that the agent speaks to by itself: its tools and its log outputs."""
    yield from compare_sets(sorted(_hosts(before)), sorted(_hosts(after)), "egress")


def _tools(view: AgentView) -> dict[str, Tool]:
    """The definition's tools and those of the config, which say what each was resolved to."""
    tools: dict[str, Tool] = dict(named_at(view.definition, "spec", "requires", "tools"))
    for name, entry in named_at(view.config.agentoci, "requirements").items():
        tools[name] = {**entry, **tools.get(name, {})}
    return tools


def _need(tool: Tool) -> str:
    return "optional" if tool.get("required") is False else "required"


def _compare(name: str, old: Tool, new: Tool) -> Iterator[Change]:
    if _need(old) != _need(new):
        yield change(f"tool.became-{_need(new)}", name)
    yield from _compare_ranges(name, _range(old), _range(new))
    targets = _target(old), _target(new)
    if not same(*targets):
        skills = all("skill" in target for target in targets)
        rule = "tool.skill-changed" if skills else "tool.target-changed"
        yield change(rule, name, *targets)
    if not same(old.get("interface"), new.get("interface")):
        yield change("tool.reworded", name, old.get("interface"), new.get("interface"))
    if not same(old.get("resolved"), new.get("resolved")):
        yield change("tool.pin-changed", name, old.get("resolved"), new.get("resolved"))
    others = _others(old), _others(new)
    if not same(*others):
        yield change("tool.setting-changed", name, *others)


def _range(tool: Tool) -> str:
    found = tool.get("version")
    return found if isinstance(found, str) else "*"


def _compare_ranges(name: str, old: str, new: str) -> Iterator[Change]:
    if old == new:
        return
    try:
        first, second = VersionRange.parse(old), VersionRange.parse(new)
    except InvalidRange:
        yield change("tool.range-moved", name, old, new)
        return
    rule = {
        (True, True): "tool.range-rewritten",
        (True, False): "tool.range-widened",
        (False, True): "tool.range-narrowed",
        (False, False): "tool.range-moved",
    }[second.includes(first), first.includes(second)]
    yield change(rule, name, old, new)


def _target(tool: Tool) -> dict[str, Json]:
    """What runs or is called behind the name; nothing for an agent that any place may give."""
    return {key: tool[key] for key in _TARGETS if key in tool}


def _others(tool: Tool) -> dict[str, Json]:
    return {key: value for key, value in tool.items() if key not in _PLAIN}


def _hosts(view: AgentView) -> set[str]:
    found: set[str] = set()
    for tool in _tools(view).values():
        for key in _CALLED:
            found |= _hosts_in(tool.get(key))
    outputs = value_at(object_at(view.definition, "logging"), "outputs")
    return found | _hosts_in(outputs)


def _hosts_in(value: Json) -> set[str]:
    """The hosts of all URLs in a value."""
    if isinstance(value, str):
        return {host} if (host := host_of(value)) else set()
    inner: list[Json] = list(value.values()) if isinstance(value, dict) else []
    inner += value if isinstance(value, list) else []
    return set().union(*map(_hosts_in, inner))


def host_of(text: str) -> str | None:
    """The host, with its port, of an http URL; None for other texts."""
    if not text.startswith(("http://", "https://")):
        return None
    try:
        return urlsplit(text).netloc.rpartition("@")[2].lower() or None
    except ValueError:
        return None
