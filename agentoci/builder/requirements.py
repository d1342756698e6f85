"""Whether the agents that are required are at hand; which one it is, the lock says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentoci.agentfile.nodes import Require
from agentoci.builder.replay import Trace, tags_of
from agentoci.store.layout import LayoutStore

_ANY = "*"


def unsatisfied(store: LayoutStore, required: Iterable[Require], *, trace: Trace) -> list[Require]:
    """The agents required for which the store has no image of that name and version.

    A version or range takes tags that name versions within it (`1.0` takes `1.0` and `1.0.3`), `*`
    takes any tag.
    """
    wanted = [require for require in required if require.kind == "agent"]
    if not wanted:
        return []
    names = [entry.name for entry in store.index.read() if entry.name is not None]
    for require in wanted:
        name = require.source or require.name
        trace.tags[name] = tags_of(names, name)
    return [r for r in wanted if not _matches(r, trace.tags[r.source or r.name])]


def _matches(require: Require, tags: Sequence[str]) -> bool:
    if require.version == _ANY:
        return bool(tags)
    from agentoci.spec.ranges import InvalidRange, VersionRange

    wanted = VersionRange.parse(require.version)
    for tag in tags:
        try:
            if wanted.includes(VersionRange.parse(tag)):
                return True
        except InvalidRange:
            continue  # `latest` names no version
    return False
