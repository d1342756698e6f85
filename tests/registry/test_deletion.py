"""Deleting tags, manifests and blobs: what was asked for, or nothing."""

from __future__ import annotations

import pytest

from agentoci.content.copy import copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource
from agentoci.errors import AgentociError, Denied
from agentoci.registry.deletion import PLACEHOLDER, DeletionDisabled, TagMoved, TagsLost
from agentoci.registry.errors import (
    AccessDenied,
    BlobNotFound,
    ManifestNotFound,
    RegistryUnreachable,
)
from agentoci.registry.facts import RunMemory
from agentoci.registry.problems import Problem
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest
from agentoci.spec.reference import Reference
from tests.registries import Registry
from tests.registry.conftest import MakeClient, Open
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import Exchange, Fault, Reply, answers, drops, loses_answer, refuses

NAME = "team/bot"
MANIFEST = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type="a/b")
OTHER = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type="c/d")
HEX = str(MANIFEST.descriptor.digest)
BY_TAG = r"/manifests/1\.0$"


def stock(fake: FakeRegistry) -> None:
    """One manifest under two tags, another one under a third."""
    fake.put(NAME, EMPTY_CONTENT)
    for tag in ("1.0", "latest"):
        fake.put_manifest(NAME, tag, mediatypes.OCI_MANIFEST, MANIFEST.raw)
    fake.put_manifest(NAME, "other", mediatypes.OCI_MANIFEST, OTHER.raw)


def meanings(fake: FakeRegistry) -> dict[str, str]:
    """What each tag means."""
    return {tag: str(Digest.of(fake.manifests[NAME, tag][1])) for tag in fake.tags(NAME)}


LEFT = {"latest": HEX, "other": str(OTHER.descriptor.digest)}
BEFORE = {"1.0": HEX, **LEFT}


@pytest.fixture
def stocked(fake: FakeRegistry) -> FakeRegistry:
    stock(fake)
    return fake


def test_tag_goes_and_others_stay(stocked: FakeRegistry, open_repository: Open):
    assert open_repository(stocked).deletion.tag("1.0") == MANIFEST.descriptor
    assert meanings(stocked) == LEFT
    assert (NAME, HEX) in stocked.manifests
    assert not stocked.requests("PUT")


def test_what_a_registry_can_is_remembered(stocked: FakeRegistry, open_repository: Open):
    memory = RunMemory()
    repository = open_repository(stocked, memory=memory)
    repository.deletion.tag("1.0")
    assert memory.facts(stocked.host).delete_tags is True
    assert len(stocked.requests("GET", "tags/list")) == 1
    repository.deletion.tag("latest")
    assert len(stocked.requests("GET", "tags/list")) == 1
    assert meanings(stocked) == {"other": str(OTHER.descriptor.digest)}


@pytest.mark.parametrize(
    ("status", "code"), [(400, "DIGEST_INVALID"), (405, "UNSUPPORTED"), (501, "X"), (404, "X")]
)
def test_tag_alone_goes_where_digests_only_can_be_deleted(
    stocked: FakeRegistry, open_repository: Open, status: int, code: str
):
    memory = RunMemory()
    stocked.on("DELETE", r"/manifests/(?!sha256)", refuses(status, code, "by digest"), times=9)
    repository = open_repository(stocked, memory=memory)
    assert repository.deletion.tag("1.0") == MANIFEST.descriptor
    assert meanings(stocked) == LEFT
    assert not any(PLACEHOLDER.encode() in body for _, body in stocked.manifests.values())
    known = memory.facts(stocked.host)
    assert known.delete_tags is (False if code in {"DIGEST_INVALID", "UNSUPPORTED"} else None)
    assert known.delete_manifests is True
    if known.delete_tags is False:
        repository.deletion.tag("latest")
        assert len(stocked.requests("DELETE", r"/manifests/(?!sha256)")) == 1
        assert (NAME, HEX) in stocked.manifests


def test_manifest_of_an_unknown_type_loses_a_tag_too(fake: FakeRegistry, open_repository: Open):
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    digest = fake.put_manifest(NAME, "1.0", old, b'{"schemaVersion": 1}')
    open_repository(fake).deletion.tag("1.0")
    assert list(fake.manifests) == [(NAME, digest)]
    assert not fake.requests("PUT")


def test_empty_blob_for_the_placeholder_is_pushed_when_it_is_missing(
    stocked: FakeRegistry, open_repository: Open
):
    stocked.deletes_tags = False
    stocked.checks_children = True
    del stocked.blobs[NAME, str(EMPTY.digest)]
    open_repository(stocked).deletion.tag("1.0")
    assert meanings(stocked) == LEFT


