"""Who oras-py's API shows to whom: its faults of logins, tokens and hosts, turned into rules."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
from pathlib import Path

import oras.container
import oras.oci
import pytest

from agentoci.errors import Denied
from agentoci.registry import OrasRegistry
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.errors import (
    AuthenticationFailed,
    RegistryUnreachable,
)
from agentoci.registry.http.retry import RetryPolicy
from agentoci.registry.oras.access import HeaderNotYours
from tests.registry.conftest import MakeOras, StepClock
from tests.registry.fake import Basic, FakeRegistry, Tokens
from tests.registry.faults import adds, answers, changes
from tests.registry.test_credentials import add_helper

ADA = ("ada", "secret")
CONFIG = b"{}"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file to push."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("hello")
    monkeypatch.chdir(folder)
    return folder


def secrets_in(fake: FakeRegistry) -> set[str]:
    """What came in Authorization headers."""
    return {seen.headers.get("authorization", "") for seen in fake.seen} - {""}


# Tokens


def test_push_of_something_new_takes_one_token(make_oras: MakeOras) -> None:
    """Defect A: oras-py asks for leave to pull, and goes on with that."""
    with FakeRegistry(auth=Tokens()) as fake:
        registry = make_oras(fake.host, user=ADA)
        assert registry.push(f"{fake.host}/a/one:1", files=["a.txt"]).status_code == 201
        assert isinstance(fake.auth, Tokens)
        assert fake.auth.asked == [["repository:a/one:pull,push"]]


def test_each_repository_has_its_token(make_oras: MakeOras) -> None:
    """Defects A3 and A4."""
    with FakeRegistry(auth=Tokens()) as fake:
        registry = make_oras(fake.host, user=ADA)
        for name in ("a/one", "b/two"):
            fake.put_manifest(name, "1", *index())
            assert registry.get_manifest(f"{fake.host}/{name}:1")
        registry.push(f"{fake.host}/a/one:2", files=["a.txt"])
        assert isinstance(fake.auth, Tokens)
        assert fake.auth.asked == [
            ["repository:a/one:pull"], ["repository:b/two:pull"], ["repository:a/one:pull,push"],
        ]  # fmt: skip


def index() -> tuple[str, bytes]:
    kind = "application/vnd.oci.image.index.v1+json"
    return kind, json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": []}).encode()


def test_push_of_what_is_there_stores_the_manifest(make_oras: MakeOras) -> None:
    """Defect A7."""
    with FakeRegistry(auth=Tokens()) as fake:
        make_oras(fake.host, user=ADA).push(f"{fake.host}/a/one:1", files=["a.txt"])
        make_oras(fake.host, user=ADA).push(f"{fake.host}/a/one:2", files=["a.txt"])
        assert fake.tags("a/one") == ["1", "2"]
        assert len(fake.requests("PUT", "/blobs/")) == 2, "file and config, once"


def test_expired_token_is_renewed(make_oras: MakeOras) -> None:
    """Defect A8."""
    with FakeRegistry(auth=Tokens()) as fake:
        registry = make_oras(fake.host, user=ADA)
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        assert isinstance(fake.auth, Tokens)
        fake.auth.expire()
        assert registry.get_tags(f"{fake.host}/a/one") == ["1"]


@pytest.mark.parametrize("auth", [Tokens(), Basic()], ids=["tokens", "basic"])
def test_wrong_password_is_refused_without_waiting(
    make_oras: MakeOras, clock: StepClock, auth: Tokens | Basic
) -> None:
    """Defect A5: six tries and 131 seconds."""
    with FakeRegistry(auth=auth) as fake:
        registry = make_oras(fake.host, user=("ada", "wrong"))
        with pytest.raises(AuthenticationFailed):
            registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        assert clock.sleeps == []
        assert len(fake.seen) <= 4


def test_identity_token_is_traded(make_oras: MakeOras) -> None:
    """oras-py sends the dummy password that stands beside it."""
    with FakeRegistry(auth=Tokens()) as fake:
        credential = Credential(identity_token="identity")
        registry = make_oras(fake.host, credentials=OneCredential(fake.host, credential))
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        assert [seen.path for seen in fake.requests("POST", "/token")] == ["/token"]


def test_token_by_hand_is_sent_as_it_is(make_oras: MakeOras) -> None:
    with FakeRegistry(auth=Tokens()) as fake:
        assert isinstance(fake.auth, Tokens)
        fake.auth.issued["mine"] = frozenset({"repository:a/one:pull", "repository:a/one:push"})
        registry = make_oras(fake.host)
        registry.auth.set_token_auth("mine")
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        assert secrets_in(fake) == {"Bearer mine"}
        assert registry.auth.get_auth_header() == {}


# Passwords


def test_password_registry_needs_no_other_backend(make_oras: MakeOras, clock: StepClock) -> None:
    """Defects B1 and B4: a realm that is no address, and nobody to show."""
    with FakeRegistry(auth=Basic(challenge='Basic realm="basic-realm"')) as fake:
        for backend in ("token", "basic", "ecr"):
            registry = make_oras(fake.host, user=ADA, auth_backend=backend)
            registry.push(f"{fake.host}/a/{backend}:1", files=["a.txt"])
            with pytest.raises(AuthenticationFailed, match="wants a user name and a password"):
                make_oras(fake.host, auth_backend=backend).pull(f"{fake.host}/a/{backend}:1")
        assert clock.sleeps == []


def test_bodies_are_sent_once(make_oras: MakeOras, work: Path) -> None:
    """Defect B2."""
    (work / "big.bin").write_bytes(bytes(1_000_000))
    with FakeRegistry(auth=Basic()) as fake:
        make_oras(fake.host, user=ADA).push(f"{fake.host}/a/one:1", files=["big.bin"])
        assert 1_000_000 < fake.received < 1_002_000


# Lines


def test_who_is_not_there_is_given_up_soon(make_oras: MakeOras, clock: StepClock) -> None:
    """Defect C1: 131 seconds."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        host = f"127.0.0.1:{nobody.getsockname()[1]}"
    registry = make_oras(host, retry=RetryPolicy(tries=3))
    with pytest.raises(RegistryUnreachable):
        registry.get_tags(f"{host}/a/one")
    assert len(clock.sleeps) == 2
    assert sum(clock.sleeps) < 2


