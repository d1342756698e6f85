"""Whether what an agent requires is at hand. Ranges are resolved by the lock, not here."""

from __future__ import annotations

from collections.abc import Iterable

from agentoci.agentfile.nodes import Require
from agentoci.errors import AgentociError
from agentoci.spec.reference import Reference
from agentoci.store.layout import LayoutStore


def unsatisfied(store: LayoutStore, required: Iterable[Require]) -> list[Require]:
    """The requirements for which the store has no image of that name and version.

    A version matches the tag of the same text, or a longer one (`1.0` matches `1.0.3`); a range
    (`>=1.0`) or `*` matches any tag of the name.
    """
    wanted = list(required)
    if not wanted:
        return []
    tags = _tags_by_name(store)
    return [r for r in wanted if not _matches(r, tags.get(r.name, set()))]


def _matches(require: Require, tags: set[str]) -> bool:
    version = require.version
    if version == "*" or not version[0].isdigit() or "," in version:
        return bool(tags)
    return any(tag == version or tag.startswith(version + ".") for tag in tags)


def _tags_by_name(store: LayoutStore) -> dict[str, set[str]]:
    tags: dict[str, set[str]] = {}
    for entry in store.index.read():
        if entry.name is None:
            continue
        try:
            reference = Reference.parse(entry.name)
        except AgentociError:
            continue
        for name in {reference.name, reference.repository.rpartition("/")[2]}:
            tags.setdefault(name, set()).add(reference.tag or "latest")
    return tags
