"""What we push, others fetch, copy on and give back, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.conftest import RunAgent
from tests.interop.conftest import GREETING, NAME, Pushed, RunPeer, peer_called
from tests.interop.content import blob, layer_digests, manifest_at, named
from tests.peers import Peer

pytestmark = [pytest.mark.integration, pytest.mark.interop]


def test_the_registry_serves_the_digest_of_the_build(pushed: Pushed):
    # The agent profile is what was built; the image profile is an index over the same layers.
    assert (pushed.digest == pushed.built.digest) == (pushed.profile == "agent")


def test_a_peer_reads_the_manifest(pushed: Pushed, peer: Peer, run_peer: RunPeer):
    assert run_peer(peer.manifest(pushed.reference)) == manifest_at(pushed.reference)


def test_a_peer_fetches_it_byte_for_byte(
    pushed: Pushed, peer: Peer, run_peer: RunPeer, tmp_path: Path
):
    layout = tmp_path / "layout"
    run_peer(peer.pull(pushed.reference, layout, NAME))
    fetched = layer_digests(layout, pushed.digest)
    ours = layer_digests(pushed.built.store, pushed.built.digest)
    assert len(fetched) == len(ours)
    for digest in fetched & ours:
        assert blob(layout, digest) == blob(pushed.built.store, digest)
    # Only plain tars differ between the profiles: the image profile wraps them in a zstd frame.
    assert fetched == ours if pushed.profile == "agent" else fetched & ours


def test_what_a_peer_copies_on_is_pulled_and_runs(
    pushed: Pushed, peer: Peer, run_peer: RunPeer, run_agent: RunAgent, repository: str
):
    copied = f"{pushed.reference.partition('/')[0]}/{repository}:2"
    run_peer(peer.copy(pushed.reference, copied))
    assert manifest_at(copied) == manifest_at(pushed.reference)
    assert run_agent("pull", copied).returncode == 0
    done = run_agent("run", copied)
    assert done.returncode == 0, done.stderr
    assert GREETING in done.stdout


@pytest.mark.parametrize("name", ["oras", "skopeo", "regctl"])
def test_what_a_peer_brings_back_as_a_layout_runs(
    name: str, pushed: Pushed, run_peer: RunPeer, run_agent: RunAgent, tmp_path: Path
):
    layout = tmp_path / "layout"
    run_peer(peer_called(name).pull(pushed.reference, layout, NAME))
    (called,) = named(layout)
    as_name = [] if called == NAME else [NAME]  # regctl keeps the tag of a name alone
    pulled = run_agent("pull", f"oci:{layout}:{called}", *as_name)
    assert pulled.returncode == 0, pulled.stderr
    done = run_agent("run", NAME)
    assert done.returncode == 0, done.stderr
    assert GREETING in done.stdout


def test_a_byte_that_a_peer_brings_back_wrong_is_refused(
    pushed: Pushed, run_peer: RunPeer, run_agent: RunAgent, tmp_path: Path
):
    layout = tmp_path / "layout"
    run_peer(peer_called("oras").pull(pushed.reference, layout, NAME))
    victim = max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(content)
    assert hashlib.sha256(content).hexdigest() != victim.name
    pulled = run_agent("pull", f"oci:{layout}:{NAME}")
    assert pulled.returncode == 8
    assert victim.name in pulled.stderr
