"""Pushing blobs and manifests, whatever the registry does."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest

from agentoci.content.protocols import Reader
from agentoci.content.reader import BytesSource, DigestMismatch, SizeMismatch
from agentoci.registry.errors import (
    AccessDenied,
    ManifestRejected,
    RegistryFailing,
    RegistryUnreachable,
    Rejected,
    RepositoryNotFound,
    UnsafeDestination,
)
from agentoci.registry.facts import RunMemory
from agentoci.registry.http.retry import RetryPolicy
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import (
    Fault,
    adds,
    answers,
    answers_early,
    drops,
    hangs_up_at_once,
    lacks,
    loses_answer,
    redirects,
    refuses,
)

OCTETS = "application/octet-stream"
CONTENT = bytes(range(256)) * 20_000
BLOB = Descriptor.of(OCTETS, CONTENT)
MANIFEST_BYTES = b'{"schemaVersion":2}'
MANIFEST = Descriptor.of(mediatypes.OCI_MANIFEST, MANIFEST_BYTES)
UPLOADS = "/blobs/uploads/"


class CountingSource:
    """Counts how often it is opened, and hands out slices of an odd size."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened = 0
        self.closed = 0

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        self.opened += 1
        try:
            yield io.BytesIO(self.content[offset:])
        finally:
            self.closed += 1


def test_blob_is_stored_in_one_streamed_put(fake: FakeRegistry, open_repository: Open) -> None:
    repository = open_repository(fake)
    assert not repository.exists(BLOB)
    repository.push(BLOB, BytesSource(CONTENT))
    assert fake.blobs["team/bot", str(BLOB.digest)] == CONTENT
    assert repository.exists(BLOB)
    [put] = fake.requests("PUT")
    assert put.headers["content-length"] == str(BLOB.size)
    assert "transfer-encoding" not in put.headers


def test_query_of_the_location_is_given_back_unchanged(
    fake: FakeRegistry, open_repository: Open
) -> None:
    open_repository(fake).push(BLOB, BytesSource(CONTENT))
    [put] = fake.requests("PUT")
    assert "?_state=a%2Fb%3D&digest=sha256%3A" in put.target


def test_empty_blob_is_stored(fake: FakeRegistry, open_repository: Open) -> None:
    empty = Descriptor.of(OCTETS, b"")
    open_repository(fake).push(empty, BytesSource(b""))
    assert fake.blobs["team/bot", str(empty.digest)] == b""


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (CONTENT[:-1] + b"x", DigestMismatch),
        (CONTENT[:-1], SizeMismatch),
        (CONTENT + b"x", SizeMismatch),
    ],
)
def test_wrong_bytes_never_reach_the_repository(
    fake: FakeRegistry, open_repository: Open, wrong: bytes, error: type[Exception]
) -> None:
    repository = open_repository(fake)
    with pytest.raises(error):
        repository.push(BLOB, BytesSource(wrong))
    assert not fake.blobs
    assert fake.requests("DELETE", UPLOADS), "the session is cancelled"


@pytest.mark.parametrize("fault", [drops(), hangs_up_at_once(), answers(503), answers(500)])
def test_failed_put_starts_again_with_a_fresh_session(
    fake: FakeRegistry, open_repository: Open, fault: Fault
) -> None:
    fake.on("PUT", UPLOADS, fault)
    source = CountingSource(CONTENT)
    open_repository(fake).push(BLOB, source)
    assert fake.blobs["team/bot", str(BLOB.digest)] == CONTENT
    first, second = fake.requests("PUT")
    assert first.path != second.path
    assert source.opened == source.closed == 2


