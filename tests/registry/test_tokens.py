"""Token servers: how tokens are asked for, and what comes with them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pytest

from agentoci.content.reader import fetch_bytes
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.errors import (
    AuthenticationFailed,
    RegistryFailing,
    RegistryTimeout,
    RegistryUnreachable,
)
from agentoci.registry.http.transport import Timeouts
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.registry.access import Tokens
from tests.registry.conftest import MakeClient, Open, StepClock
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Reply, Seen, answers, hangs_up_at_once, waits

CONTENT = b"y" * 1000
BLOB = Descriptor.of("application/octet-stream", CONTENT)


@dataclass
class OAuth(Tokens):
    """A token server that keeps to OAuth2: takes these grants, and gives refresh tokens."""

    get: int = 200
    hands_out: bool = False
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    refresh: set[str] = field(default_factory=set)

    def answer(self, seen: Seen, body: bytes) -> Reply:
        form = parse_qs(body.decode())
        if not form and self.get != 200:
            return Reply(self.get)
        self.forms.append(form)
        if form and self._trusts(form):  # the parent knows identity tokens only
            body = f"refresh_token={self.identity_token}&scope={form['scope'][0]}".encode()
        reply = super().answer(seen, body)
        if reply.status == 200 and self.hands_out:
            value = f"refresh-{len(self.refresh)}"
            self.refresh.add(value)
            reply.body = json.dumps(json.loads(reply.body) | {"refresh_token": value}).encode()
        return reply

    def _trusts(self, form: dict[str, list[str]]) -> bool:
        if form["grant_type"] == ["password"]:
            return [form["username"], form["password"]] == [[self.username], [self.password]]
        return form["refresh_token"][0] in self.refresh


def serve(**options: object) -> FakeRegistry:
    fake = FakeRegistry(auth=OAuth(**options))  # type: ignore[arg-type]
    for name in ("team/bot", "team/two", "team/three"):
        fake.put(name, CONTENT)
    return fake


def forms_of(fake: FakeRegistry) -> list[dict[str, list[str]]]:
    assert isinstance(fake.auth, OAuth)
    return fake.auth.forms


def each_repository(make_client: MakeClient, fake: FakeRegistry) -> list[Repository]:
    client = make_client(credentials=OneCredential(fake.host, Credential("ada", "secret")))
    names = ("team/bot", "team/two", "team/three")
    return [client.repository(Reference(fake.host, name, "1")) for name in names]


@pytest.mark.parametrize("status", [404, 405])
def test_password_is_posted_where_no_get_is_known(make_client: MakeClient, status: int) -> None:
    with serve(get=status, anonymous=frozenset()) as fake:
        for repository in each_repository(make_client, fake):
            assert fetch_bytes(repository, BLOB) == CONTENT
        assert len(fake.requests("GET", "/token")) == 1, "asked once"
        form = forms_of(fake)[0]
        assert form["grant_type"] == ["password"]
        assert form["service"] == ["fake"]
        assert form["scope"] == ["repository:team/bot:pull"]
        assert not any("secret" in one.target for one in fake.seen)


def test_no_password_is_posted_without_one(open_repository: Open) -> None:
    with serve(get=405) as fake:
        with pytest.raises(AuthenticationFailed, match="gives no token"):
            fetch_bytes(open_repository(fake, user=None), BLOB)
        assert not fake.requests("POST", "/token")


def test_refresh_token_is_traded_for_the_next_scope(make_client: MakeClient) -> None:
    with serve(hands_out=True, anonymous=frozenset()) as fake:
        for repository in each_repository(make_client, fake):
            assert fetch_bytes(repository, BLOB) == CONTENT
        first, second, third = forms_of(fake)
        assert first == {}
        assert second["refresh_token"] == ["refresh-0"]
        assert second["scope"] == ["repository:team/two:pull"]
        assert third["refresh_token"] == ["refresh-1"], "the newest one"
        with_password = [one for one in fake.requests("GET", "/token") if one.headers]
        assert len(with_password) == 1


def test_refused_refresh_token_is_forgotten(make_client: MakeClient) -> None:
    with serve(hands_out=True) as fake:
        one, two, three = each_repository(make_client, fake)
        fetch_bytes(one, BLOB)
        fake.on("POST", "/token", answers(400, '{"error":"invalid_grant"}'))
        assert fetch_bytes(two, BLOB) == CONTENT
        assert len(fake.requests("GET", "/token")) == 2
        assert fetch_bytes(three, BLOB) == CONTENT


@pytest.mark.parametrize("status", [404, 405])
def test_identity_token_falls_back_to_the_password(open_repository: Open, status: int) -> None:
    with serve() as fake:
        fake.on("POST", "/token", answers(status))
        both = OneCredential(fake.host, Credential("ada", "secret", "identity"))
        repository = open_repository(fake, user=None, credentials=both)
        assert fetch_bytes(repository, BLOB) == CONTENT
        assert [one.method for one in fake.requests("", "/token")] == ["POST", "GET"]


def test_refused_identity_token_is_no_reason_to_send_the_password(open_repository: Open) -> None:
    with serve() as fake:
        both = OneCredential(fake.host, Credential("ada", "secret", "expired"))
        with pytest.raises(AuthenticationFailed):
            fetch_bytes(open_repository(fake, user=None, credentials=both), BLOB)
        assert not fake.requests("GET", "/token")


def test_opaque_token_is_sent_as_it_came(open_repository: Open) -> None:
    opaque = "v1.not-a-jwt.~/+=:!"
    with serve() as fake:
        assert isinstance(fake.auth, OAuth)
        fake.auth.issued[opaque] = frozenset({"repository:team/bot:pull"})
        fake.on("GET", "/token", answers(200, json.dumps({"token": opaque})))
        assert fetch_bytes(open_repository(fake), BLOB) == CONTENT


@pytest.mark.parametrize("expires_in", [None, 0, 1, -5, "300", 59.9, True])
def test_short_or_absent_life_counts_as_a_minute(
    open_repository: Open, clock: StepClock, expires_in: object
) -> None:
    with serve(expires_in=expires_in) as fake:
        repository = open_repository(fake)
        fetch_bytes(repository, BLOB)
        clock.seconds += 49
        fetch_bytes(repository, BLOB)
        assert len(forms_of(fake)) == 1
        clock.seconds += 2
        fetch_bytes(repository, BLOB)
        assert len(forms_of(fake)) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_unwell_token_server_is_asked_no_more_than_the_policy_says(
    open_repository: Open, status: int
) -> None:
    with serve() as fake:
        fake.on("GET", "/token", answers(status), times=50)
        with pytest.raises(RegistryFailing, match="the token server still answers") as caught:
            fetch_bytes(open_repository(fake), BLOB)
        assert len(fake.requests("GET", "/token")) == 5
        assert caught.value.exit_code == 4


def test_token_server_that_hangs_up_is_named(open_repository: Open) -> None:
    with serve() as fake:
        fake.on("GET", "/token", hangs_up_at_once(), times=50)
        with pytest.raises(RegistryUnreachable, match=f"the token server of {fake.host}"):
            fetch_bytes(open_repository(fake), BLOB)
        assert len(fake.requests("GET", "/token")) <= 10, "each may be sent twice on old lines"


def test_token_server_that_says_nothing_is_named(open_repository: Open) -> None:
    end = threading.Event()
    with serve() as fake:
        fake.on("GET", "/token", waits(end), times=50)
        repository = open_repository(fake, timeouts=Timeouts(read=0.1))
        try:
            with pytest.raises(RegistryTimeout, match="the token server of"):
                fetch_bytes(repository, BLOB)
        finally:
            end.set()
        assert len(fake.requests("GET", "/token")) == 5
