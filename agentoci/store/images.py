"""Images as the layers above see them: manifest, config, definition and inventory."""

from __future__ import annotations

import platform as machine_info
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from agentoci._internal import limits
from agentoci.content.graph import fetch_manifest
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.errors import Integrity, Invalid, NotFound
from agentoci.layers.inventory import FILES_JSON, Inventory
from agentoci.layers.unpack import PackedLayer, read_file
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor, Platform
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json, loads_object
from agentoci.spec.kinds import describe
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.mediatypes import LayerKind, LayerType

_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}


class NotAnAgent(Invalid):
    """The artifact is something else than an agent image."""


class NoSuchPlatform(NotFound):
    """The index holds nothing for the platform that was asked for."""


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
            f"{what} is not an agent image, but {describe(manifest)}",
            hint="`agent inspect` shows what is in it",
        )
    if len(manifest.layers) > limits.MAX_LAYERS:
        raise ConfigMismatch(f"{what}: an agent image has {limits.MAX_LAYERS} layers at the most")
    raw = fetch_bytes(source, manifest.config, limit=limits.MAX_CONFIG_BYTES)
    config = ImageConfig.parse(raw, what=f"{what}: config")
    if len(config.diff_ids) != len(manifest.layers) or not manifest.layers:
        raise ConfigMismatch(
            f"{what}: {len(manifest.layers)} layers, but {len(config.diff_ids)} diff_ids"
        )
    return Image(root, manifest, config)


def select_manifest(
    source: Fetcher, root: Descriptor, *, what: str, platform: Platform | None = None
) -> Manifest:
    """The manifest itself, or the one of an index that is for the platform (None: this machine).

    For this machine any does when none is made for it: agents run anywhere. Raises NoSuchPlatform.
    """
    found = fetch_manifest(source, root)
    for _ in range(limits.MAX_INDEX_DEPTH):
        if isinstance(found, Manifest):
            return found
        found = fetch_manifest(source, select_entry(found, platform, what=what))
    raise NotAnAgent(f"{what}: indexes nest too deep")


def select_entry(index: Index, platform: Platform | None, *, what: str) -> Descriptor:
    """The entry of an index for a platform (None: this machine's, else the first).

    Without a variant in what is asked for, any variant does. Raises NoSuchPlatform, NotAnAgent.
    """
    if not index.manifests:
        raise NotAnAgent(f"{what} is an index that lists nothing")
    wanted = platform or this_platform()
    fitting = [d for d in index.manifests if d.platform and d.platform.satisfies(wanted)]
    if fitting:
        return fitting[0]
    if platform is None:
        return index.manifests[0]
    there = ", ".join(sorted({str(d.platform) for d in index.manifests if d.platform}))
    raise NoSuchPlatform(
        f"{what}: nothing for {platform} in it", hint=f"it is made for {there or 'no platform'}"
    )


def manifest_for(source: Fetcher, root: Descriptor, platform: Platform, *, what: str) -> Descriptor:
    """The manifest of an index for the platform; a manifest itself when it is for it, or for any.

    Raises NoSuchPlatform.
    """
    found = fetch_manifest(source, root)
    for _ in range(limits.MAX_INDEX_DEPTH):
        if isinstance(found, Manifest):
            _check_platform(source, found, platform, what=what)
            return root
        root = select_entry(found, platform, what=what).bare()
        found = fetch_manifest(source, root)
    raise NotAnAgent(f"{what}: indexes nest too deep")


def _check_platform(source: Fetcher, manifest: Manifest, wanted: Platform, *, what: str) -> None:
    """Raise NoSuchPlatform for an image whose config says that it is made for another one."""
    if manifest.config.media_type not in mediatypes.IMAGE_CONFIGS:
        return
    raw = fetch_bytes(source, manifest.config, limit=limits.MAX_CONFIG_BYTES)
    made_for = Platform.of(loads_object(raw, what=f"{what}: config", limit=len(raw)))
    if made_for is not None and "unknown" not in str(made_for) and not made_for.satisfies(wanted):
        raise NoSuchPlatform(f"{what}: not made for {wanted}", hint=f"it is made for {made_for}")


def this_platform() -> Platform:
    """What images for this machine are made for; containers are Linux everywhere."""
    machine = machine_info.machine()
    return Platform("linux", _ARCHITECTURES.get(machine, machine))


def _metadata(definition: Mapping[str, Json]) -> Mapping[str, Json]:
    found = definition.get("metadata")
    return found if isinstance(found, dict) else {}
