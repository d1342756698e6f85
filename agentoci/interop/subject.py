"""What is put into another format: an agent's definition, with what its image adds to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from agentoci.interop.losses import Loss
from agentoci.interop.taking import Taking
from agentoci.spec.jsonio import Json

UNVERSIONED: Final = "0.0.0"
PARENT: Final = "what the parent says is in it, its name is not"
"""Why an exported agent has lost its `metadata.parent`."""

_SOURCES: Final = "org.opencontainers.image."
_HEADING: Final = re.compile(r"#{1,6}\s+(.+?)\s*#*")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Of an image: its name at a registry if it has one there, and how it starts.

    `repository` is HOST/NAME without a tag; `container` tells that container tools can run it.
    """

    digest: str
    repository: str | None = None
    has_entrypoint: bool = False
    container: bool = False


def _no_files() -> Mapping[str, bytes]:
    return {}


@dataclass(frozen=True, slots=True)
class Subject:
    """An agent that is converted.

    `knowledge` reads the files below its knowledge folder, by their paths there; not every format
    asks for them.
    """

    document: Mapping[str, Json]
    labels: Mapping[str, str] = field(default_factory=dict)
    image: ImageFacts | None = None
    knowledge: Callable[[], Mapping[str, bytes]] = _no_files

    def label(self, name: str) -> str | None:
        """The value of `org.opencontainers.image.NAME`."""
        return self.labels.get(_SOURCES + name) or None


@dataclass(frozen=True, slots=True)
class Exported:
    """An agent in another format: its name there, and the files by path, the main one first."""

    name: str
    files: Mapping[str, bytes]
    losses: tuple[Loss, ...]

    @property
    def main(self) -> tuple[str, bytes]:
        """The file that is the agent."""
        return next(iter(self.files.items()))


@dataclass(frozen=True, slots=True)
class Head:
    """What every format says of an agent."""

    name: str
    version: str
    author: str | None
    description: str | None
    interface: str | None

    @property
    def title(self) -> str:
        """The first heading of the interface, else the name."""
        return heading_of(self.interface or "") or self.name

    def summary(self) -> str:
        """The description, else the first paragraph of the interface, on one line."""
        return (
            self.description or first_paragraph(self.interface or "") or f"The agent {self.name}."
        )


def take_head(taking: Taking) -> Head:
    """Take name, version, author, description and interface."""
    taking.take("apiVersion")
    taking.take("kind")
    return Head(
        taking.text("metadata", "name") or "agent",
        taking.text("metadata", "version") or UNVERSIONED,
        taking.text("metadata", "author"),
        taking.text("metadata", "description"),
        taking.text("spec", "interface"),
    )


def heading_of(text: str) -> str | None:
    """The first Markdown heading."""
    matches = (_HEADING.fullmatch(line.strip()) for line in text.splitlines())
    return next((match[1] for match in matches if match), None)


def first_paragraph(text: str) -> str | None:
    """The first paragraph that is neither heading nor list nor code, on one line."""
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.splitlines()]
        prose = [line for line in lines if line and not _HEADING.fullmatch(line)]
        if prose and not prose[0].startswith(("-", "*", "|", "```", "<", ">", "1.")):
            return " ".join(prose)
    return None


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something is left out."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
