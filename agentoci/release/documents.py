"""Looking into a definition's document, which is JSON: by path, by name, by leaf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentoci.release.changes import Change, change
from agentoci.spec.jsonio import Json

Path = tuple[str, ...]


def value_at(document: Json | Mapping[str, Json], *path: str) -> Json:
    """What stands at a path; None when nothing does."""
    found = document
    for step in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return dict(found) if isinstance(found, Mapping) else found


def object_at(document: Json | Mapping[str, Json], *path: str) -> dict[str, Json]:
    """The object at a path, an empty one when there is none."""
    found = value_at(document, *path)
    return found if isinstance(found, dict) else {}


def texts_at(document: Json | Mapping[str, Json], *path: str) -> list[str]:
    """The texts of the list at a path, each once, in its order."""
    found = value_at(document, *path)
    listed = found if isinstance(found, list) else []
    return list(dict.fromkeys(text for text in listed if isinstance(text, str)))


def named_at(
    document: Json | Mapping[str, Json], *path: str, by: str = "name"
) -> dict[str, dict[str, Json]]:
    """The objects of the list at a path, by their key `by`."""
    found = value_at(document, *path)
    listed = found if isinstance(found, list) else []
    return {str(one[by]): one for one in listed if isinstance(one, dict) and by in one}


def leaves(document: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every value that is no object, by its path; an empty object is one, a list is one value."""
    if isinstance(document, dict) and document:
        for key, value in document.items():
            yield from leaves(value, (*path, key))
    elif path:
        yield path, document


def same(one: Json, other: Json) -> bool:
    """Whether two values are equal as JSON: true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def compare_settings(
    before: Mapping[str, Json], after: Mapping[str, Json], stem: str
) -> Iterator[Change]:
    """`STEM.added`, `.removed` and `.changed` of the keys of two mappings."""
    for key, value in before.items():
        if key not in after:
            yield change(f"{stem}.removed", key, value)
        elif not same(value, after[key]):
            yield change(f"{stem}.changed", key, value, after[key])
    for key, value in after.items():
        if key not in before:
            yield change(f"{stem}.added", key, None, value)


def compare_sets(before: list[str], after: list[str], stem: str) -> Iterator[Change]:
    """`STEM.added` and `.removed` of texts whose order says nothing."""
    old, new = frozenset(before), frozenset(after)
    yield from (change(f"{stem}.removed", text) for text in before if text not in new)
    yield from (change(f"{stem}.added", text) for text in after if text not in old)


def flat(document: Json) -> dict[str, Json]:
    """The leaves of a document by their dotted paths."""
    return {".".join(path): value for path, value in leaves(document)}
