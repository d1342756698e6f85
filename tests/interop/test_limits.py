"""What other tools cannot do with our artifacts, so that README can say it and we see it change."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.interop.conftest import Pushed, RunPeer, peer_called
from tests.interop.content import manifest_at
from tests.peers import Command, Crane, Skopeo

pytestmark = [pytest.mark.integration, pytest.mark.interop]


def failure_of(command: Command) -> str:
    """What a command says when it fails, which it must."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.fixture
def crane() -> Crane:
    """crane."""
    found = peer_called("crane")
    assert isinstance(found, Crane)
    return found


@pytest.fixture
def skopeo() -> Skopeo:
    """skopeo."""
    found = peer_called("skopeo")
    assert isinstance(found, Skopeo)
    return found


@pytest.mark.parametrize("pushed", ["agent"], indirect=True)
def test_crane_validates_the_agent_profile(pushed: Pushed, crane: Crane, run_peer: RunPeer):
    run_peer(crane.validate(pushed.reference))


@pytest.mark.parametrize("pushed", ["image"], indirect=True)
def test_crane_cannot_read_zstd_layers_of_images(pushed: Pushed, crane: Crane, run_peer: RunPeer):
    run_peer(crane.validate(pushed.reference, "--fast"))  # digests and sizes are right
    assert "gzip: invalid header" in failure_of(crane.validate(pushed.reference))


@pytest.mark.parametrize("pushed", ["agent"], indirect=True)
def test_skopeo_inspects_artifacts_as_raw_only(pushed: Pushed, skopeo: Skopeo, run_peer: RunPeer):
    assert "unsupported image-specific operation" in failure_of(skopeo.inspect(pushed.reference))
    assert run_peer(skopeo.inspect(pushed.reference, "--raw")) == manifest_at(pushed.reference)
    config = json.loads(run_peer(skopeo.inspect(pushed.reference, "--raw", "--config")))
    assert config["config"]["Entrypoint"] == ["/bin/sh", "tools/greet.sh"]


@pytest.mark.parametrize("pushed", ["image"], indirect=True)
def test_skopeo_inspects_the_image_profile(pushed: Pushed, skopeo: Skopeo, run_peer: RunPeer):
    shown = json.loads(run_peer(skopeo.inspect(pushed.reference)))
    assert shown["Os"] == "linux"
    assert len(shown["Layers"]) >= 2