def test_what_a_signal_raises_is_not_swallowed(make_oras: MakeOras, clock: StepClock) -> None:
    class Enough(Exception):
        pass

    def stop(*_: object) -> None:
        raise Enough

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with FakeRegistry() as fake:
            fake.on("GET", "/tags/", changes(lambda _: os.kill(os.getpid(), signal.SIGUSR1)))
            with pytest.raises(Enough):
                make_oras(fake.host).get_tags(f"{fake.host}/a/one")
            assert len(fake.seen) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert clock.sleeps == []


# From one host to another


def test_token_of_one_registry_is_not_shown_to_another(make_oras: MakeOras) -> None:
    """Defect L1."""
    with FakeRegistry(auth=Tokens()) as home, FakeRegistry(auth=Tokens()) as other:
        registry = make_oras(home.host, user=ADA)
        registry.push(f"{home.host}/a/one:1", files=["a.txt"])
        with pytest.raises(Denied):
            registry.push(f"{other.host}/a/one:1", files=["a.txt"])
        assert isinstance(other.auth, Tokens)
        own = {f"Bearer {token}" for token in other.auth.issued}
        assert secrets_in(other) <= own


@pytest.mark.parametrize("named", [True, False], ids=["hostname", "first"])
def test_password_is_for_one_registry(make_oras: MakeOras, named: bool) -> None:
    """Defect L2: the user's words go where another registry's realm points."""
    with FakeRegistry(auth=Tokens()) as home, FakeRegistry(auth=Tokens()) as other:
        registry = make_oras(home.host if named else None)
        registry.auth.set_basic_auth(*ADA)
        registry.push(f"{home.host}/a/one:1", files=["a.txt"])
        with pytest.raises(Denied):
            registry.push(f"{other.host}/a/one:1", files=["a.txt"])
        assert not any(secret.startswith("Basic") for secret in secrets_in(other))
        assert registry.get_tags(f"{home.host}/a/one") == ["1"]


def test_password_that_is_not_bound_yet_waits_for_the_user(make_oras: MakeOras) -> None:
    """An address that a server gave is none that the user named."""
    with FakeRegistry() as home, FakeRegistry(auth=Basic()) as other:
        registry = make_oras()
        registry.push(f"{home.host}/a/one:1", files=["a.txt"])
        registry.auth.set_basic_auth(*ADA)
        with pytest.raises(AuthenticationFailed):
            registry.do_request(f"{other.url}/v2/a/one/tags/list")
        assert not secrets_in(other)
        registry.auth.set_basic_auth(*ADA)
        registry.push(f"{other.host}/a/one:1", files=["a.txt"])


def test_options_login_is_for_one_registry(make_oras: MakeOras) -> None:
    with FakeRegistry(auth=Basic()) as home, FakeRegistry(auth=Basic()) as other:
        registry = make_oras(given=Credential(*ADA))
        registry.push(f"{home.host}/a/one:1", files=["a.txt"])
        with pytest.raises(AuthenticationFailed):
            registry.push(f"{other.host}/a/one:1", files=["a.txt"])
        assert not secrets_in(other)


