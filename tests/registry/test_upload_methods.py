"""Uploads to registries that do not take a blob in one PUT, or take it in odd ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentoci._internal import limits
from agentoci.content.reader import BytesSource
from agentoci.registry.errors import RegistryFailing, Rejected
from agentoci.registry.facts import (
    CHUNKED,
    MONOLITHIC,
    STREAMED,
    UPLOAD_METHODS,
    FileMemory,
    HostFacts,
    RunMemory,
)
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import FakeRegistry
from tests.registry.faults import (
    Exchange,
    Fault,
    Reply,
    Seen,
    adds,
    answers,
    answers_early,
    changes,
    cuts_body,
    lacks,
    refuses,
)

UPLOADS = "/blobs/uploads/"
MIB = limits.MIB
CONTENT = bytes(range(256)) * (20 * MIB // 256) + b"end"
BLOB = Descriptor.of("application/octet-stream", CONTENT)
SMALL = Descriptor.of("application/octet-stream", b"small")
ALWAYS = 500


def limits_bodies(limit: int, status: int = 413, message: str = "too large") -> Fault:
    """Refuse what is longer than `limit`, in HTML as proxies do, or with the registry's words."""

    def fault(exchange: Exchange) -> Reply:
        if int(exchange.seen.headers.get("content-length", 0)) <= limit:
            return exchange.serve()
        if status == 413:
            return answers(413, "<html><h1>413 Request Entity Too Large</h1></html>")(exchange)
        return refuses(status, "SIZE_INVALID", message)(exchange)

    return fault


def lengths(fake: FakeRegistry, method: str) -> list[int]:
    return [int(one.headers["content-length"]) for one in fake.requests(method)]


def stored(fake: FakeRegistry, desc: Descriptor = BLOB) -> bytes | None:
    return fake.blobs.get(("team/bot", str(desc.digest)))


def remembering(host: str, **facts: object) -> RunMemory:
    memory = RunMemory()
    memory.learn(host, **facts)
    return memory


@pytest.mark.parametrize("method", UPLOAD_METHODS)
@pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["empty", "one", "large"])
def test_method_that_is_remembered_is_used(
    fake: FakeRegistry, open_repository: Open, method: str, content: bytes
) -> None:
    desc = Descriptor.of("application/octet-stream", content)
    memory = remembering(fake.host, upload=method)
    open_repository(fake, memory=memory).push(desc, BytesSource(content))
    assert stored(fake, desc) == content
    parts = [one.headers.get("content-range") for one in fake.requests("PATCH")]
    large = len(content) > limits.MIB
    if method == STREAMED and content:
        assert parts == [None]
    elif method == CHUNKED and large:
        assert parts == ["0-8388607", "8388608-16777215", f"16777216-{BLOB.size - 1}"]
    else:
        assert parts == []
    assert not any("transfer-encoding" in one.headers for one in fake.seen)


def test_limit_of_a_proxy_leads_to_chunks(
    fake: FakeRegistry, open_repository: Open, tmp_path: Path, clock: StepClock
) -> None:
    """fault 21: 413 for large bodies, with an HTML page."""
    for method in ("PUT", "PATCH"):
        fake.on(method, UPLOADS, limits_bodies(10_000_000), times=ALWAYS)
    memory = FileMemory(tmp_path, clock)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert lengths(fake, "PATCH") == [8 * MIB, 8 * MIB, BLOB.size - 16 * MIB]
    assert not clock.sleeps, "a refusal is no reason to wait"
    again = FileMemory(tmp_path, clock).facts(fake.host)
    assert (again.upload, again.chunk) == (CHUNKED, 8 * MIB)


def test_next_run_starts_with_what_worked(fake: FakeRegistry, open_repository: Open) -> None:
    memory = RunMemory()
    for method in ("PUT", "PATCH"):
        fake.on(method, UPLOADS, limits_bodies(6_000_000), times=ALWAYS)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    fake.seen.clear()
    fake.blobs.clear()
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert set(lengths(fake, "PUT")) == {0}
    assert max(lengths(fake, "PATCH")) == 5 * MIB
    assert len(fake.requests("POST")) == 1


