"""What the config file may say of single registries."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentoci.config.registries import MirrorSettings, RegistrySettings
from agentoci.config.settings import InvalidSettings, read_settings
from agentoci.registry.hosts import HostOptions, MirrorOptions
from agentoci.registry.http.certificates import Certificates, Pair
from agentoci.registry.opening import host_options
from tests.config.test_settings import write

FULL = """
[registries."registry.example:5000"]
ca_file = "/etc/ca.pem"
client_cert = "client.cert"
client_key = "keys/client.key"
insecure = true
headers = {X-Key = "a secret"}
mirrors = ["https://one.example/cache/", {url = "https://two.example:8443", resolve = true}]
max_concurrency = 4

[registries."[fd00::1]:5000"]
"""


def test_tables_are_read(tmp_path: Path) -> None:
    registries = read_settings(write(tmp_path, FULL)).file.registries
    assert registries == {
        "registry.example:5000": RegistrySettings(
            ca_file=Path("/etc/ca.pem"),
            client_cert=tmp_path / "client.cert",
            client_key=tmp_path / "keys/client.key",
            insecure=True,
            headers={"X-Key": "a secret"},
            mirrors=(
                MirrorSettings("https://one.example/cache"),
                MirrorSettings("https://two.example:8443", resolve=True),
            ),
            max_concurrency=4,
        ),
        "[fd00::1]:5000": RegistrySettings(),
    }
    assert "a secret" not in repr(registries)


def test_client_gets_all_of_it(tmp_path: Path) -> None:
    options = host_options(read_settings(write(tmp_path, FULL)).file.registries)
    found = options["registry.example:5000"]
    pair = Pair(tmp_path / "client.cert", tmp_path / "keys/client.key")
    assert found.certificates == Certificates((Path("/etc/ca.pem"),), pair)
    assert found.mirrors == (
        MirrorOptions("https://one.example/cache"),
        MirrorOptions("https://two.example:8443", resolve=True),
    )
    assert (found.headers, found.insecure, found.max_concurrency) == (
        {"X-Key": "a secret"},
        True,
        4,
    )
    assert options["[fd00::1]:5000"] == HostOptions()
    assert "a secret" not in repr(options)


def test_key_may_be_in_the_certificates_file(tmp_path: Path) -> None:
    text = '[registries."a.example"]\nclient_cert = "/both.pem"\n'
    [found] = host_options(read_settings(write(tmp_path, text)).file.registries).values()
    assert found.certificates.pair == Pair(Path("/both.pem"), Path("/both.pem"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("registries = 1", r'registries must be tables: \[registries\."HOST'),
        ('[registries]\n"a.example" = 1', 'registries."a.example" must be a table'),
        ('[registries."https://a"]', "'https://a' is not a registry: write HOST or HOST:PORT"),
        ('[registries."a/team"]', "'a/team' is not a registry"),
        ('[registries."a"]\nca_fil = ""', "unknown key 'ca_fil'; did you mean 'ca_file'"),
        ('[registries."a"]\ncolour = ""', "unknown key 'colour'; known are ca_file, client_cert"),
        ('[registries."a"]\nca_file = 5', "ca_file must be the path of a file"),
        ('[registries."a"]\nclient_key = "x"', "client_key needs the client_cert"),
        ('[registries."a"]\ninsecure = "yes"', "insecure must be true or false"),
        ('[registries."a"]\nmax_concurrency = 0', "max_concurrency must be a number from 1 to"),
        ('[registries."a"]\nmax_concurrency = true', "max_concurrency must be a number from 1 to"),
        ('[registries."a"]\nheaders = ["x"]', "headers must be a table"),
        ('[registries."a"]\nheaders = {"a b" = "x"}', "'a b' is no name of a header"),
        ('[registries."a"]\nheaders = {Authorization = "x"}', "'Authorization' is no name"),
        ('[registries."a"]\nheaders = {X = "a\\nb"}', "the value of 'X' must be one line"),
        ('[registries."a"]\nheaders = {X = 1}', "the value of 'X' must be one line"),
        ('[registries."a"]\nmirrors = "https://m"', "mirrors must be a list"),
        ('[registries."a"]\nmirrors = [1]', "mirrors: write \"https://HOST\" or {url"),
        ('[registries."a"]\nmirrors = ["m.example"]', "'m.example' must be http"),
        ('[registries."a"]\nmirrors = ["https://u:p@m"]', r"must be http\(s\)://HOST"),
        ('[registries."a"]\nmirrors = [{url = "https://m", resolv = true}]', "mean 'resolve'"),
        ('[registries."a"]\nmirrors = [{url = "https://m", resolve = 1}]', "must be true or false"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message) as caught:
        read_settings(write(tmp_path, text))
    assert "agentoci.toml: registries" in caught.value.message


def test_certificates_are_looked_for_where_podman_and_docker_have_them(tmp_path: Path) -> None:
    machine = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))
    home = {"HOME": str(tmp_path)}
    own = tmp_path / ".config" / "containers" / "certs.d"
    assert read_settings(home).certificate_folders == (own, *machine)
    named = read_settings({**home, "XDG_CONFIG_HOME": "/xdg"})
    assert named.certificate_folders == (Path("/xdg/containers/certs.d"), *machine)