def test_nothing_is_touched_where_nothing_can_be_deleted(
    stocked: FakeRegistry, open_repository: Open
):
    stocked.deletes = False
    stocked.on("DELETE", "sha256:", refuses(405, "UNSUPPORTED", "unsupported"), times=9)
    deletion = open_repository(stocked).deletion
    for delete in (
        lambda: deletion.tag("1.0"),
        lambda: deletion.manifest(MANIFEST.descriptor.digest),
        lambda: deletion.blob(EMPTY.digest),
    ):
        with pytest.raises(DeletionDisabled, match="does not delete") as caught:
            delete()
        assert caught.value.exit_code == Denied.exit_code
        assert "switched off" in str(caught.value.hint)
    assert meanings(stocked) == BEFORE
    assert not stocked.requests("PUT")


@pytest.mark.parametrize("fault", [refuses(403, "DENIED", "no"), answers(409), drops()])
def test_tag_is_put_back_when_the_placeholder_cannot_be_deleted(
    stocked: FakeRegistry, open_repository: Open, fault: Fault
):
    stocked.deletes_tags = False
    nothing = Digest.of(b"nothing of 1.0").hex
    stocked.on("DELETE", f"/manifests/sha256:(?!{nothing})", fault, times=9)
    with pytest.raises(AgentociError):
        open_repository(stocked).deletion.tag("1.0")
    assert meanings(stocked) == BEFORE


def test_interrupted_try_is_finished_by_the_next(stocked: FakeRegistry, open_repository: Open):
    stocked.deletes_tags = False
    kept: list[bytes] = []

    def keep(exchange: Exchange) -> Reply:
        kept.append(exchange.read_body())
        return exchange.serve()

    stocked.on("PUT", BY_TAG, keep)
    repository = open_repository(stocked)
    repository.deletion.tag("1.0")
    stocked.put_manifest(NAME, "1.0", mediatypes.OCI_MANIFEST, kept[0])
    before = len(stocked.requests("PUT"))
    repository.deletion.tag("1.0")
    assert meanings(stocked) == LEFT
    assert len(stocked.requests("PUT")) == before


def test_tag_that_somebody_moves_meanwhile_is_left_alone(
    stocked: FakeRegistry, open_repository: Open
):
    stocked.deletes_tags = False

    def move(exchange: Exchange) -> Reply:
        stocked.put_manifest(NAME, "1.0", mediatypes.OCI_MANIFEST, OTHER.raw)
        return exchange.serve()

    stocked.on("HEAD", "/blobs/", move)
    with pytest.raises(TagMoved, match="moved from"):
        open_repository(stocked).deletion.tag("1.0")
    assert meanings(stocked)["1.0"] == str(OTHER.descriptor.digest)


def test_registry_that_deletes_more_is_found_out_and_mended(
    stocked: FakeRegistry, open_repository: Open
):
    def all_of_it(exchange: Exchange) -> Reply:
        for tag in ("1.0", "latest", HEX):
            del stocked.manifests[NAME, tag]
        return Reply(202)

    stocked.on("DELETE", BY_TAG, all_of_it)
    memory = RunMemory()
    with pytest.raises(TagsLost, match="put back: latest"):
        open_repository(stocked, memory=memory).deletion.tag("1.0")
    assert meanings(stocked) == LEFT
    assert memory.facts(stocked.host).delete_tags is None


def test_manifest_that_goes_with_its_last_tag_is_put_back(
    fake: FakeRegistry, open_repository: Open
):
    fake.put_manifest(NAME, "1.0", mediatypes.OCI_MANIFEST, MANIFEST.raw)

    def all_of_it(exchange: Exchange) -> Reply:
        fake.manifests.clear()
        return Reply(202)

    fake.on("DELETE", BY_TAG, all_of_it)
    open_repository(fake).deletion.tag("1.0")
    assert list(fake.manifests) == [(NAME, HEX)]


def test_answer_that_is_lost_is_no_failure(stocked: FakeRegistry, open_repository: Open):
    stocked.on("DELETE", BY_TAG, loses_answer())
    open_repository(stocked).deletion.tag("1.0")
    assert meanings(stocked) == LEFT


def test_missing_things_are_not_found(stocked: FakeRegistry, open_repository: Open):
    deletion = open_repository(stocked).deletion
    nothing = Digest.of(b"nothing")
    with pytest.raises(ManifestNotFound):
        deletion.tag("3.0")
    with pytest.raises(ManifestNotFound):
        deletion.manifest(nothing)
    with pytest.raises(BlobNotFound):
        deletion.blob(nothing)
    assert not stocked.requests("DELETE", "3.0")


