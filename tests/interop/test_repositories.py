"""A repository that we tidied up, seen by other tools."""

from __future__ import annotations

import uuid

import pytest

from tests.interop.conftest import NAME, Built, Pushed, RunPeer, peer_called
from tests.interop.content import digest_of
from tests.peers import Crane, Peer
from tests.registries import Registry

pytestmark = [pytest.mark.integration, pytest.mark.interop]

VERSIONS = ("1.0.0", "1.1.0", "2.0.0")


@pytest.fixture
def repository(built: Built, registry: Registry) -> str:
    """A repository of its own at each registry: one image under three versions and `latest`."""
    name = registry.reference(f"interop/{uuid.uuid4().hex[:12]}")
    for tag in (*VERSIONS, "latest"):
        built.agent("push", NAME, f"{name}:{tag}")
    return name


def test_manifest_is_the_one_that_others_print(pushed: Pushed, peer: Peer, run_peer: RunPeer):
    content = run_peer(peer.manifest(pushed.reference))
    assert pushed.built.agent("manifest", pushed.reference).encode() == content
    assert digest_of(content) == pushed.digest


def test_what_stays_after_untagging_is_whole_for_others(
    built: Built, repository: str, run_peer: RunPeer
):
    crane = peer_called("crane")
    assert isinstance(crane, Crane)
    built.agent("untag", f"{repository}:1.0.0", f"{repository}:1.1.0")
    left = {"2.0.0", "latest"}
    listed = run_peer([crane.program, "ls", repository]).decode().split()
    assert set(listed) == set(built.agent("tags", repository).split()) == left
    for tag in left:
        run_peer(crane.validate(f"{repository}:{tag}"))
    run_peer(crane.validate(f"{repository}@{built.digest}"))


def test_what_stays_after_pruning_is_whole_for_others(
    built: Built, repository: str, run_peer: RunPeer
):
    crane = peer_called("crane")
    assert isinstance(crane, Crane)
    built.agent("prune", "--remote", repository, "--keep-semver", "1", "--yes")
    assert built.agent("tags", repository).split() == ["2.0.0", "latest"]
    run_peer(crane.validate(f"{repository}:2.0.0"))
    built.agent("rm", "--remote", "--force", f"{repository}:2.0.0")
    listed = run_peer([crane.program, "ls", repository]).decode().split()
    assert listed == []
