"""What never happens in an upload: wrong bytes, leaked credentials, a full memory, litter."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest

from agentoci._internal import limits
from agentoci.content.copy import CopyOptions, copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import NoProgress, Reader
from agentoci.content.reader import BytesSource, DigestMismatch, SizeMismatch
from agentoci.registry.errors import UnsafeDestination
from agentoci.registry.facts import CHUNKED, MONOLITHIC, UPLOAD_METHODS
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from tests.registry.conftest import Open
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import (
    Exchange,
    Reply,
    adds,
    answers,
    cuts_body,
)
from tests.registry.service import Session
from tests.registry.uploads import BLOB, BODY, CHUNK, CONTENT, UPLOADS, Opener, stored


@pytest.fixture
def open_by(open_repository: Open) -> Opener:
    return Opener(open_repository)


class Interrupted:
    """Ends in Ctrl-C after some bytes."""

    def __init__(self, after: int) -> None:
        self.stream = io.BytesIO(CONTENT)
        self.after = after

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        self.stream.seek(offset)
        yield self

    def read(self, size: int = -1, /) -> bytes:
        if self.stream.tell() >= self.after:
            raise KeyboardInterrupt
        return self.stream.read(size)


@pytest.mark.parametrize("method", UPLOAD_METHODS)
@pytest.mark.parametrize("answer", [None, 400, 404, 405, 500])
@pytest.mark.parametrize("after", [0, CHUNK + 1])
def test_ctrl_c_cancels_the_session(
    fake: FakeRegistry, open_by: Opener, method: str, answer: int | None, after: int
) -> None:
    """fault 48: and what the registry says to that does not matter."""
    if answer is not None:
        fake.on("DELETE", UPLOADS, answers(answer))
    with pytest.raises(KeyboardInterrupt):
        open_by(fake, method).push(BLOB, Interrupted(after))
    assert len(fake.requests("DELETE", UPLOADS)) == 1
    assert not fake.blobs
    if answer is None:
        assert not fake.sessions


class Changing:
    """Gives other bytes each time it is opened."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents)

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        yield io.BytesIO(content[offset:])


WRONG_END = CONTENT[:-1] + b"!"


@pytest.mark.parametrize("method", UPLOAD_METHODS)
@pytest.mark.parametrize(
    ("source", "error"),
    [
        (lambda: BytesSource(WRONG_END), DigestMismatch),
        (lambda: BytesSource(b"!" + CONTENT[1:]), DigestMismatch),
        (lambda: BytesSource(CONTENT[:-1]), SizeMismatch),
        (lambda: BytesSource(CONTENT + b"!"), SizeMismatch),
    ],
    ids=["end", "start", "shorter", "longer"],
)
def test_wrong_bytes_never_reach_the_repository(
    fake: FakeRegistry, open_by: Opener, method: str, source: object, error: type[Exception]
) -> None:
    repository = open_by(fake, method)
    with pytest.raises(error):
        repository.push(BLOB, source())  # type: ignore[operator]
    assert not fake.blobs
    assert fake.received < BLOB.size, "the last byte was not sent"
    assert len(fake.requests("DELETE", UPLOADS)) == 1


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_source_that_changes_under_a_resumed_upload_is_noticed(
    fake: FakeRegistry, open_by: Opener, method: str
) -> None:
    fake.on(BODY[method], UPLOADS, cuts_body(600_000))
    with pytest.raises(DigestMismatch):
        open_by(fake, method).push(BLOB, Changing(CONTENT, WRONG_END))
    assert not fake.blobs
    assert fake.received < BLOB.size


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_foreign_session_gets_every_request_without_credentials(
    open_by: Opener, method: str
) -> None:
    """fault 8: PATCH, status, close and cancel go where the Location says, anonymously."""
    number = "00000000-0000-0000-0000-000000000000"
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry(address="127.0.0.2") as storage:
        storage.sessions[number] = Session("x")
        url = f"{storage.url}/v2/x/blobs/uploads/{number}?_state=a%2Fb%3D"
        fake.on("POST", UPLOADS, answers(202, Location=url))
        storage.on(BODY[method], UPLOADS, cuts_body(600_000))
        repository = open_by(fake, method)
        assert not repository.exists(BLOB)  # Basic is known from here on
        repository.push(BLOB, BytesSource(CONTENT))
        assert storage.blobs["x", str(BLOB.digest)] == CONTENT
        assert storage.requests("GET", UPLOADS)
        assert not any("authorization" in one.headers for one in storage.seen)
        assert all("authorization" in one.headers for one in fake.seen[1:])


