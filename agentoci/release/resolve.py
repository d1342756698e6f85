"""Choose one version of every agent that is needed, so that all that want it are content.

Depth first, newest version first, one version per name; when nothing suits, the search goes back to
the last choice that has to do with it (conflict-directed backjumping), which is complete. Nothing
depends on the order of requirements or candidates, only on what they are. Agents may need each
other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from agentoci.errors import Conflict
from agentoci.release.candidates import (
    ROOT,
    Candidate,
    Candidates,
    Demand,
    Known,
    Requirement,
    Want,
    newest_first,
)
from agentoci.release.conflicts import Clash, failure

MAX_TRIALS: Final = 20_000
"""Versions that are tried before the search gives up: honest requirements need a few hundred, and
those made to be hard must end, too."""

MAX_NAMES: Final = 400
"""Agents that one agent may need in all; the search goes one call deeper with each."""


class ResolveTooHard(Conflict):
    """The requirements are such that no answer is found in a reasonable number of trials."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be resolved.

    `title` is the agent's name and version for reports; `own_name` is satisfied by the agent
    itself. `kept` are choices to stay with as long as they fit, `limits` what holds of chosen
    versions beyond what they say themselves. `known_names` and `sources` serve hints.
    """

    title: str
    requirements: tuple[Requirement, ...]
    own_name: str = ""
    kept: Mapping[str, Candidate] = field(default_factory=dict)
    limits: Limits | None = None
    known_names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    max_trials: int = MAX_TRIALS


class Limits(Protocol):
    """What a compatibility matrix says of a version."""

    def of(self, name: str, version: str) -> tuple[Requirement, ...]:
        """LIMITs for other names that hold when this version is chosen."""
        ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """A version, and who wants it."""

    known: Known
    wants: tuple[Want, ...]

    @property
    def required(self) -> bool:
        """Whether anybody cannot do without it."""
        return any(want.requirement.demand is Demand.REQUIRED for want in self.wants)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An optional agent that is not there, who would have liked it, and why not."""

    name: str
    wants: tuple[Want, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """One version per name, by name; and the optional ones that are missing."""

    chosen: tuple[Chosen, ...]
    unresolved: tuple[Unresolved, ...] = ()


def resolve(goal: Goal, candidates: Candidates) -> Resolution:
    """Resolve all requirements.

    Raises RequirementConflict with who wanted what, RequirementNotFound for what is nowhere, and
    ResolveTooHard.
    """
    forced: dict[str, str] = {}
    while True:
        search = _Search(goal, candidates, dict(forced))
        failed = search.run()
        if failed is None:
            return search.resolution()
        if search.forced == forced:
            raise failure(failed.clashes, goal.known_names, goal.sources)
        forced = search.forced  # somebody names a repository for what was looked for elsewhere


@dataclass(frozen=True, slots=True)
class _Failure:
    """The choices that are to blame, and the clashes that they led to."""

    blame: frozenset[str]
    clashes: tuple[Clash, ...]


@dataclass(slots=True)
class _Search:
    goal: Goal
    candidates: Candidates
    forced: dict[str, str]
    chosen: dict[str, Known] = field(default_factory=dict)
    wants: dict[str, list[Want]] = field(default_factory=dict)
    demanded: set[str] = field(default_factory=set)
    unresolved: dict[str, _Failure] = field(default_factory=dict)
    trials: int = 0

    def run(self) -> _Failure | None:
        """All that is required, then one optional name after the other, as far as it goes."""
        for want in self._wants_of(None, self.goal.requirements):
            self.wants.setdefault(want.requirement.name, []).append(want)
        failed = self._solve()
        while failed is None and (name := self._next_optional()) is not None:
            self.demanded.add(name)
            without = self._solve()
            if without is not None:
                self.demanded.remove(name)
                self.unresolved[name] = without
        return failed

    def resolution(self) -> Resolution:
        """What was found."""
        chosen = [
            Chosen(known, tuple(sorted(self.wants[name], key=lambda want: (want.key, str(want)))))
            for name, known in sorted(self.chosen.items())
        ]
        missing = [
            Unresolved(name, tuple(self._real_wants(name)), "; ".join(map(str, why.clashes[:1])))
            for name, why in sorted(self.unresolved.items())
            if name not in self.chosen and self._real_wants(name)
        ]
        return Resolution(tuple(chosen), tuple(missing))

    def _real_wants(self, name: str) -> list[Want]:
        found = self.wants.get(name, ())
        return [want for want in found if want.requirement.demand is not Demand.LIMIT]

    # Choosing

    def _solve(self) -> _Failure | None:
        """Choose what is still open; on failure all is as it was before."""
        name = self._next()
        if name is None:
            return None
        blame = {want.holder for want in self.wants.get(name, ())}
        clashes: list[Clash] = []
        for known in self._viable(name, blame, clashes):
            self._choose(name, known)
            failed = self._solve()
            if failed is None:
                return None
            self._take_back(name, known)
            if name not in failed.blame:
                return failed
            blame |= failed.blame - {name}
            clashes += failed.clashes
        if not clashes:
            there = self.candidates.versions(name, self._repository(name))
            clashes.append(Clash.over(name, self.wants.get(name, ()), there))
        return _Failure(frozenset(one for one in blame if one is not None), tuple(clashes))

    def _next(self) -> str | None:
        """The first name that must be there and is not chosen yet."""
        return min(filter(self._is_open, self.wants), default=None)

    def _is_open(self, name: str) -> bool:
        return name not in self.chosen and (
            name in self.demanded
            or any(want.requirement.demand is Demand.REQUIRED for want in self.wants[name])
        )

    def _next_optional(self) -> str | None:
        open_names = (n for n in self.wants if n not in self.chosen and n not in self.unresolved)
        return min((name for name in open_names if self._real_wants(name)), default=None)

    def _viable(self, name: str, blame: set[str | None], clashes: list[Clash]) -> Iterator[Known]:
        """The versions that suit all who want the name and whose needs suit what is chosen."""
        tried: set[str] = set()
        for candidate in self._ordered(name):
            if not all(want.takes(candidate) for want in self.wants.get(name, ())):
                continue
            self.trials += 1
            if self.trials > self.goal.max_trials or len(self.chosen) >= MAX_NAMES:
                raise ResolveTooHard(
                    f"{name}: no answer after {self.trials - 1} trials over "
                    f"{len(self.chosen)} agents",
                    hint="narrow the ranges: pin what is known to work together",
                )
            known = self.candidates.read(candidate)
            if known is None or str(known.digest) in tried:
                continue
            tried.add(str(known.digest))
            if not all(want.takes(known.candidate) for want in self.wants.get(name, ())):
                continue
            clash = self._clash(known)
            if clash is None:
                yield known
            else:
                blame.add(clash.name)
                blame |= {want.holder for want in clash.wants if want.holder != name}
                clashes.append(clash)

    def _ordered(self, name: str) -> Iterator[Candidate]:
        if name in self.goal.kept:
            yield self.goal.kept[name]
        yield from newest_first(self.candidates.versions(name, self._repository(name)))

    def _repository(self, name: str) -> str | None:
        """Where somebody says that it must come from."""
        named = {want.requirement.repository for want in self.wants.get(name, ())} - {None}
        return min(filter(None, named), default=self.forced.get(name))

    def _clash(self, known: Known) -> Clash | None:
        """A choice that does not suit what this version wants."""
        for want in self._wants_of(known, known.needs):
            other = want.requirement.name
            if other == known.candidate.name:
                continue
            chosen = self.chosen.get(other)
            if chosen is not None and not want.takes(chosen.candidate):
                if want.requirement.repository not in (None, chosen.candidate.repository):
                    self.forced.setdefault(other, str(want.requirement.repository))
                there = self.candidates.versions(other, self._repository(other))
                return Clash.over(other, [*self.wants[other], want], there)
        return None

    def _choose(self, name: str, known: Known) -> None:
        self.chosen[name] = known
        for want in self._wants_of(known, known.needs):
            self.wants.setdefault(want.requirement.name, []).append(want)

    def _take_back(self, name: str, known: Known) -> None:
        del self.chosen[name]
        for want in self._wants_of(known, known.needs):
            held = self.wants[want.requirement.name]
            held.remove(want)
            if not held:
                del self.wants[want.requirement.name]

    def _wants_of(self, known: Known | None, needs: Sequence[Requirement]) -> list[Want]:
        """What a version wants, or the agent itself; its own name it has anyway."""
        own = self.goal.own_name
        if known is None:
            made = [Want(need, self.goal.title, ROOT) for need in needs]
            return [want for want in made if want.requirement.name != own]
        name, version = known.candidate.name, str(known.candidate.version)
        limits = self.goal.limits.of(name, version) if self.goal.limits else ()
        made = [Want(need, known.title, known.key, name) for need in (*needs, *limits)]
        return [want for want in made if want.requirement.name not in (own, name)]
