"""From the config file to a registry that is spoken to as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentoci.api.engine import Engine
from agentoci.config.settings import read_settings
from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.registry.errors import UntrustedCertificate
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.reference import Reference
from tests.certificates import Authority
from tests.registries import Registry
from tests.registry.fake import FakeRegistry

CONTENT = b"settled in a file" * 10
BLOB = Descriptor.of("application/octet-stream", CONTENT)


def open_engine(folder: Path, text: str) -> Engine:
    config = folder / "agentoci.toml"
    config.write_text(text)
    home = folder / "home"
    return Engine(read_settings({"HOME": str(home), "AGENTOCI_CONFIG": str(config)}))


@pytest.mark.integration
def test_authority_of_a_table_is_trusted(
    tls_registry: Registry, authority: Authority, tmp_path: Path, repository: str
) -> None:
    host = tls_registry.host
    secure = f'secure_registries = ["{host}"]\n'
    reference = Reference(host, repository, "latest")
    with (
        open_engine(tmp_path, secure) as engine,
        pytest.raises(UntrustedCertificate, match="local issuer"),
    ):
        engine.client.repository(reference).exists(BLOB)
    table = f'{secure}[registries."{host}"]\nca_file = "{authority.cert}"\n'
    with open_engine(tmp_path, table) as engine:
        target = engine.client.repository(reference, push=True)
        target.push(BLOB, BytesSource(CONTENT))
        assert fetch_bytes(target, BLOB) == CONTENT


@pytest.mark.integration
def test_folder_of_certificates_is_found(
    tls_registry: Registry, authority: Authority, tmp_path: Path, repository: str
) -> None:
    folder = tmp_path / "home" / ".config" / "containers" / "certs.d" / tls_registry.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority.cert.read_bytes())
    with open_engine(tmp_path, f'secure_registries = ["{tls_registry.host}"]') as engine:
        reference = Reference(tls_registry.host, repository, "latest")
        assert not engine.client.repository(reference).exists(BLOB)


def test_headers_and_mirrors_of_a_table_are_used(tmp_path: Path) -> None:
    with FakeRegistry() as fake, FakeRegistry() as mirror:
        mirror.put("team/bot", CONTENT)
        text = f"""
        [registries."{fake.host}"]
        headers = {{X-Key = "private"}}
        mirrors = ["{mirror.url}"]
        """
        with open_engine(tmp_path, text) as engine:
            found = engine.client.repository(Reference(fake.host, "team/bot", "latest"))
            assert fetch_bytes(found, BLOB) == CONTENT
            assert not found.exists(BLOB)
        assert [one.headers.get("x-key") for one in mirror.seen] == [None]
        assert [one.headers.get("x-key") for one in fake.seen] == ["private"]
