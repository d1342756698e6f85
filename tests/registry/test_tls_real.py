"""TLS as it can be wrong, at a real registry: authority, name, time, and who the client is."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.registry.errors import RegistryUnreachable, UntrustedCertificate
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests import registries
from tests.certificates import Authority, Certificate
from tests.faultproxy import FaultProxy, closes
from tests.registries import KINDS, Registry
from tests.registry.conftest import MakeClient, StepClock

pytestmark = pytest.mark.integration

CONTENT = b"over tls" * 100_000
BLOB = Descriptor.of("application/octet-stream", CONTENT)


@contextlib.contextmanager
def serving(
    folder: Path, certificate: Certificate, *, clients: Path | None = None
) -> Iterator[Registry]:
    kind = KINDS["distribution"]
    if kind.program() is None:
        pytest.skip(kind.missing)
    with registries.serve(kind, folder, certificate=certificate, clients=clients) as registry:
        yield registry


def open_at(make_client: MakeClient, host: str, name: str, **options: object) -> Repository:
    options.setdefault("secure_hosts", frozenset({host}))
    return make_client(**options).repository(Reference.parse(f"{host}/{name}:1"), push=True)


def assert_works(repository: Repository) -> None:
    repository.push(BLOB, BytesSource(CONTENT))
    assert fetch_bytes(repository, BLOB, limit=BLOB.size) == CONTENT


def test_own_authority_is_trusted(
    tls_registry: Registry, authority: Authority, make_client: MakeClient, repository: str
) -> None:
    remote = open_at(make_client, tls_registry.host, repository, ca_file=authority.cert)
    assert_works(remote)


def test_unknown_authority_is_refused(
    tls_registry: Registry, make_client: MakeClient, repository: str, clock: StepClock
) -> None:
    """fault 45: at once, with a hint, and not over http instead."""
    with FaultProxy(tls_registry.host) as proxy:
        with pytest.raises(UntrustedCertificate) as caught:
            open_at(make_client, proxy.host, repository).exists(BLOB)
        assert "ca" in (caught.value.hint or "")
        assert proxy.requests == 0
        assert not clock.sleeps


@pytest.mark.parametrize(("hosts", "days"), [(["DNS:elsewhere.example"], 2), (None, -1)])
def test_certificate_of_another_name_or_time_is_refused(
    tmp_path: Path,
    authority: Authority,
    make_client: MakeClient,
    hosts: list[str] | None,
    days: int,
) -> None:
    """fault 45: a wrong name, or one that has expired."""
    name = "elsewhere" if hosts else "old"
    wrong = authority.issue(name, hosts=hosts or ["IP:127.0.0.1"], days=days)
    with serving(tmp_path / "registry", wrong) as registry:
        remote = open_at(make_client, registry.host, "a/b", ca_file=authority.cert)
        with pytest.raises(UntrustedCertificate):
            remote.exists(BLOB)


def test_client_certificate_is_shown_where_it_is_wanted(
    tmp_path: Path, authority: Authority, make_client: MakeClient
) -> None:
    """fault 45: from certs.d, as docker and podman have it; without one, an error that says so."""
    with serving(tmp_path / "mine", authority.issue("mine"), clients=authority.cert) as registry:
        stranger = open_at(make_client, registry.host, "a/b", ca_file=authority.cert)
        with pytest.raises(RegistryUnreachable) as caught:
            stranger.exists(BLOB)
        assert "client certificate" in f"{caught.value} {caught.value.hint}"
        own = authority.issue("me", client=True)
        folder = tmp_path / "certs.d" / registry.host
        folder.mkdir(parents=True)
        shutil.copy(own.cert, folder / "me.cert")
        shutil.copy(own.key, folder / "me.key")
        shutil.copy(authority.cert, folder / "ca.crt")
        known = open_at(
            make_client, registry.host, "a/b", certificate_folders=(tmp_path / "certs.d",)
        )
        assert_works(known)


def test_cut_below_tls_is_survived(
    tls_registry: Registry, authority: Authority, make_client: MakeClient, repository: str
) -> None:
    """fault 35: a truncated stream is told from one that ended."""
    with FaultProxy(tls_registry.host) as proxy:
        remote = open_at(make_client, proxy.host, repository, ca_file=authority.cert)
        remote.push(BLOB, BytesSource(CONTENT))
        proxy.drop()
        proxy.arm(closes(BLOB.size // 2))
        assert fetch_bytes(remote, BLOB, limit=BLOB.size) == CONTENT
        assert proxy.fired
