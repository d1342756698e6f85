"""From settings to what a client is given."""

from __future__ import annotations

from pathlib import Path

from agentoci.config.settings import read_settings
from agentoci.registry.hosts import HostOptions, MirrorOptions
from agentoci.registry.opening import options_by

CONFIG = """
insecure_registries = ["plain.example"]
secure_registries = ["localhost:5000"]
ca_file = "/ca.pem"
realm_hosts = ["auth.example"]

[registries."r.example"]
insecure = true
max_concurrency = 3
headers = { X-Team = "a" }
mirrors = [{ url = "https://m.example", resolve = true }]
"""


def test_environment_and_file_decide(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    environment = {
        "HOME": str(tmp_path),
        "AGENTOCI_HOME": str(tmp_path / "home"),
        "AGENTOCI_CONFIG": str(tmp_path / "config.toml"),
        "AGENTOCI_AUTH_R_EXAMPLE": "ada:secret",
        "https_proxy": "proxy.example:3128",
    }
    said: list[str] = []
    options = options_by(read_settings(environment), warn=said.append)
    found = options.credentials.lookup("r.example")
    assert found is not None
    assert (found.username, found.password) == ("ada", "secret")
    assert options.insecure_hosts == {"plain.example"}
    assert options.secure_hosts == {"localhost:5000"}
    assert options.realm_hosts == {"auth.example"}
    assert options.ca_file == Path("/ca.pem")
    assert options.proxies.https == "proxy.example:3128"
    assert options.certificate_folders[0] == tmp_path / ".config" / "containers" / "certs.d"
    assert options.hosts == {
        "r.example": HostOptions(
            insecure=True,
            headers={"X-Team": "a"},
            mirrors=(MirrorOptions("https://m.example", resolve=True),),
            max_concurrency=3,
        )
    }
    assert options.lock_folder == tmp_path / "home" / "cache" / "locks"
    options.memory.learn("r.example", catalog=False)
    assert (tmp_path / "home" / "cache" / "hosts").is_dir()
    assert said == []
