"""The build context: the folder that COPY copies from. Nothing outside it is ever read."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agentoci.builder.ignore import NAME as IGNORE_FILE
from agentoci.builder.ignore import Ignored, read_rules
from agentoci.builder.patterns import part_expression
from agentoci.builder.replay import Trace
from agentoci.builder.scan import scan
from agentoci.errors import Invalid, NotFound
from agentoci.layers.source import reading_failed


class OutsideContext(Invalid):
    """A path that leads out of the context, by `..` or by a link."""


class SourceMissing(NotFound):
    """A COPY source that matches nothing."""


class ContextMissing(NotFound):
    """The context is not a folder that can be read."""


class ContextFile(NamedTuple):
    """A file, link or folder of the context, as `lstat` saw it.

    `path` is relative to the context; the four numbers tell an unchanged file without reading it.
    """

    path: str
    size: int
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)


class Context:
    """A folder to copy from; listings are read once and kept."""

    def __init__(self, root: Path, *, ignored: Ignored, trace: Trace | None = None) -> None:
        self.root = root
        self._base = str(root)
        self._ignored = ignored
        self._trace = trace
        self._listings: dict[str, list[ContextFile]] = {}

    @classmethod
    def open(cls, root: Path, *, trace: Trace) -> Context:
        """A user's folder with its `.agentignore`; raises ContextMissing.

        The trace is told what is read.
        """
        if root.is_file():
            hint = f"name the folder, and the file with -f: -f {root} {root.parent}"
            raise ContextMissing(f"{root}: a file, where a folder is meant", hint=hint)
        if not root.is_dir():
            raise ContextMissing(f"{root}: no such folder", hint="name the folder to build from")
        trace.text(root / IGNORE_FILE)
        return cls(root, ignored=read_rules(root), trace=trace)

    @classmethod
    def whole(cls, root: Path) -> Context:
        """A folder of our own making, nothing left out."""
        return cls(root, ignored=lambda _name, _is_folder: False)

    def locate(self, path: str) -> str:
        """Where a file of the context is on disk."""
        return f"{self._base}/{path}"

    def lookup(self, path: str) -> ContextFile | None:
        """The file, link or folder at this path, or None; raises OutsideContext."""
        clean = normalise(path)
        if clean == "":
            return ContextFile("", 0, self.root.stat().st_mode, 0, 0, 0)
        parent, _, name = clean.rpartition("/")
        if parent:
            found = self.lookup(parent)
            if found is not None and found.is_link:
                raise OutsideContext(f"{parent!r} is a symbolic link; COPY does not follow links")
            if found is None or not found.is_folder:
                return None
        return next((f for f in self.listing(parent) if f.path.rpartition("/")[2] == name), None)

    def expand(self, pattern: str) -> list[ContextFile]:
        """What a COPY source matches, by path.

        Raises SourceMissing, OutsideContext and BadPattern.

        `*` and `?` stay within one part of the path, `[…]` is a set, `**` spans parts.
        """
        clean = normalise(pattern)
        if not re.search(r"[*?\[]", clean):
            found = self.lookup(clean)
            if found is None:
                raise SourceMissing(f"{pattern!r} is not in the context", hint=self._hint(clean))
            return [found]
        matched = sorted(self._match(clean.split("/")), key=lambda f: f.path)
        if not matched:
            raise SourceMissing(f"{pattern!r} matches nothing in the context")
        return matched

    def walk(self, folder: str) -> Iterator[ContextFile]:
        """Everything below a folder, links not followed; the folder itself is left out."""
        waiting = self.listing(folder)[::-1]  # no recursion: folders may nest deeper than the stack
        while waiting:
            entry = waiting.pop()
            yield entry
            if entry.is_folder:
                waiting += self.listing(entry.path)[::-1]

    def listing(self, folder: str) -> list[ContextFile]:
        """The entries of one folder by name, without what is ignored."""
        known = self._listings.get(folder)
        if known is None:
            known = self._listings[folder] = self._scan(folder)
        return known

    def _scan(self, folder: str) -> list[ContextFile]:
        prefix = folder + "/" if folder else ""
        try:
            entries = scan(self.locate(folder))
        except OSError as exc:
            raise reading_failed(self.locate(folder), exc) from exc
        if self._trace is not None:
            self._trace.folder(folder, entries)
        ignored = self._ignored
        return [
            ContextFile(prefix + name, size, mode, mtime_ns, ctime_ns, inode)
            for name, mode, size, mtime_ns, ctime_ns, inode in entries
            if not ignored(prefix + name, stat.S_ISDIR(mode))
        ]

    def _match(self, parts: list[str]) -> Iterator[ContextFile]:
        """What the parts of a pattern match, from the top down; every place is tried once.

        A place is a folder and the number of the part that its entries are held against.
        """
        if parts[-1] == "**":
            parts = [*parts, "*"]
        waiting, seen = [("", 0)], {("", 0)}
        while waiting:
            folder, at = waiting.pop()
            if parts[at] == "**":
                inner = [(folder, at + 1)]
                inner += [(entry.path, at) for entry in self.listing(folder) if entry.is_folder]
            else:
                found = self._fitting(folder, parts[at])
                if at + 1 == len(parts):
                    yield from found
                    continue
                inner = [(entry.path, at + 1) for entry in found if entry.is_folder]
            waiting += [place for place in inner if place not in seen]
            seen.update(inner)

    def _fitting(self, folder: str, part: str) -> list[ContextFile]:
        """The entries of a folder whose names fit one part of a pattern."""
        expression = re.compile(part_expression(part), re.DOTALL)
        listed = self.listing(folder)
        return [f for f in listed if expression.fullmatch(f.path.rpartition("/")[2])]

    def _hint(self, path: str) -> str | None:
        import difflib

        parent, _, name = path.rpartition("/")
        if (left_out := self._left_out(path)) is not None:
            return f"it is left out by .agentignore or its defaults; '!{left_out}' takes it back in"
        folder = self.lookup(parent) if parent else None
        if parent and (folder is None or not folder.is_folder):
            return f"there is no folder {parent!r} in {self.root}"
        names = [f.path.rpartition("/")[2] for f in self.listing(parent)]
        near = difflib.get_close_matches(name, names, 1)
        return f"did you mean {posixpath.join(parent, near[0])!r}?" if near else None

    def _left_out(self, path: str) -> str | None:
        """The name of the file or folder on the way to `path` that is ignored."""
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            whole = "/".join(parts[:end])
            try:
                mode = os.lstat(self.locate(whole)).st_mode
            except OSError:
                return None
            if self._ignored(whole, stat.S_ISDIR(mode)):
                return parts[end - 1]
        return None


def normalise(path: str) -> str:
    """A source path relative to the context, without `.` parts; raises OutsideContext on `..`.

    A leading `/` means the context's root, as in Dockerfiles.
    """
    clean = posixpath.normpath(path.lstrip("/") or ".")
    if clean == ".." or clean.startswith("../"):
        raise OutsideContext(
            f"{path!r} leads out of the context", hint="copy from inside the folder that is built"
        )
    return "" if clean == "." else clean
