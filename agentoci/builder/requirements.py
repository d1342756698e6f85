"""Whether what an agent requires is at hand. Ranges are resolved by the lock, not here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentoci.agentfile.nodes import Require
from agentoci.builder.replay import Trace, tags_of
from agentoci.store.layout import LayoutStore


def unsatisfied(store: LayoutStore, required: Iterable[Require], *, trace: Trace) -> list[Require]:
    """The requirements for which the store has no image of that name and version.

    A version matches the tag of the same text, or a longer one (`1.0` matches `1.0.3`); a range
    (`>=1.0`) or `*` matches any tag of the name.
    """
    wanted = list(required)
    if not wanted:
        return []
    names = [entry.name for entry in store.index.read() if entry.name is not None]
    for require in wanted:
        trace.tags[require.name] = tags_of(names, require.name)
    return [r for r in wanted if not _matches(r, trace.tags[r.name])]


def _matches(require: Require, tags: Sequence[str]) -> bool:
    version = require.version
    if version == "*" or not version[0].isdigit() or "," in version:
        return bool(tags)
    return any(tag == version or tag.startswith(version + ".") for tag in tags)
