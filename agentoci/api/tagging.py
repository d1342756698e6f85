"""A release gets its tags: crash-safe, to be run again at will, and beside other releases.

No registry gives a tag on condition that nobody else has it. So the tag of the version is looked at
before it is given and afterwards, until everything stands still: what it means then is the release,
and whoever finds another one there gives back the tags that he moved. Who stops between look and
gift while the other one begins and ends finds that the tags of lines have moved meanwhile, and puts
back the version that his own came over. So two releases never both win a version, at a registry
where a tag that was given is seen by the next question. Pre-releases move no other tag, and have no
such witness: there the later one may win after the earlier one was told that it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from semver import Version

from agentoci.api.releasetargets import ReleaseTarget
from agentoci.errors import Conflict
from agentoci.registry.manifests import TagImmutable
from agentoci.release.nextversion import VersionTaken
from agentoci.release.tagplan import Kept, TagPlan, plan_tags
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor

_ROUNDS: Final = 5
"""How often tags are set right while others move them."""


class TagsMoving(Conflict):
    """Others move the same tags all the time."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """The tags that were moved, and those that were not, with the reason."""

    moved: tuple[str, ...]
    kept: tuple[Kept, ...]


@dataclass(slots=True)
class Tagging:
    """Gives `root`, which is at the target, the tags of a version."""

    target: ReleaseTarget
    root: Descriptor
    version: Version
    warn: Callable[[str], None]
    moved: dict[str, None] = field(default_factory=dict)
    stuck: dict[str, Kept] = field(default_factory=dict)

    def run(self, plan: TagPlan) -> Tagged:
        """The version first, then the tags of its lines, until nothing is left to do.

        Raises VersionTaken when the version means something else, at first or meanwhile.
        """
        before = self.target.resolve_tags(
            plan.moves
        )  # else what moves in between would be no witness
        present = self.target.resolve_tags([plan.version]).get(plan.version)
        if present is None:
            self._give(plan.version, self.root)
        elif present.digest != self.root.digest:
            raise self._taken(plan.version, present)
        elif all(_digest(before, tag) == self.root.digest for tag in plan.moves):
            return Tagged((), plan.kept)
        for number in range(_ROUNDS):
            plan = plan_tags(self.target.tags(), self.version)
            now = self._look(plan)
            self._check_won(plan, now)
            if present is None and number == 0:
                self._check_first(plan, before, now)
            if not self._set(plan, now):
                kept = [one for one in plan.kept if one.tag not in self.moved]
                return Tagged(tuple(self.moved), (*kept, *self.stuck.values()))
        raise TagsMoving(f"{self.target.shown}: others move its tags all the time")

    def _look(self, plan: TagPlan) -> Mapping[str, Descriptor]:
        kept = [one.tag for one in plan.kept if one.tag in self.moved]
        return self.target.resolve_tags([plan.version, *plan.moves, *kept])

    def _set(self, plan: TagPlan, now: Mapping[str, Descriptor]) -> bool:
        """Move what does not mean the release yet; whether there was anything."""
        pending = [
            tag
            for tag in plan.moves
            if tag not in self.stuck and _digest(now, tag) != self.root.digest
        ]
        for tag in pending:
            self._move(tag)
        return bool(pending) | self._yield(plan, now)

    def _move(self, tag: str) -> None:
        try:
            self._give(tag, self.root)
        except TagImmutable as exc:
            self.warn(exc.message)
            self.stuck[tag] = Kept(tag, "the registry lets it move nowhere")

    def _yield(self, plan: TagPlan, now: Mapping[str, Descriptor]) -> bool:
        """Leave lines to a higher release that came meanwhile; whether there was any."""
        lost = [one for one in plan.kept if one.tag in self.moved and one.higher is not None]
        for one in lost:
            higher = self.target.resolve_tags([one.higher or ""]).get(one.higher or "")
            if higher is not None and _digest(now, one.tag) == self.root.digest:
                self.target.tag(higher, one.tag)
            del self.moved[one.tag]
        return bool(lost)

    def _give(self, tag: str, desc: Descriptor) -> None:
        self.target.tag(desc, tag)
        self.moved[tag] = None

    def _check_won(self, plan: TagPlan, now: Mapping[str, Descriptor]) -> None:
        winner = now.get(plan.version)
        if winner is None or winner.digest == self.root.digest:
            return
        for tag in plan.moves:
            if tag in self.moved and _digest(now, tag) == self.root.digest:
                self.target.tag(winner, tag)
        raise self._taken(plan.version, winner)

    def _check_first(
        self, plan: TagPlan, before: Mapping[str, Descriptor], now: Mapping[str, Descriptor]
    ) -> None:
        """Put back the release of the same version that was whole before ours came over it."""
        for tag in plan.moves:
            found = now.get(tag)
            if found is None or found.digest in (self.root.digest, _digest(before, tag)):
                continue
            if self.target.manifest(found).annotations.get(keys.VERSION) == str(self.version):
                self.target.tag(found, plan.version)
                raise self._taken(plan.version, found)

    def _taken(self, tag: str, winner: Descriptor) -> VersionTaken:
        return VersionTaken(
            f"{self.target.shown}: {tag} is released already as {winner.digest}, "
            f"not {self.root.digest}",
            hint="run it again: it is compared with that release then",
        )


def _digest(meanings: Mapping[str, Descriptor], tag: str) -> object:
    found = meanings.get(tag)
    return None if found is None else found.digest
