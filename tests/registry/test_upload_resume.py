"""Uploads that are interrupted: they go on where they stood, or start over, and end right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentoci.content.reader import BytesSource
from agentoci.registry.errors import RegistryUnreachable, Rejected
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, UPLOAD_METHODS
from tests.registry.conftest import Open
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import (
    Exchange,
    Fault,
    Reply,
    adds,
    answers,
    changes,
    cuts_body,
    drops,
    hangs_up_at_once,
    lacks,
    loses_answer,
    refuses,
)
from tests.registry.uploads import ALWAYS, BLOB, BODY, CHUNK, CONTENT, UPLOADS, Opener, stored


@pytest.fixture
def open_by(open_repository: Open) -> Opener:
    return Opener(open_repository)


def methods(fake: FakeRegistry) -> list[str]:
    return [one.method for one in fake.seen]


@pytest.mark.parametrize("method", UPLOAD_METHODS)
@pytest.mark.parametrize("after", [1, 200_000, CHUNK - 1])
def test_cut_upload_goes_on_where_it_stood(
    fake: FakeRegistry, open_by: Opener, method: str, after: int
) -> None:
    """fault 13: where the registry keeps what has arrived."""
    fake.on(BODY[method], UPLOADS, cuts_body(after))
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    posts = len(fake.requests("POST"))
    if after > 1:
        assert posts == 1
        assert fake.received == BLOB.size, "nothing was sent twice"
        assert fake.requests(BODY[method])[1].headers["content-range"].startswith(f"{after}-")
    else:
        assert posts == 2, "0-0 may be a byte or none"


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_many_cuts_are_survived_as_long_as_something_arrives(
    fake: FakeRegistry, open_by: Opener, method: str
) -> None:
    fake.on(BODY[method], UPLOADS, cuts_body(100_000), times=12)
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 1
    assert fake.received == BLOB.size


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_session_that_died_of_a_cut_is_replaced(
    fake: FakeRegistry, open_by: Opener, method: str
) -> None:
    """fault 14: docker-registry 2.8 answers 404 to the status after a cut."""
    fake.resumes = False
    fake.on(BODY[method], UPLOADS, cuts_body(600_000))
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 2
    assert len(fake.requests("GET", UPLOADS)) == 1


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_cuts_that_bring_nothing_end(fake: FakeRegistry, open_by: Opener, method: str) -> None:
    fake.resumes = False
    fake.on(BODY[method], UPLOADS, cuts_body(600_000), times=ALWAYS)
    with pytest.raises(RegistryUnreachable):
        open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert len(fake.requests(BODY[method])) == 5


@pytest.mark.parametrize(
    "refusal", [(416, ""), (400, ""), (405, "UNSUPPORTED"), (404, "BLOB_UPLOAD_UNKNOWN"), (413, "")]
)
def test_rest_goes_by_patch_when_put_does_not_take_it(
    fake: FakeRegistry, open_by: Opener, refusal: tuple[int, str]
) -> None:
    fake.on("PUT", UPLOADS, cuts_body(600_000), refuses(*refusal, "no rests here"))
    open_by(fake, MONOLITHIC).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    seen = [one for one in methods(fake) if one != "HEAD"]
    assert seen == ["POST", "PUT", "GET", "PUT", "GET", "PATCH", "PUT"]
    assert fake.requests("PATCH")[0].headers["content-range"].startswith("600000-")


def test_rest_that_was_taken_for_the_whole_is_sent_anew(
    fake: FakeRegistry, open_by: Opener
) -> None:
    def forget(exchange: Exchange) -> Reply:
        for session in fake.sessions.values():
            session.content.clear()
        headers = {k: v for k, v in exchange.seen.headers.items() if k != "content-range"}
        return exchange.registry.serve(replace(exchange.seen, headers=headers), exchange.read_body)

    fake.on("PUT", UPLOADS, cuts_body(600_000), forget, cuts_body(700_000))
    open_by(fake, MONOLITHIC).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 2
    assert len(fake.requests("PATCH")) == 1, "the lesson was learned"


@pytest.mark.parametrize(
    "status",
    [
        adds(Range="0-99999999999"),
        adds(Range="bytes 5-9"),
        adds(Range="garbage"),
        adds(Range="0-0"),
        lacks("Range"),
        answers(200, "Healthcheck requested"),
        refuses(400, "BLOB_UPLOAD_INVALID", "no such thing"),
        refuses(404, "BLOB_UPLOAD_UNKNOWN", "gone"),
        refuses(405, "UNSUPPORTED", "no"),
    ],
)
@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_status_that_cannot_be_believed_means_a_new_session(
    fake: FakeRegistry, open_by: Opener, method: str, status: Fault
) -> None:
    fake.on(BODY[method], UPLOADS, cuts_body(600_000))
    fake.on("GET", UPLOADS, status, times=5)
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 2


def test_status_below_what_was_acknowledged_is_not_believed(
    fake: FakeRegistry, open_by: Opener
) -> None:
    fake.on("PATCH", UPLOADS, Exchange.serve, cuts_body(100_000))
    fake.on("GET", UPLOADS, adds(Range="0-499999"))
    open_by(fake, CHUNKED).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 2


def test_status_beyond_what_this_session_was_sent_is_not_believed(
    fake: FakeRegistry, open_by: Opener
) -> None:
    fake.on("PATCH", UPLOADS, Exchange.serve, cuts_body(100_000), hangs_up_at_once())
    fake.on("GET", UPLOADS, answers(404), adds(Range=f"0-{CHUNK * 3 // 2}"))
    open_by(fake, CHUNKED).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 3
    starts = {one.headers["content-range"].partition("-")[0] for one in fake.requests("PATCH")}
    assert starts == {"0", str(CHUNK), str(2 * CHUNK)}


def test_session_that_is_lost_between_parts_is_replaced(
    fake: FakeRegistry, open_by: Opener
) -> None:
    fake.on("PATCH", UPLOADS, Exchange.serve, refuses(404, "BLOB_UPLOAD_UNKNOWN", "lost"))
    repository = open_by(fake, CHUNKED)
    repository.push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    parts = [one.headers.get("content-range", "") for one in fake.requests("PATCH")]
    assert [part.partition("-")[0] for part in parts[2:]] == ["0", str(CHUNK), str(2 * CHUNK)]


def test_status_is_asked_again_while_the_registry_is_unwell(
    fake: FakeRegistry, open_by: Opener
) -> None:
    fake.on("PATCH", UPLOADS, cuts_body(600_000))
    fake.on("GET", UPLOADS, answers(503), drops())
    open_by(fake, CHUNKED).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == 1


def test_status_of_a_registry_with_old_answers_is_not_asked(
    fake: FakeRegistry, open_by: Opener
) -> None:
    """fault 15: where Range stands still, nobody knows what a cut has left behind."""
    stale = adds(Range=f"0-{CHUNK - 1}")
    fake.on("PATCH", UPLOADS, stale, stale, cuts_body(100_000))
    open_by(fake, CHUNKED).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert not fake.requests("GET", UPLOADS)
    assert len(fake.requests("POST")) == 2


def takes_anything(exchange: Exchange) -> Reply:
    """Append whatever comes, wherever it belongs."""
    headers = {k: v for k, v in exchange.seen.headers.items() if k != "content-range"}
    return exchange.registry.serve(replace(exchange.seen, headers=headers), exchange.read_body)


def test_bytes_taken_out_of_order_are_noticed_at_the_end(
    fake: FakeRegistry, open_by: Opener
) -> None:
    """fault 18: docker-registry 2.8 takes a part that it has already; the digest tells."""
    fake.on("PATCH", UPLOADS, Exchange.serve, loses_answer(), takes_anything, takes_anything)
    fake.on("GET", UPLOADS, adds(Range=f"0-{CHUNK - 1}"))
    open_by(fake, CHUNKED).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("PUT")) == len(fake.requests("POST")) == 2


@pytest.mark.parametrize("method", UPLOAD_METHODS)
@pytest.mark.parametrize("code", ["DIGEST_INVALID", "SIZE_INVALID"])
def test_wrong_digest_for_ever_ends_after_one_clean_restart(
    fake: FakeRegistry, open_by: Opener, method: str, code: str
) -> None:
    """fault 18: bounded."""
    fake.on("PUT", UPLOADS, refuses(400, code, "provided digest did not match"), times=ALWAYS)
    with pytest.raises(Rejected, match=code):
        open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert len(fake.requests("PUT")) == 2


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_close_whose_answer_is_lost_is_not_repeated(
    fake: FakeRegistry, open_by: Opener, method: str
) -> None:
    """fault 19: the blob is there, so it is not sent again."""
    fake.on("PUT", UPLOADS, loses_answer())
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert methods(fake)[-2:] == ["PUT", "HEAD"]
    assert fake.received == BLOB.size


@pytest.mark.parametrize("method", UPLOAD_METHODS)
@pytest.mark.parametrize("status", [404, 500, 504, 200])
def test_close_that_is_answered_by_an_error_but_done_is_not_repeated(
    fake: FakeRegistry, open_by: Opener, method: str, status: int
) -> None:
    """fault 19: ghcr answers BLOB_UPLOAD_UNKNOWN to a close that it has carried out."""

    def misreport(reply: Reply) -> None:
        reply.status = status

    fake.on("PUT", UPLOADS, changes(misreport))
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert methods(fake)[-2:] == ["PUT", "HEAD"]
    assert fake.received == BLOB.size


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_blob_that_was_lost_at_the_close_is_sent_once_more(
    fake: FakeRegistry, open_by: Opener, method: str
) -> None:
    """fault 20: 404 BLOB_UNKNOWN, and it really is not there."""
    fake.on("PUT", UPLOADS, refuses(404, "BLOB_UNKNOWN", "lost"))
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert len(fake.requests("POST")) == len(fake.requests("PUT")) == 2
    assert fake.received == 2 * BLOB.size


@pytest.mark.parametrize("method", [STREAMED, CHUNKED])
@pytest.mark.parametrize("fault", [answers(503), answers(500), drops()])
def test_close_that_failed_is_repeated_alone(
    fake: FakeRegistry, open_by: Opener, method: str, fault: Fault
) -> None:
    fake.on("PUT", UPLOADS, fault)
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT
    assert fake.received == BLOB.size
    assert methods(fake)[-4:] == ["PUT", "HEAD", "GET", "PUT"]


@pytest.mark.parametrize("method", [STREAMED, CHUNKED])
@pytest.mark.parametrize("fault", [answers(200, "Healthcheck requested"), answers(502)])
def test_unwell_answer_to_a_part_is_no_success(
    fake: FakeRegistry, open_by: Opener, method: str, fault: Fault
) -> None:
    """fault 26: a proxy's page comes where 202 is due."""
    fake.on("PATCH", UPLOADS, fault)
    open_by(fake, method).push(BLOB, BytesSource(CONTENT))
    assert stored(fake) == CONTENT


EXPIRIES = {MONOLITHIC: 1, STREAMED: 2, CHUNKED: 2}


@pytest.mark.parametrize("method", UPLOAD_METHODS)
def test_token_that_expires_in_the_middle_is_renewed(open_by: Opener, method: str) -> None:
    """fault 4: only the request that was refused is sent again."""
    with FakeRegistry(auth=Tokens()) as fake:
        tokens = fake.auth
        assert isinstance(tokens, Tokens)

        def expire(exchange: Exchange) -> Reply:
            reply = exchange.serve()
            tokens.expire()
            return reply

        fake.on("POST", UPLOADS, Exchange.serve, expire)
        fake.on("PATCH", UPLOADS, Exchange.serve, expire, expire)
        repository = open_by(fake, method, push=True)
        repository.push(BLOB, BytesSource(CONTENT))
        assert stored(fake) == CONTENT
        assert len(fake.requests("POST", UPLOADS)) == 2, "one without a token, one with"
        assert len(tokens.asked) == 1 + EXPIRIES[method]
        again = CHUNK if method == CHUNKED else BLOB.size
        assert fake.received <= BLOB.size + EXPIRIES[method] * again
