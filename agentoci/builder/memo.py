"""Small results kept by the hash of what they follow from; losing one only costs time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentoci._internal import files, limits
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import InvalidJson, Json, canonical, loads_object


@dataclass(frozen=True, slots=True)
class Memo:
    """A folder of remembered JSON objects."""

    folder: Path
    enabled: bool = True

    def remember(self, key: str, make: Callable[[], dict[str, Json]]) -> dict[str, Json]:
        """What was made for this key before, or what `make` makes now."""
        path = self.folder / f"{Digest.of(key.encode()).hex}.json"
        if self.enabled:
            with contextlib.suppress(OSError, InvalidJson):
                raw = files.read_at_most(path, limits.MAX_CONFIG_BYTES)
                return loads_object(raw, what=str(path), limit=limits.MAX_CONFIG_BYTES)
        made = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(canonical(made))
        temporary.replace(path)
        return made
