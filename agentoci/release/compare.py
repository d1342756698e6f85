"""The comparison of two agents: every part by its own rules, and the rest key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agentoci.release import settingdiff
from agentoci.release.changes import AgentDiff, Change, change, in_order
from agentoci.release.documents import Path, compare_settings, leaves, object_at, same, value_at
from agentoci.release.filediff import compare_files
from agentoci.release.interfacediff import compare_interfaces
from agentoci.release.tooldiff import compare_hosts, compare_tools
from agentoci.release.view import AgentView
from agentoci.spec.jsonio import Json

_COMPARED: Final[tuple[Path, ...]] = (
    ("metadata",),
    ("spec", "interface"),
    ("spec", "requires", "tools"),
    ("spec", "knowledge", "static"),
    ("spec", "knowledge", "dynamic"),
    ("spec", "knowledge", "principles"),
    ("spec", "behavior"),
    ("spec", "config_template", "llm", "supported_models"),
    *(("spec", "config_template", "llm", "temperature", key) for key in ("min", "max", "default")),
    *(("spec", "config_template", "context_window", key) for key in ("min", "max", "recommended")),
    ("spec", "config_template", "api_endpoints"),
    ("spec", "constraints"),
    ("spec", "invariants"),
    ("permissions", "execution"),
    ("permissions", "resource_limits"),
    ("isolation",),
    ("health_check",),
    ("metrics",),
    ("logging",),
    # A compiled definition holds what came of these.
    ("spec", "inherit"),
    ("spec", "extensions"),
)
"""Parts of a definition that have rules of their own; all others are settings."""

_OWN_KEYS: Final = {"definition", "requirements", "healthcheck", "format", "lineage"}
"""Keys of the config that are compared elsewhere, or say nothing of what the agent is."""

_PROVENANCE: Final = frozenset(
    f"org.opencontainers.image.{key}"
    for key in ("created", "revision", "source", "version", "ref.name", "url")
)


def compare(before: AgentView, after: AgentView, *, texts: bool = True) -> AgentDiff:
    """What changed; `texts` reads the files that changed and shows how.

    Comparing an agent with itself finds nothing, and comparing the other way round the inverse.
    """
    found = _changes(before, after, texts=texts) if _differ(before, after) else ()
    return AgentDiff(before.side, after.side, in_order(found))


def _differ(before: AgentView, after: AgentView) -> bool:
    return before.side.digest != after.side.digest


def _changes(before: AgentView, after: AgentView, *, texts: bool) -> Iterator[Change]:
    old, new = before.definition, after.definition
    yield from _compare_identity(before, after)
    yield from compare_interfaces(_interface(old), _interface(new))
    yield from compare_tools(before, after)
    yield from compare_hosts(before, after)
    yield from settingdiff.compare_models(old, new)
    yield from settingdiff.compare_behavior(old, new)
    yield from compare_files(before, after, texts=texts)
    yield from settingdiff.compare_knowledge_lists(old, new)
    yield from settingdiff.compare_permissions(old, new)
    yield from settingdiff.compare_constraints(old, new)
    yield from settingdiff.compare_operation(old, new)
    yield from _compare_configs(before, after)
    yield from compare_settings(_rest(before), _rest(after), "setting")


def _interface(document: Mapping[str, Json]) -> str | None:
    found = value_at(document, "spec", "interface")
    return found if isinstance(found, str) else None


def _compare_identity(before: AgentView, after: AgentView) -> Iterator[Change]:
    old, new = object_at(before.definition, "metadata"), object_at(after.definition, "metadata")
    for key in sorted({*old, *new}):
        was, is_now = old.get(key), new.get(key)
        if not same(was, is_now):
            own = key in ("name", "version", "created", "parent")
            rule = f"agent.{key}-changed" if own else "agent.metadata-changed"
            yield change(rule, "" if own else key, was, is_now)
    if before.base != after.base:
        yield change("agent.base-changed", "", before.base, after.base)


def _compare_configs(before: AgentView, after: AgentView) -> Iterator[Change]:
    old, new = before.config, after.config
    yield from compare_settings(_variables(old.env), _variables(new.env), "env")
    if old.entrypoint != new.entrypoint:
        yield change("entrypoint.changed", "", [*old.entrypoint] or None, [*new.entrypoint] or None)
    if old.working_dir != new.working_dir:
        yield change("working-dir.changed", "", old.working_dir, new.working_dir)
    for found in compare_settings(_values(old.labels), _values(new.labels), "label"):
        if found.subject in _PROVENANCE:
            yield change("provenance.changed", found.subject, found.before, found.after)
        else:
            yield found
    yield from settingdiff.compare_health_commands(
        old.agentoci.get("healthcheck"), new.agentoci.get("healthcheck")
    )


def _variables(env: tuple[str, ...]) -> dict[str, Json]:
    return {key: value for key, _, value in (text.partition("=") for text in env)}


def _values(labels: Mapping[str, str]) -> dict[str, Json]:
    return dict(labels)


def _rest(view: AgentView) -> dict[str, Json]:
    """What no rule knows, by dotted path, so that nothing changes unseen."""
    document = {key: value for key, value in view.config.agentoci.items() if key not in _OWN_KEYS}
    found = [*leaves(dict(view.definition)), *((("agentoci", *p), v) for p, v in leaves(document))]
    return {
        ".".join(path): value
        for path, value in found
        if value != {} and not any(path[: len(known)] == known for known in _COMPARED)
    }
