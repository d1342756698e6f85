"""The sha256 of files, known without reading them while size, times and inode are the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci._internal.clock import Clock
from agentoci.builder.context import ContextFile
from agentoci.builder.replay import RACY_NS
from agentoci.spec.digest import Digest

_LIMIT: Final = 256 * limits.MIB


@dataclass(slots=True)
class StatCache:
    """The digests of one context's files; `save` keeps them for the next build.

    A broken cache file is an empty one: it only costs time.
    """

    path: Path
    clock: Clock
    _known: dict[str, list[object]] = field(default_factory=dict)
    _changed: bool = False

    @classmethod
    def load(cls, folder: Path, context: Path, *, clock: Clock) -> StatCache:
        """The cache of the context at this place."""
        name = Digest.of(str(context.resolve()).encode()).hex[:32]
        cache = cls(folder / "contexts" / f"{name}.json", clock)
        try:
            known = json.loads(files.read_at_most(cache.path, _LIMIT))
        except (OSError, ValueError):
            return cache
        if isinstance(known, dict):
            cache._known = known
        return cache

    def sha256(self, file: ContextFile) -> str | None:
        """The hex digest of the file's content, or None when it must be read."""
        known = self._known.get(file.path)
        if (
            known is not None
            and known[:4] == [file.size, file.mtime_ns, file.ctime_ns, file.inode]
            and isinstance(known[4], str)
        ):
            return known[4]
        return None

    def learn(self, file: ContextFile, sha256: str) -> None:
        """Remember a digest, unless the file is so young that it could change unseen."""
        newest = max(file.mtime_ns, file.ctime_ns)
        if newest + RACY_NS > self.clock.now().timestamp() * 1e9:
            return
        self._known[file.path] = [
            file.size, file.mtime_ns, file.ctime_ns, file.inode, sha256,
        ]  # fmt: skip
        self._changed = True

    def save(self) -> None:
        """Write what was learned."""
        if self._changed:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = json.dumps(self._known, separators=(",", ":")).encode()
            files.write_atomically(self.path, content)
