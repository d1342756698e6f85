"""Images as the layers above see them: manifest, config, definition and inventory."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from agentoci._internal import limits
from agentoci.content.graph import fetch_manifest
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.errors import Integrity, Invalid
from agentoci.layers.inventory import FILES_JSON, Inventory
from agentoci.layers.unpack import PackedLayer, read_file
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.mediatypes import LayerKind, LayerType

_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}


class NotAnAgent(Invalid):
    """The artifact is something else than an agent image."""


class ConfigMismatch(Integrity):
    """Config and manifest of an image contradict each other."""


@dataclass(frozen=True, slots=True)
class Image:
    """An agent image in either profile.

    `root` is what the reference means: the manifest, or the image profile's index; `manifest` is
    the one for this machine.
    """

    root: Descriptor
    manifest: Manifest
    config: ImageConfig

    @property
    def definition(self) -> Mapping[str, Json]:
        """The compiled definition's document."""
        found = self.config.agentoci.get("definition")
        return found if isinstance(found, dict) else {}

    @property
    def name(self) -> str:
        """The definition's name."""
        return str(_metadata(self.definition).get("name") or "agent")

    @property
    def version(self) -> str:
        """The definition's version."""
        return str(_metadata(self.definition).get("version") or "0.0.0")

    def layer_types(self) -> list[LayerType]:
        """What each layer holds and how it is packed, in either profile."""
        return [layer_type(desc) for desc in self.manifest.layers]

    def packed_layers(self, source: Fetcher) -> list[PackedLayer]:
        """The layers as the unpacker takes them; their content is proven by the diff_ids."""
        return [
            PackedLayer(partial(source.fetch, desc), kind.compression, desc.size, diff_id)
            for desc, kind, diff_id in zip(
                self.manifest.layers, self.layer_types(), self.config.diff_ids, strict=True
            )
        ]

    def inventory(self, source: Fetcher) -> Inventory:
        """`agent/files.json`, from the last layer."""
        last = self.packed_layers(source)[-1]
        raw = read_file(last, FILES_JSON, limit=limits.MAX_INVENTORY_BYTES)
        return Inventory.parse(raw, what=f"{self.root.digest}: {FILES_JSON}")


def layer_type(desc: Descriptor) -> LayerType:
    """The layer's type; in the image profile its kind comes from an annotation."""
    found = LayerType.parse(desc.media_type)
    kind = desc.annotations.get(keys.LAYER_KIND)
    if found.kind is None and kind is not None and kind in list(LayerKind):
        return replace(found, kind=LayerKind(kind))
    return found


def read_image(source: Fetcher, root: Descriptor, *, what: str) -> Image:
    """Read manifest and config, no layer.

    Raises NotAnAgent for other artifacts, ConfigMismatch, and what the parsers raise.
    """
    manifest = select_manifest(source, root, what=what)
    if not manifest.is_agent:
        raise NotAnAgent(
            f"{what} is not an agent image, but {manifest.kind or 'an artifact without a type'}",
            hint="`agent inspect` shows what it is",
        )
    raw = fetch_bytes(source, manifest.config, limit=limits.MAX_CONFIG_BYTES)
    config = ImageConfig.parse(raw, what=f"{what}: config")
    if len(config.diff_ids) != len(manifest.layers) or not manifest.layers:
        raise ConfigMismatch(
            f"{what}: {len(manifest.layers)} layers, but {len(config.diff_ids)} diff_ids"
        )
    return Image(root, manifest, config)


def select_manifest(source: Fetcher, root: Descriptor, *, what: str) -> Manifest:
    """The manifest itself, or the one of an index that is for this machine."""
    found = fetch_manifest(source, root)
    for _ in range(limits.MAX_INDEX_DEPTH):
        if isinstance(found, Manifest):
            return found
        found = fetch_manifest(source, _for_this_machine(found, what))
    raise NotAnAgent(f"{what}: indexes nest too deep")


def _for_this_machine(index: Index, what: str) -> Descriptor:
    if not index.manifests:
        raise NotAnAgent(f"{what} is an index that lists nothing")
    machine = platform.machine()
    architecture = _ARCHITECTURES.get(machine, machine)
    for desc in index.manifests:
        if desc.platform and desc.platform.architecture == architecture:
            return desc
    return index.manifests[0]


def _metadata(definition: Mapping[str, Json]) -> Mapping[str, Json]:
    found = definition.get("metadata")
    return found if isinstance(found, dict) else {}
