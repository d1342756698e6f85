"""How a request gets in: odd token servers, and what is public though a login is refused."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import Denied
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.errors import AccessDenied, AuthenticationFailed
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.registry.access import Tokens
from tests.registry.conftest import MakeClient, Open, StepClock
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import Exchange, Reply, Seen, answers, refuses

CONTENT = b"z" * 1000
BLOB = Descriptor.of("application/octet-stream", CONTENT)
MANIFEST_BYTES = b"{}"
MANIFEST = Descriptor.of(mediatypes.OCI_MANIFEST, MANIFEST_BYTES)
STORED = Credential("ada", "secret", source="/home/ada/.docker/config.json")
EXPIRED = Credential("ada", "expired", source="/home/ada/.docker/config.json")


@dataclass
class OneScope(Tokens):
    """Reads the last `scope` parameter or the first, and says what a token lacks."""

    index: int = -1

    def heard(self, scopes: list[str]) -> list[str]:
        return scopes[self.index].split() if scopes else []

    def refuses(self, seen: Seen, url: str) -> str | None:
        challenge = super().refuses(seen, url)
        shown = "authorization" in seen.headers
        return f'{challenge},error="insufficient_scope"' if challenge and shown else challenge


def tokens_of(fake: FakeRegistry) -> Tokens:
    assert isinstance(fake.auth, Tokens)
    return fake.auth


@pytest.fixture
def said() -> list[str]:
    """The warnings."""
    return []


def opened(
    make_client: MakeClient,
    fake: FakeRegistry,
    credential: Credential,
    said: list[str],
    *,
    name: str = "team/bot",
    push: bool = False,
) -> Repository:
    client = make_client(credentials=OneCredential(fake.host, credential), warn=said.append)
    return client.repository(Reference(fake.host, name, "1"), push=push)


# Token servers that read one scope


@pytest.mark.parametrize("index", [0, -1])
def test_mount_gets_the_scopes_that_the_registry_demands(open_repository: Open, index: int) -> None:
    with FakeRegistry(auth=OneScope(index=index)) as fake:
        fake.put("team/base", CONTENT)
        repository, source = open_repository(fake, push=True), open_repository(fake, "team/base")
        assert repository.mount(BLOB, source)
        assert tokens_of(fake).asked[-1] == [
            "repository:team/base:pull", "repository:team/bot:pull,push",
        ]  # fmt: skip
        assert len(tokens_of(fake).asked) == 2


def test_scope_that_is_refused_drops_the_mount_and_not_the_push(open_repository: Open) -> None:
    with FakeRegistry(auth=OneScope()) as fake:
        fake.put("secret/base", CONTENT)
        repository, source = open_repository(fake, push=True), open_repository(fake, "secret/base")
        fake.on("GET", r"/token.*secret", refuses(403, "DENIED", "not yours"), times=9)
        assert not repository.mount(BLOB, source)
        repository.push(BLOB, BytesSource(CONTENT))
        assert repository.exists(BLOB)


def test_demand_that_never_ends_is_met_once(open_repository: Open, clock: StepClock) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        demand = (
            f'Bearer realm="{fake.url}/token",service="fake",error="insufficient_scope",'
            'scope="repository:team/other:pull"'
        )
        fake.on("GET", "/blobs/", answers(401, WWW_Authenticate=demand), times=50)
        with pytest.raises(Denied):
            fetch_bytes(open_repository(fake), BLOB)
        assert len(fake.requests("GET", "/blobs/")) == 3
        assert not clock.sleeps


def test_scope_of_our_own_is_not_asked_for_again(open_repository: Open) -> None:
    with FakeRegistry(auth=OneScope(allowed=frozenset())) as fake:
        with pytest.raises(Denied):
            fetch_bytes(open_repository(fake), BLOB)
        assert len(tokens_of(fake).asked) == 1


def test_body_is_sent_anew_with_a_wider_token(open_repository: Open) -> None:
    with FakeRegistry(auth=OneScope()) as fake:
        demand = (
            f'Bearer realm="{fake.url}/token",service="fake",error="insufficient_scope",'
            'scope="repository:team/bot:pull,push repository:team/base:pull"'
        )
        fake.on("PUT", "/manifests/", answers(403, WWW_Authenticate=demand), times=1)
        fake.on("PUT", "/manifests/", answers(401, WWW_Authenticate=demand), times=1)
        open_repository(fake, push=True).push(MANIFEST, BytesSource(MANIFEST_BYTES))
        assert fake.manifests["team/bot", str(MANIFEST.digest)][1] == MANIFEST_BYTES


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_token_that_ends_during_an_upload_is_renewed(open_repository: Open, method: str) -> None:
    from agentoci.registry.http.transport import Body, Request

    with FakeRegistry(auth=Tokens()) as fake:
        repository = open_repository(fake, push=True)
        assert not repository.exists(BLOB)
        url = f"{fake.url}/v2/team/bot/blobs/uploads/"
        endpoint = repository._endpoint
        scopes = ("repository:team/bot:pull,push",)
        answer = endpoint.exchange(Request("POST", url), scopes)
        location = endpoint.located(answer)
        assert location is not None
        tokens_of(fake).expire()
        given = "" if method == "PATCH" else f"&digest={BLOB.digest}"
        body = Body(BytesSource(CONTENT), len(CONTENT))
        sent = endpoint.exchange(Request(method, location + given, body=body), scopes)
        assert sent.status in {201, 202}
        assert len(tokens_of(fake).asked) == 2


# What is public, though a stored login is refused


def test_expired_login_does_not_stop_a_public_pull(
    make_client: MakeClient, said: list[str]
) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        fake.put("team/bot", CONTENT)
        repository = opened(make_client, fake, EXPIRED, said)
        for _ in range(3):
            assert fetch_bytes(repository, BLOB) == CONTENT
        assert len(said) == 1
        assert said[0].startswith(f"{fake.host}: the token server")
        assert said[0].endswith("reading without the login from /home/ada/.docker/config.json")
        assert "expired" not in said[0]
        assert len(tokens_of(fake).asked) == 2, "one with the password, one without"


def test_wrong_password_is_not_tried_at_each_repository(
    make_client: MakeClient, said: list[str]
) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        client = make_client(credentials=OneCredential(fake.host, EXPIRED), warn=said.append)
        for name in ("a/a", "b/b", "c/c"):
            fake.put(name, CONTENT)
            fetch_bytes(client.repository(Reference(fake.host, name, "1")), BLOB)
        with_password = [o for o in fake.requests("GET", "/token") if "authorization" in o.headers]
        assert len(with_password) == 1
        assert len(said) == 1


def test_scope_that_is_denied_to_the_login_leaves_it_for_the_others(
    make_client: MakeClient, said: list[str]
) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        client = make_client(credentials=OneCredential(fake.host, STORED), warn=said.append)
        for name in ("open/bot", "team/bot"):
            fake.put(name, CONTENT)
        fake.on("GET", r"/token.*open%2Fbot", refuses(403, "DENIED", "no such scope"))
        for name in ("open/bot", "team/bot"):
            fetch_bytes(client.repository(Reference(fake.host, name, "1")), BLOB)
        asked = fake.requests("GET", "/token")
        assert ["authorization" in one.headers for one in asked] == [True, False, True]


@pytest.mark.parametrize("status", [401, 403])
def test_registry_that_refuses_a_known_user_is_asked_as_nobody(
    make_client: MakeClient, said: list[str], status: int
) -> None:
    def denies(exchange: Exchange) -> Reply:
        given = exchange.seen.headers.get("authorization", "").removeprefix("Bearer ")
        known = given in by_password
        return Reply(status, b"{}") if known else exchange.serve()

    by_password: set[str] = set()

    def watches(exchange: Exchange) -> Reply:
        reply = exchange.serve()
        if "authorization" in exchange.seen.headers:
            by_password.update(tokens_of(fake).issued)
        return reply

    with FakeRegistry(auth=Tokens()) as fake:
        fake.put("team/bot", CONTENT)
        fake.on("GET", "/token", watches, times=9)
        fake.on("GET", "/blobs/", denies, times=9)
        assert fetch_bytes(opened(make_client, fake, STORED, said), BLOB) == CONTENT
        [warning] = said
        assert warning.startswith(f"{fake.host} answers {status} to a known user; reading without")


def test_public_repository_of_a_registry_with_passwords(
    make_client: MakeClient, said: list[str]
) -> None:
    def public(exchange: Exchange) -> Reply:
        if "authorization" in exchange.seen.headers:
            return answers(401, WWW_Authenticate='Basic realm="x"')(exchange)
        fake.auth = None
        reply = exchange.serve()
        fake.auth = Basic()
        return reply

    with FakeRegistry(auth=Basic()) as fake:
        for name in ("team/bot", "open/bot"):
            fake.put(name, CONTENT)
        client = make_client(credentials=OneCredential(fake.host, STORED), warn=said.append)
        assert fetch_bytes(client.repository(Reference(fake.host, "team/bot", "1")), BLOB)
        fake.on("GET", "/v2/open/", public, times=9)
        assert fetch_bytes(client.repository(Reference(fake.host, "open/bot", "1")), BLOB)
        assert len(said) == 1


@pytest.mark.parametrize("auth", [Tokens(anonymous=frozenset()), Basic()])
def test_what_is_private_stays_denied(
    make_client: MakeClient, said: list[str], auth: Tokens | Basic, clock: StepClock
) -> None:
    with FakeRegistry(auth=auth) as fake:
        fake.put("team/bot", CONTENT)
        with pytest.raises(AuthenticationFailed) as caught:
            fetch_bytes(opened(make_client, fake, EXPIRED, said), BLOB)
        assert caught.value.hint == f"agent login {fake.host}"
        assert not said
        assert not clock.sleeps


def test_denial_of_a_known_user_is_what_is_told(make_client: MakeClient, said: list[str]) -> None:
    with FakeRegistry(auth=Tokens(anonymous=frozenset())) as fake:
        fake.put("team/bot", CONTENT)
        denied = refuses(403, "DENIED", "your organisation wants single sign-on")
        fake.on("GET", "/blobs/", answers(401), denied, answers(401))
        fake.on("GET", "/v2/$", answers(401, WWW_Authenticate=f'Bearer realm="{fake.url}/token"'))
        with pytest.raises(AccessDenied, match="single sign-on"):
            fetch_bytes(opened(make_client, fake, STORED, said), BLOB)


def test_push_is_never_anonymous(make_client: MakeClient, said: list[str]) -> None:
    everything = frozenset({"pull", "push"})
    with FakeRegistry(auth=Tokens(anonymous=everything)) as fake:
        repository = opened(make_client, fake, EXPIRED, said, push=True)
        with pytest.raises(AuthenticationFailed):
            repository.push(BLOB, BytesSource(CONTENT))
        with pytest.raises(AuthenticationFailed):
            repository.exists(BLOB)
        assert not fake.blobs
        assert not said


def test_login_by_hand_is_meant(make_client: MakeClient, said: list[str]) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        fake.put("team/bot", CONTENT)
        with pytest.raises(AuthenticationFailed):
            fetch_bytes(opened(make_client, fake, Credential("ada", "wrong"), said), BLOB)


def test_endless_denial_with_a_good_login_is_bounded(
    make_client: MakeClient, said: list[str], clock: StepClock
) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        realm = {"WWW_Authenticate": f'Bearer realm="{fake.url}/token"'}
        fake.on("GET", "/blobs/", answers(401, **realm), times=50)
        with pytest.raises(AuthenticationFailed) as caught:
            fetch_bytes(opened(make_client, fake, STORED, said), BLOB)
        assert caught.value.exit_code == 5
        assert len(fake.requests("GET", "/blobs/")) == 3, "as anybody, as the user, as nobody"
        assert not clock.sleeps


# Credentials by repository


class BySpace:
    """One user per name space; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        self.asked.append(repository)
        return Credential(repository.partition("/")[0], "secret")


