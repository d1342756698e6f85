"""Media types: those of OCI and docker, and our own with their versions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agentoci.errors import Integrity

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

DOCKER_IMAGE_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
IMAGE_CONFIGS: Final = frozenset({OCI_IMAGE_CONFIG, DOCKER_IMAGE_CONFIG})

MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
ACCEPT: Final = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))

AGENT: Final = "application/vnd.agentoci.agent.v1"
AGENT_CONFIG: Final = "application/vnd.agentoci.agent.config.v1+json"
CHECKPOINT: Final = "application/vnd.agentoci.checkpoint.v1"
INSTANCE: Final = "application/vnd.agentoci.instance.v1+json"
"""The config of a checkpoint."""

SEARCH_INDEX: Final = "application/vnd.agentoci.index.v1"
SEARCH_INDEX_DOCUMENT: Final = "application/vnd.agentoci.index.v1+json"

_OURS: Final = "application/vnd.agentoci."
_LAYER: Final = r"application/vnd\.agentoci\.layer\.([a-z]+)\.v([0-9]+)\.tar(?:\+([a-z]+))?"
_IMAGE_LAYER: Final = (
    r"application/vnd\.(?:oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)"
    r"(?:[+.]([a-z]+))?"
)


class UnknownMediaType(Integrity):
    """A type, or a major version of one of our types, that this program does not read."""


class Compression(StrEnum):
    """How a layer's tar is packed; the value is the media type's suffix."""

    ZSTD = "zstd"
    GZIP = "gzip"
    NONE = "none"


class LayerKind(StrEnum):
    """What a layer of an agent image holds."""

    KNOWLEDGE = "knowledge"
    TOOLS = "tools"
    CONFIG = "config"
    INTERFACE = "interface"
    FILES = "files"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class LayerType:
    """A layer's media type, taken apart; `kind` is None for a plain image layer."""

    kind: LayerKind | None
    compression: Compression

    @classmethod
    def parse(cls, media_type: str) -> LayerType:
        """Read the media type of a layer; raises UnknownMediaType for what we cannot unpack."""
        if match := re.fullmatch(_LAYER, media_type):
            if match[2] != "1":
                raise UnknownMediaType(
                    f"layer type {media_type!r}: version {match[2]}, this program reads 1",
                    hint="a newer agentoci reads it",
                )
            return cls(_kind(match[1], media_type), _compression(match[3], media_type))
        if match := re.fullmatch(_IMAGE_LAYER, media_type):
            return cls(None, _compression(match[1], media_type))
        raise UnknownMediaType(f"layer type {media_type!r} is not one that this program unpacks")

    @property
    def agent(self) -> str:
        """The media type in the agent profile."""
        kind = self.kind or LayerKind.FILES
        suffix = "" if self.compression is Compression.NONE else f"+{self.compression}"
        return f"application/vnd.agentoci.layer.{kind}.v1.tar{suffix}"

    @property
    def image(self) -> str:
        """The media type in the image profile."""
        suffix = "" if self.compression is Compression.NONE else f"+{self.compression}"
        return f"application/vnd.oci.image.layer.v1.tar{suffix}"


def _kind(text: str, media_type: str) -> LayerKind:
    try:
        return LayerKind(text)
    except ValueError as exc:
        raise UnknownMediaType(f"layer type {media_type!r}: unknown kind {text!r}") from exc


def _compression(text: str | None, media_type: str) -> Compression:
    if text is None:
        return Compression.NONE
    try:
        found = Compression(text)
    except ValueError:
        found = Compression.NONE
    if found is Compression.NONE:
        raise UnknownMediaType(f"layer type {media_type!r}: unknown compression {text!r}")
    return found


def check_version(media_type: str, *, what: str) -> None:
    """Refuse a type of ours whose major version is not 1; other people's types pass."""
    if not media_type.startswith(_OURS):
        return
    versions = re.findall(r"\.v([0-9]+)(?=[.+]|$)", media_type)
    if versions != ["1"]:
        raise UnknownMediaType(
            f"{what} has type {media_type!r}, this program reads version 1 of its types",
            hint="a newer agentoci reads it",
        )
