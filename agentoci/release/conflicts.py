"""Why requirements cannot be resolved, in words: who wanted what, and what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentoci.errors import AgentociError, Conflict, NotFound
from agentoci.release.candidates import Candidate, Want
from agentoci.spec.ranges import point_of

_SHOWN: Final = 12
"""Versions that a report lists of one name."""

_SHOWN_CLASHES: Final = 5


class RequirementConflict(Conflict):
    """No choice of versions suits everybody."""

    shows_lines = True


class RequirementNotFound(NotFound):
    """Nothing of that name, or of those versions, is anywhere where names are looked for.

    `missing` says what for each name.
    """

    shows_lines = True

    def __init__(
        self, message: str, *, hint: str | None = None, missing: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.missing = missing or {}


@dataclass(frozen=True, slots=True)
class Clash:
    """A name of which no version suits all of these."""

    name: str
    wants: tuple[Want, ...]
    there: tuple[str, ...]

    @classmethod
    def over(cls, name: str, wants: Iterable[Want], there: Iterable[Candidate]) -> Clash:
        """Gather what a report needs."""
        found = sorted({point_of(c.version): str(c.version) for c in there}.items())
        return cls(name, tuple(sorted(set(wants), key=str)), tuple(text for _, text in found))

    @property
    def is_missing(self) -> bool:
        """Whether it is no matter of agreeing: one alone wants what is not there."""
        return not self.there or len(self.wants) == 1

    def __str__(self) -> str:
        wanted = ", ".join(map(str, self.wants))
        return f"{self.name}: {wanted}; {_there(self.there)}"


def _there(versions: Sequence[str]) -> str:
    if not versions:
        return "there is none"
    more = f"{len(versions) - _SHOWN} older ones, " if len(versions) > _SHOWN else ""
    verb = "is" if len(versions) == 1 else "are"
    return f"there {verb} {more}{', '.join(versions[-_SHOWN:])}"


def failure(
    clashes: Sequence[Clash], names: Iterable[str], sources: Sequence[str]
) -> AgentociError:
    """The error for these clashes: RequirementNotFound or RequirementConflict.

    `names` are those that are known of anyway, `sources` where names were looked for.
    """
    distinct = {clash.name: clash for clash in reversed(clashes)}
    shown = [distinct[name] for name in sorted(distinct)][:_SHOWN_CLASHES]
    message = "\n".join(map(str, shown))
    missing = [clash for clash in shown if clash.is_missing]
    if len(missing) == len(shown):
        hint = _hint(missing, names, sources)
        return RequirementNotFound(message, hint=hint, missing={c.name: str(c) for c in missing})
    return RequirementConflict(message, hint="ask for other versions, or for fewer agents")


def _hint(missing: Sequence[Clash], names: Iterable[str], sources: Sequence[str]) -> str:
    for clash in missing:
        if not clash.there:
            near = difflib.get_close_matches(clash.name, sorted(set(names) - {clash.name}), 1)
            if near:
                return f"did you mean {near[0]!r}?"
        elif all("-" in version.partition("+")[0] for version in clash.there):
            return f"a pre-release must be named: {clash.name}@>={clash.there[-1]}"
    looked = ", ".join(sources)
    return f"looked in {looked}; --source HOST/PREFIX names another registry"
