"""Eight programs at once: in one store, at one repository, and a collector among them."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import RunAgent
from tests.faultproxy import FaultProxy
from tests.interop.content import digest_of, manifest_at
from tests.registries import Registry
from tests.registry.fake import FakeRegistry
from tests.registry.faults import waits
from tests.survival.cargo import Cargo, build_cargo
from tests.survival.processes import agent_process, environment
from tests.survival.wholeness import assert_whole, leavings, references

pytestmark = pytest.mark.slow

KIB = 1024
MIB = 1024 * KIB
BASE = {"base-1.bin": 4 * MIB, "base-2.bin": 300 * KIB, "base-3.bin": 90 * KIB}
IMAGES = {
    "fleet:1.0": {**BASE, "one.bin": 3 * MIB, "small.bin": 200 * KIB},
    "fleet:1.1": {**BASE, "two.bin": 2 * MIB, "small.bin": 200 * KIB},
    "fleet:2.0": {**BASE, "three.bin": 500 * KIB},
    "tug:1.0": {"base-1.bin": 4 * MIB, "small.bin": 200 * KIB, "tug.bin": 60 * KIB},
}
EIGHT = (*["fleet:1.0"] * 3, *["fleet:1.1"] * 2, "fleet:2.0", "fleet:latest", "tug:1.0")
RATE = 30e6


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Cargo]:
    """Images that have layers in common, large and small ones, in one store."""
    return build_cargo(tmp_path_factory.mktemp("fleet"), IMAGES)


@pytest.fixture
def stocked(fleet: Mapping[str, Cargo], tmp_path: Path) -> Path:
    """A home with the fleet."""
    return shutil.copytree(fleet["fleet:1.0"].home, tmp_path / "stocked")


@pytest.fixture
def fake(stocked: Path, run_agent: RunAgent) -> Iterator[FakeRegistry]:
    """A registry that has the fleet in two repositories."""
    with FakeRegistry() as fake:
        for image in IMAGES:
            more = ("-t", "latest") if image == "fleet:1.0" else ()
            pushed = run_agent("push", image, f"{fake.host}/{image}", *more,
                               env=environment(stocked))  # fmt: skip
            assert pushed.returncode == 0, pushed.stderr
        fake.seen.clear()
        yield fake


def run_together(
    home: Path, commands: Sequence[Sequence[str]], meanwhile: Callable[[], None]
) -> None:
    """Run them all at once, at one home; each must end well."""
    logs = [home.parent / f"log-{number}" for number in range(len(commands))]
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(agent_process(home, *command, log=log))
            for command, log in zip(commands, logs, strict=True)
        ]
        meanwhile()
        for process, log in zip(running, logs, strict=True):
            assert process.wait(120) == 0, log.read_text()


def start_together(fake: FakeRegistry, count: int) -> Callable[[], None]:
    """Nobody gets an answer before all have asked."""
    event = threading.Event()
    fake.on("HEAD", "/manifests/", waits(event), times=count)

    def release() -> None:
        wait_for(fake, "HEAD", "/manifests/", count)
        event.set()

    return release


def wait_for(fake: FakeRegistry, method: str, path: str, count: int) -> None:
    """Until so many requests have come."""
    deadline = time.monotonic() + 60
    while len(fake.requests(method, path)) < count:
        assert time.monotonic() < deadline, "not all have asked"
        time.sleep(0.005)


def assert_fleet(home: Path, host: str, fleet: Mapping[str, Cargo]) -> None:
    """Every name means what it meant, and everything is there."""
    assert_whole(home)
    expected = {f"{host}/{image}": fleet[image].digest for image in IMAGES}
    expected[f"{host}/fleet:latest"] = fleet["fleet:1.0"].digest
    assert references(home) == expected


def test_each_blob_is_fetched_once(
    fake: FakeRegistry, fleet: Mapping[str, Cargo], tmp_path: Path
) -> None:
    """fault 42: whoever needs a blob that another process fetches waits for it."""
    home = tmp_path / "shared"
    with FaultProxy(fake.host, rate=RATE) as proxy:
        commands = [("pull", f"{proxy.host}/{image}") for image in EIGHT]
        run_together(home, commands, start_together(fake, len(EIGHT)))
        assert_fleet(home, proxy.host, fleet)
    fetched = Counter(seen.path.rpartition("/")[2] for seen in fake.requests("GET", "/blobs/"))
    assert fetched == dict.fromkeys({blob for cargo in fleet.values() for blob in cargo.blobs}, 1)
    assert not leavings(home)


def test_collector_takes_nothing_from_pulls(
    fake: FakeRegistry, fleet: Mapping[str, Cargo], run_agent: RunAgent, tmp_path: Path
) -> None:
    """fault 44: it says that somebody is at work, and takes nothing away."""
    home, codes = tmp_path / "shared", []
    with FaultProxy(fake.host, rate=RATE) as proxy:
        release, unblock = start_together(fake, len(EIGHT)), threading.Event()
        fake.on("GET", "/blobs/", waits(unblock), times=1)

        def collect() -> None:
            release()
            wait_for(fake, "GET", "/blobs/", 1)
            for _ in range(4):
                collected = run_agent("gc", "--grace", "0", env=environment(home))
                codes.append(collected.returncode)
            unblock.set()

        run_together(home, [("pull", f"{proxy.host}/{image}") for image in EIGHT], collect)
        assert_fleet(home, proxy.host, fleet)
    assert codes == [7, 7, 7, 7]
    assert run_agent("gc", "--grace", "0", env=environment(home)).returncode == 0
    assert_fleet(home, proxy.host, fleet)


@pytest.mark.integration
def test_eight_push_one_image(
    stocked: Path, fleet: Mapping[str, Cargo], registry: Registry, repository: str
) -> None:
    name = registry.reference(repository)
    run_together(stocked, [("push", "fleet:1.0", f"{name}:1.0")] * 8, lambda: None)
    assert digest_of(manifest_at(f"{name}:1.0")) == fleet["fleet:1.0"].digest
    assert_pulled_whole(stocked.parent / "elsewhere", f"{name}:1.0")


def assert_pulled_whole(home: Path, name: str) -> None:
    """As on another machine."""
    run_together(home, [("pull", name)], lambda: None)
    assert_whole(home)
    assert set(references(home)) == {name}


@pytest.mark.integration
def test_eight_push_images_that_share_layers(
    stocked: Path, fleet: Mapping[str, Cargo], registry: Registry, repository: str
) -> None:
    """Some to one repository, some to another, where layers may be mounted from."""
    names = [registry.reference(f"{repository}/{image}") for image in IMAGES]
    commands = [("push", image, name) for image, name in zip(IMAGES, names, strict=True)]
    run_together(stocked, commands * 2, lambda: None)
    for image, name in zip(IMAGES, names, strict=True):
        assert digest_of(manifest_at(name)) == fleet[image].digest
        assert_pulled_whole(stocked.parent / image.replace(":", "-"), name)
