"""Merging definitions: what a child says, laid over what its parents say.

A document with `spec.extensions`, or with parts left out, is a patch. `merge` is associative and
the blank document neutral, so a line of patches may be put together in any grouping: a removal
survives in a patch that has not met what it removes. The policy is one table of paths:

* mappings merge deeply, the later value wins; lists that have no policy are replaced whole;
* tools (by name), grants (by user) and metrics (by name) merge entry by entry, key by key;
* knowledge files are unions in order; tools and knowledge files can be removed;
* constraints (by id) and invariants (by their text) are only added: a child is held to all that
  its parents are held to;
* `metadata` of a whole definition (one with `apiVersion`) stands in the place of the parent's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from agentoci.definition import flat
from agentoci.definition.flat import Flat, Path
from agentoci.definition.toolkinds import TOOL_KINDS
from agentoci.errors import Invalid
from agentoci.spec.jsonio import Json

REMOVED: Final = "removed"
"""The key of a patch that lists, as JSON pointers by name, what no `extensions` can take away."""

_WHOLE: Final = ("apiVersion",)
_OF_A_KIND: Final = (*sorted(TOOL_KINDS), "version", "reference")
"""What of a tool goes when it becomes one of another kind: its version was another thing's."""

PARTS: Final[Mapping[str, tuple[Path, ...]]] = {
    **{
        name: (("spec", name),)
        for name in ("interface", "requires", "knowledge", "behavior", "config_template")
    },
    **{name: (("spec", name),) for name in ("constraints", "invariants")},
    **{
        name: ((name,),)
        for name in ("permissions", "isolation", "health_check", "metrics", "logging")
    },
}
"""What `spec.inherit` can list, and where it stands."""

_EXTENSIONS_OF: Final = {"requires": "tools"}
"""Parts whose key in `spec.extensions` is another one."""


class Contradiction(Invalid):
    """A child says something else of a constraint than its parent; `path` is that in the table."""

    def __init__(self, path: Path, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.path = path


@dataclass(frozen=True, slots=True)
class Patch:
    """What a document says (`values`), and what it takes away from what it is laid over."""

    values: Flat = field(default_factory=dict)
    removes: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, document: Mapping[str, Json]) -> Patch:
        """Read a definition or a patch; `spec.inherit` has no meaning here."""
        body = {key: value for key, value in document.items() if key != REMOVED}
        spec = dict(_mapping(body.get("spec")))
        extensions = _mapping(spec.pop("extensions", None))
        spec.pop("inherit", None)
        values = flat.flatten({**body, "spec": spec} if "spec" in body else body)
        for path, value in _additions(extensions):
            values = _laid_over(values, flat.flatten_at(path, value))
        removes = frozenset([*_removals(extensions), *_removed(document.get(REMOVED))])
        return cls(values, removes)

    def over(self, under: Patch) -> Patch:
        """Both as one patch; raises Contradiction."""
        kept = self.spares(under.values)
        return Patch(_laid_over(kept, self.values), under.removes | self.removes)

    def spares(self, values: Flat) -> Flat:
        """What of the values under it stays, before its own are laid over them."""
        return flat.without(values, [*self.removes, *self._replaces()])

    def document(self) -> dict[str, Json]:
        """The patch as a document that `of` reads back to the same."""
        made = flat.unflatten(self.values)
        tools, knowledge, others = _sorted_removals(self.removes)
        extensions: dict[str, Json] = {}
        if tools:
            extensions["tools"] = {"remove": list(tools)}
        if knowledge:
            extensions["knowledge"] = {"remove": list(knowledge)}
        if extensions:
            spec = made.setdefault("spec", {})
            assert isinstance(spec, dict)  # noqa: S101 (it is a mapping in every table)
            spec["extensions"] = extensions
        if others:
            made[REMOVED] = list(others)
        return made

    def _replaces(self) -> Iterable[Path]:
        """What must go though no removal says so."""
        if _WHOLE in self.values:
            yield flat.METADATA
        for path in self.values:
            if path[:-2] == flat.TOOLS and path[-1] in TOOL_KINDS:
                yield from ((*path[:-1], key) for key in _OF_A_KIND)


