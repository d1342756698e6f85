"""An agent as a comparison sees it: definition, config, inventory, and files on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from agentoci._internal import limits
from agentoci._internal.threads import each
from agentoci.content.protocols import Fetcher, Reader
from agentoci.errors import Integrity
from agentoci.layers.inventory import FileEntry
from agentoci.layers.packed import naming, read_members
from agentoci.layers.untar import BodyReader
from agentoci.release.changes import Side
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json
from agentoci.store.images import Image, read_image

_WORKERS: Final = 4
"""Layers that are read at once: over a line their first bytes are waited for together."""


class FileContradicts(Integrity):
    """A layer holds another file than the image's inventory says, or none."""


class FileReader(Protocol):
    """Gives the content of an agent's files."""

    def read(self, entries: Sequence[FileEntry]) -> Mapping[str, bytes]:
        """The content of small files by path, verified; raises Integrity."""
        ...

    def stream(self, entry: FileEntry) -> AbstractContextManager[Reader]:
        """The content of a large file as a stream; verified by nobody who stops early."""
        ...


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent to compare: `files` are the entries of its inventory, sorted by path.

    `layers` are the diff_ids, which say what a file without a sha256 holds; `base` is the image
    that it was built on, as `name@digest`.
    """

    side: Side
    definition: Mapping[str, Json]
    config: ImageConfig
    files: tuple[FileEntry, ...]
    layers: tuple[Digest, ...]
    base: str | None
    reader: FileReader = field(compare=False)


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image and where it is read from; nothing but manifest and config was read so far."""

    source: Fetcher
    image: Image
    reference: str

    @classmethod
    def open(cls, source: Fetcher, root: Descriptor, *, reference: str) -> OpenedImage:
        """Read manifest and config; raises NotAnAgent and what `read_image` raises."""
        return cls(source, read_image(source, root, what=reference), reference)

    @property
    def side(self) -> Side:
        """What the report calls it."""
        digest = str(self.image.root.digest)
        return Side(self.reference, digest, self.image.name, self.image.version)

    def view(self, files: Sequence[FileEntry] | None = None) -> AgentView:
        """The agent, its inventory read from the interface layer unless it is given."""
        image = self.image
        if files is None:
            files = image.inventory(self.source).entries
        layers = len(image.config.diff_ids)
        if lost := next((entry.path for entry in files if entry.layer >= layers), None):
            raise FileContradicts(f"{self.reference}: {lost!r} is in a layer that is not there")
        return AgentView(
            self.side,
            image.definition,
            image.config,
            tuple(files),
            image.config.diff_ids,
            _base(image.manifest.annotations),
            self,
        )

    def read(self, entries: Sequence[FileEntry]) -> dict[str, bytes]:
        """The content of files, from their layers only, of each layer no more than is needed."""
        wanted: dict[int, list[FileEntry]] = {}
        for entry in entries:
            wanted.setdefault(entry.layer, []).append(entry)
        found = each(self._read_layer, list(wanted.values()), workers=_WORKERS, name="diff")
        return {path: content for part in found for path, content in part.items()}

    def _read_layer(self, entries: Sequence[FileEntry]) -> dict[str, bytes]:
        """Files of one layer: its reading ends with the last of them, so each is verified alone."""
        found: dict[str, bytes] = {}
        with self._members(entries) as members:
            for entry, body in members:
                found[entry.path] = _verified(body.read_whole(), entry)
                if len(found) == len(entries):
                    return found
        missing = min(entry.path for entry in entries if entry.path not in found)
        raise FileContradicts(f"{self.reference}: {missing!r} is not in its layer")

    @contextmanager
    def stream(self, entry: FileEntry) -> Iterator[Reader]:
        """A large file as a stream, out of its layer."""
        with self._members([entry]) as members:
            found = next(members, None)
            if found is None:
                raise FileContradicts(f"{self.reference}: {entry.path!r} is not in its layer")
            yield found[1]

    @contextmanager
    def _members(
        self, entries: Sequence[FileEntry]
    ) -> Iterator[Iterator[tuple[FileEntry, BodyReader]]]:
        """Those of one layer's members that are these entries."""
        at, layers = entries[0].layer, self.image.packed_layers(self.source)
        if at >= len(layers):
            raise FileContradicts(f"{self.reference}: {entries[0].path!r} is in no layer")
        wanted = {entry.path: entry for entry in entries}
        with naming(f"layer {layers[at].diff_id.short}"), closing(read_members(layers[at])) as read:
            yield (
                (wanted[member.name], body)
                for member, body in read
                if member.kind == "file"
                and member.name in wanted
                and member.size == wanted[member.name].size
            )


def open_both(
    before: OpenedImage, after: OpenedImage, *, workers: int = 1
) -> tuple[AgentView, AgentView]:
    """Both agents, by two `workers` at once; an interface layer that both have is read once."""
    if before.image.manifest.layers[-1].digest == after.image.manifest.layers[-1].digest:
        first = before.view()
        return first, after.view(first.files)
    first, second = each(OpenedImage.view, [before, after], workers=workers, name="diff")
    return first, second


def hold_the_same(
    one: FileReader, entry: FileEntry, other: FileReader, its_entry: FileEntry
) -> bool:
    """Whether two large files of one size are equal; reads up to the first difference."""
    with one.stream(entry) as first, other.stream(its_entry) as second:
        left = entry.size
        while left:
            wanted = min(left, limits.NETWORK_BUFFER)
            if _exactly(first, wanted) != _exactly(second, wanted):
                return False
            left -= wanted
    return True


def _exactly(stream: Reader, size: int) -> bytes:
    """As many bytes as are asked for, fewer at the end."""
    parts: list[bytes] = []
    while size and (chunk := stream.read(size)):
        parts.append(chunk)
        size -= len(chunk)
    return b"".join(parts)


def _verified(content: bytes, entry: FileEntry) -> bytes:
    if entry.sha256 is not None and hashlib.sha256(content).hexdigest() != entry.sha256:
        raise FileContradicts(f"{entry.path!r}: the layer holds another content than files.json")
    return content


def _base(annotations: Mapping[str, str]) -> str | None:
    name, digest = annotations.get(keys.BASE_NAME), annotations.get(keys.BASE_DIGEST)
    return "@".join(filter(None, (name, digest))) or None
