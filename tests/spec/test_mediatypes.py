"""Media types and what they say of a layer."""

from __future__ import annotations

import itertools

import pytest

from agentoci.spec import mediatypes
from agentoci.spec.mediatypes import (
    Compression,
    LayerKind,
    LayerType,
    UnknownMediaType,
    check_version,
)

OURS = "application/vnd.agentoci."
IMAGE = "application/vnd.oci.image.layer.v1.tar"
DOCKER = "application/vnd.docker.image.rootfs.diff.tar"


@pytest.mark.parametrize(
    ("kind", "compression"), list(itertools.product([None, *LayerKind], Compression))
)
def test_a_layer_type_is_read_as_it_was_written(
    kind: LayerKind | None, compression: Compression
) -> None:
    layer = LayerType(kind, compression)
    assert LayerType.parse(layer.agent) == LayerType(kind or LayerKind.FILES, compression)
    assert LayerType.parse(layer.image) == LayerType(None, compression)


@pytest.mark.parametrize(
    ("media_type", "kind", "compression"),
    [
        (f"{OURS}layer.knowledge.v1.tar+zstd", LayerKind.KNOWLEDGE, Compression.ZSTD),
        (f"{OURS}layer.tools.v1.tar+gzip", LayerKind.TOOLS, Compression.GZIP),
        (f"{OURS}layer.files.v1.tar", LayerKind.FILES, Compression.NONE),
        (IMAGE, None, Compression.NONE),
        (f"{IMAGE}+zstd", None, Compression.ZSTD),
        (f"{IMAGE}+gzip", None, Compression.GZIP),
        (DOCKER, None, Compression.NONE),
        (f"{DOCKER}.gzip", None, Compression.GZIP),
        (f"{DOCKER}.zstd", None, Compression.ZSTD),
    ],
)
def test_layer_types(media_type: str, kind: LayerKind | None, compression: Compression) -> None:
    assert LayerType.parse(media_type) == LayerType(kind, compression)


@pytest.mark.parametrize(
    ("media_type", "message"),
    [
        (f"{OURS}layer.files.v2.tar+zstd", "version 2, this program reads 1"),
        (f"{OURS}layer.files.v10.tar", "version 10, this program reads 1"),
        (f"{OURS}layer.files.v01.tar", "version 01, this program reads 1"),
        (f"{OURS}layer.dreams.v1.tar", "unknown kind 'dreams'"),
        (f"{OURS}layer.files.v1.tar+xz", "unknown compression 'xz'"),
        (f"{OURS}layer.files.v1.tar+none", "unknown compression 'none'"),
        (f"{OURS}layer.files.v1.zip", "not one that this program unpacks"),
        (f"{OURS}layer.files.v1.tar\n", "not one that this program unpacks"),
        (f"{OURS}layer.FILES.v1.tar", "not one that this program unpacks"),
        (f"x{OURS}layer.files.v1.tar", "not one that this program unpacks"),
        (f"{IMAGE}+zstd:chunked", "not one that this program unpacks"),
        (f"{IMAGE}+bzip", "unknown compression 'bzip'"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "not one that"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", "not one that"),
        ("application/octet-stream", "not one that"),
        ("", "not one that"),
    ],
)
def test_layers_that_nobody_here_unpacks(media_type: str, message: str) -> None:
    with pytest.raises(UnknownMediaType, match=message) as caught:
        LayerType.parse(media_type)
    assert caught.value.exit_code == 8


@pytest.mark.parametrize(
    "media_type",
    [
        mediatypes.AGENT,
        mediatypes.AGENT_CONFIG,
        f"{OURS}checkpoint.v1",
        f"{OURS}layer.files.v1.tar+zstd",
        "application/vnd.example.thing.v7+json",
        mediatypes.OCI_EMPTY,
        "",
    ],
)
def test_version_1_of_our_types_and_any_of_others(media_type: str) -> None:
    check_version(media_type, what="x")


@pytest.mark.parametrize(
    "media_type",
    [
        f"{OURS}agent.v2",
        f"{OURS}agent.v11",
        f"{OURS}agent.config.v3+json",
        f"{OURS}agent",
        f"{OURS}agent.v1.v2",
        f"{OURS}agent.version1",
    ],
)
def test_another_version_of_our_types_is_refused(media_type: str) -> None:
    with pytest.raises(UnknownMediaType, match=r"x has type .*, this program reads version 1") as e:
        check_version(media_type, what="x")
    assert e.value.hint == "a newer agentoci reads it"
