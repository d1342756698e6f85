"""Answers as they come over a line, well formed and not."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.registry.wire import Body, Cut, Hungup, NotHttp, head_of, read_answer, target_of

CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
INTERIM = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


class Dripping(io.RawIOBase):
    """A line that gives a few bytes at a time."""

    def __init__(self, content: bytes, step: int) -> None:
        self._content = io.BytesIO(content)
        self._step = step

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        chunk = self._content.read(min(self._step, len(buffer)))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def line(content: bytes, step: int = 7) -> io.BufferedReader:
    return io.BufferedReader(Dripping(content, step))


def drain(body: Body, size: int = 5) -> bytes:
    parts = bytearray()
    buffer = memoryview(bytearray(size))
    while count := body.readinto(buffer):
        parts += buffer[:count]
    return bytes(parts)


@pytest.mark.parametrize(
    ("text", "method", "body", "reusable"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "GET", b"hello", True),
        ("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", "GET", b"hello", True),
        ("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "GET", b"hello", True),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "GET", b"hello", True),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", b"", True),
        ("HTTP/1.1 204 No Content\r\n\r\n", "DELETE", b"", True),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", b"", True),
        ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", "GET", b"x", False),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "GET", b"x", False),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
            "GET",
            b"x",
            True,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", "GET", b"to the end", False),
        (
            f"{CHUNKED}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            "GET",
            b"abcde",
            True,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
            "GET",
            b"",
            True,
        ),
        (
            f"{INTERIM}HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
            "PUT",
            b"",
            True,
        ),
    ],
)
def test_answers_are_framed(text: str, method: str, body: bytes, reusable: bool) -> None:
    head, rest = read_answer(line(text.encode()), method)
    assert drain(rest) == body
    assert rest.done
    assert head.reusable is reusable


def test_headers_are_found_in_any_case_and_joined() -> None:
    text = (
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nwww-authenticate: Bearer\r\n"
        "Folded: one\r\n two\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
    )
    head, _ = read_answer(line(text.encode()), "GET")
    assert head.status == 401
    assert head.headers["Www-Authenticate"] == "Basic, Bearer"
    assert head.headers.get("FOLDED") == "one two"
    assert head.headers["empty"] == ""
    assert "missing" not in head.headers
    assert len(head.headers) == len(list(head.headers)) == 4


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", Hungup),
        ("SSH-2.0-OpenSSH_9.6\r\n", NotHttp),
        ("HTTP/2 200\r\n\r\n", NotHttp),
        ("HTTP/1.1 200 O", Cut),
        ("HTTP/1.1 200 OK\r\nContent-Le", Cut),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\n: nameless\r\n\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Cut),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", Cut),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Cut),
        ("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 300 + "\r\n", NotHttp),
        ("HTTP/1.1 200 OK\r\nX: " + "y" * 70_000 + "\r\n\r\n", NotHttp),
        ("HTTP/1.1 102 Processing\r\n\r\n" * 200, NotHttp),
    ],
)
def test_what_is_no_whole_answer_is_told_apart(text: str, error: type[OSError]) -> None:
    with pytest.raises(error) as caught:
        drain(read_answer(line(text.encode("latin-1"), 4096), "GET")[1])
    assert type(caught.value) is error


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=20), st.integers(1, 50))
def test_chunks_of_any_size_make_the_same_body(content: bytes, cuts: list[int], step: int) -> None:
    chunks, rest = [], content
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    chunks.append(rest)
    wired = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks if one) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, body = read_answer(line(head + wired + b"next", step), "GET")
    assert drain(body, step) == content


@given(st.binary(max_size=300))
def test_no_bytes_lead_astray(content: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", CHUNKED.encode()):
        with contextlib.suppress(Cut, NotHttp):
            drain(read_answer(line(start + content), "GET")[1])


def test_a_header_cannot_smuggle_another() -> None:
    for value in ("x\r\nEvil: y", "x\ny", "x\ry"):
        with pytest.raises(ValueError, match="line break"):
            head_of("GET", "/", [("Header", value)])
    assert head_of("GET", "/a", [("Host", "h")]) == b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://h", "/"),
        ("https://h/", "/"),
        ("https://h?q=1", "/?q=1"),
        ("https://h:1/a%2fb%3D?_state=%2b#part", "/a%2fb%3D?_state=%2b"),
        ("https://h/a b", "/a%20b"),
        ("https://h/\xc3\xa4?\u20ac", "/%C3%A4?%E2%82%AC"),
        ("https://h/x?redirect=http://o/", "/x?redirect=http://o/"),
    ],
)
def test_addresses_are_asked_for_as_they_are_written(url: str, target: str) -> None:
    assert target_of(url) == target
