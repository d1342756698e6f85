"""Descriptors (image-spec, descriptor.md): what points at content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agentoci.errors import Integrity, Invalid
from agentoci.spec import mediatypes
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import Json

_LARGEST_SIZE: Final = 2**53


class InvalidDescriptor(Integrity):
    """A descriptor without type, digest or a sane size."""


class InvalidPlatform(Invalid):
    """Not `OS/ARCHITECTURE[/VARIANT]`."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform of a manifest inside an index."""

    os: str
    architecture: str
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `OS/ARCHITECTURE[/VARIANT]`; raises InvalidPlatform."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(
            re.fullmatch(r"[a-z0-9][a-z0-9._-]*", p) for p in parts
        ):
            raise InvalidPlatform(
                f"{text!r} is not a platform", hint="write OS/ARCHITECTURE, as in linux/arm64"
            )
        return cls(*parts)

    @classmethod
    def of(cls, document: Mapping[str, Json]) -> Platform | None:
        """What a config or an index entry says; None when it says nothing."""
        parts = [document.get(key) for key in ("os", "architecture", "variant")]
        os, architecture, variant = (part if isinstance(part, str) else None for part in parts)
        if not (os or architecture):
            return None
        return cls(os or "unknown", architecture or "unknown", variant or None)

    def satisfies(self, wanted: Platform) -> bool:
        """Whether it is the platform that is wanted; without a variant there, any will do."""
        same = (self.os, self.architecture) == (wanted.os, wanted.architecture)
        return same and wanted.variant in (None, self.variant)

    def document(self) -> dict[str, Json]:
        """The JSON object."""
        made: dict[str, Json] = {"os": self.os, "architecture": self.architecture}
        if self.variant:
            made["variant"] = self.variant
        return made

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Media type, digest and size in bytes of one piece of content.

    Two descriptors are equal when they point at the same content; annotations do not count.
    `urls` and `data` of a foreign descriptor are neither kept nor followed. With `size_is_hint` the
    size comes from the headers of a HEAD, which some registries (Harbor) get wrong: then the digest
    alone decides.
    """

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False)
    artifact_type: str | None = field(default=None, compare=False)
    platform: Platform | None = field(default=None, compare=False)
    size_is_hint: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, media_type: str, content: bytes) -> Descriptor:
        """The descriptor of these bytes."""
        return cls(media_type, Digest.of(content), len(content))

    @classmethod
    def parse(cls, document: Json, *, what: str) -> Descriptor:
        """Read a descriptor's JSON object; raises InvalidDescriptor or InvalidDigest."""
        if not isinstance(document, dict):
            raise InvalidDescriptor(f"{what}: expected a descriptor object")
        media_type = document.get("mediaType")
        size = document.get("size")
        if not isinstance(media_type, str) or not media_type:
            raise InvalidDescriptor(f"{what}: descriptor without mediaType")
        if type(size) is not int or not 0 <= size <= _LARGEST_SIZE:
            raise InvalidDescriptor(f"{what}: size {size!r} is not a number of bytes")
        artifact_type = document.get("artifactType")
        return cls(
            media_type,
            Digest.parse(document.get("digest")),
            size,
            parse_annotations(document.get("annotations"), what=what),
            artifact_type if isinstance(artifact_type, str) else None,
            _parse_platform(document.get("platform")),
        )

    def document(self) -> dict[str, Json]:
        """The JSON object."""
        made: dict[str, Json] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.artifact_type:
            made["artifactType"] = self.artifact_type
        if self.platform:
            made["platform"] = self.platform.document()
        if self.annotations:
            made["annotations"] = dict(self.annotations)
        return made

    def bare(self) -> Descriptor:
        """Type, digest and size only."""
        return Descriptor(self.media_type, self.digest, self.size, size_is_hint=self.size_is_hint)

    def annotated(self, **changes: str) -> Descriptor:
        """A copy with these annotations added."""
        return replace(self, annotations={**self.annotations, **changes})

    @property
    def is_manifest(self) -> bool:
        """Whether it points at an image manifest or an index."""
        return self.media_type in mediatypes.MANIFESTS or self.media_type in mediatypes.INDEXES


EMPTY_CONTENT: Final = b"{}"
EMPTY: Final = Descriptor(
    mediatypes.OCI_EMPTY,
    Digest("sha256", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    len(EMPTY_CONTENT),
)
"""The descriptor of the empty JSON object (image-spec, manifest.md, "Guidance for an Empty
Descriptor"); written out, because hashing would import `hashlib` into every listing."""


def parse_annotations(document: Json, *, what: str) -> dict[str, str]:
    """An annotations object; absent is empty. Raises InvalidDescriptor on other values."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InvalidDescriptor(f"{what}: annotations must map strings to strings")
    found: dict[str, str] = {}
    for key, value in document.items():
        if not isinstance(value, str):
            raise InvalidDescriptor(f"{what}: annotation {key!r} is not a string")
        found[key] = value
    return found


def _parse_platform(document: Json) -> Platform | None:
    if not isinstance(document, dict):
        return None
    return Platform.of(document) or Platform("unknown", "unknown")
