"""An agent as a comparison sees it: definition, config, inventory, and files on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from agentoci._internal.threads import each
from agentoci.content.protocols import Fetcher
from agentoci.errors import Integrity
from agentoci.layers.inventory import FileEntry
from agentoci.layers.packed import naming, read_members
from agentoci.release.changes import Side
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json
from agentoci.store.images import Image, read_image

_WORKERS: Final = 4
"""Layers that are read at once: over a line their first bytes are waited for together."""

ReadFiles = Callable[[Sequence[FileEntry]], Mapping[str, bytes]]
"""The content of some files of an image by path, verified; raises Integrity."""


class FileContradicts(Integrity):
    """A layer holds another file than the image's inventory says, or none."""


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
    read: ReadFiles = field(compare=False)


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
        return AgentView(
            self.side,
            image.definition,
            image.config,
            tuple(files),
            image.config.diff_ids,
            _base(image.manifest.annotations),
            self.read,
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
        at = entries[0].layer
        layers = self.image.packed_layers(self.source)
        if at >= len(layers):
            raise FileContradicts(f"{self.reference}: {entries[0].path!r} is in no layer")
        missing = {entry.path: entry for entry in entries}
        found: dict[str, bytes] = {}
        with naming(f"layer {layers[at].diff_id.short}"), closing(read_members(layers[at])) as read:
            for member, body in read:
                entry = missing.get(member.name)
                if entry is None or member.kind != "file" or member.size != entry.size:
                    continue
                found[entry.path] = _verified(body.read_whole(), entry)
                del missing[entry.path]
                if not missing:
                    return found
        raise FileContradicts(f"{self.reference}: {min(missing)!r} is not in its layer")


def open_both(before: OpenedImage, after: OpenedImage) -> tuple[AgentView, AgentView]:
    """Both agents; an interface layer that both have is read once."""
    first = before.view()
    same = before.image.manifest.layers[-1].digest == after.image.manifest.layers[-1].digest
    return first, after.view(first.files if same else None)


def _verified(content: bytes, entry: FileEntry) -> bytes:
    if entry.sha256 is not None and hashlib.sha256(content).hexdigest() != entry.sha256:
        raise FileContradicts(f"{entry.path!r}: the layer holds another content than files.json")
    return content


def _base(annotations: Mapping[str, str]) -> str | None:
    name, digest = annotations.get(keys.BASE_NAME), annotations.get(keys.BASE_DIGEST)
    return "@".join(filter(None, (name, digest))) or None
