"""`agent pull` and `agent push`, killed some fifty times between the first byte and the last.

Each test is a series of five kills, each in a later phase of the same transfer, and the run that
ends it. What was done stays done: a run moves no byte that an earlier one has brought home.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import registries
from tests.conftest import RunAgent
from tests.faultproxy import FaultProxy
from tests.interop.content import digest_of, manifest_at
from tests.registries import KINDS, Registry
from tests.survival.cargo import Cargo, blob_path, build_cargo
from tests.survival.processes import agent_process, environment, wait_for
from tests.survival.wholeness import assert_whole, bytes_held, leavings, references

pytestmark = [pytest.mark.slow, pytest.mark.integration]

MIB = 1024 * 1024
KIB = 1024
SMALL = {f"small-{number}.bin": (40 + 23 * number) * KIB for number in range(10)}
LARGE = {"large-1.bin": 9 * MIB, "large-2.bin": 5 * MIB}
RATE = 24e6
TALK = 128 * KIB
"""What a run says beside the content: manifests, headers, the requests of ten small blobs."""
LOST = 7 * MIB // 2
"""What one kill may cost: a buffer of each large blob, and the small ones that are on their way."""

Moment = Callable[[], bool]


@pytest.fixture(scope="module")
def cargo(tmp_path_factory: pytest.TempPathFactory) -> Cargo:
    """The image that travels, in a store with another one."""
    images = {"cargo:1.0": {**SMALL, **LARGE}, "resident:1.0": {"resident.bin": 2 * MIB}}
    return build_cargo(tmp_path_factory.mktemp("cargo"), images)["cargo:1.0"]


@dataclass(frozen=True, slots=True)
class Harbour:
    """A registry, and the folder where it keeps what it was given."""

    registry: Registry
    data: Path

    def held(self, repository: str, part: str) -> set[str]:
        """Digests that the repository has: of `_layers`, or of `_manifests/revisions`."""
        folder = self.folder_of(repository) / part / "sha256"
        return {f"sha256:{link.parent.name}" for link in folder.glob("*/link")}

    def folder_of(self, repository: str) -> Path:
        """Where the registry has a repository."""
        return self.data / "docker/registry/v2/repositories" / repository


KINDS_OF_SERIES = (
    "docker-registry",
    "distribution",
    "docker-registry",
    "distribution",
    "distribution",
)
series = pytest.mark.parametrize(
    ("harbour", "number"), list(zip(KINDS_OF_SERIES, range(5), strict=True)), indirect=["harbour"]
)


@pytest.fixture(scope="module")
def harbour(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harbour]:
    """A registry of the kind that a series asks for."""
    kind, folder = KINDS[request.param], tmp_path_factory.mktemp("harbour")
    if kind.program() is None:
        pytest.skip(kind.missing)
    with registries.serve(kind, folder) as registry:
        yield Harbour(registry, folder / "data")


def kill_at(moment: Moment, home: Path, *command: str) -> bool:
    """Run the command and kill it when the moment comes; False when it was done before.

    The store must be whole then, whatever was going on.
    """
    with agent_process(home, *command) as process:
        landed = wait_for(moment, process)
        process.kill()
        landed = process.wait() == -9 and landed
    assert_whole(home)
    return landed


def contacted(proxy: FaultProxy) -> Moment:
    """The next connection, when nothing has been said yet."""
    before = proxy.connections
    return lambda: proxy.connections > before


def grown(size: Callable[[], int], goal: float) -> Moment:
    """Something has become as large as that."""
    return lambda: size() >= goal


def collect(run_agent: RunAgent, home: Path, *options: str) -> None:
    collected = run_agent("gc", *options, env=environment(home))
    assert collected.returncode == 0, collected.stderr
    assert_whole(home)


def settle(proxy: FaultProxy) -> None:
    """Until what killed programs have left on the line has arrived."""
    deadline = time.monotonic() + 30
    while proxy.open:
        assert time.monotonic() < deadline, "the line is never empty"
        time.sleep(0.005)


# Pull


def pull_moments(home: Path, cargo: Cargo, chance: random.Random) -> Iterator[Moment]:
    """Each later in the transfer than the one before."""
    largest, second = cargo.largest(2)
    small = [blob_path(home, digest) for digest in set(cargo.blobs) - {largest, second}]
    enough = chance.randrange(1, len(small) - 1)
    yield lambda: sum(path.exists() for path in small) >= enough
    part = home / "store" / "ingest" / f"{largest.removeprefix('sha256:')}.part"
    for low, high in ((0.05, 0.45), (0.5, 0.95)):
        goal = cargo.blobs[largest] * chance.uniform(low, high)
        yield grown(lambda: size_of(part), goal)
    if chance.random() < 0.5:
        yield blob_path(home, cargo.digest).exists
    else:
        yield lambda: any((home / "store").glob(".index.json.*"))


def size_of(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


@series
def test_pull_goes_on_where_it_was_killed(
    harbour: Harbour,
    cargo: Cargo,
    repository: str,
    run_agent: RunAgent,
    tmp_path: Path,
    number: int,
) -> None:
    """fault 41: what is on the disk is not fetched again, and no half of it is seen."""
    chance, home = random.Random(4100 + number), tmp_path / "elsewhere"
    shutil.copytree(cargo.home, tmp_path / "agentoci")
    source = harbour.registry.reference(f"{repository}:1.0")
    pushed = run_agent("push", "cargo:1.0", source, env=environment(tmp_path / "agentoci"))
    assert pushed.stdout.strip() == cargo.digest, pushed.stderr
    resident = run_agent("build", "-q", "-t", "resident:1.0", cargo.home.parent / "resident-1.0",
                         env=environment(home)).stdout.strip()  # fmt: skip
    with FaultProxy(harbour.registry.host, rate=RATE) as proxy:
        pull = ("pull", f"{proxy.host}/{repository}:1.0")
        landed = [kill_at(contacted(proxy), home, *pull)]
        for moment in pull_moments(home, cargo, chance):
            received, held = proxy.received, bytes_held(home)
            landed.append(kill_at(moment, home, *pull))
            assert proxy.received - received <= bytes_held(home) - held + LOST
        collect(run_agent, home)
        received, held = proxy.received, bytes_held(home)
        done = run_agent(*pull, env=environment(home))
        assert (done.returncode, done.stdout.strip()) == (0, cargo.digest), done.stderr
        assert proxy.received - received <= bytes_held(home) - held + TALK
        named = references(home)
        assert named == {"resident:1.0": resident, pull[1]: cargo.digest}
    assert sum(landed) >= 3, landed
    collect(run_agent, home, "--grace", "0")
    assert references(home) == named
    assert not leavings(home)


# Push


def push_moments(
    harbour: Harbour, repository: str, cargo: Cargo, chance: random.Random, proxy: FaultProxy
) -> Iterator[Moment]:
    """Each later in the transfer than the one before."""
    small = set(cargo.blobs) - set(cargo.largest(2))
    enough = chance.randrange(1, len(small) - 1)
    yield lambda: len(small & harbour.held(repository, "_layers")) >= enough
    for low, high in ((0.05, 0.5), (0.5, 0.95)):
        goal = proxy.sent + missing_at(harbour, repository, cargo) * chance.uniform(low, high)
        yield grown(lambda: proxy.sent, goal)


def missing_at(harbour: Harbour, repository: str, cargo: Cargo) -> int:
    """Bytes of the blobs that the repository does not have."""
    held = harbour.held(repository, "_layers")
    return sum(size for digest, size in cargo.blobs.items() if digest not in held)


def assert_nothing_half_seen(harbour: Harbour, repository: str, cargo: Cargo) -> None:
    """A manifest that the registry has means that every blob is there."""
    if harbour.held(repository, "_manifests/revisions"):
        assert missing_at(harbour, repository, cargo) == 0


@series
def test_push_goes_on_where_it_was_killed(
    harbour: Harbour,
    cargo: Cargo,
    repository: str,
    run_agent: RunAgent,
    tmp_path: Path,
    number: int,
) -> None:
    """fault 41: blobs that arrived are not sent again, and a manifest comes after all of them."""
    chance, home = random.Random(1400 + number), shutil.copytree(cargo.home, tmp_path / "agentoci")
    named = references(home)
    with FaultProxy(harbour.registry.host, rate=RATE) as proxy:
        push = ("push", "cargo:1.0", f"{proxy.host}/{repository}:1.0", "--tag", "latest")
        landed = [kill_at(contacted(proxy), home, *push)]
        for moment in push_moments(harbour, repository, cargo, chance, proxy):
            landed.append(kill_at(moment, home, *push))
            assert_nothing_half_seen(harbour, repository, cargo)
        settle(proxy)
        sent, missing = proxy.sent, missing_at(harbour, repository, cargo)
        landed.append(kill_at(arrived(harbour, repository, cargo, chance), home, *push))
        assert_nothing_half_seen(harbour, repository, cargo)
        done = run_agent(*push, env=environment(home))
        assert (done.returncode, done.stdout.strip()) == (0, cargo.digest), done.stderr
        assert proxy.sent - sent <= missing + 2 * TALK
    assert sum(landed) >= 3, landed
    for tag in ("1.0", "latest"):
        name = harbour.registry.reference(f"{repository}:{tag}")
        assert digest_of(manifest_at(name)) == cargo.digest
    collect(run_agent, home, "--grace", "0")
    assert references(home) == named
    assert not leavings(home)


def arrived(harbour: Harbour, repository: str, cargo: Cargo, chance: random.Random) -> Moment:
    """All blobs are there; or the manifest is, under its digest, before it has its tag."""
    if chance.random() < 0.5:
        return lambda: not missing_at(harbour, repository, cargo)
    return lambda: cargo.digest in harbour.held(repository, "_manifests/revisions")


@pytest.mark.parametrize("harbour", ["distribution"], indirect=True)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_push_is_killed_in_the_middle_of_the_manifest(
    harbour: Harbour, cargo: Cargo, repository: str, run_agent: RunAgent, home: Path, part: float
) -> None:
    """fault 41: once all blobs are there, the tag means the whole manifest or nothing.

    What the killed program had given to its socket may still arrive.
    """
    shutil.copytree(cargo.home, home / "agentoci")
    with FaultProxy(harbour.registry.host) as proxy:
        counts = [0]
        for tag in ("0", "1"):
            pushed = run_agent("push", "cargo:1.0", f"{proxy.host}/{repository}:{tag}")
            assert pushed.returncode == 0, pushed.stderr
            counts.append(proxy.sent)
        whole = counts[2] - counts[1]
    with FaultProxy(harbour.registry.host, rate=40e3) as proxy:
        push = ("push", "cargo:1.0", f"{proxy.host}/{repository}:2")
        goal = whole - part * cargo.manifest_size
        assert kill_at(lambda: proxy.sent >= goal, home / "agentoci", *push)
        link = harbour.folder_of(repository) / "_manifests/tags/2/current/link"
        assert not link.exists() or link.read_text() == cargo.digest
        assert run_agent(*push).stdout.strip() == cargo.digest
    assert digest_of(manifest_at(harbour.registry.reference(f"{repository}:2"))) == cargo.digest
    assert not leavings(home)


def test_half_written_files_are_collected(cargo: Cargo, run_agent: RunAgent, home: Path) -> None:
    """A kill leaves one of them rarely: the moment is short."""
    folder = shutil.copytree(cargo.home, home / "agentoci")
    store, hosts = folder / "store", folder / "cache" / "hosts"
    hosts.mkdir(parents=True)
    left = [store / ".index.json.a1", store / ".oci-layout.a1", hosts / ".0.json.a1"]
    left += [store / "ingest" / name for name in ("tmp-a1", f"{64 * '0'}.part")]
    for path in left:
        path.write_bytes(b"{")
    collect(run_agent, folder)
    assert leavings(folder) == sorted(left), "somebody may be writing them"
    collect(run_agent, folder, "--grace", "0")
    assert not leavings(folder)