def test_realm_of_another_registry_gets_no_password(make_oras: MakeOras) -> None:
    """Defect L2 once more, with a realm of the attacker's choice."""
    with FakeRegistry(auth=Tokens()) as realm, FakeRegistry() as home:
        with FakeRegistry(auth=Tokens(realm=f"{realm.url}/token")) as other:
            registry = make_oras(home.host, user=ADA)
            registry.auth.set_basic_auth(*ADA)
            registry.push(f"{home.host}/a/one:1", files=["a.txt"])
            with pytest.raises(Denied):
                registry.push(f"{other.host}/a/one:1", files=["a.txt"])
        assert realm.requests("GET", "/token")
        assert not secrets_in(realm)


@pytest.mark.parametrize("chunked", [False, True])
def test_upload_elsewhere_goes_without_the_user(make_oras: MakeOras, chunked: bool) -> None:
    """Defect L3; the query is sent as it was spelled, blank parameters too."""
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry() as storage:
        location = f"{storage.url}/v2/a/one/blobs/uploads/x?sig=a%2Fb&empty=&x"
        fake.on("POST", "/blobs/uploads/", adds(Location=location), times=2)  # a 401 comes first
        registry = make_oras(fake.host, user=ADA)
        registry.set_header("X-Mine", "secret")
        container = registry.get_container(f"{fake.host}/a/one:1")
        layer = oras.oci.NewLayer("a.txt")
        upload = registry.chunked_upload if chunked else registry.put_upload
        storage.on("PATCH", "sig", answers(202))
        storage.on("PUT", "sig", answers(201))
        assert upload("a.txt", container, layer).status_code == 201
        assert [seen.method for seen in storage.seen] == ["PATCH", "PUT"][not chunked :]
        assert not secrets_in(storage)
        assert all("x-mine" not in seen.headers for seen in storage.seen)
        assert all("?sig=a%2Fb&empty=&x" in seen.target for seen in storage.seen)
        assert any(seen.headers.get("x-mine") == "secret" for seen in fake.seen)


def test_netrc_is_not_read(make_oras: MakeOras, home: Path) -> None:
    """Defect L4."""
    with FakeRegistry(auth=Tokens()) as fake:
        (home / ".netrc").write_text("machine 127.0.0.1 login eve password evil\n")
        make_oras(fake.host, user=ADA).push(f"{fake.host}/a/one:1", files=["a.txt"])
        words = base64.b64encode(b"eve:evil").decode()
        assert f"Basic {words}" not in secrets_in(fake)


def test_headers_go_to_the_first_registry_only(make_oras: MakeOras) -> None:
    with FakeRegistry() as home, FakeRegistry() as other:
        registry = make_oras()
        registry.set_header("X-Mine", "secret")
        for fake in (home, other):
            registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
            registry.get_blob(f"{fake.host}/a/one", fake_blob(fake))
            registry.do_request(f"{fake.url}/v2/", headers=registry.headers)
        assert all(seen.headers["x-mine"] == "secret" for seen in home.seen)
        assert not any("x-mine" in seen.headers for seen in other.seen)
        registry.headers["X-More"] = "later"
        registry.get_tags(f"{home.host}/a/one")
        assert home.seen[-1].headers["x-more"] == "later"


def fake_blob(fake: FakeRegistry) -> str:
    return next(digest for _, digest in fake.blobs)


@pytest.mark.parametrize("name", ["Authorization", "cookie", "Content-Type", "Range"])
def test_some_headers_are_the_clients_own(make_oras: MakeOras, name: str) -> None:
    with FakeRegistry() as fake:
        registry = make_oras(fake.host)
        with pytest.raises(HeaderNotYours, match=name):
            registry.set_header(name, "x")
        registry.headers[name] = "x"
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        assert "x" not in {seen.headers.get(name.lower()) for seen in fake.seen}


def test_page_on_another_host_is_not_followed(make_oras: MakeOras) -> None:
    with FakeRegistry(auth=Basic()) as fake, FakeRegistry() as other:
        fake.put_manifest("a/one", "1", *index())
        fake.on("GET", "/tags/", adds(Link=f'<{other.url}/v2/a/one/tags/list?n=1>; rel="next"'))
        make_oras(fake.host, user=ADA).get_tags(f"{fake.host}/a/one")
        assert not other.seen


# Where logins are kept


