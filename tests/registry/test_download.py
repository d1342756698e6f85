"""Fetching blobs and manifests from a registry that hiccups, lies, or is hostile."""

from __future__ import annotations

import threading

import pytest

from agentoci.content.reader import DigestMismatch, SizeMismatch, VerifiedReader, fetch_bytes
from agentoci.registry.blobs.download import ContentEncoded
from agentoci.registry.errors import (
    AccessDenied,
    BlobNotFound,
    ManifestNotFound,
    RegistryTimeout,
    RegistryUnreachable,
    UnsafeDestination,
)
from agentoci.registry.http.transport import Timeouts
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import (
    Fault,
    Reply,
    adds,
    answers,
    changes,
    cuts,
    drops,
    ignores_range,
    lacks,
    redirects,
    refuses,
    spoils_body,
    waits,
)

MIB = 1024 * 1024
CONTENT = bytes(range(256)) * (10 * MIB // 256)
BLOB = Descriptor.of("application/octet-stream", CONTENT)
MANIFEST_BYTES = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}'
MANIFEST = Descriptor.of(mediatypes.OCI_MANIFEST, MANIFEST_BYTES)
BLOBS = "/blobs/sha256"
MANIFESTS = "/manifests/"


@pytest.fixture
def repository(fake: FakeRegistry, open_repository: Open) -> Repository:
    fake.put("team/bot", CONTENT)
    fake.put_manifest("team/bot", "1.0", mediatypes.OCI_MANIFEST, MANIFEST_BYTES)
    return open_repository(fake)


def read(repository: Repository, desc: Descriptor = BLOB) -> bytes:
    return fetch_bytes(repository, desc, limit=desc.size)


def sent(fake: FakeRegistry) -> list[str]:
    return [one.headers.get("range", "whole") for one in fake.requests("GET", BLOBS)]


def test_blob_and_manifest_are_fetched(fake: FakeRegistry, repository: Repository) -> None:
    assert read(repository) == CONTENT
    assert read(repository, MANIFEST) == MANIFEST_BYTES
    assert all(one.headers["accept-encoding"] == "identity" for one in fake.seen)


def test_fetch_from_an_offset_asks_for_the_rest_only(
    fake: FakeRegistry, repository: Repository
) -> None:
    with repository.fetch(BLOB, 9 * MIB) as stream:
        assert stream.read(2 * MIB) == CONTENT[9 * MIB :]
    assert sent(fake) == [f"bytes={9 * MIB}-"]


def test_empty_blob_and_finished_one_need_no_request(
    fake: FakeRegistry, repository: Repository
) -> None:
    assert read(repository, Descriptor.of("x/y", b"")) == b""
    with repository.fetch(BLOB, BLOB.size) as stream:
        assert stream.read(1) == b""
    assert not fake.seen


