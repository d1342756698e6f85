"""TLS, redirects and proxies, over real sockets."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci.content.reader import fetch_bytes
from agentoci.registry.errors import (
    InvalidRegistryConfig,
    RegistryUnreachable,
    UnsafeDestination,
    UntrustedCertificate,
)
from agentoci.registry.proxies import Proxies
from agentoci.registry.transport import Request, Timeouts, Transport
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import redirects

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
