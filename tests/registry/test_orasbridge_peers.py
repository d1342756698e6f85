"""oras-py's API on our client beside oras-py itself and the oras command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import oras.oci
import oras.provider
import pytest
from oras.client import OrasClient

from agentoci.registry import OrasRegistry
from tests.registries import Registry, find_tool
from tests.registry.artifacts import BIG, assert_same, digest_in, fill
from tests.registry.conftest import MakeOras

pytestmark = pytest.mark.integration

OPEN = ("docker_registry", "distribution")
Client = tuple[OrasRegistry, str]


@pytest.fixture(params=OPEN)
def plain(request: pytest.FixtureRequest, make_oras: MakeOras, repository: str) -> Client:
    """A client and a repository at a registry that asks nobody: oras-py knows those."""
    registry: Registry = request.getfixturevalue(request.param)
    return make_oras(registry.host), registry.reference(repository)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file, a larger one and a folder."""
    fill(tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_oras_py_pulls_what_we_pushed(plain: Client, work: Path) -> None:
    registry, name = plain
    registry.push(f"{name}:1", files=["a.txt", "big.bin", "data"])
    stock = OrasClient(hostname=registry.hostname, insecure=True)
    stock.pull(f"{name}:1", outdir=str(work / "stock"))
    assert_same(work / "stock")


def test_we_pull_what_oras_py_pushed(plain: Client, work: Path) -> None:
    registry, name = plain
    stock = OrasClient(hostname=registry.hostname, insecure=True)
    stock.push(f"{name}:1", files=["a.txt", "big.bin", "data"])
    registry.pull(f"{name}:1", outdir=work / "ours")
    assert_same(work / "ours")


def test_files_make_the_same_manifest_as_with_oras_py(plain: Client, work: Path) -> None:
    registry, name = plain
    notes = {"$manifest": {"a": "b"}, "$config": {"c": "d"}, "a.txt": {"e": "f"}}
    (work / "notes.json").write_text(json.dumps(notes))
    (work / "config.json").write_text('{"some": "config"}')
    arguments = {
        "files": ["a.txt", "big.bin:application/x-thing"],
        "annotation_file": "notes.json",
        "manifest_annotations": {"g": "h"},
        "manifest_config": "config.json:application/x-config",
    }
    stock = OrasClient(hostname=registry.hostname, insecure=True)
    theirs = stock.push(f"{name}:theirs", **arguments)
    ours = registry.push(f"{name}:ours", **arguments)  # type: ignore[arg-type]
    assert digest_in(ours) == digest_in(theirs)
    empty = registry.push(f"{name}:empty")
    assert digest_in(empty) == digest_in(stock.push(f"{name}:empty2"))


@pytest.mark.interop
def test_the_oras_command_and_we_pull_from_each_other(plain: Client, work: Path) -> None:
    """It leads the entries of a folder's archive by the whole title."""
    program = find_tool("oras")
    if program is None:
        pytest.skip("no oras on this machine; scripts/install-peers installs it")
    registry, name = plain
    registry.push(f"{name}:ours", files=["a.txt", "big.bin", "data"])
    pull = [str(program), "pull", "--plain-http", "-o", "command", f"{name}:ours"]
    subprocess.run(pull, check=True, capture_output=True)
    assert_same(work / "command")
    push = [str(program), "push", "--plain-http", f"{name}:theirs", "big.bin", "data/deep"]
    subprocess.run(push, check=True, capture_output=True)
    registry.pull(f"{name}:theirs", outdir=work / "ours")
    assert (work / "ours" / "big.bin").read_bytes() == BIG
    assert (work / "ours" / "data" / "deep" / "run.sh").read_text() == "#!/bin/sh\n"


PLUGIN = """
import oras.client, oras.provider
from agentoci.registry import OrasRegistry
oras.client.OrasClient = oras.provider.Registry = OrasRegistry
"""
LEFT_OUT = "not ssl and not many_tags and not chunked_push and not invalid_target"
# The network, 16 GB, and a message of other words.


@pytest.mark.slow
def test_the_tests_of_oras_py_pass(distribution: Registry, tmp_path: Path) -> None:
    """Its wheel has them. Those with passwords want TLS without a check, and skip."""
    shutil.copytree(Path(oras.provider.__file__).parent / "tests", tmp_path / "theirs")
    (tmp_path / "ours.py").write_text(PLUGIN)
    host, _, port = distribution.host.partition(":")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "ours", "--rootdir=.", "-k", LEFT_OUT]
    done = subprocess.run(
        [*command, "-W", "ignore", "test_oras.py", "test_provider.py", "test_layout.py"],
        cwd=tmp_path / "theirs",
        env={**os.environ, "PYTHONPATH": str(tmp_path), "ORAS_HOST": host, "ORAS_PORT": port},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 40
