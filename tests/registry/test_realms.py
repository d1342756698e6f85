"""Which token servers get credentials."""

from __future__ import annotations

import pytest

from agentoci.content.reader import fetch_bytes
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.auth.realms import UntrustedRealm, resolve_realm
from agentoci.registry.errors import UntrustedCertificate
from agentoci.registry.http.origin import Origin
from agentoci.registry.http.proxies import Proxies
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.certificates import Authority
from tests.registry.access import Tokens
from tests.registry.conftest import MakeClient
from tests.registry.fake import FakeRegistry

CONTENT = b"w" * 100
BLOB = Descriptor.of("application/octet-stream", CONTENT)


@pytest.mark.parametrize(
    ("registry", "realm", "trusted"),
    [
        ("https://registry-1.docker.io", "https://auth.docker.io/token", True),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("https://registry.example.com:5000", "https://sso.example.com/token", True),
        ("https://quay.io", "https://auth.quay.io/token", True),
        ("https://registry.cn-hangzhou.example.com", "https://auth.cn-hangzhou.example.com", True),
        ("https://nvcr.io", "https://authn.nvidia.com/token", True),
        ("https://registry.example.com", "https://evil.example.net/token", False),
        ("https://registry.example.com", "https://notexample.com/token", False),
        ("https://registry.example.com", "https://example.com.evil.net/token", False),
        ("https://quay.io", "https://evil.io/token", False),
        ("https://quay.io", "https://authn.nvidia.com/token", False),
        ("https://shop.co.uk", "https://evil.co.uk/token", False),
        ("https://registry.abc.de", "https://auth.abc.de/token", True),
        ("https://team.azurecr.io", "https://team.azurecr.io/oauth2/token", True),
        ("https://team.azurecr.io", "https://evil.azurecr.io/oauth2/token", False),
        ("https://registry.lan", "https://auth.lan/token", False),
    ],
)
def test_credentials_stay_in_the_house(registry: str, realm: str, trusted: bool) -> None:
    origin = Origin.of(registry)
    assert resolve_realm(realm, origin, secret=False) == realm, "anybody may ask anybody"
    if trusted:
        assert resolve_realm(realm, origin, secret=True) == realm
    else:
        with pytest.raises(UntrustedRealm, match=r"credentials sent to .* outside of") as caught:
            resolve_realm(realm, origin, secret=True)
        assert "realm_hosts" in (caught.value.hint or "")
        assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("registry", "realm", "allowed", "trusted"),
    [
        ("https://registry.lan", "https://auth.lan/token", "auth.lan", True),
        ("https://registry.lan", "https://auth.lan:8443/token", "auth.lan:8443", True),
        ("https://registry.lan", "https://auth.lan:8443/token", "auth.lan", True),
        ("https://registry.lan", "https://auth.lan/token", "auth.lan:8443", False),
        ("https://registry.lan", "https://10.0.0.7/token", "10.0.0.7", True),
        ("https://registry.lan", "http://auth.lan/token", "auth.lan", False),
        ("http://registry.lan", "http://auth.lan/token", "auth.lan", True),
        ("https://registry.lan", "https://other.lan/token", "auth.lan", False),
    ],
)
def test_user_may_allow_another_host(
    registry: str, realm: str, allowed: str, trusted: bool
) -> None:
    origin = Origin.of(registry)
    if trusted:
        assert resolve_realm(realm, origin, secret=True, allowed={allowed}) == realm
    else:
        with pytest.raises(UntrustedRealm):
            resolve_realm(realm, origin, secret=True, allowed={allowed})


def lan_client(make_client: MakeClient, fake: FakeRegistry, **options: object) -> Repository:
    """Opens a registry that the fake plays, as the proxy in front of all hosts."""
    stored = Credential("ada", "secret", source="config.json")
    client = make_client(
        proxies=Proxies(fake.url, "", ""),
        insecure_hosts=frozenset({"lan.example"}),
        credentials=OneCredential("lan.example", stored),
        **options,
    )
    return client.repository(Reference("lan.example", "team/bot", "1"))


def test_public_pull_goes_on_without_a_login_for_another_house(make_client: MakeClient) -> None:
    said: list[str] = []
    with FakeRegistry(auth=Tokens(realm="http://auth.example/token")) as fake:
        fake.put("team/bot", CONTENT)
        assert fetch_bytes(lan_client(make_client, fake, warn=said.append), BLOB) == CONTENT
        assert not any("Basic" in one.headers.get("authorization", "") for one in fake.seen)
        [warning] = said
        assert "cannot be believed; reading without the login from config.json" in warning


def test_allowed_host_gets_the_login(make_client: MakeClient) -> None:
    with FakeRegistry(auth=Tokens(realm="http://auth.example/token")) as fake:
        fake.put("team/bot", CONTENT)
        allowed = frozenset({"auth.example"})
        assert fetch_bytes(lan_client(make_client, fake, realm_hosts=allowed), BLOB) == CONTENT
        [asked] = fake.requests("GET", "auth.example/token")
        assert asked.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("trusted", [True, False])
def test_token_server_is_held_to_the_same_authorities(
    make_client: MakeClient,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
    trusted: bool,
) -> None:
    issuer = authority if trusted else Authority(tmp_path_factory.mktemp("stranger"))
    here = authority.issue("here").server_context()
    there = issuer.issue("there").server_context()
    tokens = Tokens()
    with FakeRegistry(auth=tokens, tls=here) as fake, FakeRegistry(auth=tokens, tls=there) as realm:
        fake.put("team/bot", CONTENT)
        tokens.realm = f"{realm.url}/token"
        client = make_client(
            credentials=OneCredential(fake.host, Credential("ada", "secret")),
            secure_hosts=frozenset({fake.host}),
            ca_file=authority.cert,
        )
        repository = client.repository(Reference(fake.host, "team/bot", "1"))
        if trusted:
            assert fetch_bytes(repository, BLOB) == CONTENT
            assert "authorization" in realm.requests("GET", "/token")[0].headers
        else:
            with pytest.raises(UntrustedCertificate, match="the token server of"):
                fetch_bytes(repository, BLOB)
            assert not realm.seen
