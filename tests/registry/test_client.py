"""From references to registries, and checking a login."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agentoci.content.reader import fetch_bytes
from agentoci.registry.auth.credentials import Credential
from agentoci.registry.errors import AuthenticationFailed, RegistryFailing, RegistryUnreachable
from agentoci.registry.hosts import HostOptions
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import InvalidReference, Reference
from tests.registry.conftest import MakeClient
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import answers, changes, redirects

ADA = Credential("ada", "secret")


@pytest.mark.parametrize(
    ("text", "origin", "name"),
    [
        ("docker.io/redis:7", "https://registry-1.docker.io", "library/redis"),
        ("docker.io/team/bot", "https://registry-1.docker.io", "team/bot"),
        ("index.docker.io/redis", "https://registry-1.docker.io", "library/redis"),
        ("ghcr.io/team/bot", "https://ghcr.io", "team/bot"),
        ("ghcr.io:443/team/bot", "https://ghcr.io", "team/bot"),
        ("localhost:5000/bot", "http://localhost:5000", "bot"),
        ("127.0.0.1:5000/bot", "http://127.0.0.1:5000", "bot"),
        ("[::1]:5000/bot", "http://[::1]:5000", "bot"),
        ("x.localhost/bot", "http://x.localhost", "bot"),
        ("10.0.0.1:5000/bot", "https://10.0.0.1:5000", "bot"),
        ("lan.example:5000/bot", "http://lan.example:5000", "bot"),
        ("plain.example/bot", "http://plain.example", "bot"),
        ("localhost:5443/bot", "https://localhost:5443", "bot"),
    ],
)
def test_where_a_reference_leads(
    make_client: MakeClient, text: str, origin: str, name: str
) -> None:
    client = make_client(
        insecure_hosts=frozenset({"lan.example:5000", "plain.example"}),
        secure_hosts=frozenset({"localhost:5443"}),
    )
    repository = client.repository(Reference.parse(text))
    assert (str(repository.origin), repository.name) == (origin, name)


def test_short_name_has_no_registry(make_client: MakeClient) -> None:
    with pytest.raises(InvalidReference, match="names no registry"):
        make_client().repository(Reference.parse("bot:1.0"))


@pytest.mark.parametrize("auth", [Basic(), Tokens()])
def test_right_password_logs_in(make_client: MakeClient, auth: Basic | Tokens) -> None:
    with FakeRegistry(auth=auth) as fake:
        make_client().check_login(fake.host, ADA)
        make_client().check_login(f"{fake.host}/team", ADA)


@pytest.mark.parametrize("auth", [Basic(), Tokens()])
def test_wrong_password_does_not(make_client: MakeClient, auth: Basic | Tokens) -> None:
    with FakeRegistry(auth=auth) as fake:
        with pytest.raises(AuthenticationFailed, match=f"login at {fake.host} failed") as caught:
            make_client().check_login(fake.host, Credential("ada", "hunter2"))
        assert "hunter2" not in str(caught.value)
        assert caught.value.exit_code == 5


def test_login_at_something_else_is_an_error(make_client: MakeClient) -> None:
    with FakeRegistry() as fake:
        fake.on("GET", "/v2/", answers(404, "<html>shop</html>"))
        with pytest.raises(RegistryFailing, match="which a registry does not"):
            make_client().check_login(fake.host, ADA)


@pytest.mark.parametrize(
    "host", ["ghcr.io/te am", "ghcr.io/a:1", "plain", "a b.io", "", "x.io:99999", "me@x.io"]
)
def test_login_at_what_is_no_registry_is_refused(make_client: MakeClient, host: str) -> None:
    with pytest.raises(InvalidReference):
        make_client().check_login(host, ADA)


def test_login_at_nobody_is_unreachable(make_client: MakeClient) -> None:
    with FakeRegistry() as gone:
        pass
    with pytest.raises(RegistryUnreachable):
        make_client().check_login(gone.host, ADA)


def test_secrets_are_not_in_the_representation() -> None:
    credential = Credential("ada", "secret", "identity", "token")
    assert not any(word in repr(credential) for word in ("ada", "secret", "identity", "token="))


def test_requests_are_counted_with_tokens_and_redirects(make_client: MakeClient) -> None:
    content = b"counted"
    with FakeRegistry(auth=Tokens()) as fake, FakeRegistry() as storage:
        digest = storage.put("x", content)
        away = redirects(f"{storage.url}/v2/x/blobs/{digest}")
        fake.on("GET", "/v2/team/bot/blobs/", changes(lambda reply: None), away)
        client = make_client()
        repository = client.repository(Reference(fake.host, "team/bot", "latest"))
        assert client.requests == 0
        assert fetch_bytes(repository, Descriptor.of("x/y", content)) == content
        assert client.requests == len(fake.seen) + len(storage.seen) == 4


@pytest.mark.parametrize("name", ["plain.example", "plain.example:443"])
def test_what_is_settled_counts_with_and_without_the_usual_port(
    make_client: MakeClient, name: str
) -> None:
    client = make_client(hosts={name: HostOptions(insecure=True)})
    for text in ("plain.example/bot", "plain.example:443/bot"):
        assert not client.repository(Reference.parse(text)).origin.secure


def test_credentials_are_known_without_loading_requests() -> None:
    code = (
        "import sys, agentoci.registry, agentoci.registry.auth.dockerconfig;"
        "sys.exit('requests' in sys.modules or 'urllib3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
