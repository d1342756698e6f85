"""Definitions of the context, found by what they call themselves (`metadata.name`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentoci._internal import files, limits
from agentoci.builder.context import Context
from agentoci.errors import SourceFaults
from agentoci.layers.source import reading_failed
from agentoci.spec.jsonio import Json


@dataclass(frozen=True, slots=True)
class Called:
    """A definition file of the context; nothing but its metadata has been looked at."""

    path: str
    content: bytes
    metadata: Mapping[str, Json]


@dataclass(slots=True)
class Search:
    """Looks for the definitions of one name.

    `broken` gathers the faults of files that hold the name and cannot be read: one of them may
    have been meant.
    """

    context: Context
    name: str
    broken: list[SourceFaults] = field(default_factory=list)

    def within(self, folder: str) -> Iterator[Called]:
        """Those of one folder, by path."""
        for path, content in mentioning(self.context, folder, self.name):
            from agentoci.definition.yamlio import load  # most folders hold none that says the name

            try:
                metadata = _metadata(load(content, file=path).data)
            except SourceFaults as exc:
                self.broken.append(exc)
                continue
            if metadata.get("name") == self.name:
                yield Called(path, content, metadata)

    def refuse_broken(self, cause: Exception | None = None) -> None:
        """Raise the faults of all that could not be read, if there are any."""
        if self.broken:
            raise SourceFaults([f for each in self.broken for f in each.faults]) from cause


def interface_files(context: Context, name: str) -> tuple[str, ...]:
    """The definitions that `INTERFACE name` may mean: `name.agentdef`, else those called so.

    They lie in the context's root. One is right, none leaves the name a mere name, and several are
    for the caller to refuse. Raises SourceFaults when there is none but a broken file holds the
    name.
    """
    if context.lookup(f"{name}.agentdef") is not None:
        return (f"{name}.agentdef",)
    search = Search(context, name)
    found = tuple(each.path for each in search.within(""))
    if not found:
        search.refuse_broken()
    return found


def mentioning(context: Context, folder: str, name: str) -> Iterator[tuple[str, bytes]]:
    """The definitions of a folder that hold a name anywhere, by path, with their content."""
    for entry in context.listing(folder):
        if entry.is_regular and entry.path.endswith(".agentdef"):
            content = _content(context.locate(entry.path))
            if name.encode() in content:
                yield entry.path, content


def _content(where: str) -> bytes:
    try:
        return files.read_at_most(Path(where), limits.MAX_DEFINITION_BYTES)
    except OSError as exc:
        raise reading_failed(where, exc) from exc


def _metadata(document: Json) -> dict[str, Json]:
    found = document.get("metadata") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}