def merge(under: Mapping[str, Json], over: Mapping[str, Json]) -> dict[str, Json]:
    """`over` laid over `under`, as one document; raises Contradiction."""
    return Patch.of(over).over(Patch.of(under)).document()


def taken(document: Mapping[str, Json], parts: Iterable[str]) -> dict[str, Json]:
    """What of a document a child takes over that inherits these parts alone."""
    left_out = [name for name in PARTS if name not in set(parts)]
    gone = frozenset(path for name in left_out for path in PARTS[name])
    made = {key: value for key, value in document.items() if (key,) not in gone}
    if "spec" in document:
        spec = _mapping(document["spec"])
        made["spec"] = {key: value for key, value in spec.items() if ("spec", key) not in gone}
        _take_extensions(made["spec"], left_out)
    if REMOVED in document:
        removed = [_pointer(p) for p in _removed(document[REMOVED]) if not flat.is_below(p, gone)]
        made[REMOVED] = list(removed)
    return made


def _take_extensions(spec: Json, left_out: Iterable[str]) -> None:
    if not isinstance(spec, dict) or "extensions" not in spec:
        return
    names = {_EXTENSIONS_OF.get(name, name) for name in left_out}
    inner = _mapping(spec["extensions"])
    spec["extensions"] = {key: value for key, value in inner.items() if key not in names}


def _laid_over(under: Flat, over: Flat) -> Flat:
    made = dict(under)
    for path, value in over.items():
        known = path in made and made[path] != value
        if known and path[:-2] == flat.CONSTRAINTS:
            raise _contradiction(path)
        made[path] = value
    return made


def _contradiction(path: Path) -> Contradiction:
    *_, name, key = path
    return Contradiction(
        path,
        f"constraint '{name}' is the parent's, and cannot get another {key}",
        hint="constraints are only added: give yours another id",
    )


def _additions(extensions: Mapping[str, Json]) -> Iterable[tuple[Path, Json]]:
    """What extensions add, each with where it belongs; new knowledge is of the type."""
    places = {
        ("tools", "add"): flat.TOOLS,
        ("knowledge", "add"): (*flat.KNOWLEDGE, "static"),
        ("behavior", "override"): ("spec", "behavior"),
        ("constraints", "add"): flat.CONSTRAINTS,
        ("invariants", "add"): flat.INVARIANTS,
    }
    for (name, verb), path in places.items():
        value = _mapping(extensions.get(name)).get(verb)
        if value:
            yield from (((*path[:end],), {}) for end in range(1, len(path)))
            yield path, value


def _removals(extensions: Mapping[str, Json]) -> Iterable[Path]:
    for name in _texts(_mapping(extensions.get("tools")).get("remove")):
        yield (*flat.TOOLS, name)
    for name in _texts(_mapping(extensions.get("knowledge")).get("remove")):
        yield from ((*flat.KNOWLEDGE, kind, name) for kind in flat.KNOWLEDGE_LISTS)


def _sorted_removals(removes: frozenset[Path]) -> tuple[list[str], list[str], list[str]]:
    """Tools, knowledge files and all else (as pointers), each in order."""
    tools = [path[-1] for path in removes if path[:-1] == flat.TOOLS]
    files = {path[-1] for path in removes if len(path) == 4 and path[:2] == flat.KNOWLEDGE}
    knowledge = [
        name
        for name in files
        if all((*flat.KNOWLEDGE, kind, name) in removes for kind in flat.KNOWLEDGE_LISTS)
    ]
    named = {*((*flat.TOOLS, name) for name in tools)}
    named |= {(*flat.KNOWLEDGE, kind, name) for name in knowledge for kind in flat.KNOWLEDGE_LISTS}
    others = [_pointer(path) for path in removes - named]
    return sorted(tools), sorted(knowledge), sorted(others)


def _removed(value: Json) -> list[Path]:
    return [
        tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])
        for text in _texts(value)
    ]


def _pointer(path: Path) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _texts(value: Json) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []
