"""A search index as an OCI artifact, which every registry and every layout keeps.

In the agent profile the document is the one layer, with a type of its own; in the image profile,
for registries that take images only, it is a file in an image layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from agentoci._internal import limits
from agentoci.content.graph import fetch_manifest
from agentoci.content.protocols import Fetcher, Pusher, TagPusher, Target
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import Invalid
from agentoci.registry.search.document import SearchIndex
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import canonical
from agentoci.spec.manifest import Manifest
from agentoci.spec.mediatypes import Compression, LayerType

FILE_NAME: Final = "agents-index.json"


class NotASearchIndex(Invalid):
    """The artifact is something else than a search index."""


@dataclass(frozen=True, slots=True)
class IndexArtifact:
    """A search index as it was found: its manifest, what it lists, and its profile."""

    root: Descriptor
    index: SearchIndex
    as_image: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """A search index that can be pushed: the manifest and its blobs."""

    manifest: Manifest
    blobs: Mapping[Descriptor, bytes]

    def push_blobs(self, target: Pusher) -> None:
        """Bring what the manifest needs."""
        for desc, content in self.blobs.items():
            if not target.exists(desc):
                target.push(desc, BytesSource(content))

    def push_manifest(self, target: Target, name: str) -> Descriptor:
        """Let the name mean this index; its blobs must be there."""
        root = self.manifest.descriptor
        if isinstance(target, TagPusher):
            target.push_tagged(root, self.manifest.raw, (name,))
        else:
            target.push(root, BytesSource(self.manifest.raw))
            target.tag(root, name)
        return root


def pack(index: SearchIndex, *, as_image: bool = False) -> Packed:
    """The artifact of an index; the same index gives the same digest."""
    raw = index.encode()
    return _pack_image(raw) if as_image else _pack_agent(raw)


def read_index(source: Fetcher, root: Descriptor, *, what: str) -> IndexArtifact:
    """Read an index in either profile.

    Raises NotASearchIndex for other artifacts, UnknownMediaType and UnknownSearchIndex for newer
    ones, and what the document's reader raises.
    """
    manifest = fetch_manifest(source, root)
    if not isinstance(manifest, Manifest) or manifest.kind != mediatypes.SEARCH_INDEX:
        raise NotASearchIndex(
            f"{what} is not a search index, but {manifest.kind or 'an artifact without a type'}",
            hint="`agent index add` makes one",
        )
    if len(manifest.layers) != 1:
        raise NotASearchIndex(f"{what}: a search index has one layer, not {len(manifest.layers)}")
    [layer] = manifest.layers
    as_image = layer.media_type != mediatypes.SEARCH_INDEX_DOCUMENT
    if as_image:
        raw = _read_image_layer(source, manifest, what)
    else:
        raw = fetch_bytes(source, layer, limit=limits.MAX_SEARCH_INDEX_BYTES)
    return IndexArtifact(root.bare(), SearchIndex.parse(raw, what=what), as_image)


def _pack_agent(raw: bytes) -> Packed:
    layer = Descriptor.of(mediatypes.SEARCH_INDEX_DOCUMENT, raw).annotated(
        **{keys.TITLE: FILE_NAME}
    )
    manifest = Manifest.build(config=EMPTY, layers=(layer,), artifact_type=mediatypes.SEARCH_INDEX)
    return Packed(manifest, {layer: raw, EMPTY: EMPTY_CONTENT})


def _pack_image(raw: bytes) -> Packed:
    from agentoci.layers import tar
    from agentoci.layers.compress import open_compressor

    entry = tar.TarEntry(FILE_NAME, size=len(raw))
    archive = tar.header(entry, epoch=0) + raw + tar.padding(len(raw)) + tar.end()
    compressor = open_compressor(Compression.GZIP, len(archive))
    content = compressor.compress(archive) + compressor.flush()
    layer_type = LayerType(None, Compression.GZIP).image
    layer = Descriptor.of(layer_type, content).annotated(**{keys.TITLE: f"{FILE_NAME}.tar.gz"})
    document = {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(archive))]},
    }
    config_content = canonical(document)
    config = Descriptor.of(mediatypes.OCI_IMAGE_CONFIG, config_content)
    manifest = Manifest.build(
        config=config,
        layers=(layer,),
        annotations={keys.ARTIFACT_TYPE: mediatypes.SEARCH_INDEX},
    )
    return Packed(manifest, {layer: content, config: config_content})


def _read_image_layer(source: Fetcher, manifest: Manifest, what: str) -> bytes:
    from agentoci.layers.packed import PackedLayer
    from agentoci.layers.unpack import read_file

    raw = fetch_bytes(source, manifest.config, limit=limits.MAX_CONFIG_BYTES)
    diff_ids = ImageConfig.parse(raw, what=f"{what}: config").diff_ids
    if len(diff_ids) != 1:
        raise NotASearchIndex(f"{what}: one layer, but {len(diff_ids)} diff_ids")
    [layer] = manifest.layers
    kind = LayerType.parse(layer.media_type)
    packed = PackedLayer(partial(source.fetch, layer), kind.compression, layer.size, diff_ids[0])
    return read_file(packed, FILE_NAME, limit=limits.MAX_SEARCH_INDEX_BYTES)
