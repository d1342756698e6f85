"""Manifests and indexes: composed, read, and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci.errors import Integrity
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, Descriptor, InvalidDescriptor, Platform
from agentoci.spec.digest import Digest
from agentoci.spec.jsonio import InvalidJson
from agentoci.spec.manifest import Index, InvalidManifest, Manifest, parse_manifest
from agentoci.spec.mediatypes import UnknownMediaType

CONFIG = Descriptor.of(mediatypes.AGENT_CONFIG, b"config")
LAYER = Descriptor.of("application/vnd.agentoci.layer.files.v1.tar+zstd", b"layer")
SUBJECT = Descriptor.of(mediatypes.OCI_MANIFEST, b"subject")

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
blobs = st.builds(Descriptor.of, words, st.binary(max_size=6))


def manifest(**changes: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": CONFIG.document(),
        "layers": [LAYER.document()],
        **changes,
    }
    return json.dumps({k: v for k, v in document.items() if v is not ...}).encode()


def index(**changes: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [SUBJECT.document()],
        **changes,
    }
    return json.dumps({k: v for k, v in document.items() if v is not ...}).encode()


@given(
    blobs,
    st.lists(blobs, max_size=5),
    st.sampled_from([None, mediatypes.AGENT, "application/vnd.example.v9"]),
    st.dictionaries(words, words, max_size=3),
    st.none() | blobs,
)
def test_a_manifest_is_read_as_it_was_built(
    config: Descriptor,
    layers: list[Descriptor],
    artifact_type: str | None,
    notes: dict[str, str],
    subject: Descriptor | None,
) -> None:
    built = Manifest.build(
        config=config,
        layers=layers,
        artifact_type=artifact_type,
        annotations=notes,
        subject=subject,
    )
    read = parse_manifest(built.raw, media_type=mediatypes.OCI_MANIFEST, what="x")
    assert read == built
    assert read.descriptor.digest == Digest.of(built.raw)
    assert read.children == (config, *layers)


@given(st.lists(blobs, max_size=4), st.dictionaries(words, words, max_size=3))
def test_an_index_is_read_as_it_was_built(
    manifests: list[Descriptor], notes: dict[str, str]
) -> None:
    built = Index.build(manifests, annotations=notes)
    assert parse_manifest(built.raw, what="x") == built
    assert built.children == tuple(manifests)
    assert built.descriptor == Descriptor.of(mediatypes.OCI_INDEX, built.raw)


def test_what_a_manifest_is() -> None:
    ours = Manifest.build(config=CONFIG, layers=[LAYER], artifact_type=mediatypes.AGENT)
    image = Manifest.build(
        config=Descriptor.of(mediatypes.OCI_IMAGE_CONFIG, b"{}"),
        layers=[LAYER],
        annotations={keys.ARTIFACT_TYPE: mediatypes.AGENT},
    )
    plain = Manifest.build(config=CONFIG, layers=[LAYER])
    empty = Manifest.build(config=EMPTY, layers=[LAYER])
    assert (ours.kind, image.kind) == (mediatypes.AGENT, mediatypes.AGENT)
    assert (plain.kind, empty.kind) == (mediatypes.AGENT_CONFIG, None)
    assert [m.is_agent for m in (ours, image, plain, empty)] == [True, True, False, False]
    assert ours.descriptor.artifact_type == mediatypes.AGENT
    assert ours.total_size == CONFIG.size + LAYER.size


def test_what_an_index_is() -> None:
    assert Index.build([]).kind is None
    assert Index.build([], annotations={keys.ARTIFACT_TYPE: "a/b"}).kind == "a/b"
    read = parse_manifest(index(artifactType="c/d", subject=SUBJECT.document()), what="x")
    assert (read.kind, read.subject) == ("c/d", SUBJECT)


def test_the_bytes_are_kept_as_they_came() -> None:
    raw = json.dumps(json.loads(manifest()), indent=3).encode() + b"\n"
    read = parse_manifest(raw, what="x")
    assert read.raw == raw
    assert read.descriptor == Descriptor.of(mediatypes.OCI_MANIFEST, raw)
    assert b"schemaVersion" not in repr(read).encode()


def test_the_subject_is_written_bare() -> None:
    noted = SUBJECT.annotated(seen="today")
    built = Manifest.build(config=CONFIG, layers=[], subject=noted)
    assert json.loads(built.raw)["subject"] == SUBJECT.document()


def test_a_manifest_without_media_type_is_known_by_its_content_or_label() -> None:
    assert isinstance(parse_manifest(manifest(mediaType=...), what="x"), Manifest)
    assert isinstance(parse_manifest(index(mediaType=...), what="x"), Index)
    docker = parse_manifest(
        manifest(mediaType=...), media_type=mediatypes.DOCKER_MANIFEST, what="x"
    )
    assert docker.media_type == mediatypes.DOCKER_MANIFEST
    dockers = parse_manifest(index(mediaType=mediatypes.DOCKER_LIST), what="x")
    assert isinstance(dockers, Index)


@pytest.mark.parametrize(
    ("raw", "served_as", "message"),
    [
        (manifest(), mediatypes.OCI_INDEX, "served as .*index.* but says .*manifest.* itself"),
        (index(), mediatypes.OCI_MANIFEST, "served as .*manifest.* but says .*index.* itself"),
        (manifest(manifests=[]), mediatypes.OCI_MANIFEST, "both layers and manifests"),
        (index(layers=[]), None, "both layers and manifests"),
        (index(mediaType=..., layers=None), None, "both layers and manifests"),
        (manifest(layers=...), None, "has no list of layers"),
        (manifest(layers={}), None, "has no list of layers"),
        (manifest(layers=..., manifests=[]), None, "has no list of layers"),
        (index(manifests=...), None, "has no list of manifests"),
        (index(manifests="x"), None, "has no list of manifests"),
        (manifest(mediaType=...), mediatypes.OCI_INDEX, "has no list of manifests"),
        (index(mediaType=...), mediatypes.OCI_MANIFEST, "has no list of layers"),
        (manifest(schemaVersion=1), None, "schemaVersion is not 2"),
        (manifest(schemaVersion="2"), None, "schemaVersion is not 2"),
        (manifest(schemaVersion=...), None, "schemaVersion is not 2"),
        (manifest(mediaType=5), None, "mediaType is not a string"),
        (manifest(mediaType="text/html"), None, "'text/html' is not a manifest type"),
        (manifest(mediaType=...), "text/html", "'text/html' is not a manifest type"),
        (manifest(artifactType=["x"]), None, "artifactType is not a string"),
        (manifest(layers=[LAYER.document()] * 10_001), None, "more than 10000 layers"),
    ],
)
def test_a_manifest_that_says_two_things_is_refused(
    raw: bytes, served_as: str | None, message: str
) -> None:
    with pytest.raises(InvalidManifest, match=f"^x: .*{message}") as caught:
        parse_manifest(raw, media_type=served_as, what="x")
    assert caught.value.exit_code == 8


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (manifest(config=...), InvalidDescriptor),
        (manifest(config=[]), InvalidDescriptor),
        (manifest(layers=["x"]), InvalidDescriptor),
        (manifest(subject="x"), InvalidDescriptor),
        (manifest(annotations={"a": 1}), InvalidDescriptor),
        (index(manifests=[None]), InvalidDescriptor),
        (b"[]", InvalidJson),
        (b"<html>", InvalidJson),
        (b'{"layers": [], "layers": []}', InvalidJson),
        (b" " * limits.MAX_MANIFEST_BYTES + manifest(), InvalidJson),
    ],
)
def test_a_broken_manifest_is_refused(raw: bytes, error: type[Integrity]) -> None:
    with pytest.raises(error, match=r"^x"):
        parse_manifest(raw, what="x")


@pytest.mark.parametrize(
    "raw",
    [
        manifest(artifactType="application/vnd.agentoci.agent.v2"),
        manifest(artifactType="application/vnd.agentoci.checkpoint.v7"),
        manifest(
            config=Descriptor.of("application/vnd.agentoci.agent.config.v2+json", b"").document()
        ),
        manifest(annotations={keys.ARTIFACT_TYPE: "application/vnd.agentoci.agent.v2"}),
        index(artifactType="application/vnd.agentoci.agent.v2"),
    ],
    ids=["agent", "checkpoint", "config", "profile", "index"],
)
def test_an_unknown_version_of_our_types_is_refused(raw: bytes) -> None:
    with pytest.raises(UnknownMediaType, match=r"\.v[27].*reads version 1") as caught:
        parse_manifest(raw, what="x")
    assert caught.value.hint == "a newer agentoci reads it"


def test_10000_layers_are_read() -> None:
    read = parse_manifest(manifest(layers=[LAYER.document()] * 10_000), what="x")
    assert isinstance(read, Manifest)
    assert len(read.layers) == 10_000


def test_an_empty_artifact_type_is_none() -> None:
    assert parse_manifest(manifest(artifactType=""), what="x").artifact_type is None


def test_a_manifest_that_no_registry_takes_is_not_built() -> None:
    with pytest.raises(InvalidManifest, match=f"registries take {limits.MAX_MANIFEST_BYTES}"):
        Manifest.build(config=CONFIG, layers=[], annotations={"a": "x" * limits.MAX_MANIFEST_BYTES})


def test_an_index_keeps_platforms() -> None:
    entry = Descriptor(SUBJECT.media_type, SUBJECT.digest, 7, platform=Platform("linux", "arm64"))
    read = parse_manifest(Index.build([entry]).raw, what="x")
    assert [child.platform for child in read.children] == [Platform("linux", "arm64")]
