"""What an artifact is, in words for people: registries hold much besides agents.

The layouts are those that their makers document or push (Docker Agent, ToolHive, the skill formats,
Helm, cosign, in-toto, SBOM and model formats); what is unknown is called by its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.manifest import AnyManifest, Index, Manifest

AGENT: Final = "an agent image"
SKILL: Final = "an Agent Skill"
IMAGE: Final = "a container image"
FILES: Final = "files, pushed by ORAS"

_KNOWN: Final = (
    (mediatypes.AGENT, AGENT),
    (mediatypes.CHECKPOINT, "a checkpoint of an agent"),
    (mediatypes.SEARCH_INDEX, "an index of agents"),
    ("application/vnd.docker.agent.", "a Docker Agent definition"),
    ("application/vnd.docker.cagent.", "a Docker Agent definition"),
    ("application/vnd.openotters.agent.", "an OpenOtters agent"),
    ("application/vnd.agentrc.agent.", "an agentrc profile"),
    ("application/vnd.agentskills.skill.", SKILL),
    ("application/vnd.cncf.skill.", SKILL),
    ("application/vnd.agent.skill.", SKILL),
    ("dev.toolhive.skills.", SKILL),
    ("application/vnd.toolhive.", "a ToolHive artifact"),
    ("application/vnd.stacklok.", "a ToolHive artifact"),
    ("application/vnd.cncf.helm.config.", "a Helm chart"),
    ("application/vnd.dev.cosign.", "a cosign signature"),
    ("application/vnd.dev.sigstore.bundle.", "a sigstore bundle"),
    ("application/vnd.cncf.notary.signature", "a Notary signature"),
    ("application/vnd.in-toto", "an attestation"),
    ("application/spdx", "an SBOM"),
    ("application/vnd.cyclonedx", "an SBOM"),
    ("application/vnd.kitops.modelkit", "a KitOps ModelKit"),
    ("application/vnd.cncf.model.", "a model"),
    ("application/vnd.docker.ai.model.", "a model"),
    ("application/vnd.ollama.", "a model"),
    ("application/vnd.docker.plugin.", "a Docker plugin"),
    ("application/vnd.wasm.", "a WebAssembly module"),
    (mediatypes.OCI_IMAGE_CONFIG, IMAGE),
    (mediatypes.DOCKER_IMAGE_CONFIG, IMAGE),
    ("application/vnd.unknown.config.v1+json", FILES),
    ("application/vnd.unknown.artifact.v1", FILES),
)
"""Beginning of a media type → what it is; the first that fits counts."""

_SKILL_MARKS: Final = ("dev.toolhive.skills.", "org.agent.skill.")
"""How annotations begin that makers of skills put on plain images."""


def describe(manifest: AnyManifest) -> str:
    """What a manifest or index is, with its article: `an agent image`, `a Helm chart`.

    An agent in the image profile is an agent; an index is called by its own type, if it has any.
    """
    for media_type in _types(manifest):
        for beginning, words in _KNOWN:
            if media_type.startswith(beginning):
                return _refined(words, manifest)
    if isinstance(manifest, Index):
        return "an index of several manifests"
    kind = manifest.kind
    return f"an artifact of type {kind}" if kind else "an artifact without a type"


def _types(manifest: AnyManifest) -> Iterator[str]:
    """The types that may tell, the most telling first."""
    if manifest.kind:
        yield manifest.kind
    if isinstance(manifest, Manifest):
        yield from (layer.media_type for layer in manifest.layers[:1])
        yield manifest.config.media_type


def _refined(words: str, manifest: AnyManifest) -> str:
    """Plain images and files whose annotations say that they carry a skill."""
    if words not in (IMAGE, FILES):
        return words
    titles = [manifest.annotations.get(keys.TITLE, "")]
    if isinstance(manifest, Manifest):
        titles += [layer.annotations.get(keys.TITLE, "") for layer in manifest.layers]
    if any(title.rpartition("/")[2] == "SKILL.md" for title in titles):
        return SKILL
    if any(key.startswith(_SKILL_MARKS) for key in manifest.annotations):
        return SKILL
    return words
