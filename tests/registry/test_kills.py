"""Programs that are killed in the middle of a transfer, and programs that share a store."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunAgent
from tests.faultproxy import FaultProxy
from tests.registries import Registry
from tests.registry.crates import build_crates
from tests.registry.fake import FakeRegistry

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
ROUNDS = 25
BLOB_SIZE = 32 * MIB
RATE = 40e6
LOST = MIB + MIB // 4
"""What one kill may cost: a buffer that was not yet full, and what was still on its way."""


@pytest.fixture(scope="module")
def crates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with images that have layers in common."""
    sizes = {"crate:1.0": BLOB_SIZE, "crate:0.9": 3 * MIB, "crate:0.8": 2 * MIB}
    return build_crates(tmp_path_factory.mktemp("crates"), sizes)


@pytest.fixture
def stocked(home: Path, crates: Path) -> Path:
    return shutil.copytree(crates, home / "agentoci")


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "AGENTOCI_HOME": str(folder)}


@contextlib.contextmanager
def agent_process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`agent ARGUMENTS` with its home in `folder`; it has ended when the block has."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agentoci", *arguments],
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_moved(process: subprocess.Popen[bytes], proxy: FaultProxy, total: int) -> None:
    """Until so many bytes have gone through the proxy, or the program is done."""
    deadline = time.monotonic() + 60
    while proxy.sent + proxy.received < total and process.poll() is None:
        assert time.monotonic() < deadline, "nothing moves"
        time.sleep(0.001)


def assert_store_is_whole(folder: Path) -> None:
    """Every blob is what its name says, and the index is one."""
    store = folder / "store"
    for path in (store / "blobs" / "sha256").glob("*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    for found in json.loads((store / "index.json").read_bytes())["manifests"]:
        assert (store / "blobs" / "sha256" / found["digest"].removeprefix("sha256:")).is_file()


@pytest.mark.integration
def test_pull_goes_on_after_every_kill(
    stocked: Path, distribution: Registry, repository: str, run_agent: RunAgent, tmp_path: Path
) -> None:
    """fault 41: killed 25 times at random, and little is fetched twice.

    Starting anew each time would fetch some 50 MiB more than the blob has.
    """
    target, chance, elsewhere = f"{repository}:1.0", random.Random(41), tmp_path / "elsewhere"
    pushed = run_agent("push", "crate:1.0", distribution.reference(target))
    assert pushed.returncode == 0, pushed.stderr
    with FaultProxy(distribution.host, rate=RATE) as proxy:
        for _ in range(ROUNDS):
            with agent_process(elsewhere, "pull", f"{proxy.host}/{target}") as process:
                goal = proxy.sent + proxy.received + chance.randrange(MIB, 3 * MIB)
                wait_until_moved(process, proxy, goal)
            if (elsewhere / "store" / "index.json").exists():
                assert_store_is_whole(elsewhere)
        done = run_agent("pull", f"{proxy.host}/{target}", env=environment(elsewhere))
        assert (done.returncode, done.stdout) == (0, pushed.stdout), done.stderr
        assert proxy.received < BLOB_SIZE + ROUNDS * LOST
    assert_store_is_whole(elsewhere)
    assert run_agent("gc", env=environment(elsewhere)).returncode == 0
    assert not list((elsewhere / "store" / "ingest").glob("*.part")), "no leavings"


@pytest.mark.integration
def test_push_ends_right_after_every_kill(
    stocked: Path, distribution: Registry, repository: str, run_agent: RunAgent, tmp_path: Path
) -> None:
    """fault 41: of a push, no tag is seen before everything is there."""
    target, chance = f"{repository}:1.0", random.Random(14)
    with FaultProxy(distribution.host, rate=RATE) as proxy:
        for _ in range(ROUNDS):
            with agent_process(stocked, "push", "crate:1.0", f"{proxy.host}/{target}") as process:
                goal = proxy.sent + proxy.received + chance.randrange(BLOB_SIZE * 5 // 4)
                wait_until_moved(process, proxy, goal)
            assert_store_is_whole(stocked)
        pushed = run_agent("push", "crate:1.0", f"{proxy.host}/{target}")
        assert pushed.returncode == 0, pushed.stderr
    elsewhere = environment(tmp_path / "elsewhere")
    done = run_agent("pull", distribution.reference(target), env=elsewhere)
    assert (done.returncode, done.stdout) == (0, pushed.stdout)
    assert_store_is_whole(tmp_path / "elsewhere")


def test_eight_processes_fetch_each_blob_once(
    stocked: Path, run_agent: RunAgent, tmp_path: Path
) -> None:
    """fault 42: the same images and others with the same layers, into one store."""
    images, elsewhere = ("crate:1.0", "crate:0.9", "crate:0.8"), tmp_path / "elsewhere"
    with FakeRegistry() as fake, contextlib.ExitStack() as stack:
        for image in images:
            assert run_agent("push", image, f"{fake.host}/team/{image}").returncode == 0
        sizes = {digest: len(content) for (_, digest), content in fake.blobs.items()}
        proxy = stack.enter_context(FaultProxy(fake.host, rate=RATE))
        names = [f"{proxy.host}/team/{image}" for image in (*images, *images, *images[:2])]
        running = [stack.enter_context(agent_process(elsewhere, "pull", name)) for name in names]
        assert [process.wait(120) for process in running] == [0] * 8
        manifests = 8 * 20_000
        assert proxy.received < sum(sizes.values()) + manifests
    assert_store_is_whole(elsewhere)
    listed = run_agent("images", "--format", "json", env=environment(elsewhere)).stdout
    assert {name for name in names if name.rpartition(":")[0] in listed} == set(names), listed