@pytest.mark.parametrize("at", [10, 50, 99])
def test_cut_connection_goes_on_where_it_broke(
    fake: FakeRegistry, repository: Repository, at: int
) -> None:
    fake.on("GET", BLOBS, cuts(BLOB.size * at // 100))
    assert read(repository) == CONTENT
    _, second = sent(fake)
    assert second.startswith("bytes=") or at == 10, "what arrived is not asked for again"


def test_many_cuts_are_survived_while_there_is_progress(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("GET", BLOBS, *[cuts(MIB + 100)] * 8)
    assert read(repository) == CONTENT


def test_cuts_without_progress_end(
    fake: FakeRegistry, repository: Repository, clock: StepClock
) -> None:
    fake.on("GET", BLOBS, cuts(10), times=50)
    with pytest.raises(
        RegistryUnreachable, match=r"bot@sha256:\w+: the download broke off at byte \d+ of 10485760"
    ):
        read(repository)
    assert len(sent(fake)) == 5


def test_server_without_ranges_is_read_again_from_the_start(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("GET", BLOBS, cuts(5 * MIB), ignores_range())
    assert read(repository) == CONTENT


def test_wrong_content_range_is_never_stitched(fake: FakeRegistry, repository: Repository) -> None:
    wrong = adds(Content_Range=f"bytes 0-{BLOB.size - 1}/{BLOB.size}")
    fake.on("GET", BLOBS, cuts(5 * MIB), wrong)
    assert read(repository) == CONTENT
    assert sent(fake)[-1] == "whole"


def test_other_total_length_in_a_range_is_an_error(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("GET", BLOBS, adds(Content_Range=f"bytes {MIB}-99999999/99999999"))
    with (
        pytest.raises(SizeMismatch, match="99999999 bytes long"),
        repository.fetch(BLOB, MIB),
    ):
        pass


def test_range_not_satisfiable_falls_back_to_the_whole(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("GET", BLOBS, cuts(5 * MIB), answers(416, b"no such range"))
    assert read(repository) == CONTENT


def test_cut_of_a_body_without_length_is_noticed(
    fake: FakeRegistry, repository: Repository
) -> None:
    def unannounced(reply: Reply) -> None:
        reply.length = False
        reply.body = reply.body[: 5 * MIB]

    fake.on("GET", BLOBS, changes(unannounced))
    assert read(repository) == CONTENT


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (spoils_body(lambda body: body[:-1] + b"x"), DigestMismatch),
        (spoils_body(lambda body: body[: 3 * MIB]), SizeMismatch),
        (spoils_body(lambda body: body + b"x"), SizeMismatch),
        (spoils_body(lambda body: b""), SizeMismatch),
    ],
)
def test_wrong_bytes_are_an_error(
    fake: FakeRegistry, repository: Repository, fault: Fault, error: type[Exception]
) -> None:
    fake.on("GET", BLOBS, fault)
    with pytest.raises(error) as caught:
        read(repository)
    assert str(BLOB.digest) in str(caught.value)
    assert len(sent(fake)) == 1, "a wrong content is not asked for again"


def test_packing_proxy_is_named(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("GET", BLOBS, changes(_pack))
    with pytest.raises(ContentEncoded, match="'gzip'"):
        read(repository)


def _pack(reply: Reply) -> None:
    reply.body = b"\x1f\x8b" + reply.body[:1000]
    reply.headers["Content-Encoding"] = "gzip"


def test_wrong_mark_on_right_bytes_is_harmless(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("GET", BLOBS, cuts(5 * MIB), adds(Content_Encoding="gzip"))
    assert read(repository) == CONTENT
    fake.on("GET", BLOBS, adds(Content_Encoding="gzip"))
    assert read(repository) == CONTENT


def test_unwell_registry_is_tried_again(
    fake: FakeRegistry, repository: Repository, clock: StepClock
) -> None:
    gone = (drops(), drops())  # the first one looks like an idle connection that had ended
    fake.on("GET", BLOBS, answers(503), *gone, answers(429, Retry_After="1.5s, allowed: 10"))
    assert read(repository) == CONTENT
    assert clock.sleeps == [0.25, 0.5, 1.5]


def test_stalled_registry_times_out(fake: FakeRegistry, open_repository: Open) -> None:
    fake.put("team/bot", CONTENT)
    done = threading.Event()
    fake.on("GET", BLOBS, waits(done), times=9)
    repository = open_repository(fake, timeouts=Timeouts(read=0.05))
    with pytest.raises(RegistryTimeout, match="no answer in time"):
        read(repository)
    done.set()


def test_missing_content_is_not_found(fake: FakeRegistry, repository: Repository) -> None:
    with pytest.raises(BlobNotFound) as caught:
        read(repository, Descriptor.of("x/y", b"other"))
    assert caught.value.exit_code == 6
    with pytest.raises(ManifestNotFound):
        read(repository, Descriptor.of(mediatypes.OCI_INDEX, b"other"))


def test_redirected_blob_is_fetched_without_credentials(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry(address="127.0.0.2") as storage:
        digest = storage.put("bucket", CONTENT)
        fake.on("GET", BLOBS, redirects(f"{storage.url}/v2/bucket/blobs/{digest}?sig=a%2Fb"))
        repository = open_repository(fake)
        repository.exists(BLOB)
        assert read(repository) == CONTENT
        [got] = storage.requests()
        assert got.target.endswith("?sig=a%2Fb")
        assert not {"authorization", "cookie"} & set(got.headers)


def test_other_port_is_another_origin(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry() as storage:
        digest = storage.put("bucket", CONTENT)
        fake.on("GET", BLOBS, redirects(f"{storage.url}/v2/bucket/blobs/{digest}"))
        assert read(open_repository(fake)) == CONTENT
        assert "authorization" not in storage.seen[0].headers


def test_relative_redirect_stays_with_its_credentials(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        digest = fake.put("other/place", CONTENT)
        fake.on("GET", "/team/bot/blobs/", answers(401, WWW_Authenticate="Basic"))
        fake.on("GET", "/team/bot/blobs/", redirects(f"/v2/other/place/blobs/{digest}"))
        assert read(open_repository(fake)) == CONTENT


def test_expired_signed_url_is_resolved_again(open_repository: Open) -> None:
    with FakeRegistry() as fake, FakeRegistry(address="127.0.0.2") as storage:
        digest = storage.put("bucket", CONTENT)
        url = f"{storage.url}/v2/bucket/blobs/{digest}"
        fake.on("GET", BLOBS, redirects(f"{url}?sig=1"), redirects(f"{url}?sig=2"))
        storage.on("GET", "sig=1", cuts(5 * MIB), answers(403), times=2)
        assert read(open_repository(fake)) == CONTENT
        assert [one.query["sig"] for one in storage.seen] == [["1"], ["2"]]


def test_challenge_of_a_storage_is_not_answered(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry(auth=Basic()) as storage:
        fake.on("GET", BLOBS, redirects(f"{storage.url}/v2/bucket/blobs/{BLOB.digest}"))
        with pytest.raises(Exception, match="wants other credentials"):
            read(open_repository(fake))
        assert all("authorization" not in one.headers for one in storage.seen)


def test_endless_redirects_end(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("GET", BLOBS, redirects(f"/v2/team/bot/blobs/{BLOB.digest}"), times=50)
    with pytest.raises(UnsafeDestination, match="more than 5 redirects"):
        read(repository)


def test_cookies_are_not_kept(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("GET", BLOBS, adds(Set_Cookie="session=1; Path=/"))
    read(repository)
    read(repository)
    assert all("cookie" not in one.headers for one in fake.seen)


def test_tag_is_resolved_by_head(fake: FakeRegistry, repository: Repository) -> None:
    found = repository.resolve("1.0")
    assert found == MANIFEST
    assert [one.method for one in fake.seen] == ["HEAD"]
    accept = fake.seen[0].headers["accept"]
    assert all(kind in accept for kind in mediatypes.MANIFESTS | mediatypes.INDEXES)


def test_digest_is_resolved_to_itself(repository: Repository) -> None:
    assert repository.resolve(str(MANIFEST.digest)) == MANIFEST


@pytest.mark.parametrize(
    "fault",
    [
        lacks("Docker-Content-Digest"),
        lacks("Content-Type"),
        adds(Docker_Content_Digest="sha256:../../etc"),
        answers(405),
        answers(404),
        answers(400),
    ],
)
def test_get_resolves_what_head_leaves_open(
    fake: FakeRegistry, repository: Repository, fault: Fault
) -> None:
    fake.on("HEAD", MANIFESTS, fault)
    assert repository.resolve("1.0") == MANIFEST
    assert [one.method for one in fake.seen] == ["HEAD", "GET"]


def test_parameters_of_the_content_type_do_not_count(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("HEAD", MANIFESTS, adds(Content_Type=f"{mediatypes.OCI_MANIFEST}; charset=utf-8"))
    assert repository.resolve("1.0").media_type == mediatypes.OCI_MANIFEST


def test_pinned_digest_beats_the_header(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("HEAD", MANIFESTS, adds(Docker_Content_Digest=str(BLOB.digest)))
    with pytest.raises(DigestMismatch):
        repository.resolve(str(MANIFEST.digest))


def test_other_manifest_for_a_pinned_digest_is_an_error(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("HEAD", MANIFESTS, answers(405))
    fake.on("GET", MANIFESTS, spoils_body(lambda body: body + b" "))
    with pytest.raises((DigestMismatch, SizeMismatch)):
        repository.resolve(str(MANIFEST.digest))


def test_huge_manifest_is_not_read(fake: FakeRegistry, repository: Repository) -> None:
    fake.on("HEAD", MANIFESTS, answers(405))
    fake.on("GET", MANIFESTS, spoils_body(lambda body: bytes(6 * MIB)))
    with pytest.raises(SizeMismatch, match="larger than"):
        repository.resolve("1.0")


def test_unknown_tag_is_not_found_and_named(fake: FakeRegistry, repository: Repository) -> None:
    with pytest.raises(ManifestNotFound, match=rf"{fake.host}/team/bot:9.9") as caught:
        repository.resolve("9.9")
    assert caught.value.exit_code == 6


def test_refusal_without_a_body_is_explained_by_get(
    fake: FakeRegistry, repository: Repository
) -> None:
    fake.on("*", MANIFESTS, answers(403), refuses(403, "DENIED", "quota used up"))
    with pytest.raises(AccessDenied, match="quota used up"):
        repository.resolve("1.0")


def test_stream_can_be_left_in_the_middle(repository: Repository) -> None:
    with repository.fetch(BLOB) as stream:
        assert VerifiedReader(stream, BLOB).read(100) == CONTENT[:100]
    assert read(repository) == CONTENT
