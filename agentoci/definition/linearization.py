"""The order of ancestors: the C3 linearisation of their lines, as in Python's classes.

A definition comes before all that it extends, parents in the order in which they are listed,
nobody twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agentoci.definition.lineage import Entry, Lineage, identity
from agentoci.definition.merging import PARTS, Patch, taken
from agentoci.definition.parents import Source
from agentoci.errors import SourceFaults
from agentoci.spec.jsonio import Json

ARROW: Final = " → "


@dataclass(frozen=True, slots=True)
class Node:
    """One ancestor as a descendant sees it: what it takes over of it, and by which line.

    `image` is the whole lineage of one that is an image, rather than a file.
    """

    key: str
    entries: tuple[Entry, ...]
    where: str
    line: tuple[str, ...]
    image: Lineage | None = None

    @property
    def name(self) -> str:
        """The name without the version."""
        return self.key.rpartition("@")[0]

    @property
    def way(self) -> str:
        """The line for people: `child@1.0.0 → parent@1.0.0`."""
        return ARROW.join(self.line)

    def seen_from(self, child: str) -> Node:
        """The same as a descendant one step further sees it."""
        return replace(self, line=(child, *self.line))

    def taken(self, parts: frozenset[str] | None) -> Node:
        """As a child sees it that takes over these parts alone (None: all)."""
        if parts is None:
            return self
        entries = tuple(Entry(e.origin, taken(e.document, parts)) for e in self.entries)
        return replace(self, entries=entries)


def linearise(orders: Sequence[Sequence[str]]) -> list[str] | None:
    """The C3 merge of orders: one that keeps them all; None when there is none."""
    waiting = [list(order) for order in orders if order]
    made: list[str] = []
    while waiting:
        later = {key for order in waiting for key in order[1:]}
        key = next((order[0] for order in waiting if order[0] not in later), None)
        if key is None:
            return None
        made.append(key)
        waiting = [[k for k in order if k != key] for order in waiting]
        waiting = [order for order in waiting if order]
    return made


def nodes_of_image(source: Source, lineage: Lineage) -> list[Node]:
    """The ancestors that an image's lineage tells of; what an Agentfile said is its agent's."""
    groups: list[list[Entry]] = []
    for entry in lineage.entries:
        if not groups or entry.is_definition or "apiVersion" in entry.document:
            groups.append([])
        groups[-1].append(entry)
    nodes: list[Node] = []
    line: tuple[str, ...] = ()
    for number in range(len(groups), 0, -1):
        so_far = Lineage(tuple(entry for group in groups[:number] for entry in group))
        key = identity(so_far.document())
        line = (*line, key)
        nodes.append(Node(key, tuple(groups[number - 1]), source.where, line, so_far))
    return nodes


def united(one: Node, other: Node, source: Source) -> Node:
    """An ancestor of two lines, of which each may take over other parts.

    Raises SourceFaults, at `source`, when they mean different things by its name.
    """
    if one.entries == other.entries:
        return one
    pairs = list(zip(one.entries, other.entries, strict=False))
    entries = [Entry(a.origin, whole) for a, b in pairs if (whole := _both(a, b)) is not None]
    if not len(entries) == len(one.entries) == len(other.entries):
        ways = " and ".join(f"{node.way} ({node.where})" for node in (one, other))
        message = f"{one.key} has other content on two lines: {ways}"
        fault = source.parent_fault(None, message, "raise the version of one")
        raise SourceFaults([fault])
    return replace(one, entries=tuple(entries))


def _both(one: Entry, other: Entry) -> dict[str, Json] | None:
    """Two selections of the parts of one document as one; None when they are of two."""
    common = _parts(one.document) & _parts(other.document)
    a, b = Patch.of(one.document), Patch.of(other.document)
    a_common, b_common = (Patch.of(taken(e.document, common)) for e in (one, other))
    if one.origin != other.origin or a_common != b_common:
        return None
    return b.over(a).document()


def _parts(document: Mapping[str, Json]) -> set[str]:
    """The parts of which a document says something."""
    nothing = taken(document, ())
    return {name for name in PARTS if taken(document, [name]) != nothing}
