"""Authorities and client certificates: what is trusted, what is shown, and to whom."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.registry.errors import (
    AccessDenied,
    InvalidRegistryConfig,
    RegistryUnreachable,
    UntrustedCertificate,
)
from agentoci.registry.hosts import HostOptions
from agentoci.registry.http.certificates import (
    Certificates,
    Contexts,
    Pair,
    find_certificates,
    make_context,
)
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from tests.certificates import Authority, Certificate
from tests.registry.conftest import Open, StepClock
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import answers_early, redirects

CONTENT = b"for those who show who they are" * 10
BLOB = Descriptor.of("application/octet-stream", CONTENT)

Serve = Callable[..., FakeRegistry]


@pytest.fixture(scope="module")
def client_pair(authority: Authority) -> Certificate:
    return authority.issue("somebody", client=True)


@pytest.fixture
def serve(authority: Authority) -> Iterator[Serve]:
    """TLS registries with the blob, that ask for a client certificate or not."""
    started: list[FakeRegistry] = []

    def start(
        certificate: Certificate | None = None, *, asks: bool = False, **options: Any
    ) -> FakeRegistry:
        found = certificate or authority.issue(f"server{len(started)}")
        context = found.server_context(clients=authority.cert if asks else None)
        options.setdefault("address", "127.0.0.1")
        fake = FakeRegistry(tls=context, **options)
        fake.__enter__()
        started.append(fake)
        fake.put("team/bot", CONTENT)
        return fake

    yield start
    for fake in started:
        fake.__exit__(None, None, None)


@pytest.fixture
def open_secure(open_repository: Open) -> Open:
    """A repository of a TLS registry on this machine, with what is settled for its host."""

    def open_one(
        fake: FakeRegistry, settled: HostOptions | None = None, **options: Any
    ) -> Repository:
        options.setdefault("hosts", {fake.host: settled} if settled else {})
        return open_repository(fake, secure_hosts=frozenset({"127.0.0.1"}), **options)

    return open_one


# Folders of certificates


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("x")
    return folder


def test_first_folder_that_knows_the_host_counts(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "other.example", "ca.crt")
    known = fill(tmp_path / "b" / "r.example:5000", "ca.crt", "b.crt", "me.cert", "me.key", "x.txt")
    fill(tmp_path / "c" / "r.example:5000", "late.crt")
    found = find_certificates("r.example:5000", [tmp_path / name for name in ("none", *"abc")])
    assert found.authorities == (known / "b.crt", known / "ca.crt")
    assert found.pair == Pair(known / "me.cert", known / "me.key")
    assert find_certificates("r.example", [tmp_path / "b"]) == Certificates()


@pytest.mark.parametrize(("name", "missing"), [("me.cert", "me.key"), ("me.key", "me.cert")])
def test_half_a_pair_is_an_error(tmp_path: Path, name: str, missing: str) -> None:
    fill(tmp_path / "r.example", name)
    with pytest.raises(InvalidRegistryConfig, match=f"{name}: {missing} is missing beside it"):
        find_certificates("r.example", [tmp_path])


def test_same_certificates_share_a_context(authority: Authority) -> None:
    contexts = Contexts()
    trusting = Certificates((authority.cert,))
    assert contexts.get(trusting) is contexts.get(trusting + trusting)
    assert contexts.get(trusting) is not contexts.get(Certificates())


# Keys that are of no use


def test_encrypted_key_is_an_error_and_no_question(
    tmp_path: Path, client_pair: Certificate
) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(client_pair.key), "-aes256", "-passout", "pass:x"]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    with pytest.raises(InvalidRegistryConfig, match="the key is encrypted") as caught:
        make_context(Certificates(pair=Pair(client_pair.cert, locked)))
    assert "openssl pkey -in locked.key" in (caught.value.hint or "")


def test_key_of_another_certificate_is_an_error(
    authority: Authority, client_pair: Certificate
) -> None:
    other = authority.issue("other", client=True)
    with pytest.raises(InvalidRegistryConfig, match=r"is not the key of .*somebody"):
        make_context(Certificates(pair=Pair(client_pair.cert, other.key)))


def test_file_that_is_no_key_is_an_error(tmp_path: Path, client_pair: Certificate) -> None:
    junk = tmp_path / "junk.key"
    junk.write_text("junk")
    with pytest.raises(InvalidRegistryConfig, match="no client certificate and key can be read"):
        make_context(Certificates(pair=Pair(client_pair.cert, junk)))
    with pytest.raises(InvalidRegistryConfig, match=r"missing\.key: .* cannot be read"):
        make_context(Certificates(pair=Pair(client_pair.cert, tmp_path / "missing.key")))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_key_that_we_may_not_read_is_an_error(tmp_path: Path, client_pair: Certificate) -> None:
    tmp_path.chmod(0o700)
    private = tmp_path / "private.key"
    private.write_bytes(client_pair.key.read_bytes())
    os.seteuid(65534)
    try:
        with pytest.raises(InvalidRegistryConfig, match="cannot be read: Permission denied"):
            make_context(Certificates(pair=Pair(private, private)))
        assert find_certificates("r.example", [tmp_path]) == Certificates()
    finally:
        os.seteuid(0)


# Servers


def test_authority_of_one_registry_is_trusted_for_it(
    serve: Serve, open_secure: Open, authority: Authority
) -> None:
    fake = serve()
    settled = HostOptions(ca_file=authority.cert)
    assert fetch_bytes(open_secure(fake, settled), BLOB) == CONTENT
    with pytest.raises(UntrustedCertificate):
        fetch_bytes(open_secure(serve(), hosts={fake.host: settled}), BLOB)


def test_large_body_goes_over_tls_in_pieces(
    serve: Serve, open_secure: Open, authority: Authority
) -> None:
    """What TLS 1.3 sends by itself meanwhile (session tickets) is no answer."""
    fake, content = serve(), bytes(5 << 20)
    large = Descriptor.of("application/octet-stream", content)
    repository = open_secure(fake, HostOptions(ca_file=authority.cert), push=True)
    repository.push(large, BytesSource(content))
    assert fake.blobs["team/bot", str(large.digest)] == content


def test_early_answer_over_tls_is_heard(
    serve: Serve, open_secure: Open, authority: Authority
) -> None:
    """Fault 23."""
    fake, content = serve(), bytes(64 << 20)
    fake.on("PUT", "/blobs/", answers_early(403, "DENIED", "not that much"), times=9)
    repository = open_secure(fake, HostOptions(ca_file=authority.cert), push=True)
    with pytest.raises(AccessDenied, match="not that much"):
        repository.push(Descriptor.of("x/y", content), BytesSource(content))


def test_folder_of_certificates_is_used(
    serve: Serve, open_secure: Open, authority: Authority, client_pair: Certificate, tmp_path: Path
) -> None:
    fake = serve(asks=True)
    folder = tmp_path / "certs.d" / fake.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority.cert.read_bytes())
    (folder / "me.cert").write_bytes(client_pair.cert.read_bytes())
    (folder / "me.key").write_bytes(client_pair.key.read_bytes())
    folders = (tmp_path / "none", tmp_path / "certs.d")
    assert fetch_bytes(open_secure(fake, certificate_folders=folders), BLOB) == CONTENT


def test_authorities_of_the_environment_are_trusted(
    serve: Serve, open_secure: Open, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert))
    assert fetch_bytes(open_secure(serve()), BLOB) == CONTENT


def show(authority: Authority, pair: Certificate) -> HostOptions:
    return HostOptions(ca_file=authority.cert, client_cert=pair.cert, client_key=pair.key)


def test_client_certificate_is_shown_to_its_registry(
    serve: Serve, open_secure: Open, authority: Authority, client_pair: Certificate
) -> None:
    fake = serve(asks=True)
    assert fetch_bytes(open_secure(fake, show(authority, client_pair)), BLOB) == CONTENT


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_missing_client_certificate_is_told(
    open_secure: Open, authority: Authority, clock: StepClock, version: ssl.TLSVersion
) -> None:
    """Fault 45."""
    context = authority.issue("asking").server_context(clients=authority.cert)
    context.maximum_version = version
    with FakeRegistry(tls=context) as fake:
        repository = open_secure(fake, HostOptions(ca_file=authority.cert))
        with pytest.raises(UntrustedCertificate) as caught:
            fetch_bytes(repository, BLOB)
        assert not fake.seen
    assert "client certificate" in (caught.value.hint or "")
    assert not clock.sleeps


def test_client_certificate_is_not_shown_after_a_redirect(
    serve: Serve, open_secure: Open, authority: Authority, client_pair: Certificate
) -> None:
    fake, storage = serve(asks=True), serve(asks=True)
    fake.on("GET", "/blobs/", redirects(f"{storage.url}/v2/team/bot/blobs/{BLOB.digest}"), times=9)
    with pytest.raises(UntrustedCertificate, match=storage.host):
        fetch_bytes(open_secure(fake, show(authority, client_pair)), BLOB)
    both = {one.host: show(authority, client_pair) for one in (fake, storage)}
    with pytest.raises(UntrustedCertificate, match=storage.host):
        fetch_bytes(open_secure(fake, hosts=both), BLOB)
    assert not storage.seen


def test_authority_counts_for_where_the_registry_sends_us(
    serve: Serve, open_secure: Open, authority: Authority
) -> None:
    fake, storage = serve(), serve()
    fake.on("GET", "/blobs/", redirects(f"{storage.url}/v2/team/bot/blobs/{BLOB.digest}"))
    settled = HostOptions(ca_file=authority.cert)
    assert fetch_bytes(open_secure(fake, settled), BLOB) == CONTENT
    assert len(storage.seen) == 1


def test_token_server_is_trusted_as_its_registry_and_shown_nothing(
    serve: Serve, open_secure: Open, authority: Authority, client_pair: Certificate
) -> None:
    tokens = Tokens()
    server = serve(auth=tokens)
    fake = serve(asks=True, auth=tokens)
    tokens.realm = f"{server.url}/token"
    assert fetch_bytes(open_secure(fake, show(authority, client_pair)), BLOB) == CONTENT
    asking = serve(asks=True, auth=tokens)
    tokens.realm = f"{asking.url}/token"
    tokens.expire()
    with pytest.raises((UntrustedCertificate, RegistryUnreachable), match=asking.host):
        fetch_bytes(open_secure(fake, show(authority, client_pair)), BLOB)
    assert not asking.seen


@pytest.mark.parametrize(
    ("options", "reason", "hint"),
    [
        ({"days": -1}, "certificate has expired", "has to renew"),
        ({"hosts": ["DNS:other.example"]}, "not valid for '127.0.0.1'", "made for another one"),
        ({"hosts": ["IP:127.0.0.9"]}, "not valid for '127.0.0.1'", "made for another one"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(
    serve: Serve,
    open_secure: Open,
    authority: Authority,
    clock: StepClock,
    options: dict[str, Any],
    reason: str,
    hint: str,
) -> None:
    """Fault 45."""
    fake = serve(authority.issue("odd", **options))
    with pytest.raises(UntrustedCertificate, match=reason) as caught:
        fetch_bytes(open_secure(fake, HostOptions(ca_file=authority.cert)), BLOB)
    assert hint in (caught.value.hint or "")
    assert not fake.seen
    assert not clock.sleeps


def test_unknown_authority_is_told(serve: Serve, open_secure: Open) -> None:
    """Fault 45."""
    fake = serve()
    with pytest.raises(UntrustedCertificate, match="unable to get local issuer") as caught:
        fetch_bytes(open_secure(fake), BLOB)
    assert "ca_file" in (caught.value.hint or "")
    assert not fake.seen