def test_session_that_moves_to_an_unsafe_place_is_not_followed(
    fake: FakeRegistry, open_by: Opener
) -> None:
    """fault 8: a later Location is held to the same rules as the first."""
    fake.on("PATCH", UPLOADS, adds(Location="http://169.254.169.254/latest/meta-data"))
    with pytest.raises(UnsafeDestination, match=r"169\.254"):
        open_by(fake, CHUNKED).push(BLOB, BytesSource(CONTENT))


class Reads:
    """How much is asked of a source at once."""

    def __init__(self) -> None:
        self.largest = 0
        self.stream = io.BytesIO(CONTENT)

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        self.stream.seek(offset)
        yield self

    def read(self, size: int = -1, /) -> bytes:
        self.largest = max(self.largest, size if size >= 0 else BLOB.size)
        return self.stream.read(size)


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_upload_holds_little_in_memory(fake: FakeRegistry, open_by: Opener, method: str) -> None:
    fake.chunk_min = 2 * CHUNK
    source = Reads()
    open_by(fake, method).push(BLOB, source)
    assert stored(fake) == CONTENT
    assert source.largest <= limits.NETWORK_BUFFER


class Counted(NoProgress):
    """Adds up what the progress is told."""

    def __init__(self) -> None:
        self.count = 0

    def advance(self, desc: Descriptor, count: int) -> None:
        if desc.digest == BLOB.digest:
            self.count += count


@pytest.fixture
def image() -> MemoryTarget:
    config = b"{}"
    target = MemoryTarget()
    manifest = Manifest.build(
        config=Descriptor.of(mediatypes.AGENT_CONFIG, config),
        layers=[BLOB],
        artifact_type=mediatypes.AGENT,
    )
    target.push(manifest.config, BytesSource(config))
    target.push(BLOB, BytesSource(CONTENT))
    target.push(manifest.descriptor, BytesSource(manifest.raw))
    target.tag(manifest.descriptor, "1.0")
    return target


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_progress_counts_each_byte_once(
    fake: FakeRegistry, open_by: Opener, method: str, image: MemoryTarget
) -> None:
    fake.on(BODY[method], UPLOADS, cuts_body(600_000), cuts_body(300_000), times=2)
    progress = Counted()
    repository = open_by(fake, method)
    copy(image, "1.0", repository, "1.0", options=CopyOptions(workers=1, progress=progress))
    assert stored(fake) == CONTENT
    assert progress.count == BLOB.size


def test_manifest_that_misses_a_lost_blob_brings_it_again(
    fake: FakeRegistry, open_by: Opener, image: MemoryTarget
) -> None:
    """fault 28: registries lose blobs between the upload and the manifest."""

    def lose(exchange: Exchange) -> Reply:
        fake.blobs.pop(("team/bot", str(BLOB.digest)), None)
        return exchange.serve()

    fake.checks_children = True
    fake.on("PUT", "/manifests/", lose)
    copy(image, "1.0", open_by(fake, MONOLITHIC), "1.0")
    assert stored(fake) == CONTENT
    assert ("team/bot", "1.0") in fake.manifests
    assert len(fake.requests("PUT", UPLOADS)) == 3, "the two blobs, and the lost one"
