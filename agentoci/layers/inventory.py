"""The inventory of an image, `agent/files.json`: every file, and the layer that it comes from."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.layers.paths import fault_of, link_fault_of
from agentoci.spec import jsonio
from agentoci.spec.jsonio import Json

FILES_JSON: Final = "agent/files.json"
"""Where the inventory lies in an image; the one file that it does not list."""

FILE_MODE: Final = 0o644
EXECUTABLE_MODE: Final = 0o755
LINK_MODE: Final = 0o777

_MODES: Final = {"0644": FILE_MODE, "0755": EXECUTABLE_MODE}
_SPELLED: Final = {mode: text for text, mode in _MODES.items()}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FILE_KEYS: Final = {"path", "size", "mode", "sha256", "layer"}
_ALONE_KEYS: Final = _FILE_KEYS - {"sha256"}
_LINK_KEYS: Final = {"path", "link", "layer"}


class InvalidInventory(Integrity):
    """`agent/files.json` does not have the form of an inventory."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file or symlink of an image; `layer` counts the layers from 0, the lowest.

    A huge file that is a layer of its own has no `sha256`: its layer's diff_id, which covers one
    header and the content, says the same.
    """

    path: str
    size: int
    mode: int
    sha256: str | None
    layer: int
    link: str | None = None

    @classmethod
    def symlink(cls, path: str, target: str, *, layer: int) -> FileEntry:
        """The entry of a symlink: no content, so no size and no digest."""
        return cls(path, 0, LINK_MODE, None, layer, target)


@dataclass(frozen=True, slots=True)
class Inventory:
    """All entries, sorted by path."""

    entries: tuple[FileEntry, ...]

    @classmethod
    def of(cls, entries: Iterable[FileEntry]) -> Inventory:
        """The inventory of these entries, whatever their order."""
        return cls(tuple(sorted(entries, key=attrgetter("path"))))

    def encode(self) -> bytes:
        """The document, in its one spelling."""
        files = [_spell(entry) for entry in self.entries]
        return jsonio.canonical_plain({"version": 1, "files": files})

    @classmethod
    def parse(cls, raw: bytes, *, what: str) -> Inventory:
        """Read the document; raises InvalidInventory (or InvalidJson) on anything unknown in it.

        `what` names the document in messages.
        """
        document = jsonio.loads_object(raw, what=what, limit=limits.MAX_INVENTORY_BYTES)
        if document.get("version") != 1 or isinstance(document["version"], bool):
            raise InvalidInventory(
                f"{what}: version {document.get('version')!r}, this program reads 1",
                hint="a newer agentoci reads it",
            )
        files = document.get("files")
        if document.keys() != {"version", "files"} or not isinstance(files, list):
            raise InvalidInventory(f"{what}: expected the keys 'version' and 'files', a list")
        entries = tuple(
            _parse_entry(entry, f"{what}: entry {at}") for at, entry in enumerate(files)
        )
        for before, after in itertools.pairwise(entries):
            if before.path >= after.path:
                raise InvalidInventory(f"{what}: {after.path!r} is not in order, or stands twice")
        return cls(entries)


def _spell(entry: FileEntry) -> dict[str, str | int | None]:
    if entry.link is not None:
        return {"path": entry.path, "link": entry.link, "layer": entry.layer}
    made: dict[str, str | int | None] = {
        "path": entry.path,
        "size": entry.size,
        "mode": _SPELLED[entry.mode],
        "layer": entry.layer,
    }
    if entry.sha256 is not None:
        made["sha256"] = entry.sha256
    return made


def _parse_entry(raw: Json, what: str) -> FileEntry:
    if not isinstance(raw, dict) or raw.keys() not in (_FILE_KEYS, _ALONE_KEYS, _LINK_KEYS):
        raise InvalidInventory(
            f"{what}: expected the keys path, size, mode, sha256, layer, or path, link, layer"
        )
    path, layer = raw["path"], _whole(raw["layer"], limits.MAX_LAYERS - 1, f"{what}: layer")
    if not isinstance(path, str):
        raise InvalidInventory(f"{what}: path: expected a text")
    if fault := fault_of(path):
        raise InvalidInventory(f"{what}: {path!r}: {fault}")
    if "link" in raw:
        return _parse_link(path, raw["link"], layer, what)
    mode, sha256 = raw["mode"], raw.get("sha256")
    if not isinstance(mode, str) or mode not in _MODES:
        raise InvalidInventory(f"{what}: mode {mode!r} is neither '0644' nor '0755'")
    if sha256 is None and "sha256" not in raw:
        return FileEntry(path, _size(raw, what), _MODES[mode], None, layer)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise InvalidInventory(f"{what}: sha256 is not 64 lower-case hex digits")
    return FileEntry(path, _size(raw, what), _MODES[mode], sha256, layer)


def _size(raw: dict[str, Json], what: str) -> int:
    return _whole(raw["size"], limits.MAX_UNPACKED_BYTES, f"{what}: size")


def _parse_link(path: str, target: Json, layer: int, what: str) -> FileEntry:
    if not isinstance(target, str):
        raise InvalidInventory(f"{what}: link: expected a text")
    if fault := link_fault_of(path, target):
        raise InvalidInventory(f"{what}: {path!r} -> {target!r}: {fault}")
    return FileEntry.symlink(path, target, layer=layer)


def _whole(value: Json, ceiling: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ceiling:
        raise InvalidInventory(f"{what} {value!r} is not a whole number from 0 to {ceiling}")
    return value
