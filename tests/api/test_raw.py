"""Manifests and blobs pass as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agentoci import Engine, read_settings
from agentoci._internal import limits
from agentoci.api import raw
from agentoci.api.raw import OtherDigest
from agentoci.content.graph import GraphTooLarge, walk
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound, Reader
from agentoci.content.reader import BytesSource, DigestMismatch, SizeMismatch
from agentoci.errors import Integrity, NotFound
from agentoci.registry.errors import BlobNotFound
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor, Platform
from agentoci.spec.digest import Digest, InvalidDigest
from agentoci.spec.jsonio import InvalidJson
from agentoci.spec.manifest import Index, InvalidManifest, Manifest
from agentoci.spec.reference import InvalidReference
from agentoci.store.layout import LayoutStore
from tests import commandline
from tests.registries import Registry
from tests.registry.fake import FakeRegistry
from tests.registry.faults import answers, refuses, spoils_body

NAME = "team/bot"
DOCUMENT = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type="a/b")
# As other tools write it: spaces, an order of its own, a key that we do not know.
FOREIGN = json.dumps({**json.loads(DOCUMENT.raw), "x-other": [1.50]}, indent=3).encode() + b"\n"
LINUX = Platform("linux", "riscv64")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(read_settings(commandline.home_variables(tmp_path / "own"))) as engine:
        yield engine


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.put(NAME, EMPTY_CONTENT)
        fake.put_manifest(NAME, "1.0", mediatypes.OCI_MANIFEST, FOREIGN)
        yield fake


def test_manifest_is_read_byte_for_byte(engine: Engine, fake: FakeRegistry):
    desc, content = raw.get_manifest(engine, f"{fake.host}/{NAME}:1.0")
    assert content == FOREIGN
    assert desc == Descriptor.of(mediatypes.OCI_MANIFEST, FOREIGN)
    pinned = f"{fake.host}/{NAME}@{desc.digest}"
    assert raw.get_manifest(engine, pinned) == (desc, FOREIGN)


def test_descriptor_costs_one_request(engine: Engine, fake: FakeRegistry):
    found = raw.head_manifest(engine, f"{fake.host}/{NAME}:1.0")
    assert found.digest == Digest.of(FOREIGN)
    assert [seen.method for seen in fake.seen] == ["HEAD"]


def test_manifest_of_an_unknown_type_is_read_too(engine: Engine, fake: FakeRegistry):
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    fake.put_manifest(NAME, "old", old, b'{"schemaVersion": 1}')
    desc, content = raw.get_manifest(engine, f"{fake.host}/{NAME}:old")
    assert (desc.media_type, content) == (old, b'{"schemaVersion": 1}')


def test_platform_picks_from_an_index(engine: Engine, fake: FakeRegistry):
    desc = Descriptor(mediatypes.OCI_MANIFEST, Digest.of(FOREIGN), len(FOREIGN), platform=LINUX)
    index = Index.build([desc])
    fake.put_manifest(NAME, "all", index.media_type, index.raw)
    name = f"{fake.host}/{NAME}:all"
    assert raw.get_manifest(engine, name) == (index.descriptor, index.raw)
    assert raw.get_manifest(engine, name, platform=LINUX) == (desc, FOREIGN)
    assert raw.head_manifest(engine, name, platform=LINUX) == desc
    with pytest.raises(NotFound, match="nothing for"):
        raw.get_manifest(engine, name, platform=Platform("plan9", "amd64"))


def test_layouts_are_read_too(engine: Engine, tmp_path: Path):
    layout = LayoutStore.create(tmp_path / "layout", clock=engine.clock)
    layout.push(EMPTY, BytesSource(EMPTY_CONTENT))
    layout.push(DOCUMENT.descriptor, BytesSource(DOCUMENT.raw))
    layout.tag(DOCUMENT.descriptor, "bot:1.0")
    where = f"oci:{tmp_path}/layout"
    assert raw.get_manifest(engine, f"{where}:bot:1.0") == (DOCUMENT.descriptor, DOCUMENT.raw)
    assert raw.head_blob(engine, f"{where}@{EMPTY.digest}").size == EMPTY.size
    with raw.open_blob(engine, f"{where}@{EMPTY.digest}") as (_, stream):
        assert stream.read() == EMPTY_CONTENT
    with pytest.raises(ContentNotFound, match="no such blob"):
        raw.head_blob(engine, f"{where}@{Digest.of(b'nothing')}")


@pytest.mark.parametrize("tag", ["2.0", None])
def test_manifest_is_stored_byte_for_byte(engine: Engine, fake: FakeRegistry, tag: str | None):
    name = f"{fake.host}/{NAME}" + (f":{tag}" if tag else "")
    content = FOREIGN.replace(b"1.5", b"2.50")
    desc = raw.put_manifest(engine, content, name)
    assert fake.manifests[NAME, tag or str(desc.digest)] == (mediatypes.OCI_MANIFEST, content)
    assert fake.tags(NAME) == ["1.0", *([tag] if tag else [])]


def test_media_type_follows_from_the_body(engine: Engine, fake: FakeRegistry):
    typeless = b'{"schemaVersion": 2, "manifests": []}'
    docker = json.dumps(
        {**json.loads(DOCUMENT.raw), "mediaType": mediatypes.DOCKER_MANIFEST}
    ).encode()
    for tag, content in {"index": typeless, "docker": docker}.items():
        raw.put_manifest(engine, content, f"{fake.host}/{NAME}:{tag}")
    assert fake.manifests[NAME, "index"][0] == mediatypes.OCI_INDEX
    assert fake.manifests[NAME, "docker"][0] == mediatypes.DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"no json", InvalidJson),
        (b"{}", InvalidManifest),
        (b'{"schemaVersion": 2, "manifests": [], "layers": []}', InvalidManifest),
        (b'{"schemaVersion": 2, "mediaType": "a/b"}', InvalidManifest),
        (b" " * (limits.MAX_MANIFEST_BYTES + 1), InvalidJson),
    ],
)
def test_what_is_no_manifest_is_not_sent(
    engine: Engine, fake: FakeRegistry, content: bytes, error: type[Integrity]
):
    with pytest.raises(error):
        raw.put_manifest(engine, content, f"{fake.host}/{NAME}:2.0")
    assert not fake.seen


def test_pinned_digest_must_be_that_of_the_content(
    engine: Engine, fake: FakeRegistry, tmp_path: Path
):
    wrong = Digest.of(b"other")
    (tmp_path / "blob").write_bytes(b"blob")
    with pytest.raises(OtherDigest, match="the manifest has digest"):
        raw.put_manifest(engine, FOREIGN, f"{fake.host}/{NAME}@{wrong}")
    with pytest.raises(OtherDigest, match="has digest"):
        raw.put_blob(engine, tmp_path / "blob", f"{fake.host}/{NAME}@{wrong}")
    assert not fake.seen
    raw.put_manifest(engine, FOREIGN, f"{fake.host}/{NAME}@{Digest.of(FOREIGN)}")


def test_blob_goes_there_and_comes_back(engine: Engine, fake: FakeRegistry, tmp_path: Path):
    content = bytes(range(256)) * 5000
    (tmp_path / "blob").write_bytes(content)
    desc = raw.put_blob(engine, tmp_path / "blob", f"{fake.host}/{NAME}")
    assert fake.blobs[NAME, str(desc.digest)] == content
    name = f"{fake.host}/{NAME}@{desc.digest}"
    assert raw.head_blob(engine, name) == desc
    with raw.open_blob(engine, name) as (found, stream):
        assert b"".join(iter(lambda: stream.read(100_000), b"")) == content
    assert found == desc
    sent = fake.received
    raw.put_blob(engine, tmp_path / "blob", f"{fake.host}/{NAME}")
    assert fake.received == sent


def test_spoilt_blob_raises_at_its_end(engine: Engine, fake: FakeRegistry):
    digest = fake.put(NAME, b"content")
    fake.on("GET", "/blobs/", spoils_body(lambda body: body[:-1] + b"!"), times=9)
    name = f"{fake.host}/{NAME}@{digest}"
    with raw.open_blob(engine, name) as (_, stream), pytest.raises(DigestMismatch):
        stream.read()


def test_size_comes_by_get_where_head_is_refused(engine: Engine, fake: FakeRegistry):
    digest = fake.put(NAME, b"content")
    name = f"{fake.host}/{NAME}@{digest}"
    for fault in (answers(403), answers(405), refuses(400, "X", "signed for GET")):
        fake.on("HEAD", "/blobs/", fault)
        assert raw.head_blob(engine, name).size == 7


@pytest.mark.parametrize("suffix", ["", ":1.0", "@sha256:abc"])
def test_blob_is_named_by_its_digest(engine: Engine, fake: FakeRegistry, suffix: str):
    with pytest.raises((InvalidReference, InvalidDigest)):
        raw.head_blob(engine, f"{fake.host}/{NAME}{suffix}")


def test_missing_content_is_not_found(engine: Engine, fake: FakeRegistry):
    with pytest.raises(ContentNotFound):
        raw.get_manifest(engine, f"{fake.host}/{NAME}:9.9")
    with pytest.raises(BlobNotFound):
        raw.head_blob(engine, f"{fake.host}/{NAME}@{Digest.of(b'nothing')}")
    with pytest.raises(ContentNotFound):
        raw.get_manifest(engine, "bot:1.0")
    with pytest.raises(InvalidReference, match="no repository of a registry"):
        raw.put_manifest(engine, FOREIGN, "oci:/tmp/x:1")


# What a hostile registry serves as a manifest


def test_huge_manifest_is_refused_before_it_is_read(engine: Engine, fake: FakeRegistry):
    huge = b'{"x":"' + b"a" * (100 * limits.MIB) + b'"}'
    fake.put_manifest(NAME, "huge", mediatypes.OCI_MANIFEST, huge)
    with pytest.raises(SizeMismatch):
        raw.get_manifest(engine, f"{fake.host}/{NAME}:huge")
    with pytest.raises(SizeMismatch):
        engine.transfers.pull(f"{fake.host}/{NAME}:huge")
    assert {seen.method for seen in fake.seen} == {"HEAD"}


def test_huge_manifest_is_not_read_whole_when_its_size_is_a_lie(engine: Engine, fake: FakeRegistry):
    huge = b'{"x":"' + b"a" * (100 * limits.MIB) + b'"}'
    fake.on("HEAD", "/manifests/", answers(405))
    fake.on("GET", "/manifests/", answers(200, huge, Content_Type=mediatypes.OCI_MANIFEST))
    with pytest.raises(SizeMismatch, match="larger than"):
        raw.get_manifest(engine, f"{fake.host}/{NAME}:huge")


def nested(depth: int) -> tuple[MemoryTarget, Descriptor]:
    """An index in an index in an index…"""
    target = MemoryTarget()
    target.push(EMPTY, BytesSource(EMPTY_CONTENT))
    target.push(DOCUMENT.descriptor, BytesSource(DOCUMENT.raw))
    desc = DOCUMENT.descriptor
    for _ in range(depth):
        index = Index.build([desc])
        target.push(index.descriptor, BytesSource(index.raw))
        desc = index.descriptor
    return target, desc


def test_indexes_nest_up_to_a_limit():
    target, root = nested(limits.MAX_INDEX_DEPTH)
    assert len(walk(target, root).manifests) == limits.MAX_INDEX_DEPTH + 1
    with pytest.raises(GraphTooLarge, match="nest too deep"):
        walk(*nested(limits.MAX_INDEX_DEPTH + 1))


def test_index_of_endless_manifests_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_GRAPH_NODES", 20)
    target = MemoryTarget()
    target.push(EMPTY, BytesSource(EMPTY_CONTENT))
    listed = [
        Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type=f"a/{number}")
        for number in range(30)
    ]
    for manifest in listed:
        target.push(manifest.descriptor, BytesSource(manifest.raw))
    index = Index.build([manifest.descriptor for manifest in listed])
    target.push(index.descriptor, BytesSource(index.raw))
    with pytest.raises(GraphTooLarge, match="too many manifests"):
        walk(target, index.descriptor)


class Circle:
    """A registry whose manifests list each other, which takes bytes that are not what they say."""

    def __init__(self) -> None:
        self.fetched = 0

    def fetch(self, desc: Descriptor, offset: int = 0) -> AbstractContextManager[Reader]:
        self.fetched += 1
        other = Descriptor(mediatypes.OCI_INDEX, Digest.of(b"%d" % self.fetched), 200)
        return BytesSource(Index.build([other]).raw.ljust(desc.size)).open(offset)


def test_circle_of_indexes_cannot_be_made_of_verified_content():
    circle = Circle()
    with pytest.raises(DigestMismatch):
        walk(circle, Descriptor(mediatypes.OCI_INDEX, Digest.of(b"0"), 400))
    assert circle.fetched == 1


# Real registries


@pytest.mark.integration
def test_real_registry_keeps_every_byte(
    engine: Engine, registry: Registry, repository: str, tmp_path: Path
):
    name = registry.reference(repository)
    (tmp_path / "blob").write_bytes(EMPTY_CONTENT)
    assert raw.put_blob(engine, tmp_path / "blob", name).digest == EMPTY.digest
    raw.put_manifest(engine, FOREIGN, f"{name}:1.0")
    desc, content = raw.get_manifest(engine, f"{name}:1.0")
    assert content == FOREIGN
    assert raw.head_manifest(engine, f"{name}@{desc.digest}") == desc
    blob = f"{name}@{EMPTY.digest}"
    assert raw.head_blob(engine, blob).size == EMPTY.size
    with raw.open_blob(engine, blob) as (_, stream):
        assert stream.read() == EMPTY_CONTENT
    with pytest.raises(BlobNotFound):
        raw.head_blob(engine, f"{name}@{Digest.of(b'nothing')}")
