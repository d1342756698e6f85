"""What is looked for, what was found, and which of it comes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from agentoci._internal.clock import Clock, SystemClock
from agentoci.spec import mediatypes
from agentoci.spec.version import sort_tags

LONGEST_DESCRIPTION: Final = 512

_EXACT, _PREFIX, _PART, _DESCRIBED, _OTHERWISE = range(5)


@dataclass(frozen=True, slots=True)
class Hit:
    """An agent that was found: `NAME:VERSION` is what to pull.

    What a source does not say is None; a description is one line that no terminal can be steered
    by. `source` is where it was found, when several were asked.
    """

    name: str
    version: str | None = None
    digest: str | None = None
    description: str = ""
    title: str | None = None
    kind: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What one source answered: hits, and what was wrong though it did answer."""

    hits: tuple[Hit, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: a part of a name or description, in any case of letters.

    `limit` is the most hits that are of use; with `everything` other artifacts than agents are,
    too. Answers are of use until `until` of the clock.
    """

    text: str
    limit: int = 25
    everything: bool = False
    until: float = float("inf")
    clock: Clock = field(default_factory=SystemClock)

    def wants(self, kind: str | None) -> bool:
        """Whether an artifact of this type is looked for; one that does not say may be."""
        return self.everything or kind in (None, mediatypes.AGENT)

    def relevance(self, hit: Hit) -> int | None:
        """The smaller, the better; None when the text is nowhere in the hit."""
        text = self.text.casefold()
        names = _names_of(hit)
        if text in names:
            return _EXACT
        if any(name.startswith(text) for name in names):
            return _PREFIX
        if any(text in name for name in names):
            return _PART
        return _DESCRIBED if text in hit.description.casefold() else None

    def names(self, repository: str) -> bool:
        """Whether the text is in a repository's name."""
        return self.text.casefold() in repository.casefold()

    def rank(self, hit: Hit) -> tuple[int, str]:
        """What to sort by; a source may know better than we why it gave a hit."""
        relevance = self.relevance(hit)
        return _OTHERWISE if relevance is None else relevance, hit.name


def _names_of(hit: Hit) -> list[str]:
    """What people may call it: the whole name, its last part, with the version, the title."""
    name = hit.name.casefold()
    last = name.rpartition("/")[2]
    found = [name, last]
    if hit.version:
        found += [f"{name}:{hit.version.casefold()}", f"{last}:{hit.version.casefold()}"]
    if hit.title:
        found.append(hit.title.casefold())
    return found


def plain(text: object, *, longest: int = LONGEST_DESCRIPTION) -> str:
    """A server's words as one short line without control characters; "" for what is no text."""
    if not isinstance(text, str):
        return ""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * longest])
    line = " ".join(shown.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def first(hits: Iterable[Hit], query: Query) -> tuple[Hit, ...]:
    """The best hits, as many as are of use; of one name the newest version leads."""
    given = list(hits)
    newest = sort_tags({hit.version or "" for hit in given})
    age = {version: number for number, version in enumerate(newest)}
    ordered = sorted(given, key=lambda hit: (*query.rank(hit), age[hit.version or ""]))
    return tuple(ordered[: query.limit])
