"""The image profile: the same agent under the types of container images."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.cli.conftest import Agent, MoveHome
from tests.registries import Registry
from tests.registry.fake import FakeRegistry

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def blob(store: Path, digest: str) -> bytes:
    return (store / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def document(store: Path, digest: str) -> dict[str, Any]:
    found = json.loads(blob(store, digest))
    assert isinstance(found, dict)
    return found


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def both(agent: Agent, talker: Path, home: Path) -> tuple[Path, str, str]:
    """The store, and the digests of one context in both profiles."""
    (talker / "noise.bin").write_bytes(hashlib.shake_256(b"noise").digest(200_000))
    with (talker / "Agentfile").open("a") as agentfile:
        agentfile.write("COPY noise.bin /agent/files/\n")
    plain = agent("build", "-t", "talker:agent", talker).out.strip()
    image = agent("build", "--profile", "image", "-t", "talker:image", talker).out.strip()
    return home / "agentoci" / "store", plain, image


def test_the_image_is_an_index_over_two_platforms(both: tuple[Path, str, str]):
    store, plain, image = both
    index = document(store, image)
    assert index["mediaType"] == INDEX
    assert "artifactType" not in index
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux"},
    ]
    agent_manifest = document(store, plain)
    for entry in index["manifests"]:
        manifest = document(store, entry["digest"])
        assert manifest["mediaType"] == MANIFEST
        assert "artifactType" not in manifest
        assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
        assert (
            manifest["annotations"]["dev.agentoci.artifact-type"]
            == (agent_manifest["artifactType"])
        )
        config = document(store, manifest["config"]["digest"])
        assert config["architecture"] == entry["platform"]["architecture"]
        assert config["agentoci"] == document(store, agent_manifest["config"]["digest"])["agentoci"]


def test_layers_are_the_same_blobs_but_for_wrapped_plain_ones(both: tuple[Path, str, str]):
    store, plain, image = both
    ours = document(store, plain)["layers"]
    theirs = document(store, document(store, image)["manifests"][0]["digest"])["layers"]
    assert len(ours) == len(theirs)
    wrapped = 0
    for mine, other in zip(ours, theirs, strict=True):
        if mine["mediaType"].endswith(".tar"):
            wrapped += 1
            packed = blob(store, other["digest"])
            assert zstandard.ZstdDecompressor().decompress(packed) == blob(store, mine["digest"])
        else:
            assert other["digest"] == mine["digest"]
        assert other["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
        kind = other["annotations"]["dev.agentoci.layer.kind"]
        assert mine["mediaType"].startswith(f"application/vnd.agentoci.layer.{kind}.v1.tar")
    assert wrapped == 1


def test_diff_ids_are_those_of_the_plain_tars(both: tuple[Path, str, str]):
    store, plain, image = both
    for digest in (plain, document(store, image)["manifests"][1]["digest"]):
        manifest = document(store, digest)
        diff_ids = document(store, manifest["config"]["digest"])["rootfs"]["diff_ids"]
        for layer, diff_id in zip(manifest["layers"], diff_ids, strict=True):
            content = blob(store, layer["digest"])
            if layer["mediaType"].endswith("+zstd"):
                content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
            assert sha256(content) == diff_id


def test_commands_treat_both_alike(agent: Agent, both: tuple[Path, str, str]):
    plain = agent("inspect", "talker:agent").json
    image = agent("inspect", "talker:image").json
    assert (plain["profile"], image["profile"]) == ("agent", "image")
    for key in ("artifactType", "definition", "config", "requirements", "created"):
        assert image[key] == plain[key]
    assert [layer["kind"] for layer in image["layers"]] == [
        layer["kind"] for layer in plain["layers"]
    ]
    rows = agent("images", "talker", "--format", "json").json
    assert {row["artifactType"] for row in rows} == {"application/vnd.agentoci.agent.v1"}
    assert {row["name"] for row in rows} == {"talker"}
    said = [
        agent("run", "--rm", "--name", "bot", f"talker:{tag}").out for tag in ("agent", "image")
    ]
    assert said[0] == said[1]
    history = [
        agent("history", "--format", "json", f"talker:{tag}").json for tag in ("agent", "image")
    ]
    assert [row["createdBy"] for row in history[0]] == [row["createdBy"] for row in history[1]]


def test_converting_on_push_gives_what_the_build_gives(
    agent: Agent, both: tuple[Path, str, str], fake: FakeRegistry
):
    _, plain, image = both
    pushed = agent("push", "--profile", "image", "talker:agent", f"{fake.host}/talker:1")
    assert pushed.out.strip() == image
    assert agent("push", "--profile", "image", "talker:image", f"{fake.host}/talker:2").out == (
        pushed.out
    )
    assert agent("push", "talker:agent", f"{fake.host}/talker:3").out.strip() == plain
    remote = agent("inspect", "--remote", f"{fake.host}/talker:1").json
    assert (remote["profile"], remote["digest"]) == ("image", image)


def test_an_image_profile_base_gives_the_same_agent(
    agent: Agent, both: tuple[Path, str, str], tmp_path: Path
):
    (tmp_path / "child").mkdir()
    digests = []
    for tag in ("agent", "image"):
        (tmp_path / "child" / "Agentfile").write_text(
            f"FROM talker:{tag}\nSET learning.enabled=true\n"
        )
        built = agent("build", "--replace", "-t", f"child:{tag}", tmp_path / "child")
        digests.append(
            [row["diffId"] for row in agent("inspect", built.out.strip()).json["layers"]]
        )
    assert digests[0] == digests[1]


@pytest.mark.integration
def test_a_pushed_image_is_pulled_and_run_elsewhere(
    agent: Agent,
    both: tuple[Path, str, str],
    registry: Registry,
    repository: str,
    move_home: MoveHome,
):
    reference = registry.reference(f"{repository}:1")
    pushed = agent("push", "--profile", "image", "talker:agent", reference)
    move_home("other")
    assert agent("pull", reference).out == pushed.out
    assert agent("inspect", reference).json["profile"] == "image"
    assert "hello there from bot" in agent("run", "--rm", "--name", "bot", reference).out
