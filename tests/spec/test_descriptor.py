"""Descriptors: what points at content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.errors import Integrity
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor, InvalidDescriptor, Platform
from agentoci.spec.digest import Digest, InvalidDigest
from agentoci.spec.jsonio import Json, canonical, loads

HEX = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
DIGEST = f"sha256:{HEX}"

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)
platforms = st.builds(Platform, words, words, st.none() | words)
descriptors = st.builds(
    Descriptor,
    words,
    st.binary(max_size=9).map(Digest.of),
    st.integers(0, 2**53),
    st.dictionaries(words, st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
    st.none() | words,
    st.none() | platforms,
)


def spoiled(**changes: Json) -> dict[str, Json]:
    return {"mediaType": "text/plain", "digest": DIGEST, "size": 3, **changes}


@given(descriptors)
def test_a_descriptor_is_read_as_it_was_written(desc: Descriptor) -> None:
    read = Descriptor.parse(loads(canonical(desc.document()), what="x"), what="x")
    assert read == desc
    assert read.annotations == desc.annotations
    assert read.artifact_type == desc.artifact_type
    assert read.platform == desc.platform
    assert read.bare().document() == {
        "mediaType": desc.media_type,
        "digest": str(desc.digest),
        "size": desc.size,
    }


@pytest.mark.parametrize("size", [-1, 2**53 + 1, 2**60, 1.0, 3.5, True, "3", None, [3], 10**400])
def test_a_size_is_a_number_of_bytes(size: Json) -> None:
    with pytest.raises(InvalidDescriptor, match=r"x: size .* is not a number of bytes"):
        Descriptor.parse(spoiled(size=size), what="x")


@pytest.mark.parametrize("size", [0, 1, 2**40, 2**53])
def test_sizes_that_are_one(size: int) -> None:
    assert Descriptor.parse(spoiled(size=size), what="x").size == size


@pytest.mark.parametrize("media_type", [None, "", 3, ["text/plain"]])
def test_a_descriptor_has_a_media_type(media_type: Json) -> None:
    with pytest.raises(InvalidDescriptor, match="without mediaType"):
        Descriptor.parse(spoiled(mediaType=media_type), what="x")


@pytest.mark.parametrize("digest", [None, "", "sha256:../../x", f"sha1:{HEX[:40]}", 3])
def test_a_descriptor_has_a_digest(digest: Json) -> None:
    with pytest.raises(InvalidDigest):
        Descriptor.parse(spoiled(digest=digest), what="x")


@pytest.mark.parametrize("document", [None, [], "x", 3])
def test_a_descriptor_is_an_object(document: Json) -> None:
    with pytest.raises(InvalidDescriptor, match="x: expected a descriptor object"):
        Descriptor.parse(document, what="x")


@pytest.mark.parametrize("annotations", [[], "x", 3, {"a": 1}, {"a": None}, {"a": ["b"]}])
def test_annotations_map_strings_to_strings(annotations: Json) -> None:
    with pytest.raises(InvalidDescriptor, match="x: annotation") as caught:
        Descriptor.parse(spoiled(annotations=annotations), what="x")
    assert isinstance(caught.value, Integrity)


def test_what_a_foreign_descriptor_has_besides_is_left_out() -> None:
    desc = Descriptor.parse(
        spoiled(
            urls=["https://elsewhere.example/blob"],
            data="Zm9v",
            artifactType=3,
            platform={"os": "linux", "architecture": 5, "os.version": "1", "features": []},
        ),
        what="x",
    )
    assert desc.platform == Platform("linux", "unknown")
    assert desc.document() == spoiled(platform={"os": "linux", "architecture": "unknown"})
    assert Descriptor.parse(spoiled(platform="linux"), what="x").platform is None
    assert Descriptor.parse(spoiled(platform={}), what="x").platform == Platform(
        "unknown", "unknown"
    )


def test_equal_descriptors_point_at_the_same_content() -> None:
    plain = Descriptor.of("text/plain", b"foo")
    noted = plain.annotated(note="seen")
    assert plain == noted
    assert (plain.annotations, noted.annotations) == ({}, {"note": "seen"})
    assert noted.annotated(more="x").annotations == {"note": "seen", "more": "x"}
    assert plain != Descriptor.of("text/html", b"foo")
    assert str(plain.digest) == DIGEST


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        (mediatypes.OCI_MANIFEST, True),
        (mediatypes.OCI_INDEX, True),
        (mediatypes.DOCKER_MANIFEST, True),
        (mediatypes.DOCKER_LIST, True),
        (mediatypes.OCI_IMAGE_CONFIG, False),
        ("application/octet-stream", False),
        (mediatypes.OCI_MANIFEST.upper(), False),
    ],
)
def test_what_is_a_manifest(media_type: str, expected: bool) -> None:
    assert Descriptor.of(media_type, b"").is_manifest is expected


def test_a_platform_is_shown_with_slashes() -> None:
    assert str(Platform("linux", "arm", "v7")) == "linux/arm/v7"
    assert str(Platform("linux", "amd64")) == "linux/amd64"


def test_the_empty_descriptor_is_that_of_the_image_spec() -> None:
    assert EMPTY_CONTENT == b"{}"
    assert EMPTY.document() == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }
