"""What artifacts of others are called."""

from __future__ import annotations

import pytest

from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, Descriptor
from agentoci.spec.kinds import describe
from agentoci.spec.manifest import Index, Manifest

IMAGE_CONFIG = mediatypes.OCI_IMAGE_CONFIG
IMAGE_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def manifest(
    *,
    kind: str | None = None,
    config: str = mediatypes.OCI_EMPTY,
    layer: str = IMAGE_LAYER,
    title: str = "",
    **marks: str,
) -> Manifest:
    described = Descriptor.of(layer, b"content")
    if title:
        described = described.annotated(**{"org.opencontainers.image.title": title})
    return Manifest.build(
        config=EMPTY if config == mediatypes.OCI_EMPTY else Descriptor.of(config, b"{}"),
        layers=[described],
        artifact_type=kind,
        annotations=marks,
    )


DOCKER_AGENT = "application/vnd.docker.agent.config.v1+json"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (manifest(kind=mediatypes.AGENT), "an agent image"),
        (manifest(kind=DOCKER_AGENT, layer="application/yaml"), "a Docker Agent definition"),
        (manifest(config=DOCKER_AGENT, layer="application/yaml"), "a Docker Agent definition"),
        (manifest(kind="application/vnd.agentskills.skill.v1"), "an Agent Skill"),
        (manifest(config="application/vnd.cncf.skill.config.v1+json"), "an Agent Skill"),
        (manifest(kind="application/vnd.agent.skill.v1+json"), "an Agent Skill"),
        (manifest(kind="dev.toolhive.skills.v1", config=IMAGE_CONFIG), "an Agent Skill"),
        (manifest(config=IMAGE_CONFIG, title="review/SKILL.md"), "an Agent Skill"),
        (manifest(config=IMAGE_CONFIG), "a container image"),
        (
            manifest(config="application/vnd.docker.container.image.v1+json"),
            "a container image",
        ),
        (manifest(config="application/vnd.cncf.helm.config.v1+json"), "a Helm chart"),
        (manifest(kind="application/vnd.dev.sigstore.bundle.v0.3+json"), "a sigstore bundle"),
        (
            manifest(layer="application/vnd.dev.cosign.simplesigning.v1+json"),
            "a cosign signature",
        ),
        (
            manifest(kind="application/vnd.example.artifact.v1"),
            "an artifact of type application/vnd.example.artifact.v1",
        ),
        (manifest(config="application/vnd.unknown.config.v1+json"), "files, pushed by ORAS"),
        (manifest(kind="application/vnd.unknown.artifact.v1"), "files, pushed by ORAS"),
        (manifest(), "an artifact without a type"),
        (Index.build([]), "an index of several manifests"),
        (
            Index.build([], annotations={"dev.agentoci.artifact-type": mediatypes.AGENT}),
            "an agent image",
        ),
    ],
)
def test_artifacts_are_called_what_they_are(found: Manifest | Index, words: str) -> None:
    assert describe(found) == words


def test_image_profile_of_an_agent_is_an_agent() -> None:
    marks = {"dev.agentoci.artifact-type": mediatypes.AGENT}
    assert describe(manifest(config=IMAGE_CONFIG, **marks)) == "an agent image"


def test_marks_of_a_skill_in_an_image_are_seen() -> None:
    marks = {"org.agent.skill.name": "review"}
    assert describe(manifest(config=IMAGE_CONFIG, **marks)) == "an Agent Skill"
