"""Small results kept by the hash of what they follow from; losing one only costs time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentoci._internal import limits
from agentoci._internal.version import __version__
from agentoci.builder.cachefile import read_cache, write_cache
from agentoci.builder.options import FORMAT
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class Memo:
    """A folder of remembered JSON objects; another version of the program makes its own."""

    folder: Path
    enabled: bool = True

    def remember(self, key: str, make: Callable[[], dict[str, Json]]) -> dict[str, Json]:
        """What was made for this key before, or what `make` makes now."""
        name = Digest.of(f"{__version__} {FORMAT} {key}".encode()).hex
        path = self.folder / f"{name}.json"
        if self.enabled:
            known = read_cache(path, limit=limits.MAX_CONFIG_BYTES)
            if known is not None:
                return known
        made = make()
        write_cache(path, made)
        return made
