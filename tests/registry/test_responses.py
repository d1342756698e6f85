"""Answers as they come over a line, well formed and not."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.registry.http.responses import Cut, NotHttp, Response

OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = f"{OK}Transfer-Encoding: chunked\r\n\r\n"
INTERIM = (
    "HTTP/1.1 100 Continue\r\n\r\n"
    "HTTP/1.1 102 Processing\r\n\r\n"
    "HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nLink: x\r\n\r\n"
)


@contextlib.contextmanager
def line(content: bytes, method: str = "GET", step: int = 0) -> Iterator[Response]:
    """The head of an answer that a socket gives, `step` bytes at a time, before it ends."""
    ours, theirs = socket.socketpair()
    step = step or len(content) or 1

    def feed() -> None:
        with theirs, contextlib.suppress(OSError):
            for start in range(0, len(content), step):
                theirs.sendall(content[start : start + step])

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        with ours, contextlib.closing(Response(ours, method)) as response:
            response.begin()
            yield response
    finally:
        feeder.join()


def drain(response: Response, size: int = 5) -> bytes:
    return b"".join(iter(lambda: response.read1(size), b""))


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(
    ("text", "method", "body", "reusable"),
    [
        (f"{OK}Content-Length: 5\r\n\r\nhello", "GET", b"hello", True),
        ("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", "GET", b"hello", True),
        ("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "GET", b"hello", True),
        (f"{OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "GET", b"hello", True),
        (f"{OK}Content-Length: 5\r\n\r\n", "HEAD", b"", True),
        ("HTTP/1.1 204 No Content\r\n\r\n", "DELETE", b"", True),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", b"", True),
        (f"{OK}Connection: Close\r\nContent-Length: 1\r\n\r\nx", "GET", b"x", False),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "GET", b"x", False),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
            "GET",
            b"x",
            True,
        ),
        (f"{OK}\r\nto the end", "GET", b"to the end", False),
        (f"{OK}Transfer-Encoding: identity\r\n\r\nto the end", "GET", b"to the end", False),
        (f"{CHUNKED}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "GET", b"abcde", True),
        (f"{OK}Transfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", "GET", b"", True),
        (f"{CHUNKED}".replace(": c", ": C"), "HEAD", b"", True),
        (f"{INTERIM}HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", "PUT", b"", True),
        (f"{INTERIM}{CHUNKED}3\r\nabc\r\n0\r\n\r\n", "GET", b"abc", True),
    ],
)
def test_answers_are_framed(text: str, method: str, body: bytes, reusable: bool, step: int) -> None:
    with line(text.encode(), method, step) as response:
        assert drain(response) == body
        assert response.isclosed()
        assert response.read1(5) == b""
        assert response.will_close is not reusable


@pytest.mark.parametrize("size", [2, 3, 100])
def test_end_of_a_body_of_known_length_is_seen_with_its_last_byte(size: int) -> None:
    """So that the connection is free: http.client of 3.11 waits for another read."""
    with line(f"{OK}Content-Length: 6\r\n\r\nabcdefHTTP".encode()) as response:
        taken = b""
        while len(taken) < 6:
            assert not response.isclosed()
            taken += response.read1(size)
        assert taken == b"abcdef"
        assert response.isclosed()


def test_headers_are_found_in_any_case_and_joined() -> None:
    text = (
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nX: y\r\n"
        "www-authenticate: Bearer\r\nFolded: one\r\n two\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
    )
    with line(text.encode()) as response:
        assert response.status == 401
        headers = response.fields()
    assert headers["Www-Authenticate"] == "Basic, Bearer"
    assert headers.get("FOLDED") == "one two"
    assert headers["empty"] == ""
    assert "missing" not in headers
    assert len(headers) == len(list(headers)) == 5


def test_type_of_many_parts_is_a_type_as_any_other() -> None:
    """The parser of heads is one of mails, which would look for the parts."""
    text = f"{OK}Content-Type: multipart/byteranges; boundary=x\r\nContent-Length: 1\r\n\r\ny"
    with line(text.encode()) as response:
        assert drain(response) == b"y"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", http.client.RemoteDisconnected),
        ("SSH-2.0-OpenSSH_9.6\r\n", NotHttp),
        ("HTTP/2 200\r\n\r\n", NotHttp),
        ("HTTP/1.1 20\r\n\r\n", NotHttp),
        ("HTTP/1.1 2000 OK\r\n\r\n", NotHttp),
        ("HTTP/1.1 two OK\r\n\r\n", NotHttp),
        ("HTTP/1.1 200 O", Cut),
        (OK, Cut),
        (f"{OK}Content-Le", Cut),
        (f"{OK}Content-Length: 5\r\n", Cut),
        ("HTTP/1.1 100 Continue\r\n\r\n", Cut),
        (f"{OK}no colon\r\n\r\n", NotHttp),
        (f"{OK}: nameless\r\n\r\n", NotHttp),
        (f"{OK}Content-Length: -1\r\n\r\n", NotHttp),
        (f"{OK}Content-Length: 1, 2\r\n\r\n", NotHttp),
        (f"{OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n", NotHttp),
        (f"{OK}Content-Length: ²\r\n\r\n", NotHttp),
        (f"{OK}Transfer-Encoding: gzip, chunked\r\n\r\n", NotHttp),
        (f"{OK}Content-Length: 5\r\n\r\nhel", Cut),
        (f"{CHUNKED}zz\r\n", Cut),
        (f"{CHUNKED}-5\r\n{'x' * 100}", NotHttp),
        (f"{CHUNKED}3\r\nabcd\r\n", Cut),
        (f"{CHUNKED}3\r\nab", Cut),
        (f"{CHUNKED}3\r\nabc\r\n", Cut),
        (f"{CHUNKED}3\r\nabc\r\n0", Cut),
        (f"{CHUNKED}3\r\nabc\r\n0\r\n", Cut),
        (f"{CHUNKED}{'0' * 70_000}\r\n", NotHttp),
        (f"{CHUNKED}0\r\n" + "X: y\r\n" * 1100, NotHttp),
        (f"{OK}" + "X: y\r\n" * 300 + "\r\n", NotHttp),
        (f"{OK}X: " + "y" * 70_000 + "\r\n\r\n", NotHttp),
        ("HTTP/1.1 100 Continue\r\n\r\n" * 600, NotHttp),
        ("HTTP/1.1 102 Processing\r\n\r\n" * 600, NotHttp),
    ],
)
def test_what_is_no_whole_answer_is_told_apart(text: str, error: type[OSError]) -> None:
    with pytest.raises(error) as caught, line(text.encode("latin-1")) as response:
        drain(response)
    assert type(caught.value) is error


def test_errors_do_not_quote_what_came() -> None:
    """A server that sends back what it was sent would have them show tokens."""
    for text in ("secret\r\n", "HTTP/secret 200\r\n\r\n", f"{OK}secret\r\n\r\n"):
        with pytest.raises(NotHttp) as caught, line(text.encode()):
            pass
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("start", [f"{OK}Content-Length: 9000\r\n\r\n", f"{CHUNKED}2328\r\n"])
def test_bytes_before_a_cut_are_given_out(start: str) -> None:
    with line(start.encode() + b"x" * 5000, step=1000) as response:
        taken = b""
        while len(taken) < 5000:
            taken += response.read1(9000)
        with pytest.raises(Cut):
            response.read1(9000)


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=20), st.integers(1, 50))
def test_chunks_of_any_size_make_the_same_body(content: bytes, cuts: list[int], step: int) -> None:
    chunks, rest = [], content
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    chunks.append(rest)
    wired = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks if one) + b"0\r\n\r\n"
    with line(CHUNKED.encode() + wired + b"next", step=step) as response:
        assert drain(response, step) == content


@given(st.binary(max_size=300))
def test_no_bytes_lead_astray(content: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", CHUNKED.encode()):
        given = b""
        with (
            contextlib.suppress(Cut, NotHttp, ConnectionResetError),
            line(start + content) as response,
        ):
            given = drain(response)
        assert len(given) <= len(content), "more came out than went in"


@pytest.mark.parametrize("interim", [b"", INTERIM.encode()])
def test_answer_that_has_begun_is_seen_without_waiting(interim: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.closing(Response(ours, "PUT")) as response:
        ours.settimeout(0)
        assert not response.has_begun()
        if interim:
            theirs.sendall(interim)
            assert not response.has_begun()
        theirs.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        assert response.has_begun() is not bool(interim), "what is behind others is seen later"
        ours.settimeout(5)
        response.begin()
        assert response.status == 413
