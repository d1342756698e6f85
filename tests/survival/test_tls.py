"""TLS and logins at real registries, as users set them up: by options, files and variables."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import registries
from tests.certificates import Authority, Certificate
from tests.cli.conftest import Agent, MoveHome
from tests.registries import KINDS, PASSWORD, USER, Registry
from tests.registry.fake import FakeRegistry
from tests.registry.faults import answers
from tests.registry.tokenserver import serve_with_tokens

pytestmark = pytest.mark.integration

ME = ("-u", USER, "--password-stdin")


@pytest.fixture
def config(home: Path) -> Callable[[str], None]:
    """Writes the config file."""

    def write(text: str) -> None:
        path = home / "config" / "agentoci" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


Configure = Callable[[str], None]


@contextlib.contextmanager
def serving(
    factory: pytest.TempPathFactory,
    certificate: Certificate,
    *,
    clients: Path | None = None,
    private: bool = False,
) -> Iterator[Registry]:
    """Distribution v3 with this certificate."""
    kind = KINDS["distribution"]
    if kind.program() is None:
        pytest.skip(kind.missing)
    folder = factory.mktemp("tls")
    with registries.serve(
        kind, folder, certificate=certificate, clients=clients, private=private
    ) as registry:
        yield registry


# Whom we trust


def secure(host: str) -> str:
    """A registry on loopback speaks plain http unless the config file says otherwise."""
    return f'secure_registries = ["{host}"]\n'


def trust_by_option(host: str, cert: Path, home: Path, config: Configure) -> list[str]:
    config(secure(host))
    return ["--ca-file", str(cert)]


def trust_by_file(host: str, cert: Path, home: Path, config: Configure) -> list[str]:
    config(f'{secure(host)}ca_file = "{cert}"\n')
    return []


def trust_by_table(host: str, cert: Path, home: Path, config: Configure) -> list[str]:
    config(f'{secure(host)}[registries."{host}"]\nca_file = "{cert}"\n')
    return []


def trust_by_folder(host: str, cert: Path, home: Path, config: Configure) -> list[str]:
    config(secure(host))
    folder = home / "config" / "containers" / "certs.d" / host
    folder.mkdir(parents=True)
    shutil.copy(cert, folder / "ours.crt")
    return []


Trust = Callable[[str, Path, Path, Configure], list[str]]
ways = pytest.mark.parametrize(
    "trust", [trust_by_option, trust_by_file, trust_by_table, trust_by_folder]
)


@ways
def test_own_authority_is_trusted_by_every_verb(
    agent: Agent, talker: str, context: Path, tls_registry: Registry, authority: Authority,
    home: Path, config: Configure, repository: str, move_home: MoveHome, trust: Trust,
) -> None:  # fmt: skip
    name = tls_registry.reference(repository)
    options = trust(tls_registry.host, authority.cert, home, config)
    assert agent("push", "talker:1.0", f"{name}:1.0", *options).out.strip() == talker
    assert agent("tags", name, *options).lines == ["1.0"]
    assert agent("manifest", "head", "--digest", f"{name}:1.0", *options).out.strip() == talker
    assert agent("cp", f"{name}:1.0", f"{name}/copy:1.0", *options).out.strip() == talker
    built = agent("build", "--push", "-t", f"{name}/built:1.0", *options, context)
    assert agent("inspect", f"{name}/built:1.0", "--remote", *options).json["digest"] == talker
    assert built.out.strip() == talker
    move_home("elsewhere")
    assert agent("pull", f"{name}/copy:1.0", *options).out.strip() == talker
    assert "hello there" in agent("run", "--rm", *options, f"{name}/built:1.0").out
    agent("create", *options, f"{name}:1.0")


@ways
def test_stranger_is_not_trusted(
    agent: Agent, talker: str, tls_registry: Registry, tmp_path: Path, home: Path,
    config: Configure, repository: str, trust: Trust,
) -> None:  # fmt: skip
    """fault 45: another authority is trusted than the one of the registry's certificate."""
    stranger = Authority(tmp_path / "stranger")
    options = trust(tls_registry.host, stranger.cert, home, config)
    for command in (["push", "talker:1.0"], ["pull"]):
        refused = agent(*command, tls_registry.reference(f"{repository}:1.0"), *options, code=4)
        assert f"error: {tls_registry.host}: no trusted TLS connection: " in refused.err
        assert "hint: trust an authority of your own by ca_file" in refused.err
        assert refused.out == ""


