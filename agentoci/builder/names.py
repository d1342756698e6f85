"""The names of an image in the making, so that it unpacks on every disk."""

from __future__ import annotations

from agentoci.errors import Invalid
from agentoci.layers.paths import fold


class NameCollision(Invalid):
    """Two names that are one where case or accents are folded, or a file and a folder of a name."""


class TakenNames:
    """Names of files and folders; a file may come again, for a later layer replaces it."""

    def __init__(self) -> None:
        self._spellings: dict[str, str] = {}
        self._files: set[str] = set()
        self._folders: set[str] = {""}

    def add_file(self, path: str) -> None:
        """Take the name of a file or link, and those of its folders; raises NameCollision."""
        if path in self._files:
            return
        if path in self._folders:
            raise NameCollision(
                f"{path!r} is a folder already, and would be a file",
                hint=f"'/{path}/' as destination copies into the folder",
            )
        self.add_folder(path.rpartition("/")[0])
        self._take(path)
        self._files.add(path)

    def add_folder(self, path: str) -> None:
        """Take the name of a folder, and those of the ones above it; raises NameCollision."""
        if path in self._folders:
            return
        if path in self._files:
            raise NameCollision(f"{path!r} is a file already, and would be a folder")
        self.add_folder(path.rpartition("/")[0])
        self._take(path)
        self._folders.add(path)

    def _take(self, path: str) -> None:
        other = self._spellings.setdefault(fold(path), path)
        if other != path:
            raise NameCollision(
                f"{other!r} and {path!r} are one name where case is folded",
                hint="rename one of them: images also unpack on macOS and Windows disks",
            )
