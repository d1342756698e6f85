"""Documents of which values are taken one by one: what nobody took is what a conversion lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from agentoci.definition.places import Located
from agentoci.definition.wording import kind_of
from agentoci.errors import Fault, SourceFaults
from agentoci.interop.losses import Losses
from agentoci.spec.jsonio import Json

Path: TypeAlias = tuple[str | int, ...]


class Taking:
    """A document and which of its values were taken.

    The typed readers give None, or an empty list or mapping, for a value that is missing or null;
    one of another type is a fault of the file, raised with all others by `check`.
    """

    def __init__(self, document: Json, *, located: Located | None = None) -> None:
        self._document = document
        self._located = located
        self._taken: set[Path] = set()
        self._faults: list[Fault] = []

    @classmethod
    def of(cls, located: Located) -> Taking:
        """Of a file, so that faults have a place."""
        return cls(located.data, located=located)

    def peek(self, *path: str | int) -> Json:
        """The value, which stays to be taken; None where there is none."""
        found = self._document
        for step in path:
            if isinstance(found, dict) and isinstance(step, str):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found

    def take(self, *path: str | int) -> Json:
        """The value with all that is in it; None where there is none."""
        self._taken.add(path)
        return self.peek(*path)

    def text(self, *path: str | int) -> str | None:
        """Take a text; numbers count as the text they are written with."""
        found = self.take(*path)
        if isinstance(found, int | float) and not isinstance(found, bool) and self._located:
            return self._located.written(path) or str(found)
        if found is None or isinstance(found, str):
            return found or None
        self.fault(path, f"expected text, found {kind_of(found)}")
        return None

    def number(self, *path: str | int) -> int | float | None:
        """Take a number."""
        found = self.take(*path)
        if found is None or (isinstance(found, int | float) and not isinstance(found, bool)):
            return found
        self.fault(path, f"expected a number, found {kind_of(found)}")
        return None

    def texts(self, *path: str | int, blank: bool = False) -> list[str]:
        """Take a list of texts; a single text is a list of one. Blank ones count with `blank`."""
        found = self.take(*path)
        items = [found] if isinstance(found, str) else found
        if items is not None and not isinstance(items, list):
            self.fault(path, f"expected a list, found {kind_of(items)}")
            return []
        made: list[str] = []
        for index, item in enumerate(items or ()):
            if not isinstance(item, str | int | float) or isinstance(item, bool):
                self.fault((*path, index), f"expected text, found {kind_of(item)}")
            elif blank or str(item).strip():
                made.append(str(item))
        return made

    def pairs(self, *path: str | int) -> dict[str, str]:
        """Take a mapping of texts."""
        self._taken.add(path)
        found = self.mapping(*path)
        return {key: self.text(*path, key) or "" for key in found}

    def mapping(self, *path: str | int) -> Mapping[str, Json]:
        """A mapping whose values stay to be taken."""
        found = self.peek(*path)
        if isinstance(found, dict):
            return found
        if found is not None:
            self.fault(path, f"expected a mapping, found {kind_of(found)}")
        return {}

    def items(self, *path: str | int) -> list[Path]:
        """The paths of a list's items, which stay to be taken."""
        found = self.peek(*path)
        if found is not None and not isinstance(found, list):
            self.fault(path, f"expected a list, found {kind_of(found)}")
        return [(*path, index) for index in range(len(found) if isinstance(found, list) else 0)]

    def fault(self, path: Path, message: str, *, hint: str | None = None) -> None:
        """Note a fault of the file, at the value."""
        if self._located is not None:
            self._faults.append(self._located.fault(path, message, hint=hint))

    def check(self) -> None:
        """Raise SourceFaults with all faults that were noted."""
        if self._faults:
            raise SourceFaults(self._faults)

    def left(self, *below: str | int) -> Iterator[tuple[Path, Json]]:
        """What was not taken, in as few pieces as tell it, in the order of the document."""
        yield from self._left(below, self.peek(*below))

    def note_left(self, losses: Losses, reasons: Mapping[str, str], default: str) -> None:
        """Note what was not taken; `reasons` are by path, or by key wherever it stands."""
        for path, value in self.left():
            names = [step for step in path if isinstance(step, str)]
            reason = reasons.get(".".join(names)) or reasons.get(names[-1] if names else "")
            losses.note(show(path), value, reason or default)

    def _left(self, path: Path, value: Json) -> Iterator[tuple[Path, Json]]:
        if path in self._taken or value in (None, {}, []):
            return
        children: list[tuple[str | int, Json]] = []
        if isinstance(value, dict):
            children = list(value.items())
        elif isinstance(value, list):
            children = list(enumerate(value))
        if not any(taken[: len(path)] == path for taken in self._taken):
            yield path, value
            return
        for step, child in children:
            yield from self._left((*path, step), child)


def show(path: Path) -> str:
    """The path as people write it: `agents.root.toolsets[0].env`."""
    made = ""
    for step in path:
        made += f"[{step}]" if isinstance(step, int) else f".{step}" if made else step
    return made
