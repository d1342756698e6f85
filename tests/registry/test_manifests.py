"""Manifests at a registry: tags in one request or several, tags that do not move."""

from __future__ import annotations

import pytest

from agentoci.content.reader import DigestMismatch
from agentoci.registry.errors import ManifestBlobUnknown, ManifestRejected
from agentoci.registry.manifests import TagImmutable
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, Descriptor
from agentoci.spec.manifest import Manifest
from tests.registry.conftest import Open
from tests.registry.fake import FakeRegistry
from tests.registry.faults import adds, answers, refuses

MANIFEST = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type="application/vnd.test")
OTHER = Manifest.build(config=EMPTY, layers=[], artifact_type="application/vnd.test")
DESC = MANIFEST.descriptor


def puts(fake: FakeRegistry) -> list[str]:
    return [seen.path.rpartition("/")[2] for seen in fake.requests("PUT", "/manifests/")]


def test_several_tags_follow_the_digest(fake: FakeRegistry, open_repository: Open):
    open_repository(fake).push_tagged(DESC, MANIFEST.raw, ("1.0", "1", "latest"))
    assert puts(fake) == [str(DESC.digest), "1.0", "1", "latest"]
    assert all(fake.manifests["team/bot", tag][1] == MANIFEST.raw for tag in ("1.0", "1", "latest"))


def test_tags_that_the_registry_took_with_the_digest_need_no_request(
    fake: FakeRegistry, open_repository: Open
):
    fake.on("PUT", r"/manifests/sha256:.*\?tag=1\.0&tag=latest", adds(OCI_Tag="1.0, latest"))
    open_repository(fake).push_tagged(DESC, MANIFEST.raw, ("1.0", "latest"))
    assert puts(fake) == [str(DESC.digest)]


def test_tags_that_the_registry_did_not_confirm_are_given_singly(
    fake: FakeRegistry, open_repository: Open
):
    fake.on("PUT", "/manifests/sha256:", adds(OCI_Tag="1.0"))
    open_repository(fake).push_tagged(DESC, MANIFEST.raw, ("1.0", "latest"))
    assert puts(fake) == [str(DESC.digest), "latest"]


@pytest.mark.parametrize(
    "refusal",
    [
        refuses(400, "TAG_INVALID", "The image tag '1.0' already exists and cannot be overwritten"),
        refuses(412, "PRECONDITION", "Failed to process request due to immutable tag"),
        refuses(409, "CONFLICT", "tag is immutable"),
        answers(403, "no"),
    ],
)
def test_immutable_tag_with_the_same_content_is_fine(
    fake: FakeRegistry, open_repository: Open, refusal
):  # fault 30
    fake.put_manifest("team/bot", "1.0", mediatypes.OCI_MANIFEST, MANIFEST.raw)
    fake.on("PUT", "/manifests/1.0", refusal)
    open_repository(fake).push_tagged(DESC, MANIFEST.raw, ("1.0",))
    assert len(puts(fake)) == 1


def test_immutable_tag_with_other_content_names_both_digests(
    fake: FakeRegistry, open_repository: Open
):  # fault 30
    there = fake.put_manifest("team/bot", "1.0", mediatypes.OCI_MANIFEST, OTHER.raw)
    fake.on("PUT", "/manifests/1.0", refuses(400, "TAG_INVALID", "tag is immutable"))
    with pytest.raises(TagImmutable) as caught:
        open_repository(fake).push_tagged(DESC, MANIFEST.raw, ("1.0",))
    assert there in caught.value.message
    assert str(DESC.digest) in caught.value.message
    assert caught.value.exit_code == 7


def test_other_refusals_are_not_taken_for_immutability(fake: FakeRegistry, open_repository: Open):
    fake.put_manifest("team/bot", "1.0", mediatypes.OCI_MANIFEST, OTHER.raw)
    fake.on("PUT", "/manifests/1.0", refuses(400, "MANIFEST_INVALID", "unknown media type"))
    with pytest.raises(ManifestRejected, match="unknown media type") as caught:
        open_repository(fake).push_tagged(DESC, MANIFEST.raw, ("1.0",))
    assert "--profile image" in str(caught.value.hint)


def test_missing_blob_has_an_error_of_its_own(fake: FakeRegistry, open_repository: Open):
    fake.on("PUT", "/manifests/", refuses(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown"))
    with pytest.raises(ManifestBlobUnknown):
        open_repository(fake).push_tagged(DESC, MANIFEST.raw, ("1.0",))


def test_digest_of_a_manifest_is_checked_before_anything_is_sent(
    fake: FakeRegistry, open_repository: Open
):
    wrong = Descriptor(DESC.media_type, DESC.digest, len(OTHER.raw))
    with pytest.raises(DigestMismatch):
        open_repository(fake).push_tagged(wrong, OTHER.raw, ("1.0",))
    assert fake.seen == []
