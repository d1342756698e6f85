"""Image manifests and indexes (image-spec, manifest.md and image-index.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor, parse_annotations
from agentoci.spec.jsonio import Json, canonical, loads_object


class InvalidManifest(Integrity):
    """A manifest or index that says two things at once, or lacks what it must have."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest: config, layers, and the bytes that it was read from or written as."""

    raw: bytes = field(repr=False)
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        *,
        config: Descriptor,
        layers: Sequence[Descriptor],
        artifact_type: str | None = None,
        annotations: Mapping[str, str] | None = None,
        subject: Descriptor | None = None,
    ) -> Manifest:
        """Compose an OCI manifest and its canonical bytes."""
        document: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": config.document(),
            "layers": [layer.document() for layer in layers],
        }
        if artifact_type:
            document["artifactType"] = artifact_type
        if subject:
            document["subject"] = subject.bare().document()
        if annotations:
            document["annotations"] = dict(annotations)
        raw = canonical(document)
        if len(raw) > limits.MAX_MANIFEST_BYTES:
            raise InvalidManifest(
                f"manifest of {len(raw)} bytes: registries take {limits.MAX_MANIFEST_BYTES}"
            )
        return cls(
            raw,
            mediatypes.OCI_MANIFEST,
            config,
            tuple(layers),
            artifact_type,
            subject,
            dict(annotations or {}),
        )

    @property
    def kind(self) -> str | None:
        """What the artifact is: artifactType, the image profile's annotation, else config type."""
        return (
            self.artifact_type
            or self.annotations.get(keys.ARTIFACT_TYPE)
            or (self.config.media_type if self.config.media_type != mediatypes.OCI_EMPTY else None)
        )

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent image, in either profile."""
        return self.kind == mediatypes.AGENT

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of this manifest's bytes."""
        return _describe(self.raw, self.media_type, self.artifact_type)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """What must be there before the manifest is: config, then layers."""
        return (self.config, *self.layers)

    @property
    def total_size(self) -> int:
        """Bytes of config and layers."""
        return sum(child.size for child in self.children)


@dataclass(frozen=True, slots=True)
class Index:
    """An image index: a list of manifests."""

    raw: bytes = field(repr=False)
    media_type: str
    manifests: tuple[Descriptor, ...]
    artifact_type: str | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def build(
        cls, manifests: Sequence[Descriptor], *, annotations: Mapping[str, str] | None = None
    ) -> Index:
        """Compose an OCI index and its canonical bytes."""
        document: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_INDEX,
            "manifests": [entry.document() for entry in manifests],
        }
        if annotations:
            document["annotations"] = dict(annotations)
        return cls(
            canonical(document),
            mediatypes.OCI_INDEX,
            tuple(manifests),
            annotations=dict(annotations or {}),
        )

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of this index's bytes."""
        return _describe(self.raw, self.media_type, self.artifact_type)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests it lists."""
        return self.manifests

    @property
    def kind(self) -> str | None:
        """What the artifact is, where the index says so."""
        return self.artifact_type or self.annotations.get(keys.ARTIFACT_TYPE)


AnyManifest: TypeAlias = Manifest | Index


def parse_manifest(raw: bytes, *, media_type: str | None = None, what: str) -> AnyManifest:
    """Read a manifest or index.

    `media_type` is what the descriptor or Content-Type said; a body that says otherwise is refused
    (CVE-2021-41190), and so is one that has both `layers` and `manifests`.
    Raises InvalidManifest, InvalidJson, InvalidDescriptor, InvalidDigest.
    """
    document = loads_object(raw, what=what)
    said = document.get("mediaType")
    if said is not None and not isinstance(said, str):
        raise InvalidManifest(f"{what}: mediaType is not a string")
    if said and media_type and said != media_type:
        raise InvalidManifest(f"{what}: served as {media_type!r}, but says {said!r} itself")
    effective = said or media_type or _guess(document)
    if "layers" in document and "manifests" in document:
        raise InvalidManifest(f"{what}: has both layers and manifests")
    if document.get("schemaVersion") != 2:
        raise InvalidManifest(f"{what}: schemaVersion is not 2")
    if effective in mediatypes.INDEXES:
        return _parse_index(raw, effective, document, what=what)
    if effective in mediatypes.MANIFESTS:
        return _parse_image_manifest(raw, effective, document, what=what)
    raise InvalidManifest(f"{what}: {effective!r} is not a manifest type that this program reads")


def _parse_image_manifest(
    raw: bytes, media_type: str, document: dict[str, Json], *, what: str
) -> Manifest:
    layers = document.get("layers")
    if not isinstance(layers, list):
        raise InvalidManifest(f"{what}: has no list of layers")
    if len(layers) > limits.MAX_MANIFEST_LAYERS:
        raise InvalidManifest(f"{what}: more than {limits.MAX_MANIFEST_LAYERS} layers")
    config = Descriptor.parse(document.get("config"), what=f"{what}: config")
    annotations = parse_annotations(document.get("annotations"), what=what)
    for stated in (config.media_type, annotations.get(keys.ARTIFACT_TYPE, "")):
        mediatypes.check_version(stated, what=what)
    return Manifest(
        raw,
        media_type,
        config,
        tuple(Descriptor.parse(layer, what=f"{what}: layer {i}") for i, layer in enumerate(layers)),
        _artifact_type(document, what=what),
        _subject(document, what=what),
        annotations,
    )


def _parse_index(raw: bytes, media_type: str, document: dict[str, Json], *, what: str) -> Index:
    manifests = document.get("manifests")
    if not isinstance(manifests, list):
        raise InvalidManifest(f"{what}: has no list of manifests")
    return Index(
        raw,
        media_type,
        tuple(
            Descriptor.parse(entry, what=f"{what}: manifest {i}")
            for i, entry in enumerate(manifests)
        ),
        _artifact_type(document, what=what),
        _subject(document, what=what),
        parse_annotations(document.get("annotations"), what=what),
    )


def _artifact_type(document: dict[str, Json], *, what: str) -> str | None:
    found = document.get("artifactType")
    if found is not None and not isinstance(found, str):
        raise InvalidManifest(f"{what}: artifactType is not a string")
    if found:
        mediatypes.check_version(found, what=what)
    return found or None


def _subject(document: dict[str, Json], *, what: str) -> Descriptor | None:
    found = document.get("subject")
    return None if found is None else Descriptor.parse(found, what=f"{what}: subject")


def _guess(document: dict[str, Json]) -> str:
    return mediatypes.OCI_INDEX if "manifests" in document else mediatypes.OCI_MANIFEST


def _describe(raw: bytes, media_type: str, artifact_type: str | None) -> Descriptor:
    bare = Descriptor.of(media_type, raw)
    return Descriptor(media_type, bare.digest, bare.size, artifact_type=artifact_type)