def test_chunks_shrink_to_what_the_strictest_proxy_takes(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """fault 21: nginx takes 1 MiB when nobody has told it otherwise."""
    for method in ("PUT", "PATCH"):
        fake.on(method, UPLOADS, limits_bodies(MIB), times=ALWAYS)
    memory = RunMemory()
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert memory.facts(fake.host).chunk == MIB
    refused = [length for length in lengths(fake, "PATCH") if length > MIB]
    assert refused == [8 * MIB, 5 * MIB, 4 * MIB, 2 * MIB]


def test_hopeless_limit_ends_with_the_first_refusal(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """fault 21: and the error is readable."""
    for method in ("PUT", "PATCH"):
        fake.on(method, UPLOADS, limits_bodies(1000), times=ALWAYS)
    with pytest.raises(Rejected, match="413 request entity too large") as caught:
        open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert "limits the size" in (caught.value.hint or "")
    assert len(fake.requests("POST")) == len(fake.requests("DELETE")) < 10


def test_refusal_while_the_body_is_sent_leads_to_chunks(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """fault 23: the 413 arrives, though the socket is closed before the body is read."""
    fake.on("PUT", UPLOADS, answers_early(413, "SIZE_INVALID", "too large"))
    open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("PATCH")) == 3


@pytest.mark.parametrize("start", [STREAMED, CHUNKED])
def test_stated_limit_of_a_patch_is_heeded(
    fake: FakeRegistry, open_repository: Open, start: str
) -> None:
    """fault 22: GHCR answers 416 to a PATCH of more than 4 MiB, and says so."""
    fault = limits_bodies(4 * MIB, 416, "chunk exceeds the maximum of 4.00MiB")
    fake.on("PATCH", UPLOADS, fault, times=ALWAYS)
    memory = remembering(fake.host, upload=start)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    accepted = lengths(fake, "PATCH")[1:]
    assert max(accepted) == 4 * MIB - 64 * limits.KIB
    assert memory.facts(fake.host) == HostFacts(upload=CHUNKED, chunk=max(accepted))


def test_416_to_the_first_part_speaks_of_its_size(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """fault 22: also when it does not say more."""
    fake.on("PATCH", UPLOADS, limits_bodies(5 * MIB, 416, "no"), times=ALWAYS)
    memory = remembering(fake.host, upload=CHUNKED)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert lengths(fake, "PATCH")[:2] == [8 * MIB, 5 * MIB]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (405, "UNSUPPORTED"),
        (411, ""),
        (415, ""),
        (501, ""),
        (400, "UNSUPPORTED"),
        (404, "BLOB_UPLOAD_UNKNOWN"),
        (404, "BLOB_UPLOAD_INVALID"),
    ],
)
def test_refused_put_leads_to_a_stream(
    fake: FakeRegistry, open_repository: Open, status: int, code: str
) -> None:
    """Old Artifactory answers 404 to a PUT with a body."""
    fake.on("PUT", UPLOADS, has_body(refuses(status, code, "no")), times=ALWAYS)
    memory = RunMemory()
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert [one.headers.get("content-range") for one in fake.requests("PATCH")] == [None]
    assert memory.facts(fake.host).upload == STREAMED
    assert len(fake.requests("POST")) == 2, "by a session of its own"


def test_refused_stream_leads_to_chunks(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("PUT", UPLOADS, has_body(refuses(405, "UNSUPPORTED", "no")), times=ALWAYS)
    fake.on("PATCH", UPLOADS, without_range(refuses(411, "", "")), times=ALWAYS)
    memory = RunMemory()
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert memory.facts(fake.host).upload == CHUNKED


@pytest.mark.parametrize("refusal", [(405, "UNSUPPORTED"), (404, ""), (400, "BLOB_UPLOAD_INVALID")])
def test_refused_chunks_lead_back_to_one_put(
    fake: FakeRegistry, open_repository: Open, refusal: tuple[int, str]
) -> None:
    """Google's registry takes no PATCH, whatever was believed of it."""
    code = refusal[1] or "BLOB_UPLOAD_UNKNOWN"
    fake.on("PATCH", UPLOADS, refuses(refusal[0], code, "no"), times=ALWAYS)
    memory = remembering(fake.host, upload=CHUNKED, chunk=8 * MIB)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert memory.facts(fake.host).upload == MONOLITHIC


def test_registry_that_takes_nothing_names_the_first_refusal(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("PUT", UPLOADS, refuses(405, "UNSUPPORTED", "read only mirror"), times=ALWAYS)
    fake.on("PATCH", UPLOADS, refuses(501, "", "not here"), times=ALWAYS)
    with pytest.raises(Rejected, match="405 UNSUPPORTED: read only mirror"):
        open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert len(fake.requests("POST")) == 3


def test_sessions_that_get_lost_are_not_blamed_on_the_method(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """Two servers that do not share sessions answer 404 half of the time."""
    fake.on("PUT", UPLOADS, refuses(404, "BLOB_UPLOAD_UNKNOWN", "other server"), times=2)
    fake.on("PATCH", UPLOADS, refuses(404, "BLOB_UPLOAD_UNKNOWN", "other server"), times=2)
    open_repository(fake).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT


def test_second_cut_of_a_long_body_leads_to_chunks(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """Some proxies limit bodies by hanging up."""
    fake.resumes = False
    fake.on("PUT", UPLOADS, has_body(cuts_body(18 * MIB)), times=ALWAYS)
    memory = RunMemory()
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert memory.facts(fake.host).upload == CHUNKED
    assert len([one for one in fake.requests("PUT") if one.headers["content-length"] != "0"]) == 2


def test_least_chunk_of_the_registry_is_heeded(fake: FakeRegistry, open_repository: Open) -> None:
    fake.chunk_min = 12 * MIB
    memory = remembering(fake.host, upload=CHUNKED, chunk=8 * MIB)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert lengths(fake, "PATCH") == [12 * MIB, BLOB.size - 12 * MIB]


def test_least_chunk_of_a_mount_that_opened_a_session_is_heeded(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.chunk_min = 12 * MIB
    memory = remembering(fake.host, upload=CHUNKED, chunk=8 * MIB)
    repository = open_repository(fake, memory=memory)
    assert not repository.mount(BLOB, open_repository(fake, "team/base"))
    repository.push(BLOB, BytesSource(CONTENT))
    assert lengths(fake, "PATCH") == [12 * MIB, BLOB.size - 12 * MIB]
    assert len(fake.requests("POST")) == 1


@pytest.mark.parametrize("least", ["99999999999999999999", "-3", "many", ""])
def test_absurd_least_chunk_does_no_harm(
    fake: FakeRegistry, open_repository: Open, least: str
) -> None:
    fake.on("POST", UPLOADS, adds(OCI_Chunk_Min_Length=least))
    memory = remembering(fake.host, upload=CHUNKED, chunk=8 * MIB)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT


@pytest.mark.parametrize("status", [201, 204])
def test_other_successes_of_a_patch_continue(
    fake: FakeRegistry, open_repository: Open, status: int
) -> None:
    """fault 16: ECR answers 201 to each PATCH."""
    fake.on("PATCH", UPLOADS, changes(lambda reply: setattr(reply, "status", status)), times=ALWAYS)
    memory = remembering(fake.host, upload=CHUNKED)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("PATCH")) == 3


@pytest.mark.parametrize("status", [201, 202])
def test_range_that_stands_still_is_out_of_date(
    fake: FakeRegistry, open_repository: Open, status: int
) -> None:
    """fault 15: ECR's Range stays at the first chunk, though everything is stored."""

    def stale(reply: Reply) -> None:
        reply.status = status
        reply.headers["Range"] = f"0-{8 * MIB - 1}"

    fake.on("PATCH", UPLOADS, changes(stale), times=ALWAYS)
    memory = remembering(fake.host, upload=CHUNKED)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert sum(lengths(fake, "PATCH")) == BLOB.size, "nothing was sent twice"


def test_answer_without_range_means_that_all_was_taken(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("PATCH", UPLOADS, lacks("Range"), times=ALWAYS)
    memory = remembering(fake.host, upload=CHUNKED)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("PATCH")) == 3


def test_answer_without_location_leaves_the_last_one_good(
    fake: FakeRegistry, open_repository: Open
) -> None:
    def keep(reply: Reply) -> None:
        del reply.headers["Location"]
        for session in fake.sessions.values():
            session.turn = 0

    fake.on("PATCH", UPLOADS, changes(keep), times=ALWAYS)
    memory = remembering(fake.host, upload=CHUNKED)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 1


@pytest.mark.parametrize("method", [STREAMED, CHUNKED])
def test_part_that_was_taken_in_part_is_sent_to_its_end(
    fake: FakeRegistry, open_repository: Open, method: str
) -> None:
    """fault 17: Range says less than was sent; only the rest is sent again."""
    fake.on("PATCH", UPLOADS, keeps_only(3_000_000))
    memory = remembering(fake.host, upload=method)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert fake.requests("PATCH")[1].headers["content-range"].startswith("3000000-")
    assert len(fake.requests("POST")) == 1


def test_registry_that_takes_a_byte_at_a_time_is_given_up(
    fake: FakeRegistry, open_repository: Open, clock: StepClock
) -> None:
    """fault 17: bounded."""
    fake.on("PATCH", UPLOADS, keeps_only(1), times=ALWAYS)
    memory = remembering(fake.host, upload=STREAMED)
    with pytest.raises(RegistryFailing, match=r"took . of \d+ bytes"):
        open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert len(fake.requests("PATCH")) == 5


def test_range_of_nothing_is_not_one_byte(fake: FakeRegistry, open_repository: Open) -> None:
    fake.on("PATCH", UPLOADS, keeps_only(0))
    memory = remembering(fake.host, upload=STREAMED)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT


def test_newest_location_is_used_byte_for_byte(fake: FakeRegistry, open_repository: Open) -> None:
    """fault 12: relative and absolute, a new one with each answer, its query left as it is."""
    fake.on("PATCH", UPLOADS, changes(lambda reply: absolute(reply, fake)))
    memory = remembering(fake.host, upload=CHUNKED)
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    targets = [one.target.partition("?")[2] for one in fake.requests("PATCH")]
    assert targets == ["_state=a%2Fb%3D", "_state=a%2Fb%3D1", "_state=a%2Fb%3D2"]
    [put] = fake.requests("PUT")
    assert put.target.partition("?")[2].startswith("_state=a%2Fb%3D3&digest=sha256%3A")


def test_small_blobs_go_by_one_put_where_large_ones_need_chunks(
    fake: FakeRegistry, open_repository: Open
) -> None:
    memory = remembering(fake.host, upload=CHUNKED, chunk=5 * MIB)
    open_repository(fake, memory=memory).push(SMALL, BytesSource(b"small"))
    assert [one.method for one in fake.seen] == ["POST", "PUT"]
    assert memory.facts(fake.host) == HostFacts(upload=CHUNKED, chunk=5 * MIB)


def test_small_blobs_go_in_chunks_where_a_put_is_refused(
    fake: FakeRegistry, open_repository: Open
) -> None:
    fake.on("PUT", UPLOADS, has_body(refuses(405, "UNSUPPORTED", "no")), times=ALWAYS)
    memory = remembering(fake.host, upload=CHUNKED)
    repository = open_repository(fake, memory=memory)
    repository.push(SMALL, BytesSource(b"small"))
    fake.seen.clear()
    other = Descriptor.of(SMALL.media_type, b"other")
    repository.push(other, BytesSource(b"other"))
    assert [one.method for one in fake.seen] == ["POST", "PATCH", "PUT"]
    assert memory.facts(fake.host).upload == CHUNKED


def test_small_blob_teaches_nothing_of_large_ones(
    fake: FakeRegistry, open_repository: Open
) -> None:
    memory = RunMemory()
    open_repository(fake, memory=memory).push(SMALL, BytesSource(b"small"))
    assert memory.facts(fake.host) == HostFacts()
    open_repository(fake, memory=memory).push(BLOB, BytesSource(CONTENT))
    assert memory.facts(fake.host) == HostFacts(upload=MONOLITHIC)


def has_body(fault: Fault) -> Fault:
    """Only for requests that carry something."""
    return _when(lambda seen: seen.headers.get("content-length", "0") != "0", fault)


def without_range(fault: Fault) -> Fault:
    """Only for requests without Content-Range."""
    return _when(lambda seen: "content-range" not in seen.headers, fault)


def _when(condition: Callable[[Seen], bool], fault: Fault) -> Fault:
    return lambda exchange: fault(exchange) if condition(exchange.seen) else exchange.serve()


def keeps_only(count: int) -> Fault:
    """Read a part, keep its first bytes, and say so."""

    def fault(exchange: Exchange) -> Reply:
        whole = exchange.read_body()
        headers = {k: v for k, v in exchange.seen.headers.items() if k != "content-range"}
        return exchange.registry.serve(
            replace(exchange.seen, headers=headers), lambda limit=None: whole[:count]
        )

    return fault


def absolute(reply: Reply, fake: FakeRegistry) -> None:
    """Give the Location with scheme and host."""
    reply.headers["Location"] = fake.url + reply.headers["Location"]