def test_put_whose_answer_is_lost_is_not_sent_twice(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("PUT", UPLOADS, loses_answer())
    source = CountingSource(CONTENT)
    open_repository(fake).push(BLOB, source)
    assert source.opened == 1
    assert [one.method for one in fake.seen] == ["POST", "PUT", "HEAD"]


def test_not_found_after_commit_is_asked_for_not_sent_again(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """fault 19: ghcr answers BLOB_UPLOAD_UNKNOWN to the closing PUT of a blob that it has."""
    fake.on("PUT", UPLOADS, refuses(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown"))
    fake.put("team/bot", CONTENT)
    source = CountingSource(CONTENT)
    open_repository(fake).push(BLOB, source)
    assert source.opened == 1


def test_not_found_after_losing_the_blob_sends_it_again(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("PUT", UPLOADS, refuses(404, "BLOB_UNKNOWN", "lost"))
    open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert len(fake.requests("PUT")) == 2


def test_early_refusal_is_reported_not_the_broken_pipe(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("PUT", UPLOADS, answers_early(413, "SIZE_INVALID", "too large"), times=9)
    big = bytes(40_000_000)
    policy = RetryPolicy(tries=1)
    with pytest.raises(Rejected, match="413 SIZE_INVALID: too large"):
        open_repository(fake, retry=policy).push(Descriptor.of(OCTETS, big), BytesSource(big))


def test_html_refusal_is_readable(fake: FakeRegistry, open_repository: Open) -> None:
    page = "<html><body>\x1b[31mToo big</body></html>"
    fake.on("PUT", UPLOADS, answers(413, page), times=9)
    with pytest.raises(Rejected, match=r"413 (request entity|content) too large") as caught:
        open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert "limits the size" in (caught.value.hint or "")


def test_healthy_page_instead_of_a_session_is_not_success(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("POST", UPLOADS, answers(200, "Healthcheck requested"))
    open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert len(fake.requests("POST")) == 2


def test_healthy_page_for_ever_is_an_error(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("POST", UPLOADS, answers(200, "Healthcheck requested"), times=20)
    with pytest.raises(RegistryFailing, match="which a registry does not"):
        open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert len(fake.requests("POST")) == 5


def test_errors_of_the_server_end_after_five_tries(
    fake: FakeRegistry, open_repository: Open, clock: StepClock
) -> None:
    fake.on("PUT", UPLOADS, refuses(500, "UNKNOWN", "disk on fire"), times=20)
    with pytest.raises(RegistryFailing, match="500 UNKNOWN: disk on fire") as caught:
        open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert caught.value.exit_code == 4
    assert len(fake.requests("PUT")) == 5
    assert clock.sleeps == [0.25, 0.5, 1.0, 2.0]


def test_retry_after_of_the_put_is_honoured(
    fake: FakeRegistry, open_repository: Open, clock: StepClock
) -> None:
    fake.on("PUT", UPLOADS, answers(429, Retry_After="7"))
    open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert clock.sleeps == [7.0]


def test_denied_upload_is_not_tried_again(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("POST", UPLOADS, refuses(403, "DENIED", "read only"), times=9)
    with pytest.raises(AccessDenied, match="read only") as caught:
        open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert caught.value.exit_code == 5
    assert len(fake.requests("POST")) == 1


def test_unknown_project_is_named(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("POST", UPLOADS, refuses(404, "NAME_UNKNOWN", "project team not found"))
    with pytest.raises(RepositoryNotFound, match="project team not found"):
        open_repository(fake).push(BLOB, BytesSource(CONTENT))


def test_source_error_is_not_taken_for_a_network_error(
    fake: FakeRegistry, open_repository: Open
) -> None:
    class Broken:
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    class BrokenSource:
        @contextlib.contextmanager
        def open(self, offset: int = 0) -> Iterator[Reader]:
            yield Broken()

    with pytest.raises(OSError, match="Input/output error"):
        open_repository(fake).push(BLOB, BrokenSource())
    assert len(fake.requests("PUT")) <= 1


def test_foreign_location_gets_the_bytes_without_credentials(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry(address="127.0.0.2") as storage:
        fake.on("POST", UPLOADS, answers(202, Location=f"{storage.url}/v2/x/blobs/uploads/1?sig=a"))
        # Basic is known by then, so that a client without the rule would send it.
        repository = open_repository(fake)
        assert not repository.exists(BLOB)
        repository.push(BLOB, BytesSource(CONTENT))
        [put] = storage.requests("PUT")
        assert "authorization" not in put.headers
        assert storage.blobs["x", str(BLOB.digest)] == CONTENT


def test_redirected_put_gets_the_bytes_without_credentials(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry(address="127.0.0.2") as storage:
        fake.on(
            "PUT", UPLOADS, redirects(f"{storage.url}/v2/x/blobs/uploads/1?digest={BLOB.digest}")
        )
        repository = open_repository(fake)
        repository.push(BLOB, BytesSource(CONTENT))
        [put] = storage.requests("PUT")
        assert "authorization" not in put.headers


def test_location_without_http_is_refused(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("POST", UPLOADS, answers(202, Location="file:///etc/passwd"))
    with pytest.raises(UnsafeDestination):
        open_repository(fake).push(BLOB, BytesSource(CONTENT))


def test_session_without_location_is_an_error(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("POST", UPLOADS, lacks("Location"))
    with pytest.raises(RegistryFailing, match="no Location"):
        open_repository(fake).push(BLOB, BytesSource(CONTENT))


def test_other_digest_in_the_answer_is_an_error(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("PUT", UPLOADS, adds(Docker_Content_Digest=str(MANIFEST.digest)))
    with pytest.raises(DigestMismatch):
        open_repository(fake).push(BLOB, BytesSource(CONTENT))


def test_mount_takes_the_blob_over(fake: FakeRegistry, open_repository: Open) -> None:
    fake.put("team/base", CONTENT)
    repository, source = open_repository(fake), open_repository(fake, "team/base")
    assert repository.mount(BLOB, source)
    assert repository.exists(BLOB)


def test_mount_that_only_says_so_is_noticed(fake: FakeRegistry, open_repository: Open) -> None:
    """fault 27: 201, but the blob is not there."""
    fake.on("POST", "mount=", answers(201), times=2)
    repository, source = open_repository(fake), open_repository(fake, "team/base")
    assert not repository.mount(BLOB, source)
    assert not repository.mount(BLOB, source)
    repository.push(BLOB, BytesSource(CONTENT))
    assert repository.exists(BLOB)


def test_registry_that_mounts_is_asked_for_proof_once(
    fake: FakeRegistry, open_repository: Open
) -> None:
    other = Descriptor.of(OCTETS, b"other")
    fake.put("team/base", CONTENT)
    fake.put("team/base", b"other")
    memory = RunMemory()
    repository = open_repository(fake, memory=memory)
    source = open_repository(fake, "team/base", memory=memory)
    assert repository.mount(BLOB, source)
    assert memory.facts(fake.host).mount is True
    assert repository.mount(other, source)
    assert [one.method for one in fake.seen] == ["POST", "HEAD", "POST"]


def test_failed_mount_teaches_nothing(fake: FakeRegistry, open_repository: Open) -> None:
    """The source may just not have it, or be hidden."""
    memory = RunMemory()
    repository = open_repository(fake, memory=memory)
    fake.on("POST", "mount=", answers(404), answers(202))
    for _ in range(2):
        assert not repository.mount(BLOB, open_repository(fake, "team/base"))
    assert memory.facts(fake.host).mount is None


def test_registry_that_is_known_not_to_mount_is_not_asked(
    fake: FakeRegistry, open_repository: Open
) -> None:
    memory = RunMemory()
    memory.learn(fake.host, mount=False)
    repository = open_repository(fake, memory=memory)
    assert not repository.mount(BLOB, open_repository(fake, "team/base"))
    assert not fake.seen


def test_mount_that_opens_a_session_leaves_it_to_the_push(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.mounts = False
    repository, source = open_repository(fake), open_repository(fake, "team/base")
    assert not repository.mount(BLOB, source)
    repository.push(BLOB, BytesSource(CONTENT))
    assert [one.method for one in fake.seen] == ["POST", "PUT"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
def test_refused_mount_is_not_an_error(
    fake: FakeRegistry, open_repository: Open, status: int
) -> None:
    """fault 27: whatever is wrong with it, the blob can still be sent."""
    fake.on("POST", "mount=", answers(status))
    repository, source = open_repository(fake), open_repository(fake, "team/base")
    assert not repository.mount(BLOB, source)
    repository.push(BLOB, BytesSource(CONTENT))
    assert repository.exists(BLOB)


def test_mount_from_another_registry_is_not_tried(
    fake: FakeRegistry, open_repository: Open
) -> None:
    with FakeRegistry() as other:
        assert not open_repository(fake).mount(BLOB, open_repository(other, "team/base"))
        assert not open_repository(fake).mount(BLOB, object())
        assert not fake.seen


def test_manifest_is_stored_under_its_digest_and_a_tag(
    fake: FakeRegistry, open_repository: Open
) -> None:
    repository = open_repository(fake)
    repository.push(MANIFEST, BytesSource(MANIFEST_BYTES))
    repository.tag(MANIFEST, "1.0")
    assert fake.manifests["team/bot", "1.0"] == (mediatypes.OCI_MANIFEST, MANIFEST_BYTES)


@pytest.mark.parametrize("wrong", [MANIFEST_BYTES[:-1], MANIFEST_BYTES + b" ", b"x" * 19])
def test_wrong_manifest_is_not_sent(
    fake: FakeRegistry, open_repository: Open, wrong: bytes
) -> None:
    repository = open_repository(fake)
    with pytest.raises((DigestMismatch, SizeMismatch)):
        repository.push_tagged(MANIFEST, wrong, ("1.0",))
    with pytest.raises((DigestMismatch, SizeMismatch)):
        repository.push(MANIFEST, BytesSource(wrong))
    assert not fake.seen


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "MANIFEST_INVALID", "unknown media type: application/vnd.agentoci.agent.v1"),
        (415, "", ""),
        (400, "", "unsupported mediaType"),
    ],
)
def test_refused_media_type_names_the_image_profile(
    fake: FakeRegistry, open_repository: Open, status: int, code: str, message: str
) -> None:
    fake.on("PUT", "/manifests/", refuses(status, code, message))
    with pytest.raises(ManifestRejected, match=f"{status} ") as caught:
        open_repository(fake).push_tagged(MANIFEST, MANIFEST_BYTES, ("1.0",))
    assert message in caught.value.message
    assert f"{fake.host}/team/bot:1.0" in caught.value.message
    assert "--profile image" in (caught.value.hint or "")
    assert caught.value.exit_code == 1


def test_control_characters_of_the_server_do_not_reach_the_terminal(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("PUT", "/manifests/", refuses(400, "X", "\x1b]0;owned\x07 bad\u202ething"))
    with pytest.raises(ManifestRejected) as caught:
        open_repository(fake).push_tagged(MANIFEST, MANIFEST_BYTES, ("1.0",))
    assert not set(caught.value.message) & set("\x1b\x07\u202e")


def test_manifest_put_survives_a_bad_gateway(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("PUT", "/manifests/", answers(502), drops())
    open_repository(fake).push_tagged(MANIFEST, MANIFEST_BYTES, ("1.0",))
    assert len(fake.requests("PUT")) == 3


def test_other_digest_of_a_manifest_is_an_error(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("PUT", "/manifests/", adds(Docker_Content_Digest=str(BLOB.digest)))
    with pytest.raises(DigestMismatch):
        open_repository(fake).push_tagged(MANIFEST, MANIFEST_BYTES, ("1.0",))


def test_nobody_there_is_unreachable_after_five_tries(
    open_repository: Open, clock: StepClock
) -> None:
    with FakeRegistry() as gone:
        pass
    with pytest.raises(RegistryUnreachable, match="connection refused") as caught:
        open_repository(gone).push(BLOB, BytesSource(CONTENT))
    assert caught.value.exit_code == 4
    assert gone.host in caught.value.message
    assert len(clock.sleeps) == 4
