"""The patch that makes one definition of another: what an Agentfile did to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from agentoci.definition import flat
from agentoci.definition.flat import Flat, Path
from agentoci.definition.merging import Patch
from agentoci.spec.jsonio import Json

_LISTS: Final = (*flat.KEYED, *sorted(flat.UNIONS))


def difference(before: Mapping[str, Json], after: Mapping[str, Json]) -> Patch:
    """The least patch that laid over `before` gives `after`; none is smaller by much.

    Neither may be a patch itself. A constraint that is gone is among `removes`; one that changed
    makes the patch contradict `before`.
    """
    old, new = flat.flatten(before), flat.flatten(after)
    removes = frozenset(_tops(path for path in old if path not in new))
    said = {path for path in new if path not in old or old[path] != new[path]}
    touched = {entry for path in said if (entry := _entry_of(path))}
    said |= {path for path in new if _entry_of(path) in touched}
    if any(path[:1] == flat.METADATA for path in removes):
        removes = frozenset(path for path in removes if path[:1] != flat.METADATA)
        said |= {path for path in new if path[0] in ("apiVersion", "kind", "metadata")}
    moved = [name for name in _LISTS if _is_moved(name, old, new, removes, said)]
    removes = frozenset(path for path in removes if not _is_in(path, moved)) | set(moved)
    said |= {path for path in new if _is_in(path, moved)}
    around = {path[:end] for path in said for end in range(1, len(path))}
    return Patch({p: v for p, v in new.items() if p in said or p in around}, removes)


def _tops(paths: Iterable[Path]) -> list[Path]:
    """Without what lies below another one; they come in the order of a document."""
    made: list[Path] = []
    known: set[Path] = set()
    for path in paths:
        if not flat.is_below(path[:-1], known):
            made.append(path)
            known.add(path)
    return made


def _entry_of(path: Path) -> Path | None:
    """The entry of a keyed list that a path belongs to: one that changes is written whole."""
    for name in flat.KEYED:
        if path[: len(name)] == name and len(path) > len(name):
            return path[: len(name) + 1]
    return None


def _is_moved(name: Path, old: Flat, new: Flat, removes: frozenset[Path], said: set[Path]) -> bool:
    """Whether laying the patch over a list would leave its entries in another order."""
    if name not in old or name not in new:
        return False
    kept = [path for path in _entries(name, old) if not flat.is_below(path, removes)]
    added = [path for path in _entries(name, new) if path in said and path not in kept]
    return [*kept, *added] != _entries(name, new)


def _entries(name: Path, values: Flat) -> list[Path]:
    return [path for path in values if path[:-1] == name]


def _is_in(path: Path, names: Iterable[Path]) -> bool:
    return any(path[: len(name)] == name for name in names)