def config(path: Path, **document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def entry(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("variable", ["DOCKER_CONFIG", "REGISTRY_AUTH_FILE"])
@pytest.mark.parametrize("key", ["{}", "https://{}", "https://{}/v1/"])
def test_files_of_docker_and_podman_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, key: str
) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        file = config(tmp_path / "auth" / "config.json", auths={key.format(fake.host): entry(*ADA)})
        monkeypatch.setenv(variable, str(file.parent if variable == "DOCKER_CONFIG" else file))
        with OrasRegistry(insecure=True) as registry:
            registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        assert ("a/one", "1") in fake.manifests


def test_docker_hub_is_known_by_all_its_names(home: Path) -> None:
    config(home / ".docker" / "config.json", auths={"https://index.docker.io/v1/": entry(*ADA)})
    with OrasRegistry() as registry:
        assert str(registry.get_container("alpine")) == "docker.io/alpine:latest"
        for name in ("docker.io", "index.docker.io", "registry-1.docker.io"):
            found = registry.auth.lookup(name, "library/alpine")
            assert found is not None
            assert found.username == "ada"
        assert registry.auth.lookup("z.io") is None


def test_helpers_are_asked(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = json.dumps({"Username": "ada", "Secret": "secret"})
    add_helper(tmp_path, "fake", f"#!/bin/sh\necho '{answer}'\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    config(home / ".docker" / "config.json", credsStore="fake")
    with FakeRegistry(auth=Basic()) as fake, OrasRegistry(insecure=True) as registry:
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        assert ("a/one", "1") in fake.manifests


def test_named_file_comes_before_the_usual_ones(
    tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """oras-py reads them in the order of a set."""
    with FakeRegistry(auth=Basic()) as fake:
        config(home / ".docker" / "config.json", auths={fake.host: entry("ada", "old")})
        mine = config(tmp_path / "mine.json", auths={fake.host: entry(*ADA)})
        with OrasRegistry(insecure=True) as registry:
            target = f"{fake.host}/a/one:1"
            with pytest.raises(AuthenticationFailed):
                registry.push(target, files=["a.txt"], config_path=str(tmp_path / "none.json"))
            assert "none.json does not exist" in caplog.text
            registry.push(target, files=["a.txt"], config_path=str(mine))


def test_login_keeps_what_is_in_the_file(home: Path) -> None:
    with FakeRegistry(auth=Basic()) as fake, OrasRegistry(fake.host, insecure=True) as registry:
        file = config(home / ".docker" / "config.json", detachKeys="ctrl-x")  # no auths
        registry.login(*ADA)
        document = json.loads(file.read_text())
        assert document == {"detachKeys": "ctrl-x", "auths": {fake.host: entry(*ADA)}}
        assert file.stat().st_mode & 0o777 == 0o600


def test_login_reads_the_password_without_echo(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    with FakeRegistry(auth=Basic()) as fake, OrasRegistry(fake.host, insecure=True) as registry:
        monkeypatch.setattr("sys.stdin", io.StringIO("secret\nmore\n"))
        assert registry.login("ada", "", password_stdin=True)["Status"] == "Login Succeeded"
        monkeypatch.setattr("getpass.getpass", {"Password: ": "secret"}.__getitem__)
        assert registry.login("ada", "")["Status"] == "Login Succeeded"
        monkeypatch.setattr("getpass.getpass", lambda prompt: "")
        with pytest.raises(ValueError, match="password required"):
            registry.login("ada", "")
        monkeypatch.setattr("builtins.input", lambda prompt: "")
        with pytest.raises(ValueError, match="username required"):
            registry.login("", "secret")


def test_logout_forgets_what_login_kept(home: Path) -> None:
    with FakeRegistry(auth=Basic()) as fake, OrasRegistry(fake.host, insecure=True) as registry:
        file = config(home / ".docker" / "config.json", auths={"other": entry("b", "c")})
        registry.login(*ADA)
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        registry.logout(fake.host)
        assert json.loads(file.read_text()) == {"auths": {"other": entry("b", "c")}}
        with pytest.raises(AuthenticationFailed):
            registry.get_tags(f"{fake.host}/a/one")


def test_logout_leaves_others_logins_in_their_files(home: Path) -> None:
    with FakeRegistry(auth=Basic()) as fake, OrasRegistry(insecure=True) as registry:
        file = config(home / ".docker" / "config.json", auths={fake.host: entry(*ADA)})
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        before = file.read_bytes()
        registry.logout(fake.host)
        with pytest.raises(AuthenticationFailed):
            registry.get_tags(f"{fake.host}/a/one")
        assert file.read_bytes() == before
        registry.auth.set_basic_auth(*ADA)
        assert registry.get_tags(f"{fake.host}/a/one") == ["1"]


def test_broken_helper_is_not_asked_for_what_is_given(make_oras: MakeOras) -> None:
    with FakeRegistry(auth=Basic()) as fake:
        registry = make_oras(fake.host)
        registry.auth.set_basic_auth("ada", "wrong")
        with pytest.raises(AuthenticationFailed):
            registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
        registry.auth.set_basic_auth(*ADA)
        registry.push(f"{fake.host}/a/one:1", files=["a.txt"])
