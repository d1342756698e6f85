"""Real registries behind a token server that gives exactly what it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import Denied
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from agentoci.spec.reference import Reference
from tests.certificates import Authority
from tests.registries import KINDS, PASSWORD, USER, Registry
from tests.registry.conftest import MakeClient
from tests.registry.tokenserver import Asked, TokenServer, serve_with_tokens

pytestmark = pytest.mark.integration

LAYER = b"layer" * 5000
CONFIG = b'{"config":{}}'
BLOB = Descriptor.of("application/vnd.oci.image.layer.v1.tar", LAYER)
MANIFEST = Manifest.build(
    config=Descriptor.of(mediatypes.OCI_IMAGE_CONFIG, CONFIG),
    layers=[BLOB],
)
MINE = Credential(USER, PASSWORD)
Served = tuple[Registry, TokenServer]


@pytest.fixture(scope="module", params=["docker-registry", "distribution"])
def served(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A registry and its token server, as long as this file's tests run."""
    kind = KINDS[request.param]
    if kind.program() is None:
        pytest.skip(kind.missing)
    folder = tmp_path_factory.mktemp("with-tokens")
    with serve_with_tokens(request.param, folder, authority) as both:
        yield both


@pytest.fixture
def tokens(served: Served) -> Iterator[TokenServer]:
    """The token server, as a test finds it and leaves it."""
    server = served[1]
    server.asked.clear()
    yield server
    server.seconds, server.only, server.get, server.refreshes = 300, "", True, False


Opening = Callable[..., Repository]


@pytest.fixture
def open_at(served: Served, tokens: TokenServer, make_client: MakeClient) -> Opening:
    """Opens repositories with one client, as the user unless told otherwise."""
    host = served[0].host
    client = make_client(credentials=OneCredential(host, MINE))

    def open_one(name: str, *, push: bool = False, anonymous: bool = False) -> Repository:
        chosen = make_client() if anonymous else client
        return chosen.repository(Reference(host, name, "1.0"), push=push)

    return open_one


def push_image(target: Repository) -> None:
    for desc, content in zip(MANIFEST.children, (CONFIG, LAYER), strict=True):
        if not target.exists(desc):
            target.push(desc, BytesSource(content))
    target.push_tagged(MANIFEST.descriptor, MANIFEST.raw, ("1.0",))


def scopes(tokens: TokenServer) -> list[tuple[str, ...]]:
    return [one.scopes for one in tokens.asked]


def test_push_tag_and_pull_take_one_token_each(
    open_at: Opening, tokens: TokenServer, repository: str
) -> None:
    target = open_at(repository, push=True)
    push_image(target)
    target.tag(MANIFEST.descriptor, "latest")
    assert target.resolve("latest") == MANIFEST.descriptor
    assert scopes(tokens) == [(f"repository:{repository}:pull,push",)]
    pulled = open_at(repository)
    assert fetch_bytes(pulled, BLOB) == LAYER
    assert fetch_bytes(pulled, pulled.resolve("1.0")) == MANIFEST.raw
    assert len(tokens.asked) == 1, "leave to write is leave to read"


def test_repositories_have_tokens_of_their_own(
    open_at: Opening, tokens: TokenServer, repository: str
) -> None:
    for name in (f"{repository}-a", f"{repository}-b", f"{repository}-a"):
        push_image(open_at(name, push=True))
    assert scopes(tokens) == [
        (f"repository:{repository}-a:pull,push",),
        (f"repository:{repository}-b:pull,push",),
    ]


def test_mount_asks_for_both_in_one_token(
    open_at: Opening, tokens: TokenServer, repository: str
) -> None:
    source = open_at(f"{repository}-base", push=True)
    push_image(source)
    tokens.asked.clear()
    target = open_at(repository, push=True)
    assert target.mount(BLOB, source)
    assert fetch_bytes(target, BLOB) == LAYER
    assert scopes(tokens) == [
        (f"repository:{repository}:pull,push", f"repository:{repository}-base:pull")
    ]


@pytest.mark.parametrize("only", ["first", "last"])
def test_push_survives_a_token_server_that_reads_one_scope(
    open_at: Opening, tokens: TokenServer, repository: str, only: str
) -> None:
    source = open_at(f"{repository}-base", push=True)
    push_image(source)
    tokens.only = only
    target = open_at(repository, push=True)
    target.mount(BLOB, source)
    push_image(target)
    assert target.resolve("1.0") == MANIFEST.descriptor
    assert len(tokens.asked) <= 5


def test_token_that_ends_in_the_middle_is_renewed(
    open_at: Opening, tokens: TokenServer, repository: str
) -> None:
    tokens.seconds = -58  # registries allow a minute more, so two seconds are left
    target = open_at(repository, push=True)
    target.push(BLOB, BytesSource(LAYER))
    tokens.seconds = 300
    time.sleep(3)
    push_image(target)
    assert len(tokens.asked) == 2


def test_token_server_without_get_is_asked_by_post(
    open_at: Opening, tokens: TokenServer, repository: str
) -> None:
    tokens.get = False
    push_image(open_at(repository, push=True))
    want = (f"repository:{repository}:pull,push",)
    assert tokens.asked == [Asked("POST", want, USER, "password")]


def test_refresh_token_brings_the_next_token(
    open_at: Opening, tokens: TokenServer, repository: str
) -> None:
    tokens.refreshes = True
    for part in ("a", "b", "c"):
        push_image(open_at(f"{repository}-{part}", push=True))
    assert [(one.method, one.grant) for one in tokens.asked] == [
        ("GET", ""), ("POST", "refresh_token"), ("POST", "refresh_token"),
    ]  # fmt: skip


def test_strangers_pull_what_is_public_and_push_nothing(
    open_at: Opening, tokens: TokenServer, repository: str
) -> None:
    push_image(open_at(f"public/{repository}", push=True))
    assert fetch_bytes(open_at(f"public/{repository}", anonymous=True), BLOB) == LAYER
    with pytest.raises(Denied):
        open_at(f"public/{repository}", push=True, anonymous=True).push(BLOB, BytesSource(LAYER))
    with pytest.raises(Denied):
        fetch_bytes(open_at(repository, anonymous=True), BLOB)


def test_expired_login_does_not_stop_a_public_pull(
    served: Served, open_at: Opening, make_client: MakeClient, repository: str
) -> None:
    name, host = f"public/{repository}", served[0].host
    push_image(open_at(name, push=True))
    said: list[str] = []
    expired = OneCredential(host, Credential(USER, "old", source="config.json"))
    client = make_client(credentials=expired, warn=said.append)
    assert fetch_bytes(client.repository(Reference(host, name, "1.0")), BLOB) == LAYER
    assert len(said) == 1
    assert "reading without the login from config.json" in said[0]
    with pytest.raises(Denied):
        push_image(client.repository(Reference(host, name, "1.0"), push=True))


def test_login_is_checked_by_a_token(
    served: Served, tokens: TokenServer, make_client: MakeClient
) -> None:
    host = served[0].host
    make_client().check_login(host, MINE)
    with pytest.raises(Denied, match="login at"):
        make_client().check_login(host, Credential(USER, "wrong"))
    assert scopes(tokens) == [(), ()]
