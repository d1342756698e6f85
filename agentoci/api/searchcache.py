"""Search indexes as they were read last, so that a search costs one HEAD, and none offline."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci.errors import AgentociError
from agentoci.registry.search.document import SearchIndex
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import canonical, loads_object

_LIMIT: Final = limits.MAX_SEARCH_INDEX_BYTES + limits.MIB


@dataclass(frozen=True, slots=True)
class CachedIndex:
    """What an index held when its manifest had this digest."""

    digest: Digest
    index: SearchIndex


class SearchCache:
    """A folder with a file per index; what cannot be read or written is not remembered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, reference: str) -> CachedIndex | None:
        """What is known of an index."""
        path = self._path(reference)
        with contextlib.suppress(OSError, AgentociError, KeyError):
            raw = files.read_at_most(path, _LIMIT)
            document = loads_object(raw, what=str(path), limit=_LIMIT)
            if document["reference"] != reference:
                return None
            listed = canonical(document["index"])
            return CachedIndex(
                Digest.parse(document["digest"]), SearchIndex.parse(listed, what=reference)
            )
        return None

    def keep(self, reference: str, digest: Digest, index: SearchIndex) -> None:
        """Remember it instead of what was known before."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            document = {
                "reference": reference,
                "digest": str(digest),
                "index": loads_object(
                    index.encode(), what=reference, limit=limits.MAX_SEARCH_INDEX_BYTES
                ),
            }
            files.write_atomically(self._path(reference), canonical(document))

    def _path(self, reference: str) -> Path:
        return self._folder / f"{Digest.of(reference.encode()).hex[:32]}.json"
