"""One exchange over a connection: what leaves, what comes back, and what becomes of the line."""

from __future__ import annotations

import contextlib
import socket
import threading
import traceback
from collections.abc import Iterator

import pytest

from agentoci.content.reader import BytesSource
from agentoci.registry.errors import RegistryTimeout, RegistryUnreachable
from agentoci.registry.http.certificates import Certificates
from agentoci.registry.http.proxies import Proxies
from agentoci.registry.http.transport import Answer, Body, Request, Timeouts, Transport
from tests.certificates import Authority
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Reply
from tests.registry.scripted import OK, scripted, tunnel

MIB = 1024 * 1024


def made(timeouts: Timeouts = Timeouts(5, 5, 5), **options: object) -> Transport:  # noqa: B008
    options.setdefault("proxies", Proxies())
    return Transport(user_agent="test", timeouts=timeouts, **options)  # type: ignore[arg-type]


@pytest.fixture
def transport() -> Iterator[Transport]:
    with contextlib.closing(made()) as transport:
        yield transport


def send(
    transport: Transport,
    server: socket.socket,
    method: str = "GET",
    path: str = "/x",
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    url = f"http://127.0.0.1:{server.getsockname()[1]}{path}"
    carried = None if body is None else Body(BytesSource(body), len(body))
    return transport.send(Request(method, url, headers or {}, carried))


# What leaves


def test_request_is_written_as_it_is_given(transport: Transport) -> None:
    """Signatures cover the spelling of the target; nothing is added to the headers."""
    server, heard = scripted(OK)
    port = server.getsockname()[1]
    path = "/a%2fb%3D/../c?_state=%2b&x=[1]#part"
    with send(transport, server, path=path, headers={"X-Key": "\xe4"}):
        pass
    assert heard == [
        b"GET /a%%2fb%%3D/../c?_state=%%2b&x=[1] HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"User-Agent: test\r\nAccept-Encoding: identity\r\nX-Key: \xe4\r\n\r\n" % port
    ]


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("GET", "Header", "hunter2\r\nEvil: y"),
        ("GET", "Header", "hunter2\ny"),
        ("GET", "Header", "hunter2\ry"),
        ("GET", "Header", "hunter2\r\n folded"),
        ("GET", "Header", "hunter2 \u20ac"),
        ("GET", "hunter2: y\r\nEvil", "y"),
        ("GET", "hunter2\n", "y"),
        ("GET /hunter2 HTTP/1.1\r\nEvil: y\r\n\r\nGET", "Header", "y"),
    ],
)
def test_header_cannot_smuggle_another(
    transport: Transport, method: str, name: str, value: str
) -> None:
    server, heard = scripted(OK)
    with pytest.raises(RegistryUnreachable, match="cannot be asked for") as caught:
        send(transport, server, method, headers={name: value})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    with send(transport, server, headers={"Header": "plain"}) as answer:
        assert answer.status == 200
    [request] = heard
    assert b"hunter2" not in request
    assert b"Evil" not in request


def test_target_cannot_smuggle_a_request(transport: Transport) -> None:
    server, heard = scripted(OK)
    with send(transport, server, path="/x HTTP/1.1\r\nEvil: y\x00\x7f"):
        pass
    assert heard[0].startswith(b"GET /x%20HTTP/1.1%0D%0AEvil:%20y%00%7F HTTP/1.1\r\nHost: ")


# What comes back


@pytest.mark.parametrize(
    ("method", "text", "body"),
    [
        ("GET", b"Content-Length: 2\r\n\r\nok", b"ok"),
        ("GET", b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok"),
        ("GET", b"Content-Length: 0\r\n\r\n", b""),
        ("HEAD", b"Content-Length: 2\r\n\r\n", b""),
        ("HEAD", b"Transfer-Encoding: chunked\r\n\r\n", b""),
        ("HEAD", b"\r\n", b""),
    ],
)
def test_line_serves_again_after_the_body(
    transport: Transport, method: str, text: bytes, body: bytes
) -> None:
    peers: list[object] = []
    server, heard = scripted(*[b"HTTP/1.1 200 OK\r\n" + text] * 3, peers=peers)
    for _ in range(3):
        with send(transport, server, method) as answer:
            assert answer.content(10) == body
    assert len(heard) == 3
    assert len(peers) == 1


@pytest.mark.parametrize("status", [204, 304])
def test_answer_without_a_body_is_over_with_its_head(transport: Transport, status: int) -> None:
    peers: list[object] = []
    text = b"HTTP/1.1 %d Nothing\r\nContent-Length: 7\r\n\r\n" % status
    server, _ = scripted(text, OK, peers=peers)
    with send(transport, server) as answer:
        assert answer.read() == b""
    with send(transport, server) as answer:
        assert answer.read() == b"ok"
    assert len(peers) == 1


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
def test_line_that_is_not_to_serve_again_does_not(
    transport: Transport, text: bytes, body: bytes
) -> None:
    peers: list[object] = []
    server, _ = scripted(text, text, peers=peers)
    for _ in range(2):
        with send(transport, server) as answer:
            assert answer.content(10) == body
    assert len(peers) == 2


def test_answer_whose_length_is_wrong_spoils_its_line_only(transport: Transport) -> None:
    """docker-registry 2.8.2 gives a 416 the length of the blob, and a text instead of it."""
    peers: list[object] = []
    wrong = b"HTTP/1.1 416 No\r\nContent-Length: 6000000\r\n\r\n{}"
    server, _ = scripted(wrong, OK, peers=peers)
    with send(transport, server, headers={"Range": "bytes=6000000-"}) as answer:
        assert answer.status == 416
    with send(transport, server) as answer:
        assert answer.content(10) == b"ok"
    assert len(peers) == 2


def test_challenges_are_joined_in_their_order(transport: Transport) -> None:
    text = (
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=a\r\nContent-Length: 0\r\n"
        b'Www-Authenticate: Bearer realm="b",service=c\r\n\r\n'
    )
    server, _ = scripted(text)
    with send(transport, server) as answer:
        assert answer.headers["www-authenticate"] == 'Basic realm=a, Bearer realm="b",service=c'


def test_reads_are_filled_whatever_the_pieces(transport: Transport) -> None:
    chunk = b"%x\r\n%s\r\n" % (10_000, b"x" * 10_000)
    text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 100 + b"0\r\n\r\n"
    server, _ = scripted(text)
    with send(transport, server) as answer:
        sizes = [len(part) for part in iter(lambda: answer.read(300_000), b"")]
    assert sizes == [300_000, 300_000, 300_000, 100_000]


def test_body_that_stops_coming_is_told() -> None:
    server, _ = scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", OK)
    with (
        contextlib.closing(made(Timeouts(5, 0.2, 0.2))) as hasty,
        send(hasty, server) as answer,
    ):
        assert answer.read(9) == b"half"
        with pytest.raises(RegistryTimeout, match="no answer in time"):
            answer.read(9)


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/3 200 OK\r\n\r\n",
    ],
)
def test_what_cannot_be_framed_is_no_http(transport: Transport, text: bytes) -> None:
    server, _ = scripted(text)
    with pytest.raises(RegistryUnreachable, match="what it answers is not HTTP"):
        send(transport, server)


