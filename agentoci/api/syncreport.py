"""The account of a sync: how each image fared, as it is at any moment."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from agentoci._internal import files
from agentoci.content.recursion import LeftOut
from agentoci.errors import AgentociError
from agentoci.spec.digest import Digest


class SyncFailed(AgentociError):
    """Some images of a list were not copied; the report says which, and why."""


class SyncOutcome(StrEnum):
    """How one image fared; `planned` is what a dry run would copy."""

    COPIED = "copied"
    EXISTS = "exists"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class SyncRow:
    """The account of one image; an entry that could not be read has no target yet."""

    source: str
    target: str | None
    outcome: SyncOutcome = SyncOutcome.CANCELLED
    digest: Digest | None = None
    moved_bytes: int = 0
    attached: int = 0
    left_out: tuple[LeftOut, ...] = ()
    error: AgentociError | None = None

    def document(self) -> dict[str, object]:
        """The row's JSON object."""
        return {
            "source": self.source,
            "target": self.target,
            "digest": str(self.digest) if self.digest else None,
            "outcome": str(self.outcome),
            "movedBytes": self.moved_bytes,
            "attached": self.attached,
            "leftOut": [str(one.attachment.desc.digest) for one in self.left_out],
            "error": self.error.message if self.error else None,
            "hint": self.error.hint if self.error else None,
            "exitCode": self.error.exit_code if self.error else 0,
        }


@dataclass(slots=True)
class SyncReport:
    """All rows, as they are at any moment: an interrupted sync has an account, too."""

    told: Callable[[SyncRow], None] = lambda _: None
    rows: list[SyncRow] = field(default_factory=list)
    requests: int = 0

    def count(self, outcome: SyncOutcome) -> int:
        """How many images ended so."""
        return Counter(row.outcome for row in self.rows)[outcome]

    @property
    def failure(self) -> SyncFailed | None:
        """The error that a sync ends with, unless every image is there."""
        failed, cancelled = map(self.count, (SyncOutcome.FAILED, SyncOutcome.CANCELLED))
        if not failed and not cancelled:
            return None
        also = f", {cancelled} were not tried" if cancelled else ""
        images = "image" if len(self.rows) == 1 else "images"
        return SyncFailed(
            f"{failed} of {len(self.rows)} {images} failed{also}",
            hint="run the same command again: what was copied is not copied twice",
        )

    def document(self) -> dict[str, object]:
        """The report's JSON object."""
        counts = {str(outcome): self.count(outcome) for outcome in SyncOutcome}
        rows = [row.document() for row in self.rows]
        return {**counts, "requests": self.requests, "images": rows}

    def write(self, path: Path) -> None:
        """Replace the file by the report as it is now."""
        files.write_atomically(path.absolute(), json.dumps(self.document(), indent=2).encode())

    def end(self, place: int, row: SyncRow) -> None:
        """Put down how an image fared."""
        self.rows[place] = row
        self.told(row)
