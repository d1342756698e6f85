"""What every target promises, held against each of them."""

from __future__ import annotations

import pytest

from agentoci._internal.limits import MIB
from agentoci.content.protocols import ContentNotFound, Fetcher, Pusher, Target
from agentoci.content.reader import (
    BytesSource,
    DigestMismatch,
    SizeMismatch,
    VerifiedReader,
    fetch_bytes,
)
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from tests.content.graphs import LAYER_TYPE, contents, put, put_image

SIZES = [1, 1000, MIB, MIB + 1, 3 * MIB + 5]
MISSING = Descriptor.of(LAYER_TYPE, b"nobody has this")


def content_of(size: int) -> bytes:
    return bytes(range(256)) * (size // 256) + b"z" * (size % 256)


def refuse(target: Pusher, desc: Descriptor, content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        target.push(desc, BytesSource(content))
    assert not target.exists(desc)


def read_all(target: Fetcher, desc: Descriptor, offset: int) -> bytes:
    with target.fetch(desc, offset) as stream:
        return b"".join(iter(lambda: stream.read(MIB), b""))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_pushed_is_there(target: Target, size: int) -> None:
    desc = Descriptor.of(LAYER_TYPE, content_of(size))
    assert not target.exists(desc)
    target.push(desc, BytesSource(content_of(size)))
    assert target.exists(desc)
    assert fetch_bytes(target, desc, limit=size) == content_of(size)


def test_a_fetch_goes_on_at_an_offset(target: Target) -> None:
    desc = put(target, content_of(5000))
    for offset in (0, 1, 4999, 5000):
        assert read_all(target, desc, offset) == content_of(5000)[offset:]


@pytest.mark.parametrize("size", SIZES)
def test_push_of_wrong_bytes_leaves_nothing(target: Target, size: int) -> None:
    desc = Descriptor.of(LAYER_TYPE, content_of(size))
    refuse(target, desc, b"!" + content_of(size)[1:], DigestMismatch)
    with pytest.raises(ContentNotFound):
        fetch_bytes(target, desc, limit=size)


@pytest.mark.parametrize("size", SIZES)
def test_push_of_too_few_or_too_many_bytes_leaves_nothing(target: Target, size: int) -> None:
    desc = Descriptor.of(LAYER_TYPE, content_of(size))
    refuse(target, desc, content_of(size)[:-1], SizeMismatch)
    refuse(target, desc, content_of(size) + b"!", SizeMismatch)


def test_a_wrong_manifest_leaves_nothing(target: Target) -> None:
    image = put_image(target, b"layer")
    right = fetch_bytes(target, image)
    other = Descriptor.of(mediatypes.OCI_MANIFEST, right + b" ")
    refuse(target, other, right + b"\n", DigestMismatch)
    refuse(target, other, right, SizeMismatch)


def test_a_push_goes_right_after_one_that_went_wrong(target: Target) -> None:
    for size in (1000, MIB + 1):
        desc = Descriptor.of(LAYER_TYPE, content_of(size))
        refuse(target, desc, bytes(size), DigestMismatch)
        target.push(desc, BytesSource(content_of(size)))
        assert fetch_bytes(target, desc, limit=size) == content_of(size)


def test_pushing_twice_is_as_good_as_once(target: Target) -> None:
    first, second = put_image(target, b"layer"), put_image(target, b"layer")
    assert first == second
    assert len(contents(target, first)) == 3


def test_what_nobody_pushed_is_not_found(target: Target) -> None:
    assert not target.exists(MISSING)
    with pytest.raises(ContentNotFound) as caught:
        fetch_bytes(target, MISSING)
    assert caught.value.exit_code == 6


def test_a_manifest_that_nobody_pushed_is_not_found(target: Target) -> None:
    missing = Manifest.build(config=MISSING, layers=[]).descriptor
    assert not target.exists(missing)
    with pytest.raises(ContentNotFound):
        fetch_bytes(target, missing)


@pytest.mark.parametrize("name", ["nobody", str(MISSING.digest)])
def test_an_unknown_name_is_not_found(target: Target, name: str) -> None:
    put_image(target, b"layer")
    with pytest.raises(ContentNotFound, match=name):
        target.resolve(name)


def test_a_name_leads_to_its_manifest(target: Target) -> None:
    image = put_image(target, b"layer")
    target.tag(image, "1.0")
    assert target.resolve("1.0") == image
    assert target.resolve(str(image.digest)) == image


def test_a_name_moves_and_others_stay(target: Target) -> None:
    old, new = put_image(target, b"old"), put_image(target, b"new")
    for name in ("1.0", "latest"):
        target.tag(old, name)
    target.tag(new, "latest")
    assert target.resolve("1.0") == old
    assert target.resolve("latest") == new
    assert target.resolve(str(old.digest)) == old


def test_what_is_not_there_gets_no_name(target: Target) -> None:
    image = put_image(target, b"layer")
    target.tag(image, "1.0")
    missing = Manifest.build(config=MISSING, layers=[]).descriptor
    for name in ("1.0", "other"):
        with pytest.raises(ContentNotFound):
            target.tag(missing, name)
    assert target.resolve("1.0") == image
    with pytest.raises(ContentNotFound):
        target.resolve("other")


def test_a_raw_stream_is_verified_by_its_reader(target: Target) -> None:
    desc = put(target, b"content")
    lie = Descriptor(desc.media_type, desc.digest, desc.size - 1)
    with target.fetch(lie) as stream, pytest.raises(SizeMismatch):
        VerifiedReader(stream, lie).read()