def test_manifest_goes_with_all_its_tags(stocked: FakeRegistry, open_repository: Open):
    open_repository(stocked).deletion.manifest(MANIFEST.descriptor.digest)
    assert meanings(stocked) == {"other": str(OTHER.descriptor.digest)}


def test_tags_that_a_registry_leaves_are_deleted_too(stocked: FakeRegistry, open_repository: Open):
    def leave_tags(exchange: Exchange) -> Reply:
        del stocked.manifests[NAME, HEX]
        return Reply(202)

    stocked.on("DELETE", HEX, leave_tags)
    stocked.put_manifest(NAME, "moved", mediatypes.OCI_MANIFEST, OTHER.raw)
    open_repository(stocked).deletion.manifest(
        MANIFEST.descriptor.digest, ["1.0", "moved", "latest"]
    )
    assert sorted(meanings(stocked)) == ["moved", "other"]


def test_blob_goes(stocked: FakeRegistry, open_repository: Open):
    open_repository(stocked).deletion.blob(EMPTY.digest)
    assert not stocked.blobs


def test_leave_to_delete_is_asked_for(stocked: FakeRegistry, open_repository: Open):
    stocked.auth = tokens = Tokens()
    open_repository(stocked).deletion.manifest(MANIFEST.descriptor.digest)
    assert f"repository:{NAME}:*" in tokens.asked[-1]


def test_others_may_not_delete(stocked: FakeRegistry, open_repository: Open):
    stocked.on("DELETE", "", refuses(403, "DENIED", "requested access is denied"))
    with pytest.raises(AccessDenied, match="does not allow"):
        open_repository(stocked).deletion.tag("1.0")
    assert meanings(stocked) == BEFORE


def test_silent_registry_is_unreachable(stocked: FakeRegistry, open_repository: Open):
    stocked.on("DELETE", "", drops(), times=99)
    with pytest.raises(RegistryUnreachable):
        open_repository(stocked).deletion.manifest(MANIFEST.descriptor.digest)


@pytest.mark.parametrize(("host", "words"), [("ghcr.io", "packages API"), ("docker.io", "website")])
def test_hosts_that_delete_otherwise_are_known(make_client: MakeClient, host: str, words: str):
    deletion = make_client().repository(Reference(host, NAME, "1.0")).deletion
    refused = deletion._error(Problem(405, "UNSUPPORTED"), "1.0", ManifestNotFound)
    assert isinstance(refused, DeletionDisabled)
    assert words in str(refused.hint)


# Real registries


def image_at(remote: Repository, *tags: str, kind: str = "a/b") -> Descriptor:
    manifest = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type=kind)
    local = MemoryTarget()
    local.push(EMPTY, BytesSource(EMPTY_CONTENT))
    local.push(manifest.descriptor, BytesSource(manifest.raw))
    local.tag(manifest.descriptor, "x")
    for tag in tags:
        copy(local, "x", remote, tag)
    return remote.resolve(tags[0])


@pytest.fixture
def remote(registry: Registry, repository: str, make_client: MakeClient) -> Repository:
    reference = Reference.parse(registry.reference(f"{repository}:1"))
    return make_client().repository(reference, push=True)


@pytest.mark.integration
def test_real_registry_loses_a_tag_and_keeps_the_rest(registry: Registry, remote: Repository):
    desc = image_at(remote, "1.0", "latest")
    other = image_at(remote, "other", kind="c/d")
    assert remote.deletion.tag("1.0") == desc
    with pytest.raises(ContentNotFound):
        remote.resolve("1.0")
    assert remote.resolve("latest") == remote.resolve(str(desc.digest)) == desc
    assert remote.resolve("other") == other
    assert sorted(remote.tags()) == ["latest", "other"]
    assert remote.deletion.tag("latest") == desc
    assert remote.resolve(str(desc.digest)) == desc


@pytest.mark.integration
def test_real_registry_loses_a_manifest_with_its_tags(remote: Repository):
    desc = image_at(remote, "1.0", "latest")
    other = image_at(remote, "other", kind="c/d")
    remote.deletion.manifest(desc.digest, ["1.0", "latest"])
    for name in ("1.0", "latest", str(desc.digest)):
        with pytest.raises(ContentNotFound):
            remote.resolve(name)
    assert remote.resolve("other") == other
