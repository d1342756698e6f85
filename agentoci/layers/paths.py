"""Names in an archive: which ones may be written, and which ones some disks take for one."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from agentoci._internal import limits
from agentoci.errors import Integrity

WHITEOUT: Final = ".wh."
"""An empty file of this prefix removes its namesake of the layers below (image-spec, layer.md)."""

OPAQUE: Final = ".wh..wh..opq"
"""An empty file of this name hides what the layers below hold in its folder."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
_SUSPECT: Final = re.compile(_CONTROL.pattern + r"|(?:^|/)(?:\.{0,2}(?:/|\Z)|\.wh\.)")


class NameClash(Integrity):
    """Two names that are one file where case is folded, or a name below a file."""


def fault_of(path: str) -> str | None:
    """Why a path is not one that we write, or None.

    Good paths are relative and normalised (`agent/knowledge/a.md`), without control characters,
    backslashes or lone surrogates, and none of their parts is a whiteout.
    """
    if _SUSPECT.search(path) is None:
        return _size_fault(path)
    if not path:
        return "the name is empty"
    if _CONTROL.search(path):
        return "the name holds a control character or a backslash"
    if path.startswith("/"):
        return "the name is absolute"
    parts = path.split("/")
    if ".." in parts:
        return "the name leads outside with '..'"
    if "" in parts or "." in parts:
        return "the name is not normalised"
    return f"a part of the name starts with {WHITEOUT!r}"


def _size_fault(path: str) -> str | None:
    if path.count("/") >= limits.MAX_PATH_DEPTH:
        return f"the name has more than {limits.MAX_PATH_DEPTH} parts"
    if len(path) > 63:  # shorter ones fit in any case: a character has at most four bytes
        raw = path.encode()
        if len(raw) > limits.MAX_PATH_BYTES:
            return f"the name is longer than {limits.MAX_PATH_BYTES} bytes"
        if any(len(part) > limits.MAX_NAME_BYTES for part in raw.split(b"/")):
            return f"a part of the name is longer than {limits.MAX_NAME_BYTES} bytes"
    return None


def link_fault_of(path: str, target: str) -> str | None:
    """Why the symlink at `path` may not lead to `target`, or None.

    Good targets are relative, and climb only at their start and not above the root of the tree.
    With `..` after a name the target would depend on whether that name is a link itself.
    """
    if not target:
        return "the link's target is empty"
    if _CONTROL.search(target):
        return "the link's target holds a control character or a backslash"
    if target.startswith("/"):
        return "the link's target is absolute"
    if len(target.encode()) > limits.MAX_PATH_BYTES:
        return f"the link's target is longer than {limits.MAX_PATH_BYTES} bytes"
    parts = target.split("/")
    climbs = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    if not {"", ".", ".."}.isdisjoint(parts[climbs:]):
        return "the link's target is not normalised"
    if climbs > path.count("/"):
        return "the link's target lies outside the tree"
    return None


def fold(path: str) -> str:
    """The same text for paths that some file system takes for one (Unicode 3.13, D145)."""
    if path.isascii():
        return path.lower()
    folded = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFC", folded)


class Names:
    """The names of one tree; adding one that clashes with another raises NameClash."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}
        self._folders = {""}

    def add_file(self, path: str) -> None:
        """Take the name of a file or link, and those of the folders that it needs."""
        self.add_folder(path.rpartition("/")[0])
        self._take(path)

    def add_folder(self, path: str) -> None:
        """Take the name of a folder; taking it again is fine."""
        if path in self._folders:
            return
        self.add_folder(path.rpartition("/")[0])
        self._take(path)
        self._folders.add(path)

    def _take(self, path: str) -> None:
        before = len(self._taken)
        other = self._taken.setdefault(fold(path), path)
        if len(self._taken) > before:
            return
        if other == path:
            raise NameClash(f"{path!r} stands twice, or is both a file and a folder")
        raise NameClash(
            f"{path!r} and {other!r} are one name where case or accents are folded",
            hint="rename one of them",
        )
