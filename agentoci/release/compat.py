"""The compatibility matrix: which versions of agents work together, and with which models.

`compatibility.json` lies beside the Agentfile. A key of a version is a version or a range (`1.0` is
any `1.0.z`); of several that hold the most exact one counts. What it does not name it says nothing
of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING

from agentoci.release.candidates import Demand, Requirement
from agentoci.release.lock import MATRIX_FILE
from agentoci.spec.ranges import VersionRange

if TYPE_CHECKING:
    from agentoci.release.compatmodel import MatrixDocument


class Answer(StrEnum):
    """What the matrix says."""

    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An answer, and why."""

    answer: Answer
    reason: str


@dataclass(frozen=True, slots=True)
class Named:
    """A name and the versions meant: `coordinator_agent@1.0.0`, `psm_gen@1.0`."""

    name: str
    versions: VersionRange

    @classmethod
    def parse(cls, text: str) -> Named:
        """Read `NAME[@VERSION]`; without a version all are meant. Raises InvalidRange."""
        name, _, version = text.partition("@")
        return cls(name, VersionRange.parse(version if "@" in text else "*"))

    def __str__(self) -> str:
        return self.name if str(self.versions) == "*" else f"{self.name}@{self.versions}"


@dataclass(frozen=True, slots=True)
class Row:
    """What one version works with; None for what it says nothing of."""

    of: Named
    partners: tuple[Named, ...] | None
    models: tuple[str, ...] | None

    def judge(self, other: Named) -> Judgement | None:
        """Whether the other will do; None when the row does not name it."""
        named = [one for one in self.partners or () if one.name == other.name]
        if not named:
            return None
        versions = reduce(_either, (one.versions for one in named))
        if versions.includes(other.versions):
            return Judgement(Answer.COMPATIBLE, f"{self.of} works with {_listed(named)}")
        reason = f"{self.of} works with {_listed(named)}, not with {other}"
        return Judgement(Answer.INCOMPATIBLE, reason)


def _either(one: VersionRange, other: VersionRange) -> VersionRange:
    return VersionRange.parse(f"{one} || {other}")


def _listed(words: Iterable[object]) -> str:
    return ", ".join(map(str, words))


@dataclass(frozen=True, slots=True)
class Matrix:
    """All rows, by name."""

    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes, *, file: str) -> Matrix:
        """Read the file; raises SourceFaults, each fault with its line and a caret."""
        from agentoci.release.checked import checked, located
        from agentoci.release.compatmodel import MatrixDocument

        found = located(content, file=file, what='{"compatibility": {NAME: {VERSION: …}}}')
        return _matrix_of(checked(MatrixDocument, found))

    def row(self, named: Named) -> Row | None:
        """The most exact row that speaks of all these versions."""
        holding = [
            r for r in self.rows.get(named.name, ()) if r.of.versions.includes(named.versions)
        ]
        for row in holding:
            if all(other.of.versions.includes(row.of.versions) for other in holding):
                return row
        return holding[0] if holding else None

    def judge(self, one: Named, other: Named) -> Judgement:
        """Whether the two work together: neither may say no, and one must say yes."""
        said = [self._said(one, other), self._said(other, one)]
        for answer in (Answer.INCOMPATIBLE, Answer.COMPATIBLE):
            for judgement in said:
                if judgement is not None and judgement.answer is answer:
                    return judgement
        return Judgement(Answer.UNKNOWN, f"nothing is said of {one} with {other}")

    def _said(self, one: Named, other: Named) -> Judgement | None:
        row = self.row(one)
        return row.judge(other) if row else None

    def judge_model(self, named: Named, model: str) -> Judgement:
        """Whether the agent works with a language model."""
        row = self.row(named)
        if row is None or row.models is None:
            return Judgement(Answer.UNKNOWN, f"nothing is said of {named} with {model}")
        if model in row.models:
            return Judgement(Answer.COMPATIBLE, f"{row.of} works with {_listed(row.models)}")
        reason = f"{row.of} works with {_listed(row.models) or 'no model'}, not with {model}"
        return Judgement(Answer.INCOMPATIBLE, reason)

    def of(self, name: str, version: str) -> tuple[Requirement, ...]:
        """What this version allows of others, as limits for resolving."""
        row = self.row(Named(name, VersionRange.parse(version)))
        if row is None or row.partners is None:
            return ()
        return tuple(
            Requirement(
                partner,
                reduce(_either, (one.versions for one in row.partners if one.name == partner)),
                Demand.LIMIT,
                said=f"works with {_listed(o for o in row.partners if o.name == partner)} only "
                f"({MATRIX_FILE})",
            )
            for partner in sorted({one.name for one in row.partners})
        )


def check_model(matrix: Matrix, name: str, version: str, model: str) -> Judgement:
    """Whether a version of an agent works with a language model, for whoever chooses one."""
    return matrix.judge_model(Named(name, VersionRange.parse(version)), model)


def _matrix_of(document: MatrixDocument) -> Matrix:
    return Matrix(
        {
            name: tuple(
                Row(
                    Named(name, VersionRange.parse(version)),
                    _partners(row.compatible_with),
                    row.llm_models,
                )
                for version, row in versions.items()
            )
            for name, versions in document.compatibility.items()
        }
    )


def _partners(texts: tuple[str, ...] | None) -> tuple[Named, ...] | None:
    return None if texts is None else tuple(map(Named.parse, texts))
