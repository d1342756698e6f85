"""The graph below a reference: manifests lead to configs, layers and further manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agentoci._internal import limits
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import AnyManifest, parse_manifest


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


def walk(source: Fetcher, root: Descriptor) -> Graph:
    """Read the graph below `root`; raises GraphTooLarge, and what `fetch_manifest` raises."""
    seen: dict[str, tuple[Descriptor, AnyManifest]] = {}
    blobs: dict[str, Descriptor] = {}

    def visit(desc: Descriptor, depth: int) -> None:
        key = str(desc.digest)
        if key in seen:
            return
        if depth > limits.MAX_INDEX_DEPTH or len(seen) >= limits.MAX_GRAPH_NODES:
            raise GraphTooLarge(f"{root.digest}: indexes nest too deep or name too many manifests")
        manifest = fetch_manifest(source, desc)
        for child in manifest.children:
            if child.is_manifest:
                visit(child, depth + 1)
            else:
                _add_blob(blobs, child)
        seen[key] = (desc, manifest)

    visit(root, 0)
    return Graph(tuple(seen.values()), tuple(blobs.values()))


def _add_blob(blobs: dict[str, Descriptor], desc: Descriptor) -> None:
    known = blobs.setdefault(str(desc.digest), desc)
    if known.size != desc.size:
        raise Integrity(f"{desc.digest}: named with two sizes, {known.size} and {desc.size}")


def largest_first(blobs: Iterable[Descriptor]) -> list[Descriptor]:
    """The order in which parallel transfers end soonest."""
    return sorted(blobs, key=lambda blob: (-blob.size, str(blob.digest)))