def test_each_repository_has_its_credential_and_one_challenge(make_client: MakeClient) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        known = BySpace()
        client = make_client(credentials=known)
        for name in ("one/bot", "two/bot", "one/bot"):
            fake.put(name, CONTENT)
            tokens_of(fake).username = name.partition("/")[0]
            fetch_bytes(client.repository(Reference(fake.host, name, "1")), BLOB)
        users = [
            base64.b64decode(one.headers["authorization"].removeprefix("Basic ")).decode()
            for one in fake.requests("GET", "/token")
        ]
        assert users == ["one:secret", "two:secret"]
        assert known.asked == ["one/bot", "two/bot"]
        bare = [o for o in fake.requests("GET", "/v2/") if "authorization" not in o.headers]
        assert len(bare) == 1, "the challenge is the registry's, not the repository's"


def test_tokens_are_not_shared_between_users(make_client: MakeClient) -> None:
    with FakeRegistry(auth=Tokens(username="one")) as fake:
        fake.put("one/base", CONTENT)
        client = make_client(credentials=BySpace())
        own = client.repository(Reference(fake.host, "one/bot", "1"), push=True)
        assert own.mount(BLOB, client.repository(Reference(fake.host, "one/base", "1")))
        tokens_of(fake).username = "two"
        fetch = client.repository(Reference(fake.host, "two/bot", "1"))
        fake.put("two/bot", CONTENT)
        assert fetch_bytes(fetch, BLOB) == CONTENT
