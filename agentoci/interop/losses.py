"""What a conversion could not say in the other format: listed, never silent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agentoci.interop.secrets import conceal
from agentoci.spec.jsonio import Json

_SHOWN: Final = 200
"""Characters kept of a lost text; it tells which one it was, the source has the rest."""

_SHOWN_ON_LINE: Final = 60


@dataclass(frozen=True, slots=True)
class Loss:
    """One value that the result lacks or says otherwise: where it stood, what, and why.

    `path` is the value's in the source document, such as `agents.root.toolsets[0].defer`; `value`
    holds no secret, and of long texts the beginning.
    """

    path: str
    value: Json
    reason: str

    def document(self) -> dict[str, Json]:
        """The JSON object."""
        return {"path": self.path, "value": self.value, "reason": self.reason}

    def __str__(self) -> str:
        shown = "" if self.value is None else self.value
        if not isinstance(shown, str):
            shown = json.dumps(shown, ensure_ascii=False)
        shown = " ".join(shown.split())
        shown = shown if len(shown) <= _SHOWN_ON_LINE else f"{shown[:_SHOWN_ON_LINE]}…"
        return f"{self.path}: {self.reason}" + (f" ({shown})" if shown else "")


class Losses:
    """Collects losses while a conversion goes on."""

    def __init__(self) -> None:
        self._noted: list[Loss] = []

    def __iter__(self) -> Iterator[Loss]:
        return iter(self._noted)

    def note(self, path: str, value: Json, reason: str) -> None:
        """Note one; what looks like a secret in the value is left out."""
        self._noted.append(Loss(path, _cut(conceal(value)), reason))

    def all(self) -> tuple[Loss, ...]:
        """What was noted, in order."""
        return tuple(self._noted)


def _cut(value: Json) -> Json:
    if isinstance(value, str):
        return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return value
