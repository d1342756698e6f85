"""The table `[search]` of the config file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_KEYS: Final = ("sources", "timeout")
_LONGEST_TIMEOUT: Final = 600


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What `agent search` asks besides the local store and the default registry.

    `timeout` is how many seconds each source has.
    """

    sources: tuple[str, ...] = ()
    timeout: float = 10.0

    @classmethod
    def parse(cls, table: object) -> SearchSettings:
        """Read the table; raises ValueError that says what is wrong."""
        if not isinstance(table, dict):
            raise ValueError('search must be a table: [search] with sources = ["…"]')  # noqa: TRY004
        for key in table:
            if key not in _KEYS:
                raise ValueError(f"unknown key {key!r} in [search], known are {', '.join(_KEYS)}")
        sources = table.get("sources", [])
        if not isinstance(sources, list) or not all(isinstance(one, str) for one in sources):
            raise ValueError("search.sources must be a list of strings")
        timeout = table.get("timeout", 10)
        if type(timeout) not in (int, float) or not 0 < timeout <= _LONGEST_TIMEOUT:
            raise ValueError(f"search.timeout must be a number of seconds up to {_LONGEST_TIMEOUT}")
        return cls(tuple(sources), float(timeout))
