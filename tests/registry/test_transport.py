"""TLS, redirects and proxies, over real sockets."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import AgentociError
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.errors import (
    InvalidRegistryConfig,
    ProxyRefused,
    RegistryUnreachable,
    UnsafeDestination,
    UntrustedCertificate,
)
from agentoci.registry.hosts import HostOptions
from agentoci.registry.http.dialing import Address
from agentoci.registry.http.proxies import Proxies
from agentoci.registry.http.retry import RetryPolicy
from agentoci.registry.http.transport import Body, Request, Timeouts, Transport
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.certificates import Authority
from tests.registry.conftest import MakeClient, Open, StepClock
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import Exchange, Fault, Reply, answers, changes, drops, redirects
from tests.registry.scripted import OK, scripted, tunnel

CONTENT = b"over tls" * 1000
BLOB = Descriptor.of("application/octet-stream", CONTENT)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=test"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def secure(tls: ssl.SSLContext) -> Iterator[FakeRegistry]:
    with FakeRegistry(tls=tls) as fake:
        fake.put("team/bot", CONTENT)
        yield fake


def test_own_authority_is_trusted_when_given(
    secure: FakeRegistry, open_repository: Open, certificate: Path
) -> None:
    hosts = frozenset({secure.host})
    repository = open_repository(secure, secure_hosts=hosts, ca_file=certificate)
    assert fetch_bytes(repository, BLOB) == CONTENT


def test_unknown_authority_is_refused_at_once(
    secure: FakeRegistry, open_repository: Open, clock: StepClock
) -> None:
    repository = open_repository(secure, secure_hosts=frozenset({secure.host}))
    with pytest.raises(UntrustedCertificate) as caught:
        fetch_bytes(repository, BLOB)
    assert "ca_file" in (caught.value.hint or "")
    assert not secure.seen
    assert not clock.sleeps


def test_wrong_name_is_refused(
    tls: ssl.SSLContext, open_repository: Open, certificate: Path
) -> None:
    with FakeRegistry(tls=tls, address="127.0.0.2") as fake:
        hosts = frozenset({fake.host})
        repository = open_repository(fake, secure_hosts=hosts, ca_file=certificate)
        with pytest.raises(UntrustedCertificate):
            fetch_bytes(repository, BLOB)


def test_file_without_authorities_is_named(
    secure: FakeRegistry, open_repository: Open, tmp_path: Path
) -> None:
    for path in (tmp_path / "absent.pem", tmp_path / "junk.pem"):
        if path.stem == "junk":
            path.write_text("junk")
        repository = open_repository(secure, secure_hosts=frozenset({secure.host}), ca_file=path)
        with pytest.raises(InvalidRegistryConfig, match=path.name):
            fetch_bytes(repository, BLOB)


def test_redirect_from_https_to_http_is_refused(
    secure: FakeRegistry, fake: FakeRegistry, open_repository: Open, certificate: Path
) -> None:
    secure.on("GET", "/blobs/", redirects(f"{fake.url}/v2/team/bot/blobs/{BLOB.digest}"))
    repository = open_repository(secure, secure_hosts=frozenset({secure.host}), ca_file=certificate)
    with pytest.raises(UnsafeDestination, match="plain http"):
        fetch_bytes(repository, BLOB)
    assert not fake.seen


def test_realm_over_plain_http_is_refused(
    tls: ssl.SSLContext, open_repository: Open, certificate: Path
) -> None:
    with FakeRegistry(auth=Tokens()) as thief:
        tokens = Tokens(realm=f"{thief.url}/token")
        with FakeRegistry(tls=tls, auth=tokens) as secure:
            hosts = frozenset({secure.host})
            repository = open_repository(secure, secure_hosts=hosts, ca_file=certificate)
            with pytest.raises(UnsafeDestination, match="token server not trusted"):
                fetch_bytes(repository, BLOB)
        assert not thief.seen


def test_credentials_are_not_sent_over_http_after_https_failed(
    open_repository: Open,
) -> None:
    with FakeRegistry(auth=Basic()) as plain:
        repository = open_repository(plain, secure_hosts=frozenset({plain.host}))
        with pytest.raises(RegistryUnreachable) as caught:
            fetch_bytes(repository, BLOB)
        assert "plain http" in (caught.value.hint or "")
        assert not plain.seen


def test_netrc_is_not_read(home: Path, open_repository: Open) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    netrc.chmod(0o600)
    with FakeRegistry(auth=Tokens()) as fake:
        fake.put("team/bot", CONTENT)
        assert fetch_bytes(open_repository(fake, user=None), BLOB) == CONTENT
        assert all("Basic" not in one.headers.get("authorization", "") for one in fake.seen)


def test_proxy_of_the_environment_is_not_used(
    fake: FakeRegistry, open_repository: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    fake.put("team/bot", CONTENT)
    assert fetch_bytes(open_repository(fake), BLOB) == CONTENT


def test_proxy_that_is_given_is_used(fake: FakeRegistry) -> None:
    transport = Transport(user_agent="test", timeouts=Timeouts(), proxies=Proxies(http=fake.url))
    with transport.send(Request("GET", "http://registry.example/v2/")) as answer:
        answer.discard()
    transport.close()
    assert fake.seen[0].target == "http://registry.example/v2/"
    assert fake.seen[0].headers["user-agent"] == "test"


def test_proxy_that_refuses_is_named(fake: FakeRegistry) -> None:
    transport = Transport(user_agent="test", timeouts=Timeouts(), proxies=Proxies(https=fake.url))
    with pytest.raises(RegistryUnreachable, match=r"proxy 127.*not let us through.* 501"):
        transport.send(Request("GET", "https://registry.example/v2/"))
    transport.close()


def test_connection_is_used_again(fake: FakeRegistry, open_repository: Open) -> None:
    fake.put("team/bot", CONTENT)
    repository = open_repository(fake)
    for _ in range(5):
        assert repository.exists(BLOB)
        assert fetch_bytes(repository, BLOB) == CONTENT
        assert not repository.exists(Descriptor.of("x/y", b"missing"))
    assert fake.connections == 1


# Connections


@pytest.fixture
def transport() -> Iterator[Transport]:
    with contextlib.closing(
        Transport(user_agent="test", timeouts=Timeouts(5, 5, 5), proxies=Proxies())
    ) as transport:
        yield transport


def ask(transport: Transport, server: socket.socket, method: str = "GET", **more: Any) -> bytes:
    url = f"http://127.0.0.1:{server.getsockname()[1]}/v2/"
    with transport.send(Request(method, url, **more)) as answer:
        return answer.content(100)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
def test_kept_connection_that_ended_is_replaced_unseen(transport: Transport, method: str) -> None:
    """Fault 47."""
    head = OK if method != "HEAD" else OK[:-2]
    server, heard = scripted(head, None, head)
    ask(transport, server, method)
    ask(transport, server, method)
    assert len(heard) == 3
    assert transport.requests == 2


def test_body_that_was_taken_is_not_sent_again_unasked(transport: Transport) -> None:
    """Fault 47: only who knows what an upload is may repeat it."""
    server, heard = scripted(OK, None, OK)
    ask(transport, server)
    with pytest.raises(RegistryUnreachable):
        ask(transport, server, "PUT", body=Body(BytesSource(b"x" * 10), 10))
    assert len(heard) == 2


def test_fresh_connection_that_ends_is_an_error(transport: Transport) -> None:
    server, heard = scripted(None, OK)
    with pytest.raises(RegistryUnreachable, match="the connection was cut"):
        ask(transport, server)
    assert len(heard) == 1


def test_head_and_small_body_leave_together(transport: Transport) -> None:
    server, heard = scripted(OK)
    ask(transport, server, "PUT", body=Body(BytesSource(b"x" * 1000), 1000))
    [request] = heard
    assert request.startswith(b"PUT /v2/ HTTP/1.1\r\n")
    assert request.endswith(b"x" * 1000)


def test_what_is_no_http_is_told(transport: Transport) -> None:
    server, _ = scripted(b"220 mail.example ESMTP\r\n")
    with pytest.raises(RegistryUnreachable, match="what it answers is not HTTP"):
        ask(transport, server)


def test_bytes_before_a_cut_are_not_lost(transport: Transport) -> None:
    server, _ = scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 5000)
    url = f"http://127.0.0.1:{server.getsockname()[1]}/v2/"
    with transport.send(Request("GET", url)) as answer:
        assert answer.read(9000) == b"x" * 5000
        for _ in range(2):
            with pytest.raises(RegistryUnreachable, match="the connection was cut"):
                answer.read(9000)


def test_answer_before_the_body_ends_it(
    fake: FakeRegistry, transport: Transport, tmp_path: Path
) -> None:
    """Fault 23: and what follows would never have been read."""
    answered = threading.Event()

    class Endless:
        def read(self, size: int = -1, /) -> bytes:
            return b"x" * min(size, 1 << 16)

    class Source:
        @contextlib.contextmanager
        def open(self, offset: int = 0) -> Iterator[Endless]:
            yield Endless()

    def early(exchange: Exchange) -> Reply:
        answered.set()
        return Reply(413, b"too large", {})

    fake.on("PUT", "/x", early)
    body = Body(Source(), 1 << 40)
    with transport.send(Request("PUT", f"{fake.url}/x", body=body)) as answer:
        assert answer.status == 413
        assert answer.content(100) == b"too large"
    assert answered.is_set()


def test_many_streams_and_requests_do_not_wait_for_connections(
    fake: FakeRegistry, transport: Transport
) -> None:
    """Downloads hold connections, not leave to send."""
    digest = fake.put("team/bot", CONTENT * 100)
    url = f"{fake.url}/v2/team/bot/blobs/{digest}"
    with contextlib.ExitStack() as held:
        answers = [held.enter_context(transport.send(Request("GET", url))) for _ in range(40)]
        assert transport.send(Request("HEAD", url)).status == 200
        assert all(one.content(len(CONTENT) * 100) == CONTENT * 100 for one in answers)


# Proxies


def test_tls_through_a_proxy_is_with_the_registry_itself(
    authority: Authority, make_client: MakeClient
) -> None:
    context = authority.issue("far", hosts=["DNS:registry.example"]).server_context()
    with FakeRegistry(tls=context) as fake:
        fake.put("team/bot", CONTENT)
        proxy = tunnel(fake.host).getsockname()[1]
        client = make_client(
            proxies=Proxies(https=f"http://127.0.0.1:{proxy}"), ca_file=authority.cert
        )
        repository = client.repository(Reference("registry.example", "team/bot", "latest"))
        assert fetch_bytes(repository, BLOB) == CONTENT
        assert repository.exists(BLOB)
        assert fake.connections == 1
        client.close()


def test_address_of_the_sixth_version_is_reached(transport: Transport) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 on this machine")
    server, heard = scripted(OK, address="::1")
    url = f"http://[::1]:{server.getsockname()[1]}/v2/"
    with transport.send(Request("GET", url)) as answer:
        assert answer.content(10) == b"ok"
    assert b"\r\nHost: [::1]:" in heard[0]


@pytest.mark.parametrize("host", ["registry.example", "plain.example"])
def test_proxy_that_wants_a_login_is_named_and_not_asked_again(
    clock: StepClock, make_client: MakeClient, host: str
) -> None:
    """Fault 46: over a tunnel, and for plain http."""
    server, heard = scripted(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n", OK)
    name = f"127.0.0.1:{server.getsockname()[1]}"
    proxy = f"http://me:hunter2@{name}"
    client = make_client(
        proxies=Proxies(http=proxy, https=proxy), insecure_hosts=frozenset({"plain.example"})
    )
    repository = client.repository(Reference(host, "team/bot", "latest"))
    with pytest.raises(ProxyRefused, match=f"proxy {name} wants a user name") as caught:
        fetch_bytes(repository, BLOB)
    assert "http://USER:PASSWORD@" in (caught.value.hint or "")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    [request] = heard
    assert b"proxy-authorization: basic " in request.lower()
    assert not clock.sleeps


@pytest.mark.parametrize(("status", "transient"), [(403, False), (502, True), (504, True)])
def test_proxy_that_cannot_reach_the_registry_is_asked_again(status: int, transient: bool) -> None:
    server, _ = scripted(b"HTTP/1.1 %d Sorry\r\nContent-Length: 0\r\n\r\n" % status)
    proxies = Proxies(https=f"http://127.0.0.1:{server.getsockname()[1]}")
    transport = Transport(user_agent="test", timeouts=Timeouts(), proxies=proxies)
    with contextlib.closing(transport), pytest.raises(ProxyRefused) as caught:
        transport.send(Request("GET", "https://registry.example/v2/"))
    assert caught.value.transient is transient


def test_proxy_that_is_not_there_is_named(transport: Transport) -> None:
    with FakeRegistry() as gone:
        proxies = Proxies(https=gone.url)
    lost = Transport(user_agent="test", timeouts=Timeouts(), proxies=proxies)
    with contextlib.closing(lost), pytest.raises(RegistryUnreachable) as caught:
        lost.send(Request("GET", "https://registry.example/v2/"))
    assert f"the proxy {gone.host} cannot be reached" in caught.value.message
    assert caught.value.transient


def test_bypass_is_looked_up_for_where_a_redirect_leads() -> None:
    with FakeRegistry() as proxy, FakeRegistry() as storage:
        digest = storage.put("x", CONTENT)
        port = storage.host.partition(":")[2]
        away = f"http://storage.example:{port}/v2/x/blobs/{digest}"
        proxy.on("GET", "http://registry.example/", redirects(away), times=2)

        def resolve(host: str, port: int) -> list[Address]:
            return [(socket.AF_INET, ("127.0.0.1", port))]

        for bypass, direct in (("storage.example", True), ("", False)):
            transport = Transport(
                user_agent="test",
                timeouts=Timeouts(),
                proxies=Proxies(http=proxy.url, bypass=bypass),
                resolve=resolve,
            )
            with (
                contextlib.closing(transport),
                transport.send(Request("GET", "http://registry.example/v2/")) as answer,
            ):
                answer.content(10)
            assert (len(storage.seen) == 1) is direct
            assert len(proxy.seen) == (1 if direct else 2)
            storage.seen.clear()
            proxy.seen.clear()


# Secrets


def test_headers_of_a_registry_are_for_its_origin(
    fake: FakeRegistry, make_client: MakeClient
) -> None:
    """Fault 7: neither they nor credentials follow a redirect."""
    with FakeRegistry() as storage:
        digest = storage.put("x", CONTENT)
        fake.auth = Basic()
        away = redirects(f"{storage.url}/v2/x/blobs/{digest}")
        fake.on("GET", "/blobs/", changes(lambda reply: None), away)
        client = make_client(
            hosts={fake.host: HostOptions(headers={"X-Key": "private", "Cookie2": "c"})},
            credentials=OneCredential(fake.host, Credential("ada", "secret")),
        )
        repository = client.repository(Reference(fake.host, "team/bot", "latest"))
        assert fetch_bytes(repository, BLOB) == CONTENT
        assert all(one.headers["x-key"] == "private" for one in fake.seen)
        [seen] = storage.seen
        assert set(seen.headers) == {"host", "user-agent", "accept", "accept-encoding"}


def test_nothing_secret_is_in_errors_and_logs(
    fake: FakeRegistry, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Queries, states, tokens, passwords and custom headers, down to the deepest cause."""
    caplog.set_level(0)
    fake.auth = Basic("ada", "hunter2hunter2")
    client = make_client(
        hosts={fake.host: HostOptions(headers={"X-Key": "private-key"})},
        credentials=OneCredential(fake.host, Credential("ada", "hunter2hunter2")),
        retry=RetryPolicy(tries=2),
    )
    repository = client.repository(Reference(fake.host, "team/bot", "latest"), push=True)
    signed = f"{fake.url}/storage?X-Amz-Signature=c2lnbmVk"
    assert not repository.exists(BLOB)
    texts = []
    troubles: list[tuple[str, list[Fault]]] = [
        ("GET", [redirects(signed), drops()]),
        ("GET", [redirects(f"{signed} x"), answers(403, error("bad X-Amz-Query=1"))]),
        ("GET", [redirects("https://me:hunter2@[::1/")]),
        ("GET", [redirects("https://me:hunter2@other.example/")]),
        ("PUT", [drops()]),
        ("PUT", [answers(400, error("Basic YWRhOmh1bnRlcjJodW50ZXIy"))]),
        ("PUT", [answers(500, error("at ?_state=a%2Fb%3D"))]),
    ]
    for method, spoil in troubles:
        fake.on(method, "", *spoil * 8)
        act = partial(fetch_bytes, repository) if method == "GET" else partial(push, repository)
        with pytest.raises(AgentociError) as caught:
            act(BLOB)
        texts += traceback.format_exception(caught.value)
        texts += [caught.value.message, caught.value.hint or "", repr(caught.value)]
        fake._faults.clear()
    texts += [record.getMessage() for record in caplog.records]
    texts.append(repr(Request("GET", signed, {"Authorization": "Basic YWRh"})))
    shown = "\n".join(line for text in texts for line in text.split("\n") if "BLOB" not in line)
    for secret in ("hunter2", "c2lnbmVk", "a%2Fb%3D", "private-key", "YWRh", "Query=1"):
        assert secret not in shown, secret


def error(message: str) -> str:
    return json.dumps({"errors": [{"code": "UNKNOWN", "message": message}]})


def push(repository: Repository, desc: Descriptor) -> None:
    repository.push(desc, BytesSource(CONTENT))
