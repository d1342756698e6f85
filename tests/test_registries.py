"""The registries of the tests can be reached the way that the tests expect."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest

from tests import registries
from tests.certificates import Authority
from tests.registries import KINDS, Registry

pytestmark = pytest.mark.integration


def ask(host: str, context: ssl.SSLContext) -> int:
    connection = http.client.HTTPSConnection(host, context=context, timeout=10)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_every_kind_answers(registry: Registry) -> None:
    assert registries.answers(registry.host)


def test_tls_registry_is_trusted_by_its_authority_alone(
    tls_registry: Registry, authority: Authority
) -> None:
    assert ask(tls_registry.host, ssl.create_default_context(cafile=authority.cert)) == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(tls_registry.host, ssl.create_default_context())


def test_expired_certificate_is_seen(tmp_path: Path, authority: Authority) -> None:
    kind, trusting = KINDS["distribution"], ssl.create_default_context(cafile=authority.cert)
    if kind.program() is None:
        pytest.skip(kind.missing)
    expired = authority.issue("expired", days=-1)
    with (
        registries.serve(kind, tmp_path / "registry", certificate=expired) as registry,
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
    ):
        ask(registry.host, trusting)


def test_client_certificate_is_asked_for(tmp_path: Path, authority: Authority) -> None:
    kind = KINDS["distribution"]
    if kind.program() is None:
        pytest.skip(kind.missing)
    with registries.serve(
        kind,
        tmp_path / "registry",
        certificate=authority.issue("asking"),
        clients=authority.cert,
    ) as registry:
        context = ssl.create_default_context(cafile=authority.cert)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(registry.host, context)
        own = authority.issue("client", client=True)
        context.load_cert_chain(own.cert, own.key)
        assert ask(registry.host, context) == 200