@pytest.mark.parametrize("text", [b"HTTP/1.1 20", b"HTTP/1.1 201 Created\r\nDocker-Upload-"])
def test_head_that_breaks_off_is_no_answer(transport: Transport, text: bytes) -> None:
    server, _ = scripted(text)
    with pytest.raises(RegistryUnreachable, match="the connection was cut"):
        send(transport, server, "POST")


# Answers before and while a body is sent


class Endless:
    """A body whose end is never reached."""

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Endless]:
        yield self

    def read(self, size: int = -1, /) -> bytes:
        return b"x" * min(size, 1 << 16)


@pytest.mark.parametrize("secure", [False, True])
def test_answer_before_the_body_ends_it(authority: Authority, secure: bool) -> None:
    """Fault 23: and the line does not serve again, for half a request is in it."""

    def early(exchange: Exchange) -> Reply:
        return Reply(413, b"too large", {})

    context = authority.issue("early").server_context() if secure else None
    trust = Certificates(authorities=(authority.cert,))
    with FakeRegistry(tls=context) as fake, contextlib.closing(made(common=trust)) as transport:
        fake.on("PUT", "/x", early)
        body = Body(Endless(), 1 << 40)
        with transport.send(Request("PUT", f"{fake.url}/x", body=body)) as answer:
            assert answer.status == 413
            assert answer.content(100) == b"too large"
        with transport.send(Request("GET", f"{fake.url}/v2/")) as answer:
            assert answer.status == 200
        assert fake.connections == 2


def interrupting(interim: bytes, length: int) -> socket.socket:
    """A server that says something in between, and then takes the body of a request."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server, server.accept()[0] as connection:
            taken = connection.recv(1 << 16)
            connection.sendall(interim)
            _, _, body = taken.partition(b"\r\n\r\n")
            missing = length - len(body)
            while missing > 0 and (part := connection.recv(1 << 16)):
                missing -= len(part)
            connection.sendall(OK)

    threading.Thread(target=serve, daemon=True).start()
    return server


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
    ],
)
def test_interim_answer_does_not_end_the_body(transport: Transport, interim: bytes) -> None:
    body = b"x" * (8 * MIB)
    server = interrupting(interim, len(body))
    with send(transport, server, "PUT", body=body) as answer:
        assert answer.status == 200
        assert answer.content(10) == b"ok"


# Proxies


def test_proxy_that_speaks_something_else_is_named() -> None:
    server, heard = scripted(b"SSH-2.0-secret\r\n")
    name = f"127.0.0.1:{server.getsockname()[1]}"
    lost = made(proxies=Proxies(https=f"http://{name}"))
    with contextlib.closing(lost), pytest.raises(RegistryUnreachable) as caught:
        lost.send(Request("GET", "https://registry.example/v2/"))
    assert f"the proxy {name} cannot be reached: it does not speak http" in caught.value.message
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert heard[0].startswith(b"CONNECT registry.example:443 ")


def test_tunnel_is_dug_anew_after_its_line_is_lost(authority: Authority) -> None:
    """Each CONNECT is answered for itself, and not by what was answered before."""
    context = authority.issue("far", hosts=["DNS:registry.example"]).server_context()
    with FakeRegistry(tls=context) as fake:
        proxy = tunnel(fake.host, times=3)
        transport = made(
            proxies=Proxies(https=f"http://127.0.0.1:{proxy.getsockname()[1]}"),
            common=Certificates(authorities=(authority.cert,)),
        )
        with contextlib.closing(transport):
            for _ in range(3):
                with transport.send(Request("GET", "https://registry.example/v2/")) as answer:
                    assert answer.status == 200
                    assert answer.read() == b"{}"
                fake._server.hang_up()
        assert fake.connections == 3
