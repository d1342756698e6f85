"""The two profiles: our own media types, or those of container images, over the same layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from agentoci._internal import limits
from agentoci.content.reader import BytesSource, VerifiedReader
from agentoci.layers.compress import zstd_frame, zstd_frame_size
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor, Platform
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.mediatypes import Compression, LayerType
from agentoci.store.images import Image, layer_type
from agentoci.store.layout import LayoutStore

PLATFORMS: Final = (Platform("linux", "amd64"), Platform("linux", "arm64"))


def store_agent(
    store: LayoutStore,
    config: ImageConfig,
    layers: tuple[Descriptor, ...],
    annotations: dict[str, str],
) -> Descriptor:
    """Write config and manifest of the agent profile; returns the manifest's descriptor."""
    raw = config.encode()
    config_desc = Descriptor.of(mediatypes.AGENT_CONFIG, raw)
    store.push(config_desc, BytesSource(raw))
    manifest = Manifest.build(
        config=config_desc,
        layers=layers,
        artifact_type=mediatypes.AGENT,
        annotations=annotations,
    )
    store.push(manifest.descriptor, BytesSource(manifest.raw))
    return manifest.descriptor


def store_as_image(store: LayoutStore, image: Image) -> Descriptor:
    """Write the image profile of an agent image; returns the index's descriptor.

    The layer blobs are the same, but for plain tars, which are wrapped in a zstd frame. An image
    that is in this profile already stays as it is.
    """
    if image.manifest.artifact_type != mediatypes.AGENT:
        return image.root
    layers = tuple(_image_layer(store, desc) for desc in image.manifest.layers)
    annotations = {**image.manifest.annotations, keys.ARTIFACT_TYPE: mediatypes.AGENT}
    manifests = [
        _platform_manifest(store, image.config, layers, annotations, platform)
        for platform in PLATFORMS
    ]
    index = Index.build(manifests, annotations=annotations)
    store.push(index.descriptor, BytesSource(index.raw))
    return index.descriptor


def as_agent_layer(desc: Descriptor) -> Descriptor:
    """A layer of either profile as the agent profile describes it."""
    annotations = {k: v for k, v in desc.annotations.items() if k != keys.LAYER_KIND}
    return replace(desc, media_type=layer_type(desc).agent, annotations=annotations)


def _platform_manifest(
    store: LayoutStore,
    config: ImageConfig,
    layers: tuple[Descriptor, ...],
    annotations: dict[str, str],
    platform: Platform,
) -> Descriptor:
    raw = config.encode(platform={"os": platform.os, "architecture": platform.architecture})
    config_desc = Descriptor.of(mediatypes.OCI_IMAGE_CONFIG, raw)
    store.push(config_desc, BytesSource(raw))
    manifest = Manifest.build(config=config_desc, layers=layers, annotations=annotations)
    store.push(manifest.descriptor, BytesSource(manifest.raw))
    return replace(manifest.descriptor, platform=platform)


def _image_layer(store: LayoutStore, desc: Descriptor) -> Descriptor:
    found = LayerType.parse(desc.media_type)
    kind = {keys.LAYER_KIND: str(found.kind)}
    if found.compression is not Compression.NONE:
        return replace(desc, media_type=found.image, annotations={**desc.annotations, **kind})
    with store.fetch(desc) as stream, store.writer() as writer:
        reader = VerifiedReader(stream, desc)
        for piece in zstd_frame(_chunks(reader), desc.size):
            writer.write(piece)
        digest = writer.commit()
    packed = replace(found, compression=Compression.ZSTD)
    title = f"{found.kind}-{digest.short}.tar.zst"
    return Descriptor(packed.image, digest, zstd_frame_size(desc.size), {keys.TITLE: title, **kind})


def _chunks(reader: VerifiedReader) -> Iterator[bytes]:
    while chunk := reader.read(limits.NETWORK_BUFFER):
        yield chunk
