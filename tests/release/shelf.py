"""Agents that exist only as names, versions and needs: what resolving chooses from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from semver import Version

from agentoci.release.candidates import Candidate, Demand, Known, Requirement
from agentoci.release.resolve import Goal, Resolution, resolve
from agentoci.spec.digest import Digest
from agentoci.spec.ranges import VersionRange

Needs = Mapping[str, str]
"""Name → range; `?` before the range makes it optional, `HOST/NAME` says where it comes from."""


def requirements(needs: Needs) -> tuple[Requirement, ...]:
    return tuple(_requirement(name, text) for name, text in needs.items())


def _requirement(name: str, text: str) -> Requirement:
    demand = Demand.OPTIONAL if text.startswith("?") else Demand.REQUIRED
    wanted = VersionRange.parse(text.removeprefix("?"))
    return Requirement(name.rpartition("/")[2], wanted, demand, name if "/" in name else None)


def digest_of(reference: str) -> Digest:
    return Digest.of(reference.encode())


@dataclass
class Shelf:
    """`Candidates` over a table: `NAME:VERSION` or `HOST/NAME:VERSION` → needs."""

    table: Mapping[str, Needs]
    reads: list[str] = field(default_factory=list)

    def versions(self, name: str, repository: str | None) -> Sequence[Candidate]:
        return [
            Candidate(name, Version.parse(version), f"{place}:{version}", place)
            for place, _, version in (key.partition(":") for key in self.table)
            if place == (repository or name)
        ]

    def read(self, candidate: Candidate) -> Known | None:
        self.reads.append(candidate.reference)
        if candidate.reference not in self.table:
            return None
        settled = candidate.settled(candidate.version, digest_of(candidate.reference))
        return Known(settled, requirements(self.table[candidate.reference]))


def solve(table: Mapping[str, Needs], needs: Needs, **goal: object) -> Resolution:
    made = Goal("coordinator 1.0.0", requirements(needs), **goal)  # type: ignore[arg-type]
    return resolve(made, Shelf(table))


def versions(found: Resolution) -> dict[str, str]:
    return {one.known.candidate.name: str(one.known.candidate.version) for one in found.chosen}
