"""oras-py, which shares no code with our registry client, pulls what we push."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oras.client import OrasClient

from tests.interop.conftest import Pushed
from tests.interop.content import digest_of, manifest_at

pytestmark = [pytest.mark.integration, pytest.mark.interop]


@pytest.mark.parametrize("pushed", ["agent"], indirect=True)
def test_oras_py_pulls_every_layer_as_a_file(pushed: Pushed, tmp_path: Path):
    client = OrasClient(hostname=pushed.reference.partition("/")[0], insecure=True)
    files = client.pull(target=pushed.reference, outdir=str(tmp_path / "pulled"))
    layers = json.loads(manifest_at(pushed.reference))["layers"]
    assert [digest_of(Path(file).read_bytes()) for file in files] == [
        layer["digest"] for layer in layers
    ]
