"""Which registries oras-py's API speaks to, by which names and over what."""

from __future__ import annotations

from pathlib import Path

import oras.container
import oras.oci
import pytest

from agentoci.registry import OrasRegistry
from agentoci.registry.client import ClientOptions
from agentoci.registry.errors import (
    RegistryUnreachable,
    UnsafeDestination,
    UntrustedCertificate,
)
from agentoci.registry.http.retry import RetryPolicy
from agentoci.registry.oras.access import UnverifiedTls
from agentoci.spec.reference import InvalidReference
from tests.certificates import Authority
from tests.registries import Registry
from tests.registry.conftest import MakeOras
from tests.registry.fake import FakeRegistry


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file to push."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("hello")
    monkeypatch.chdir(folder)
    return folder


# TLS


def test_tls_without_a_check_is_refused() -> None:
    with pytest.raises(UnverifiedTls, match="tls_verify=False") as caught:
        OrasRegistry("localhost:5000", tls_verify=False)
    assert "ca.pem" in str(caught.value.hint)
    with OrasRegistry("localhost:5000", insecure=True, tls_verify=False) as registry:
        assert registry.prefix == "http"


def test_authority_is_trusted_by_its_file(
    tls_registry: Registry, authority: Authority, repository: str, work: Path
) -> None:
    """A loopback registry is spoken to over TLS, as oras-py does, unless it is `insecure`."""
    target = tls_registry.reference(f"{repository}:1")
    with OrasRegistry(tls_registry.host, tls_verify=str(authority.cert)) as registry:
        registry.push(target, files=["a.txt"])
        assert registry.pull(target, outdir=work / "out")
    with OrasRegistry(tls_registry.host) as registry, pytest.raises(UntrustedCertificate):
        registry.pull(target)


def test_plain_http_is_not_spoken_unless_asked(make_oras: MakeOras) -> None:
    with FakeRegistry() as fake:
        registry = make_oras(fake.host, insecure=False, retry=RetryPolicy(tries=1))
        with pytest.raises(RegistryUnreachable):
            registry.get_tags(f"{fake.host}/a/one")
        with pytest.raises(UnsafeDestination):
            registry.do_request(f"{fake.url}/v2/a/one/tags/list")
        assert not fake.requests("GET")
        settled = ClientOptions(insecure_hosts=frozenset({fake.host}))
        with OrasRegistry(fake.host, options=settled) as allowed:
            allowed.push(f"{fake.host}/a/one:1", files=["a.txt"])


# Names


@pytest.mark.parametrize(
    "text", ["a b/c", "UPPER/Case", "reg.io/a/../b", "http://x.io/y", "reg.io/a:", "reg.io/a@x", ""]
)
@pytest.mark.parametrize("kind", [InvalidReference, ValueError])
def test_names_are_checked(make_oras: MakeOras, text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        make_oras("reg.io").get_container(text)


def test_containers_of_ones_own_are_checked(make_oras: MakeOras) -> None:
    registry = make_oras("127.0.0.1:1")
    with pytest.raises(InvalidReference):
        registry.get_tags(oras.container.Container("reg.io/a/../b"))
    nowhere = oras.container.Container("a/b")
    nowhere.registry = ""
    with pytest.raises(InvalidReference, match="names no registry"):
        registry.get_tags(nowhere)
    fine = oras.container.Container("reg.io/a/b:1")
    assert registry.get_container(fine) is fine


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("a", "reg.io:5000/a:latest"),
        ("a/b:1", "reg.io:5000/a/b:1"),
        ("localhost/x:1", "localhost/x:1"),
        ("other.io/a/b/c", "other.io/a/b/c:latest"),
        (f"a@sha256:{'0' * 64}", f"reg.io:5000/a@sha256:{'0' * 64}"),
    ],
)
def test_names_without_a_registry_are_of_hostname(make_oras: MakeOras, text: str, uri: str) -> None:
    assert make_oras("reg.io:5000").get_container(text).uri == uri


@pytest.mark.parametrize("hostname", ["https://reg.io", "reg.io/team", "a b", "reg.io:x"])
def test_hostname_is_checked(hostname: str) -> None:
    with pytest.raises(InvalidReference, match="not a registry"):
        OrasRegistry(hostname)
