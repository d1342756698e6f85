"""Others copy straight out of our store, and read our archives, by the lines that README gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunAgent
from tests.interop.conftest import GREETING, NAME, Built, RunPeer, peer_called
from tests.interop.content import digest_of, layer_digests, manifest_at, named
from tests.peers import Crane, Image, Peer
from tests.registries import Registry, find_tool

pytestmark = [pytest.mark.integration, pytest.mark.interop]


def test_a_peer_pushes_out_of_the_store(
    built: Built,
    registry: Registry,
    peer: Peer,
    run_peer: RunPeer,
    run_agent: RunAgent,
    repository: str,
):
    target = registry.reference(f"{repository}:1")
    if isinstance(peer, Crane):
        # crane takes a layout of one image only, or all of its images under an index.
        run_peer(peer.push_all(built.store, registry.reference(f"{repository}:all")))
        run_peer(peer.tag(registry.reference(f"{repository}@{built.digest}"), "1"))
    else:
        run_peer(peer.push(built.image, target))
    assert digest_of(manifest_at(target)) == built.digest
    assert run_agent("pull", target).returncode == 0
    assert GREETING in run_agent("run", target).stdout


@pytest.mark.parametrize("name", ["oras", "skopeo"])
def test_a_full_reference_is_a_name_in_the_store(
    name: str, built: Built, distribution: Registry, run_peer: RunPeer, repository: str
):
    full = distribution.reference(f"{repository}/full:1.0")
    built.agent("tag", NAME, full)
    image = Image(built.store, full, built.digest)
    run_peer(peer_called(name).push(image, full))
    assert digest_of(manifest_at(full)) == built.digest


@pytest.fixture
def archive(built: Built, tmp_path: Path) -> Path:
    """What `agent save` writes."""
    path = tmp_path / "bot.tar"
    built.agent("save", "-o", path, NAME)
    return path


def test_skopeo_reads_an_archive(built: Built, archive: Path, run_peer: RunPeer, tmp_path: Path):
    peer_called("skopeo")
    layout = tmp_path / "layout"
    command = ["skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests"]
    run_peer([*command, f"oci-archive:{archive}:{NAME}", f"oci:{layout}:{NAME}"])
    assert named(layout) == {NAME: built.digest}
    assert layer_digests(layout, built.digest) == layer_digests(built.store, built.digest)


def test_oras_reads_an_archive(
    built: Built, archive: Path, distribution: Registry, run_peer: RunPeer, repository: str
):
    target = distribution.reference(f"{repository}:1")
    run_peer(peer_called("oras").push(Image(archive, NAME, built.digest), target))
    assert digest_of(manifest_at(target)) == built.digest


def test_regctl_reads_an_archive(
    built: Built, archive: Path, distribution: Registry, run_peer: RunPeer, repository: str
):
    peer_called("regctl")
    target = distribution.reference(f"{repository}:1")
    plain = ["--host", f"reg={distribution.host},tls=disabled"]
    run_peer([find_tool("regctl") or "", "image", "import", *plain, target, archive])
    assert digest_of(manifest_at(target)) == built.digest


def test_an_archive_of_skopeo_loads_and_runs(
    built: Built, run_peer: RunPeer, run_agent: RunAgent, tmp_path: Path
):
    peer_called("skopeo")
    archive = tmp_path / "theirs.tar"
    command = ["skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests"]
    run_peer([*command, f"oci:{built.store}:{NAME}", f"oci-archive:{archive}:{NAME}"])
    loaded = run_agent("load", "-i", archive)
    assert loaded.returncode == 0, loaded.stderr
    assert GREETING in run_agent("run", NAME).stdout
