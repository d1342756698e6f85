"""What `agent cp` writes is read by others, and the other way round; signatures stay attached."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import RunAgent
from tests.interop.conftest import GREETING, NAME, Built, RunPeer, peer_called
from tests.interop.content import digest_of, layer_digests, manifest_at, named
from tests.peers import Image, Oras, Peer
from tests.registries import Registry, find_tool

pytestmark = [pytest.mark.integration, pytest.mark.interop]

SKOPEO = ["skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests"]


def copied(run_agent: RunAgent, *arguments: str | Path) -> str:
    done = run_agent("cp", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def source(built: Built, distribution: Registry, repository: str) -> str:
    """The image in a registry."""
    reference = distribution.reference(f"{repository}:1")
    built.agent("push", NAME, reference)
    return reference


def test_a_peer_reads_the_layout_of_a_copy(
    built: Built,
    source: str,
    distribution: Registry,
    peer: Peer,
    run_peer: RunPeer,
    run_agent: RunAgent,
    repository: str,
    tmp_path: Path,
):
    layout = tmp_path / "layout"
    assert copied(run_agent, source, f"oci:{layout}:{NAME}") == built.digest
    target = distribution.reference(f"{repository}/there:1")
    run_peer(peer.push(Image(layout, NAME, built.digest), target))
    assert digest_of(manifest_at(target)) == built.digest


def test_skopeo_reads_the_archive_of_a_copy(
    built: Built, source: str, run_peer: RunPeer, run_agent: RunAgent, tmp_path: Path
):
    peer_called("skopeo")
    archive, layout = tmp_path / "bot.tar", tmp_path / "layout"
    copied(run_agent, source, f"oci-archive:{archive}:{NAME}")
    run_peer([*SKOPEO, f"oci-archive:{archive}:{NAME}", f"oci:{layout}:{NAME}"])
    assert named(layout) == {NAME: built.digest}
    assert layer_digests(layout, built.digest) == layer_digests(built.store, built.digest)


def test_oras_and_regctl_read_the_archive_of_a_copy(
    built: Built,
    source: str,
    distribution: Registry,
    run_peer: RunPeer,
    run_agent: RunAgent,
    repository: str,
    tmp_path: Path,
):
    oras, archive = peer_called("oras"), tmp_path / "bot.tar"
    copied(run_agent, source, f"oci-archive:{archive}:{NAME}")
    by_oras = distribution.reference(f"{repository}/oras:1")
    run_peer(oras.push(Image(archive, NAME, built.digest), by_oras))
    assert digest_of(manifest_at(by_oras)) == built.digest
    peer_called("regctl")
    by_regctl = distribution.reference(f"{repository}/regctl:1")
    plain = ["--host", f"reg={distribution.host},tls=disabled"]
    run_peer([find_tool("regctl") or "", "image", "import", *plain, by_regctl, archive])
    assert digest_of(manifest_at(by_regctl)) == built.digest


def test_an_archive_of_skopeo_is_copied(
    built: Built,
    registry: Registry,
    run_peer: RunPeer,
    run_agent: RunAgent,
    repository: str,
    tmp_path: Path,
):
    peer_called("skopeo")
    archive = tmp_path / "theirs.tar"
    run_peer([*SKOPEO, f"oci:{built.store}:{NAME}", f"oci-archive:{archive}:{NAME}"])
    target = registry.reference(f"{repository}:1")
    assert copied(run_agent, f"oci-archive:{archive}:{NAME}", target) == built.digest
    assert digest_of(manifest_at(target)) == built.digest
    assert GREETING in run_agent("run", target).stdout


def test_a_layout_of_a_peer_is_copied(
    built: Built,
    source: str,
    distribution: Registry,
    peer: Peer,
    run_peer: RunPeer,
    run_agent: RunAgent,
    repository: str,
    tmp_path: Path,
):
    layout = tmp_path / "theirs"
    run_peer(peer.pull(source, layout, "1"))
    target = distribution.reference(f"{repository}/there:1")
    assert copied(run_agent, f"oci:{layout}", target) == built.digest


def attach(run_peer: RunPeer, reference: str, kind: str, folder: Path) -> None:
    """What ORAS users do."""
    oras = peer_called("oras")
    assert isinstance(oras, Oras)
    (folder / "note.txt").write_text(kind)
    run_peer(
        [
            *(oras.program, "attach", "--no-tty", "--plain-http", "--disable-path-validation"),
            *("--artifact-type", kind, reference, f"{folder}/note.txt:text/plain"),
        ]
    )


def discovered(run_peer: RunPeer, reference: str) -> dict[str, str]:
    """What ORAS finds: digest by type."""
    oras = peer_called("oras")
    assert isinstance(oras, Oras)
    found = run_peer(
        [oras.program, "discover", "--plain-http", "--format", "json", "--depth", "1", reference]
    )
    listed = json.loads(found)
    return {one["artifactType"]: one["digest"] for one in listed.get("referrers") or []}


def test_attachments_of_oras_cross_an_air_gap(
    built: Built,
    source: str,
    registry: Registry,
    run_peer: RunPeer,
    run_agent: RunAgent,
    repository: str,
    tmp_path: Path,
):
    attach(run_peer, source, "example/sbom", tmp_path)
    attach(run_peer, source, "example/report", tmp_path)
    there = discovered(run_peer, source)
    assert set(there) == {"example/sbom", "example/report"}
    sbom = f"{source.rpartition(':')[0]}@{there['example/sbom']}"
    attach(run_peer, sbom, "example/signature", tmp_path)

    archive = f"oci-archive:{tmp_path}/bot.tar"
    copied(run_agent, "--recursive", source, archive)
    target = registry.reference(f"{repository}/inside:1")
    assert copied(run_agent, "--recursive", archive, target) == built.digest
    assert discovered(run_peer, target) == there
    inner = f"{target.rpartition(':')[0]}@{there['example/sbom']}"
    assert set(discovered(run_peer, inner)) == {"example/signature"}


def test_oras_finds_attachments_in_the_layout_of_a_copy(
    built: Built,
    source: str,
    distribution: Registry,
    run_peer: RunPeer,
    run_agent: RunAgent,
    repository: str,
    tmp_path: Path,
):
    attach(run_peer, source, "example/sbom", tmp_path)
    layout = tmp_path / "layout"
    copied(run_agent, "--recursive", source, f"oci:{layout}:1")
    target = distribution.reference(f"{repository}/there:1")
    oras = peer_called("oras")
    assert isinstance(oras, Oras)
    run_peer(
        [
            *(oras.program, "cp", "--no-tty", "--recursive"),
            *("--from-oci-layout-path", layout, "1", "--to-plain-http", target),
        ]
    )
    assert discovered(run_peer, target) == discovered(run_peer, source)


BY_REFERRER = ("--signing-config", "signing.json")
BY_TAG = ("--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false")


@pytest.mark.parametrize(
    ("signing", "verifying"), [(BY_REFERRER, ()), (BY_TAG, ("--new-bundle-format=false",))]
)
def test_a_signature_of_cosign_is_good_after_an_air_gap(
    signing: tuple[str, ...],
    verifying: tuple[str, ...],
    source: str,
    registry: Registry,
    run_agent: RunAgent,
    repository: str,
    tmp_path: Path,
):
    cosign = find_tool("cosign")
    if cosign is None:
        pytest.skip("no cosign on this machine; scripts/install-peers installs it")

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [str(cosign), *arguments],
            env={**os.environ, "COSIGN_PASSWORD": "secret", "COSIGN_YES": "true"},
            cwd=tmp_path,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    run("generate-key-pair")
    run("signing-config", "create", "--out", "signing.json")  # no log to write to: no network
    run("sign", "--key", "cosign.key", *signing, source)
    archive = f"oci-archive:{tmp_path}/bot.tar"
    copied(run_agent, "--recursive", source, archive)
    target = registry.reference(f"{repository}/inside:1")
    copied(run_agent, "--recursive", archive, target)
    run("verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", *verifying, target)
