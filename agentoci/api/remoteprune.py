"""Prune a repository at a registry: read what it holds, plan, show, then remove."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentoci.api.remotegraph import GraphReader
from agentoci.api.repositories import open_repository, repository_named
from agentoci.api.retention import Action, PrunePlan, Removal, Rules, plan_prune
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError, Conflict
from agentoci.registry.deletion import DeletionDisabled
from agentoci.spec.digest import Digest

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.repository import Repository


class RepositoryChanged(Conflict):
    """Tags came since the plan was made; they may need what it removes."""


class PartlyPruned(AgentociError):
    """Some removals failed; the others were done."""


@dataclass(frozen=True, slots=True)
class RemovalOutcome:
    """What became of a removal; `error` None means that it is gone."""

    removal: Removal
    error: str | None = None


@dataclass(slots=True)
class RemotePrune:
    """A plan over one repository, to be shown and carried out."""

    repository: str
    plan: PrunePlan
    tags: frozenset[str]
    _remote: Repository = field(repr=False)

    def carry_out(self) -> list[RemovalOutcome]:
        """Remove what is planned, as much of it as the registry lets; says what became of each.

        What hangs on a manifest that could not be deleted is left. Raises RepositoryChanged before
        anything is removed, DeletionDisabled when nothing can be.
        """
        added = sorted(set(self._remote.tags()) - self.tags)
        if added and self.plan.removals:
            raise RepositoryChanged(
                f"{self.repository}: tags were added meanwhile: {', '.join(added)}",
                hint="plan again: run the command once more",
            )
        outcomes: list[RemovalOutcome] = []
        failed: set[Digest] = set()
        for removal in self.plan.removals:
            outcome = self._try(removal, failed, first=not outcomes)
            if outcome.error is not None and removal.action is Action.DELETE:
                failed.add(removal.digest)
            outcomes.append(outcome)
        return outcomes

    def _try(self, removal: Removal, failed: set[Digest], *, first: bool) -> RemovalOutcome:
        waits = sorted(removal.after & failed)
        if waits:
            return RemovalOutcome(removal, f"left, because {waits[0]} could not be deleted")
        try:
            self._remove(removal)
        except ContentNotFound:
            return RemovalOutcome(removal)  # somebody else was quicker
        except DeletionDisabled as exc:
            if first:
                raise
            return RemovalOutcome(removal, exc.message)
        except AgentociError as exc:
            return RemovalOutcome(removal, exc.message)
        return RemovalOutcome(removal)

    def _remove(self, removal: Removal) -> None:
        if removal.action is Action.DELETE:
            self._remote.deletion.manifest(removal.digest, removal.tags)
            return
        for tag in removal.tags:
            self._remote.deletion.tag(tag)


def plan_remote(engine: Engine, text: str, rules: Rules) -> RemotePrune:
    """Read a repository at its registry and plan what goes; nothing is changed.

    What speaks of a manifest that goes is looked for before the plan is made, so that nothing kept
    loses what it needs. Raises InvalidReference, registry errors, ListingIncomplete, and Integrity
    for manifests that cannot be read.
    """
    repository = open_repository(engine, repository_named(text))
    reader = GraphReader(repository)
    reader.read_tagged()
    while True:
        plan = plan_prune(reader.graph, rules)
        doomed = [each.digest for each in plan.removals if each.action is Action.DELETE]
        if not reader.read_around(doomed):
            break
    return RemotePrune(repository.full_name, plan, reader.listed, repository)
