"""Challenges, tokens and scopes, against a registry that gives exactly what it is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import Denied
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.errors import (
    AuthenticationFailed,
    RegistryUnreachable,
    UnsafeDestination,
)
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.registry.conftest import MakeClient, Open, StepClock
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import answers, drops, redirects

CONTENT = b"x" * 100_000
BLOB = Descriptor.of("application/octet-stream", CONTENT)
MANIFEST_BYTES = b"{}"
MANIFEST = Descriptor.of(mediatypes.OCI_MANIFEST, MANIFEST_BYTES)
UPLOADS = "/blobs/uploads/"


def serve(**options: object) -> FakeRegistry:
    fake = FakeRegistry(auth=Tokens(**options))  # type: ignore[arg-type]
    fake.put("team/bot", CONTENT)
    return fake


def tokens_of(fake: FakeRegistry) -> Tokens:
    assert isinstance(fake.auth, Tokens)
    return fake.auth


def test_push_asks_for_push_once(open_repository: Open) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        repository = open_repository(fake, push=True)
        assert not repository.exists(BLOB)
        repository.push(BLOB, BytesSource(CONTENT))
        repository.push_tagged(MANIFEST, MANIFEST_BYTES, ("1.0",))
        assert repository.resolve("1.0") == MANIFEST
        assert tokens_of(fake).asked == [["repository:team/bot:pull,push"]]
        assert len([one for one in fake.seen if "authorization" not in one.headers]) == 1


def test_each_repository_has_its_own_scope(make_client: MakeClient) -> None:
    with serve() as fake:
        fake.put("other/bot", CONTENT)
        client = make_client()
        for name in ("team/bot", "other/bot", "team/bot"):
            repository = client.repository(Reference(fake.host, name, "1"))
            assert fetch_bytes(repository, BLOB) == CONTENT
        assert tokens_of(fake).asked == [
            ["repository:team/bot:pull"],
            ["repository:other/bot:pull"],
        ]


def test_anonymous_pull_of_a_public_repository(open_repository: Open) -> None:
    with serve() as fake:
        assert fetch_bytes(open_repository(fake, user=None), BLOB) == CONTENT
        assert "authorization" not in fake.requests("GET", "/token")[0].headers


@pytest.mark.parametrize("key", ["token", "access_token"])
@pytest.mark.parametrize("expires_in", [None, 0, 1, "soon", 300])
def test_every_form_of_token_works_without_a_storm(
    open_repository: Open, key: str, expires_in: object
) -> None:
    with serve(key=key, expires_in=expires_in) as fake:
        repository = open_repository(fake)
        for _ in range(5):
            assert fetch_bytes(repository, BLOB) == CONTENT
        assert len(tokens_of(fake).asked) == 1


def test_old_token_is_fetched_anew_before_it_ends(open_repository: Open, clock: StepClock) -> None:
    with serve(expires_in=300) as fake:
        repository = open_repository(fake)
        fetch_bytes(repository, BLOB)
        clock.seconds += 280
        fetch_bytes(repository, BLOB)
        clock.seconds += 15
        fetch_bytes(repository, BLOB)
        assert len(tokens_of(fake).asked) == 2


def test_token_that_expires_between_post_and_put_is_renewed(open_repository: Open) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        tokens = tokens_of(fake)

        def expire(exchange: object) -> object:
            tokens.expire()
            return exchange.serve()  # type: ignore[attr-defined]

        fake.on("PUT", UPLOADS, expire)  # type: ignore[arg-type]
        open_repository(fake, push=True).push(BLOB, BytesSource(CONTENT))
        assert fake.blobs["team/bot", str(BLOB.digest)] == CONTENT
        assert len(fake.requests("POST", UPLOADS)) == 2, "the first met the challenge"
        assert len(tokens.asked) == 2


def test_refused_token_is_fetched_once_more_and_no_more(
    open_repository: Open, clock: StepClock
) -> None:
    with serve() as fake:
        challenge = {"WWW_Authenticate": f'Bearer realm="{fake.url}/token",service="fake"'}
        fake.on("GET", "/blobs/", answers(401, **challenge), times=50)
        with pytest.raises(Denied) as caught:
            fetch_bytes(open_repository(fake), BLOB)
        assert caught.value.exit_code == 5
        assert len(fake.requests("GET", "/blobs/")) == 2
        assert not clock.sleeps


def test_wrong_password_is_told_at_once(open_repository: Open, clock: StepClock) -> None:
    with serve() as fake:
        repository = open_repository(fake, user=("ada", "wrong"))
        with pytest.raises(AuthenticationFailed, match="gives no token") as caught:
            fetch_bytes(repository, BLOB)
        assert f"agent login {fake.host}" in (caught.value.hint or "")
        assert len(tokens_of(fake).asked) == 1
        assert not clock.sleeps


def test_token_without_enough_grants_is_denied(open_repository: Open) -> None:
    with serve(allowed=frozenset({"pull"})) as fake:
        with pytest.raises(Denied):
            open_repository(fake, push=True).push(MANIFEST, BytesSource(MANIFEST_BYTES))
        assert not fake.manifests


def test_demand_of_the_registry_is_added_to_the_scopes(open_repository: Open) -> None:
    with serve() as fake:
        realm = f'Bearer realm="{fake.url}/token",service="fake"'
        demand = f'{realm},scope="repository:team/bot:pull repository:team/base:pull"'
        fake.on("GET", "/blobs/", answers(401, WWW_Authenticate=demand))
        fetch_bytes(open_repository(fake), BLOB)
        assert tokens_of(fake).asked == [["repository:team/base:pull", "repository:team/bot:pull"]]


def test_mount_asks_for_both_repositories(open_repository: Open) -> None:
    with serve() as fake:
        fake.put("team/base", CONTENT)
        repository, source = open_repository(fake, push=True), open_repository(fake, "team/base")
        assert repository.mount(BLOB, source)
        assert tokens_of(fake).asked == [
            ["repository:team/bot:pull,push", "repository:team/base:pull"]
        ]


def test_token_server_that_refuses_the_mount_does_not_stop_the_push(open_repository: Open) -> None:
    with serve() as fake:
        repository, source = open_repository(fake, push=True), open_repository(fake, "team/base")
        fake.on("GET", r"/token.*team%2Fbase", answers(403))
        assert not repository.mount(BLOB, source)
        repository.push(BLOB, BytesSource(CONTENT))
        assert repository.exists(BLOB)


def test_threads_share_one_token(open_repository: Open) -> None:
    with serve() as fake:
        repository = open_repository(fake)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: fetch_bytes(repository, BLOB), range(16)))
        assert found == [CONTENT] * 16
        assert len(tokens_of(fake).asked) == 1


def test_threads_renew_an_expired_token_once(open_repository: Open) -> None:
    with serve() as fake:
        repository = open_repository(fake)
        fetch_bytes(repository, BLOB)
        tokens_of(fake).expire()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: fetch_bytes(repository, BLOB), range(16)))
        assert len(tokens_of(fake).asked) == 2


def test_identity_token_is_traded_by_post(open_repository: Open) -> None:
    with serve() as fake:
        credentials = OneCredential(fake.host, Credential(identity_token="identity"))
        repository = open_repository(fake, user=None, credentials=credentials)
        assert fetch_bytes(repository, BLOB) == CONTENT
        [asked] = fake.requests("POST", "/token")
        assert "identity" not in asked.target
        assert "authorization" not in asked.headers


def test_identity_token_is_not_passed_on_by_a_redirect(open_repository: Open) -> None:
    with serve() as fake, FakeRegistry(address="127.0.0.2") as thief:
        fake.on("POST", "/token", redirects(f"{thief.url}/token", 308))
        credentials = OneCredential(fake.host, Credential(identity_token="identity"))
        with pytest.raises(UnsafeDestination):
            fetch_bytes(open_repository(fake, user=None, credentials=credentials), BLOB)
        assert not thief.seen


def test_registry_token_is_sent_as_it_is(open_repository: Open) -> None:
    with serve() as fake:
        tokens_of(fake).issued["given"] = frozenset({"repository:team/bot:pull"})
        credentials = OneCredential(fake.host, Credential(registry_token="given"))
        repository = open_repository(fake, user=None, credentials=credentials)
        assert fetch_bytes(repository, BLOB) == CONTENT
        assert not tokens_of(fake).asked


def test_token_server_that_is_unwell_is_tried_again(open_repository: Open) -> None:
    with serve() as fake:
        fake.on("GET", "/token", answers(500), drops(), answers(429))
        assert fetch_bytes(open_repository(fake), BLOB) == CONTENT


def test_token_server_that_stays_unwell_is_named(open_repository: Open) -> None:
    with serve() as fake:
        fake.on("GET", "/token", answers(500), times=50)
        with pytest.raises(RegistryUnreachable, match="the token server still answers 500"):
            fetch_bytes(open_repository(fake), BLOB)


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "{}", '{"token":""}', '{"token":"a\\r\\nX: y"}', '{"token":1}']
)
def test_answer_without_a_usable_token_is_an_error(open_repository: Open, body: str) -> None:
    with serve() as fake:
        fake.on("GET", "/token", answers(200, body))
        with pytest.raises(AuthenticationFailed):
            fetch_bytes(open_repository(fake), BLOB)


def test_relative_realm_belongs_to_the_registry(open_repository: Open) -> None:
    with serve(realm="/token") as fake:
        assert fetch_bytes(open_repository(fake), BLOB) == CONTENT


@pytest.mark.parametrize(
    "realm",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://tokens.example.com/token",
        "https://10.0.0.1/token",
        "ftp://127.0.0.1/token",
        "http://user:pw@127.0.0.1/token",
        "https://[fe80::1]/token",
    ],
)
def test_evil_realm_gets_nothing(open_repository: Open, realm: str) -> None:
    with serve(realm=realm) as fake:
        with pytest.raises(UnsafeDestination) as caught:
            fetch_bytes(open_repository(fake), BLOB)
        assert caught.value.exit_code == 5


def test_redirect_of_the_token_server_loses_the_password(open_repository: Open) -> None:
    with serve() as fake, FakeRegistry(address="127.0.0.2") as other:
        fake.on("GET", "/token", redirects(f"{other.url}/token"))
        with pytest.raises(AuthenticationFailed):
            fetch_bytes(open_repository(fake), BLOB)
        [got] = other.seen
        assert "authorization" not in got.headers


def test_registry_that_refuses_without_saying_how_is_asked_at_its_door(
    open_repository: Open,
) -> None:
    with serve() as fake:
        fake.on("GET", "/blobs/", answers(401))
        fake.on("GET", "/v2/$", answers(401, WWW_Authenticate=f'Bearer realm="{fake.url}/token"'))
        assert fetch_bytes(open_repository(fake), BLOB) == CONTENT


@pytest.mark.parametrize(
    "challenges",
    [
        ["BASIC realm=fake"],
        ["Negotiate", 'Basic realm="fake"'],
        ['Negotiate abc==, Basic realm="fake"'],
        ["Basic"],
    ],
)
def test_basic_is_found_in_every_spelling(open_repository: Open, challenges: list[str]) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        fake.challenges = challenges
        fake.put("team/bot", CONTENT)
        assert fetch_bytes(open_repository(fake), BLOB) == CONTENT


def test_bearer_behind_basic_is_preferred(open_repository: Open) -> None:
    with serve() as fake:
        fake.challenges = ['Basic realm="x"', f'bearer realm="{fake.url}/token"']
        assert fetch_bytes(open_repository(fake), BLOB) == CONTENT
        assert tokens_of(fake).asked


def test_unknown_scheme_is_an_error(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        fake.challenges = ['Digest realm="x", nonce="y"']
        with pytest.raises(AuthenticationFailed, match="in no way that this program knows"):
            fetch_bytes(open_repository(fake), BLOB)


def test_basic_is_sent_ahead_after_the_first_challenge(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        open_repository(fake).push(BLOB, BytesSource(CONTENT))
        assert [one.method for one in fake.seen] == ["POST", "POST", "PUT"]


def test_wrong_basic_password_is_sent_once(open_repository: Open, clock: StepClock) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        with pytest.raises(Denied):
            open_repository(fake, user=("ada", "wrong")).push(BLOB, BytesSource(CONTENT))
        assert len([one for one in fake.seen if "authorization" in one.headers]) == 1
        assert not clock.sleeps


def test_missing_password_names_the_login(open_repository: Open) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        with pytest.raises(AuthenticationFailed) as caught:
            fetch_bytes(open_repository(fake, user=None), BLOB)
        assert caught.value.hint == f"agent login {fake.host}"


def test_credentials_stay_with_their_registry(make_client: MakeClient) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry(auth=Basic()) as other:
        fake.put("team/bot", CONTENT)
        client = make_client(credentials=OneCredential(fake.host, Credential("ada", "secret")))
        fetch_bytes(client.repository(Reference(fake.host, "team/bot", "1")), BLOB)
        with pytest.raises(AuthenticationFailed):
            fetch_bytes(client.repository(Reference(other.host, "team/bot", "1")), BLOB)
        assert all("authorization" not in one.headers for one in other.seen)


def test_credential_given_by_hand_is_for_the_first_registry_alone(make_client: MakeClient) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry(auth=Basic("bob", "other")) as other:
        stored = OneCredential(other.host, Credential("bob", "other"))
        client = make_client(credentials=stored, given=Credential("ada", "secret"))
        for registry in (fake, other, fake):
            registry.put("team/bot", CONTENT)
            assert fetch_bytes(client.repository(Reference(registry.host, "team/bot")), BLOB)
        shown = [{one.headers.get("authorization") for one in each.seen} for each in (fake, other)]
        assert shown[0] & shown[1] == {None}


def test_credential_given_by_hand_beats_the_stored_one(make_client: MakeClient) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        fake.put("team/bot", CONTENT)
        stored = OneCredential(fake.host, Credential("ada", "old"))
        client = make_client(credentials=stored, given=Credential("ada", "secret"))
        assert fetch_bytes(client.repository(Reference(fake.host, "team/bot")), BLOB) == CONTENT


def test_plain_http_is_spoken_to_what_references_name(make_client: MakeClient) -> None:
    client = make_client(plain_http=True)
    assert str(client.repository(Reference("lan.example", "x")).origin) == "http://lan.example"
