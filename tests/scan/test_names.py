"""Files that hold secrets by their name."""

from __future__ import annotations

import pytest

from agentoci.scan.names import name_finding


@pytest.mark.parametrize(
    "path",
    [
        ".env", "app/.env", ".env.production", ".ENV", ".envrc", ".netrc", "home/_netrc",
        ".ssh/id_rsa", "home/.ssh/deploy", "keys/id_ed25519", "id_rsa", "id_ecdsa_sk",
        ".aws/credentials", ".git-credentials", ".docker/config.json", ".dockercfg",
        ".kube/config", ".pypirc", ".htpasswd", ".pgpass", "certs/site.p12", "store.jks",
        "vault.kdbx", "putty.ppk", "gcloud/application_default_credentials.json",
    ],
)  # fmt: skip
def test_names_that_hold_secrets(path: str) -> None:
    finding = name_finding(path)
    assert finding is not None
    assert (finding.rule, finding.path) == ("secret/file-name", path)
    assert finding.is_secret


@pytest.mark.parametrize(
    "path",
    [
        ".env.example", ".env.sample", "x/.env.template", "env", "environment.md", "my.env",
        ".ssh/id_rsa.pub", ".ssh/known_hosts", "id_rsa.pub", "docs/netrc.md", "aws/credentials.md",
        "config.json", "docker/config.json", "kube/config.yaml", "key.pem", "a.key", "keynote.key",
        "id_rsa.md", ".npmrc",
    ],
)  # fmt: skip
def test_names_that_say_nothing(path: str) -> None:
    assert name_finding(path) is None


def test_each_file_has_an_id_of_its_own() -> None:
    one, other = name_finding("a/.env"), name_finding("b/.env")
    assert one is not None
    assert other is not None
    assert one.id != other.id
