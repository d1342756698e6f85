"""Annotation keys: the OCI ones that we write (image-spec, annotations.md) and our own."""

from __future__ import annotations

from typing import Final

TITLE: Final = "org.opencontainers.image.title"
VERSION: Final = "org.opencontainers.image.version"
AUTHORS: Final = "org.opencontainers.image.authors"
DESCRIPTION: Final = "org.opencontainers.image.description"
SOURCE: Final = "org.opencontainers.image.source"
REVISION: Final = "org.opencontainers.image.revision"
BASE_NAME: Final = "org.opencontainers.image.base.name"
BASE_DIGEST: Final = "org.opencontainers.image.base.digest"
REF_NAME: Final = "org.opencontainers.image.ref.name"

ARTIFACT_TYPE: Final = "dev.agentoci.artifact-type"
"""In the image profile, which has no artifactType: what the artifact is all the same."""

REQUIREMENTS: Final = "dev.agentoci.requirements"
"""Which agents the agent needs, as canonical JSON: resolving then reads no config. Every image with
a layer of tools has it."""

LAYER_KIND: Final = "dev.agentoci.layer.kind"
"""In the image profile, whose layer types do not say it."""

STORED: Final = "dev.agentoci.stored"
"""In a store's index: when this entry got its name (RFC 3339)."""

TOTAL_SIZE: Final = "dev.agentoci.size"
"""In a store's index: bytes of config and layers, so that listing opens no other file."""

SUBJECT: Final = "dev.agentoci.subject"
"""In a store's index: the digest that this manifest speaks of."""

AGENT_NAME: Final = "dev.agentoci.name"
"""In a store's index: the definition's name."""
