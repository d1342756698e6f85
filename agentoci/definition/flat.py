"""A definition as a flat table: the path of every value, lists with keys read as mappings.

In this form two definitions are merged as tables are: a tool is found by its name, a knowledge
file by its path, whatever their positions. `flatten` and `unflatten` are inverse for a document
whose lists hold no entry twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias

from agentoci.errors import Integrity
from agentoci.spec.jsonio import Json

Path: TypeAlias = tuple[str, ...]
"""Keys from the root; an entry of a list is found by what names it."""

Flat: TypeAlias = dict[Path, Json]
"""Paths in the order of the document; lists and mappings have an entry of their own, empty."""

TOOLS: Final = ("spec", "requires", "tools")
KNOWLEDGE: Final = ("spec", "knowledge")
CONSTRAINTS: Final = ("spec", "constraints")
INVARIANTS: Final = ("spec", "invariants")
METADATA: Final = ("metadata",)

KNOWLEDGE_LISTS: Final = ("static", "dynamic", "principles")

KEYED: Final[Mapping[Path, str]] = {
    TOOLS: "name",
    CONSTRAINTS: "id",
    ("permissions", "execution"): "user",
    ("metrics",): "name",
}
"""Lists of mappings, and the key that names an entry."""

UNIONS: Final = frozenset({*((*KNOWLEDGE, name) for name in KNOWLEDGE_LISTS), INVARIANTS})
"""Lists of texts in which a text stands once."""


class Tangled(Integrity):
    """Documents that are no definitions were merged: one has a value where another has more."""


def flatten(document: Mapping[str, Json]) -> Flat:
    """The table of a document; a list that is neither keyed nor a union is one value."""
    made: Flat = {}
    for key, value in document.items():
        _add(made, (key,), value)
    return made


def flatten_at(path: Path, value: Json) -> Flat:
    """The table of what stands at a path of a document."""
    made: Flat = {}
    _add(made, path, value)
    return made


def unflatten(flat: Mapping[Path, Json]) -> dict[str, Json]:
    """The document of a table; raises Tangled for one of documents of different shapes."""
    made: dict[str, Json] = {}
    for path, value in flat.items():
        around = made
        for step in path[:-1]:
            inner = around.setdefault(step, {})
            if not isinstance(inner, dict):
                raise Tangled(f"{'.'.join(path)[:60]}: a value stands where a mapping should")
            around = inner
        if is_container(path, value):
            around.setdefault(path[-1], {})
        else:
            around[path[-1]] = value
    return {key: _listed((key,), value) for key, value in made.items()}


def is_container(path: Path, value: Json) -> bool:
    """Whether the entry says no more than that there is a list or a mapping."""
    if value == [] and (path in KEYED or path in UNIONS):
        return True
    return value == {} and not _is_in_entry(path)


def without(flat: Mapping[Path, Json], prefixes: Iterable[Path]) -> Flat:
    """The table without what stands at or below the prefixes."""
    gone = frozenset(prefixes)
    if not gone:
        return dict(flat)
    return {path: value for path, value in flat.items() if not is_below(path, gone)}


def is_below(path: Path, prefixes: AbstractSet[Path]) -> bool:
    """Whether the path, or one around it, is among the prefixes."""
    return any(path[:end] in prefixes for end in range(1, len(path) + 1))


def pointers(document: Mapping[str, Json]) -> dict[Path, str]:
    """The JSON pointer (RFC 6901) of every value of a document, by its path in the table."""
    found: dict[Path, str] = {}
    for key, value in document.items():
        _point(found, (key,), f"/{_escaped(key)}", value)
    return found


def _add(made: Flat, path: Path, value: Json) -> None:
    if isinstance(value, list) and path in KEYED:
        made.setdefault(path, [])
        for entry in value:
            if isinstance(entry, dict):
                _add_entry(made, path, entry)
    elif isinstance(value, list) and path in UNIONS:
        made.setdefault(path, [])
        made.update({(*path, str(text)): text for text in value})
    elif isinstance(value, dict) and not _is_in_entry(path):
        made.setdefault(path, {})
        for key, inner in value.items():
            _add(made, (*path, key), inner)
    else:
        made[path] = value


def _add_entry(made: Flat, path: Path, entry: Mapping[str, Json]) -> None:
    name = str(entry.get(KEYED[path]))
    made.setdefault((*path, name), {})
    made.update({(*path, name, key): value for key, value in entry.items()})


def _is_in_entry(path: Path) -> bool:
    """Whether it is a key of an entry of a keyed list: its value is not looked into."""
    return path[:-2] in KEYED


def _listed(path: Path, value: Json) -> Json:
    """The lists again, where mappings stand for them."""
    if not isinstance(value, dict) or _is_in_entry(path):
        return value
    if path in KEYED or path in UNIONS:
        return list(value.values())
    return {key: _listed((*path, key), inner) for key, inner in value.items()}


def _point(found: dict[Path, str], path: Path, pointer: str, value: Json) -> None:
    if isinstance(value, list) and (path in KEYED or path in UNIONS):
        for index, entry in enumerate(value):
            if isinstance(entry, dict) and path in KEYED:
                named = (*path, str(entry.get(KEYED[path])))
                for key in entry:
                    found[(*named, key)] = f"{pointer}/{index}/{_escaped(key)}"
            else:
                found[(*path, str(entry))] = f"{pointer}/{index}"
    elif isinstance(value, dict) and not _is_in_entry(path):
        for key, inner in value.items():
            _point(found, (*path, key), f"{pointer}/{_escaped(key)}", inner)
    else:
        found[path] = pointer


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
