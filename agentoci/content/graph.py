"""The graph below a reference: manifests lead to configs, layers and further manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from agentoci._internal import limits
from agentoci._internal.threads import each
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.errors import Integrity
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import AnyManifest, parse_manifest

_TOO_LARGE: Final = "indexes nest too deep or name too many manifests"


class GraphTooLarge(Integrity):
    """More manifests, or indexes nested deeper, than any honest artifact has."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything reachable from a root.

    `manifests` come children first, the root last; `blobs` are unique, in the order of first use.
    """

    manifests: tuple[tuple[Descriptor, AnyManifest], ...]
    blobs: tuple[Descriptor, ...]

    @property
    def root(self) -> AnyManifest:
        """The manifest that the walk began at."""
        return self.manifests[-1][1]

    def descriptors(self) -> Iterator[Descriptor]:
        """Blobs, then manifests."""
        yield from self.blobs
        yield from (desc for desc, _ in self.manifests)


def fetch_manifest(source: Fetcher, desc: Descriptor) -> AnyManifest:
    """Fetch, verify and parse one manifest or index."""
    raw = fetch_bytes(source, desc)
    return parse_manifest(raw, media_type=desc.media_type, what=str(desc.digest))


def fetch_raw_manifest(source: Fetcher, desc: Descriptor) -> bytes:
    """Fetch and verify a manifest of any type, also of one that nobody here reads."""
    return fetch_bytes(source, as_manifest(desc))


def as_manifest(desc: Descriptor) -> Descriptor:
    """The same content, to be asked for as a manifest: targets take unknown types for blobs."""
    return desc if desc.is_manifest else replace(desc, media_type=mediatypes.OCI_MANIFEST)


def measured(source: Fetcher, desc: Descriptor) -> Descriptor:
    """A manifest's descriptor with its real size, for documents that name it."""
    if not desc.size_is_hint:
        return desc
    return replace(desc, size=len(fetch_raw_manifest(source, desc)), size_is_hint=False)


def walk(source: Fetcher, root: Descriptor, *, workers: int = 1) -> Graph:
    """Read the graph below `root`, level by level, with up to `workers` requests at once.

    A root whose size was a hint has its real size there. Raises GraphTooLarge, and what
    `fetch_manifest` raises.
    """
    found: dict[Digest, tuple[Descriptor, AnyManifest]] = {}
    level, depth, held = [root], 0, 0
    while level:
        if depth > limits.MAX_INDEX_DEPTH or len(found) + len(level) > limits.MAX_GRAPH_NODES:
            raise GraphTooLarge(f"{root.digest}: {_TOO_LARGE}")
        held += sum(desc.size for desc in level)
        if held > limits.MAX_GRAPH_BYTES:
            raise GraphTooLarge(f"{root.digest}: leads to {held} bytes of manifests")
        manifests = each(partial(fetch_manifest, source), level, workers=workers, name="walk")
        for desc, manifest in zip(level, manifests, strict=True):
            exact = replace(desc, size=len(manifest.raw), size_is_hint=False)
            found[desc.digest] = (exact, manifest)
        below = (child for desc in level for child in found[desc.digest][1].children)
        unread = [desc for desc in below if desc.is_manifest and desc.digest not in found]
        level, depth = list({desc.digest: desc for desc in unread}.values()), depth + 1
    return _in_order(found, root)


def _in_order(found: Mapping[Digest, tuple[Descriptor, AnyManifest]], root: Descriptor) -> Graph:
    """Children before those that list them; every blob once.

    Raises GraphTooLarge: what is listed high up can be far down on another way.
    """
    manifests: dict[Digest, tuple[Descriptor, AnyManifest]] = {}
    blobs: dict[Digest, Descriptor] = {}

    def visit(digest: Digest, depth: int = 0) -> None:
        if digest in manifests:
            return
        if depth > limits.MAX_INDEX_DEPTH:
            raise GraphTooLarge(f"{root.digest}: {_TOO_LARGE}")
        desc, manifest = found[digest]
        for child in manifest.children:
            if child.is_manifest:
                visit(child.digest, depth + 1)
            else:
                _add_blob(blobs, child)
        manifests[digest] = (desc, manifest)

    visit(root.digest)
    return Graph(tuple(manifests.values()), tuple(blobs.values()))


def _add_blob(blobs: dict[Digest, Descriptor], desc: Descriptor) -> None:
    known = blobs.setdefault(desc.digest, desc)
    if known.size != desc.size:
        raise Integrity(f"{desc.digest}: named with two sizes, {known.size} and {desc.size}")


def largest_first(blobs: Iterable[Descriptor]) -> list[Descriptor]:
    """The order in which parallel transfers end soonest."""
    return sorted(blobs, key=lambda blob: (-blob.size, str(blob.digest)))
