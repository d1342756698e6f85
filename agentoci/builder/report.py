"""What a build tells while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that is in the store."""

    desc: Descriptor
    diff_id: Digest
    created_by: str
    file_count: int = 0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, counted over all stages that are built."""

    number: int
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made: the image, its layers, and the definition's name and version."""

    root: Descriptor
    layers: tuple[Layer, ...]
    name: str
    version: str


class BuildReport(Protocol):
    """Is told the steps of a build, in the order in which they end."""

    def step(self, step: Step, layers: Sequence[Layer]) -> None:
        """A step is done and made (or found) these layers."""
        ...

    def warning(self, text: str) -> None:
        """Something that the user should know."""
        ...


class NoReport:
    """Tells nobody."""

    def step(self, step: Step, layers: Sequence[Layer]) -> None:
        """Nothing."""

    def warning(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class StepsOnly:
    """Passes the steps of a build on, and no warnings: another build is to follow and to warn."""

    inner: BuildReport

    def step(self, step: Step, layers: Sequence[Layer]) -> None:
        """Pass it on."""
        self.inner.step(step, layers)

    def warning(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class WarningsOnly:
    """Passes the warnings of a build on, and no steps: another build has told them."""

    inner: BuildReport

    def step(self, step: Step, layers: Sequence[Layer]) -> None:
        """Nothing."""

    def warning(self, text: str) -> None:
        """Pass it on."""
        self.inner.warning(text)
