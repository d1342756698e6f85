"""Files that came, went, moved or changed, by the inventories alone; contents only for texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agentoci.layers.inventory import EXECUTABLE_MODE, FILES_JSON, FileEntry
from agentoci.release.changes import Change, TextDiff, change
from agentoci.release.textdiff import MAX_COMPARED_BYTES, diff_bytes
from agentoci.release.view import AgentView, hold_the_same
from agentoci.spec.jsonio import Json

KNOWLEDGE: Final = "agent/knowledge/"

GENERATED: Final = frozenset(
    {FILES_JSON, "agent/definition.json", "agent/config.json", "agent/tools/bindings.json"}
)
"""What the builder writes from the definition, whose changes are told as such."""

MAX_COMPARED_FILES: Final = 1_000
MAX_COMPARED_TOTAL: Final = 32 * 1024 * 1024
"""Of all files together, both sides: what is left is told by size and digest."""


def compare_files(before: AgentView, after: AgentView, *, texts: bool) -> Iterator[Change]:
    """The changes of files; `texts` reads what changed and shows how."""
    old, new = _own(before), _own(after)
    gone = {path: entry for path, entry in old.items() if path not in new}
    come = {path: entry for path, entry in new.items() if path not in old}
    yield from _moves(gone, come)
    for path, entry in gone.items():
        yield change(f"{_stem(path)}.removed", path, describe(entry, before))
    for path, entry in come.items():
        yield change(f"{_stem(path)}.added", path, None, describe(entry, after))
    both = [(old[path], new[path]) for path in old if path in new]
    changed = [(a, b) for a, b in both if not _same(a, b, before, after)]
    diffs = _text_diffs(changed, before, after) if texts else {}
    for entry, now in changed:
        values = describe(entry, before), describe(now, after)
        text = diffs.get(entry.path)
        yield change(f"{_stem(entry.path)}.changed", entry.path, *values, text=text)
    for entry, now in both:
        if entry.link is None and now.link is None and entry.mode != now.mode:
            end = "executable" if now.mode == EXECUTABLE_MODE else "plain"
            yield change(f"file.became-{end}", entry.path)


def describe(entry: FileEntry, view: AgentView) -> Json:
    """A file as a value: its link target, or its size and what identifies its content."""
    if entry.link is not None:
        return {"link": entry.link}
    if entry.sha256 is None:
        return {"size": entry.size, "layer": str(view.layers[entry.layer])}
    return {"size": entry.size, "sha256": entry.sha256}


def _own(view: AgentView) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in view.files if entry.path not in GENERATED}


def _stem(path: str) -> str:
    return "knowledge" if path.startswith(KNOWLEDGE) else "file"


def _content(entry: FileEntry, view: AgentView) -> tuple[str, str]:
    """Two files with the same one hold the same."""
    if entry.link is not None:
        return "link", entry.link
    if entry.sha256 is None:
        return "layer", str(view.layers[entry.layer])
    return "sha256", entry.sha256


def _same(entry: FileEntry, now: FileEntry, before: AgentView, after: AgentView) -> bool:
    """Whether a file is as it was.

    Of a file that is a layer of its own the inventory tells no digest but that of the layer, which
    covers its time, too: two of one size are looked into.
    """
    if _content(entry, before) == _content(now, after):
        return True
    alone = entry.sha256 is None or now.sha256 is None
    if not alone or entry.link != now.link or entry.size != now.size:
        return False
    return hold_the_same(before.reader, entry, after.reader, now)


def _moves(gone: dict[str, FileEntry], come: dict[str, FileEntry]) -> Iterator[Change]:
    """Files that only have another place now; they are taken out of both."""
    places: dict[tuple[str, str | None, int], list[str]] = {}
    for path, entry in come.items():
        if entry.sha256 is not None and entry.size:
            places.setdefault((_stem(path), entry.sha256, entry.mode), []).append(path)
    for path, entry in list(gone.items()):
        there = places.get((_stem(path), entry.sha256, entry.mode))
        if there:
            moved = there.pop(0)
            yield change(f"{_stem(path)}.moved", moved, path, moved)
            del gone[path], come[moved]


def _text_diffs(
    changed: Sequence[tuple[FileEntry, FileEntry]], before: AgentView, after: AgentView
) -> dict[str, TextDiff]:
    """How the files changed that are small enough to be read, within the ceilings."""
    made: dict[str, TextDiff] = {}
    chosen: list[tuple[FileEntry, FileEntry]] = []
    left = MAX_COMPARED_TOTAL
    for pair in changed:
        size = pair[0].size + pair[1].size
        if any(entry.link is not None for entry in pair):
            continue
        if max(e.size for e in pair) > MAX_COMPARED_BYTES or any(e.sha256 is None for e in pair):
            made[pair[0].path] = TextDiff(note="too large")
        elif len(chosen) >= MAX_COMPARED_FILES or size > left:
            made[pair[0].path] = TextDiff(note="not compared: there are too many")
        else:
            chosen.append(pair)
            left -= size
    old = before.reader.read([pair[0] for pair in chosen])
    new = after.reader.read([pair[1] for pair in chosen])
    return made | _compared(old, new)


def _compared(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, TextDiff]:
    return {path: diff_bytes(content, new[path]) for path, content in old.items()}