@pytest.mark.parametrize(
    ("hosts", "days", "reason", "hint"),
    [
        (("DNS:other.example", "IP:127.0.0.9"), 2, "mismatch", "is the name right?"),
        (("IP:127.0.0.1",), -1, "certificate has expired", "has to renew its certificate"),
    ],
)
def test_certificate_that_is_not_good_is_refused(
    agent: Agent, talker: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory,
    home: Path, config: Configure, hosts: tuple[str, ...], days: int, reason: str, hint: str,
) -> None:  # fmt: skip
    certificate = authority.issue(f"bad{days}", hosts=hosts, days=days)
    with serving(tmp_path_factory, certificate) as registry:
        trust_by_file(registry.host, authority.cert, home, config)
        refused = agent("push", "talker:1.0", registry.reference("team/talker:1.0"), code=4)
        assert reason in refused.err
        assert hint in refused.err.partition("hint: ")[2]
        assert agent("tags", registry.reference("team/talker"), code=4).out == ""


# Who we are


@pytest.fixture(scope="module")
def knowing_registry(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """A registry that wants to see a certificate of the authority."""
    certificate = authority.issue("knowing")
    with serving(tmp_path_factory, certificate, clients=authority.cert) as registry:
        yield registry


def show_by_folder(host: str, pair: Certificate, home: Path, config: Configure) -> None:
    config(secure(host))
    folder = home / "config" / "containers" / "certs.d" / host
    folder.mkdir(parents=True)
    for path, name in ((pair.cert, "me.cert"), (pair.key, "me.key")):
        shutil.copy(path, folder / name)


def show_by_table(host: str, pair: Certificate, home: Path, config: Configure) -> None:
    table = f'client_cert = "{pair.cert}"\nclient_key = "{pair.key}"\n'
    config(f'{secure(host)}[registries."{host}"]\n{table}')


Show = Callable[[str, Certificate, Path, Configure], None]


@pytest.mark.parametrize("show", [show_by_folder, show_by_table])
def test_client_certificate_is_shown(
    agent: Agent, talker: str, knowing_registry: Registry, authority: Authority, home: Path,
    config: Configure, repository: str, move_home: MoveHome, show: Show,
) -> None:  # fmt: skip
    show(knowing_registry.host, authority.issue("me", client=True), home, config)
    name, trust = knowing_registry.reference(f"{repository}:1.0"), ("--ca-file", authority.cert)
    assert agent("push", "talker:1.0", name, *trust).out.strip() == talker
    move_home("elsewhere")
    assert agent("pull", name, *trust).out.strip() == talker


@pytest.mark.parametrize("stranger", [False, True])
def test_who_shows_no_good_certificate_is_told(
    agent: Agent, talker: str, knowing_registry: Registry, authority: Authority, home: Path,
    tmp_path: Path, config: Configure, repository: str, stranger: bool,
) -> None:  # fmt: skip
    host = knowing_registry.host
    config(secure(host))
    if stranger:
        show_by_table(host, Authority(tmp_path / "x").issue("me", client=True), home, config)
    name = knowing_registry.reference(f"{repository}:1.0")
    refused = agent("push", "talker:1.0", name, "--ca-file", authority.cert, code=4)
    assert "hint: it may want a client certificate: client_cert and client_key" in refused.err


# Never over plain http


class Listener:
    """Takes connections, keeps the first bytes of each, and hangs up."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    self.heard.append(connection.recv(64))
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_nothing_is_said_in_plain(agent: Agent, talker: str, config: Configure) -> None:
    """fault 45: whatever answers, no request and no password without TLS."""
    with Listener() as listener:
        config(secure(listener.host))
        name = f"{listener.host}/team/talker:1.0"
        for command in (
            ["push", "talker:1.0", name, *ME],
            ["pull", name, *ME],
            ["tags", name[:-4]],
        ):
            refused = agent(*command, stdin=PASSWORD.encode(), code=4)
            assert "no trusted TLS connection" in refused.err
        agent("login", listener.host, *ME, stdin=PASSWORD.encode(), code=4)
        assert listener.heard
        assert {first[:2] for first in listener.heard} == {b"\x16\x03"}, "all began a handshake"


def test_plain_registry_is_no_tls_registry(
    agent: Agent, talker: str, distribution: Registry, repository: str, config: Configure
) -> None:
    config(secure(distribution.host))
    name = distribution.reference(f"{repository}:1.0")
    refused = agent("push", "talker:1.0", name, code=4)
    assert "hint: if it speaks plain http only, list it in insecure_registries" in refused.err
    agent("push", "talker:1.0", name, "--plain-http")


def test_tls_registry_that_was_spoken_to_in_plain_is_named(
    agent: Agent, talker: str, tls_registry: Registry, repository: str
) -> None:
    """On loopback plain http is the rule, so the hint says where to change that."""
    name = tls_registry.reference(f"{repository}:1.0")
    for command in (["push", "talker:1.0", name], ["pull", name], ["tags", name[:-4]]):
        refused = agent(*command, code=4)
        assert "speaks TLS, and was spoken to over plain http" in refused.err
        assert "list it in secure_registries of the config file" in refused.err


def test_nginx_that_was_spoken_to_in_plain_is_named(agent: Agent, talker: str) -> None:
    page = "<html>The plain HTTP request was sent to HTTPS port</html>"
    with FakeRegistry() as fake:
        fake.on("*", "", answers(400, page, Content_Type="text/html"), times=99)
        refused = agent("push", "talker:1.0", f"{fake.host}/a:1.0", code=4)
        assert "speaks TLS" in refused.err


# Logins


@pytest.fixture(scope="module", params=["password", "tokens", "password over tls"])
def locked_registry(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """A registry for `registries.USER` alone."""
    if request.param == "password":
        yield request.getfixturevalue("private_registry")
    elif request.param == "tokens":
        if KINDS["distribution"].program() is None:
            pytest.skip(KINDS["distribution"].missing)
        folder = tmp_path_factory.mktemp("locked")
        with serve_with_tokens("distribution", folder, authority) as (registry, _):
            yield registry
    else:
        with serving(tmp_path_factory, authority.issue("locked"), private=True) as registry:
            yield Registry("tls", registry.host)


@pytest.fixture
def locked(
    locked_registry: Registry, authority: Authority, home: Path, config: Configure, repository: str
) -> str:
    """A new image's name there."""
    if locked_registry.kind == "tls":
        trust_by_file(locked_registry.host, authority.cert, home, config)
    return locked_registry.reference(f"{repository}:1.0")


def auth_file(host: str) -> str:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": pair}}})


def login_by_docker_config(host: str, home: Path) -> dict[str, str]:
    (home / "docker").mkdir()
    (home / "docker" / "config.json").write_text(auth_file(host))
    return {"DOCKER_CONFIG": str(home / "docker")}


def login_by_auth_file(host: str, home: Path) -> dict[str, str]:
    (home / "auth.json").write_text(auth_file(f"{host}/tests"))
    return {"REGISTRY_AUTH_FILE": str(home / "auth.json")}


def login_of_podman(host: str, home: Path) -> dict[str, str]:
    folder = home / "runtime" / "containers"
    folder.mkdir(parents=True)
    (folder / "auth.json").write_text(auth_file(host))
    return {}


def login_by_own_variable(host: str, home: Path) -> dict[str, str]:
    del home
    variable = "AGENTOCI_AUTH_" + host.replace(".", "_").replace(":", "_")
    return {variable: f"{USER}:{PASSWORD}"}


def login_by_three_variables(host: str, home: Path) -> dict[str, str]:
    del home
    names = ("AGENTOCI_REGISTRY", "AGENTOCI_USERNAME", "AGENTOCI_PASSWORD")
    return dict(zip(names, (host, USER, PASSWORD), strict=True))


def login_of_gitlab(host: str, home: Path) -> dict[str, str]:
    del home
    names = ("CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD")
    return dict(zip(names, (host, USER, PASSWORD), strict=True))


@pytest.mark.parametrize(
    "log_in",
    [
        login_by_docker_config,
        login_by_auth_file,
        login_of_podman,
        login_by_own_variable,
        login_by_three_variables,
        login_of_gitlab,
    ],
)
def test_login_is_found_wherever_it_is(
    agent: Agent, talker: str, locked: str, home: Path, monkeypatch: pytest.MonkeyPatch,
    move_home: MoveHome, log_in: Callable[[str, Path], dict[str, str]],
) -> None:  # fmt: skip
    assert agent("push", "talker:1.0", locked, code=5).out == ""
    for name, value in log_in(locked.partition("/")[0], home).items():
        monkeypatch.setenv(name, value)
    assert agent("push", "talker:1.0", locked).out.strip() == talker
    move_home("elsewhere")
    assert agent("pull", locked).out.strip() == talker
    assert agent("tags", locked.removesuffix(":1.0")).lines == ["1.0"]


def test_login_and_logout(agent: Agent, talker: str, locked: str) -> None:
    host = locked.partition("/")[0]
    refused = agent("push", "talker:1.0", locked, code=5)
    assert f"agent login {host}" in refused.err.partition("hint: ")[2]
    assert agent("login", host, *ME, stdin=b"wrong\n", code=5).out == ""
    agent("push", "talker:1.0", locked, code=5)
    agent("login", host, *ME, stdin=PASSWORD.encode())
    assert agent("push", "talker:1.0", locked).out.strip() == talker
    assert agent("inspect", "--remote", locked).json["digest"] == talker
    agent("logout", host)
    assert agent("tags", locked.removesuffix(":1.0"), code=5).out == ""
    once = agent("tags", locked.removesuffix(":1.0"), *ME, stdin=PASSWORD.encode())
    assert once.lines == ["1.0"]
