"""The sha256 of files, known without reading them while size, times and inode are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentoci._internal import limits
from agentoci.builder.cachefile import read_cache, write_cache
from agentoci.builder.context import ContextFile
from agentoci.builder.replay import RACY_NS
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json

_LIMIT: Final = 256 * limits.MIB


@dataclass(slots=True)
class StatCache:
    """The digests of one context's files; `save` keeps them for the next build.

    `opened_ns` is when the build began, before it looked at any file.
    """

    path: Path
    opened_ns: int
    _known: dict[str, Json] = field(default_factory=dict)
    _changed: bool = False

    @classmethod
    def load(cls, folder: Path, context: Path, *, opened_ns: int) -> StatCache:
        """The cache of the context at this place."""
        name = Digest.of(str(context.resolve()).encode()).hex[:32]
        path = folder / "contexts" / f"{name}.json"
        return cls(path, opened_ns, read_cache(path, limit=_LIMIT) or {})

    def sha256(self, file: ContextFile) -> str | None:
        """The hex digest of the file's content, or None when it must be read."""
        known = self._known.get(file.path)
        if (
            isinstance(known, list)
            and known[:4] == [file.size, file.mtime_ns, file.ctime_ns, file.inode]
            and isinstance(known[4], str)
        ):
            return known[4]
        return None

    def learn(self, file: ContextFile, sha256: str) -> None:
        """Remember a digest, unless the file is so young that it could change unseen."""
        if max(file.mtime_ns, file.ctime_ns) + RACY_NS > self.opened_ns:
            return
        self._known[file.path] = [
            file.size, file.mtime_ns, file.ctime_ns, file.inode, sha256,
        ]  # fmt: skip
        self._changed = True

    def save(self) -> None:
        """Write what was learned."""
        if self._changed:
            write_cache(self.path, self._known)
