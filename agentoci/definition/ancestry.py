"""From a definition to its lineage: its parents found, theirs too, and all put in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentoci._internal import limits
from agentoci.definition.lineage import Entry, Lineage
from agentoci.definition.linearization import (
    ARROW,
    Node,
    linearise,
    nodes_of_image,
    united,
)
from agentoci.definition.merging import Contradiction
from agentoci.definition.parents import (
    Find,
    ParentMissing,
    ParentName,
    Source,
    inherited_parts,
    parents_of,
)
from agentoci.definition.places import Path
from agentoci.definition.wording import hint_for
from agentoci.errors import AgentociError, Fault, NotFound, SourceFaults
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class Ancestry:
    """A definition and all its ancestors, itself first."""

    nodes: tuple[Node, ...]
    lineage: Lineage

    @property
    def keys(self) -> frozenset[str]:
        """`name@version` of all."""
        return frozenset(node.key for node in self.nodes)


def resolve(source: Source, find: Find) -> Ancestry:
    """The ancestry of a definition.

    Raises SourceFaults for cycles, for parents that contradict each other or cannot be put in an
    order, for removals of what no parent has; ParentMissing for a parent that is nowhere.
    """
    nodes = tuple(_Search(find).nodes_of(source, ()))
    return Ancestry(nodes, _lineage_of(nodes))


@dataclass(slots=True)
class _Search:
    """The search for all ancestors; each definition is looked at once."""

    find: Find
    known: dict[str, list[Node]] = field(default_factory=dict)

    def nodes_of(self, source: Source, line: tuple[str, ...]) -> list[Node]:
        """The definition and its ancestors, itself first."""
        if source.lineage is not None:
            return nodes_of_image(source, source.lineage)
        parents = parents_of(source.document)
        lines = [self._line_of(parent, source, index, line) for index, parent in enumerate(parents)]
        order = self._order(source, parents, lines)
        own = Node(source.key, (Entry(source.key, source.document),), source.where, (source.key,))
        made = [own, *(node.seen_from(source.key) for node in order)]
        self._check_versions(source, made)
        _check_sum(source, _lineage_of(order), _lineage_of(made))
        return made

    def _line_of(
        self, parent: ParentName, child: Source, index: int, line: tuple[str, ...]
    ) -> list[Node]:
        """What a child takes over of one parent and its ancestors."""
        line = (*line, child.key)
        if str(parent) in line:
            cycle = ARROW.join((*line[line.index(str(parent)) :], str(parent)))
            raise SourceFaults([child.parent_fault(index, f"the parents go in a circle: {cycle}")])
        if len(line) > limits.MAX_ANCESTORS:
            raise SourceFaults(
                [child.parent_fault(index, f"more than {len(line) - 1} parents in line")]
            )
        if str(parent) not in self.known:
            self.known[str(parent)] = self.nodes_of(self._found(parent, child, index, line), line)
            if len(self.known) > limits.MAX_ANCESTORS:
                raise SourceFaults(
                    [child.parent_fault(index, f"more than {len(self.known) - 1} parents")]
                )
        parts = inherited_parts(child.document)
        return [node.taken(parts) for node in self.known[str(parent)]]

    def _found(
        self, parent: ParentName, child: Source, index: int, line: tuple[str, ...]
    ) -> Source:
        try:
            found = self.find(parent, child)
        except AgentociError as exc:
            if exc.shows_lines:  # a fault of the parent's own file
                raise
            message = f"{exc.message} ({ARROW.join((*line, str(parent)))})"
            fault = child.parent_fault(index, message, hint=exc.hint)
            raise ParentMissing(fault, exc) from exc
        if found.key != str(parent):
            told = f"{found.where} is {found.key}, not {parent}"
            raise ParentMissing(child.parent_fault(index, told), NotFound(told))
        return found

    def _order(
        self, source: Source, parents: Sequence[ParentName], lines: list[list[Node]]
    ) -> list[Node]:
        nodes: dict[str, Node] = {}
        for node in (node for line in lines for node in line):
            known = nodes.get(node.key)
            nodes[node.key] = node if known is None else united(known, node, source)
        orders = [[node.key for node in line] for line in lines]
        merged = linearise([*orders, [str(parent) for parent in parents]])
        if merged is None:
            shown = "; ".join(", ".join(order) for order in orders)
            message = f"its parents cannot be put in one order: {shown}"
            hint = "list a parent before those that it extends"
            raise SourceFaults([source.parent_fault(None, message, hint=hint)])
        return [nodes[key] for key in merged]

    def _check_versions(self, source: Source, nodes: Sequence[Node]) -> None:
        """Refuse two versions of one definition, unless one extends the other."""
        by_name: dict[str, Node] = {}
        for node in nodes:
            other = by_name.setdefault(node.name, node)
            if node is other or self._extends(other, node):
                continue
            ways = f"{other.way} and {node.way}"
            message = f"two versions of {node.name}: {ways}"
            hint = "let both lines extend the same version"
            raise SourceFaults([source.parent_fault(None, message, hint=hint)])

    def _extends(self, node: Node, other: Node) -> bool:
        below = self.known.get(node.key)
        if below is None:
            return node.line == other.line[: len(node.line)]
        return any(each.key == other.key for each in below)


def _lineage_of(nodes: Sequence[Node]) -> Lineage:
    """The root first."""
    return Lineage(tuple(entry for node in reversed(nodes) for entry in node.entries))


def _check_sum(source: Source, inherited: Lineage, whole: Lineage) -> None:
    """Raise SourceFaults for what a definition says that its parents do not let it say."""
    try:
        _check_removals(source, inherited.document() if inherited.entries else {})
        whole.document()
    except Contradiction as exc:
        place = _place_of_constraint(source, exc)
        if place is None:
            message = f"its parents contradict each other: {exc.message}"
            raise SourceFaults([source.parent_fault(None, message)]) from exc
        raise SourceFaults([source.fault(place, exc.message, exc.hint)]) from exc


def _check_removals(source: Source, inherited: Mapping[str, Json]) -> None:
    spec = _mapping(inherited.get("spec"))
    files = [path for listed in _mapping(spec.get("knowledge")).values() for path in _list(listed)]
    tools = [
        _mapping(tool).get("name") for tool in _list(_mapping(spec.get("requires")).get("tools"))
    ]
    extensions = _mapping(_mapping(source.document.get("spec")).get("extensions"))
    faults: list[Fault] = []
    for part, there in (("tools", tools), ("knowledge", files)):
        names = [str(name) for name in there]
        for index, name in enumerate(_list(_mapping(extensions.get(part)).get("remove"))):
            if name not in names:
                message = f"'{name}' cannot be removed: no parent has it"
                hint = hint_for(str(name), names) if names else "there is nothing to remove"
                path = ("spec", "extensions", part, "remove", index)
                faults.append(source.fault(path, message, hint))
    if faults:
        raise SourceFaults(faults)


def _place_of_constraint(source: Source, error: Contradiction) -> Path | None:
    """Where a definition itself says what contradicts."""
    *_, name, key = error.path
    spec = _mapping(source.document.get("spec"))
    added = _mapping(_mapping(spec.get("extensions")).get("constraints")).get("add")
    places: tuple[tuple[Path, Json], ...] = (
        (("spec", "extensions", "constraints", "add"), added),
        (("spec", "constraints"), spec.get("constraints")),
    )
    for path, listed in places:
        for index, entry in enumerate(_list(listed)):
            if _mapping(entry).get("id") == name and key in _mapping(entry):
                return (*path, index, key)
    return None


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
