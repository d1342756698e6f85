"""`agent release`, killed at every request that it makes, and run again.

Whatever was done: nobody ever sees a tag whose content is not whole, tags of a line never run ahead
of the version, and the next run ends with the digest that one run would have given.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import commandline
from tests.cli.samples import write_talker
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Gone, Reply
from tests.survival.processes import agent_process
from tests.survival.wholeness import assert_whole

pytestmark = pytest.mark.slow

PARTS = 4
NAME = "team/talker"
ORDER = ("2.1.1", "2.1", "2", "latest")
"""The tags of the release, in the order in which they are given."""

Contents = dict[tuple[str, str], bytes]
Manifests = dict[tuple[str, str], tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Start:
    """A context that was changed since 2.1.0, and the registry's content before its release.

    `digest` is what a run gives that nobody disturbs, by so many `requests`.
    """

    context: Path
    blobs: Contents
    manifests: Manifests
    before: dict[str, str]
    digest: str
    requests: int


def registry_with(blobs: Contents, manifests: Manifests) -> FakeRegistry:
    """A registry that takes no manifest whose blobs are missing."""
    fake = FakeRegistry()
    fake.blobs, fake.manifests, fake.checks_children = dict(blobs), dict(manifests), True
    return fake


def release(fake: FakeRegistry, home: Path, context: Path) -> str:
    """Release undisturbed; returns the digest."""
    folder = home.parent
    done = commandline.run_agent(
        "release",
        "-q",
        f"{fake.host}/{NAME}",
        context,
        env={**commandline.environment_of(folder), "AGENTOCI_HOME": str(home)},
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    folder = tmp_path_factory.mktemp("start")
    context = write_talker(folder / "talker")
    with registry_with({}, {}) as fake:
        release(fake, folder / "home", context)
        (context / "notes.md").write_text("Talk is dear.\n")
        blobs, manifests, before = dict(fake.blobs), dict(fake.manifests), tags_of(fake)
        fake.seen.clear()
        digest = release(fake, folder / "elsewhere", context)
        assert tags_of(fake) == before | dict.fromkeys(ORDER, digest)
        return Start(context, blobs, manifests, before, digest, len(fake.seen))


def tags_of(fake: FakeRegistry) -> dict[str, str]:
    """Tag → digest."""
    digests = {content: tag for (_, tag), (_, content) in fake.manifests.items() if ":" in tag}
    return {
        tag: digests[content] for (_, tag), (_, content) in fake.manifests.items() if ":" not in tag
    }


def passes(exchange: Exchange) -> Reply:
    return exchange.serve()


def kills(
    victim: Callable[[], subprocess.Popen[bytes]], *, served: bool
) -> Callable[[Exchange], Reply]:
    """Kill the client before its request does anything, or when it did and nothing was answered."""

    def fault(exchange: Exchange) -> Reply:
        if served:
            exchange.serve()
        victim().kill()
        raise Gone

    return fault


def killed_at(fake: FakeRegistry, number: int, home: Path, context: Path, *, served: bool) -> bool:
    """Run a release that dies at this request; False when it was done before."""
    processes: list[subprocess.Popen[bytes]] = []

    def victim() -> subprocess.Popen[bytes]:
        deadline = time.monotonic() + 30
        while not processes:
            assert time.monotonic() < deadline, "it asks before it runs"
        return processes[0]

    fake.on("*", "", *[passes] * (number - 1), kills(victim, served=served))
    with agent_process(home, "release", f"{fake.host}/{NAME}", context) as process:
        processes.append(process)
        return process.wait() == -9


def assert_nothing_half_seen(fake: FakeRegistry, start: Start) -> None:
    """Every tag means the old release or the new one, whole, and none is ahead of the others."""
    found = tags_of(fake)
    moved = [found.get(tag) == start.digest for tag in ORDER]
    assert moved == sorted(moved, reverse=True), found
    for tag in found.keys() - set(ORDER):
        assert found[tag] == start.before[tag]
    for tag, was_moved in zip(ORDER, moved, strict=True):
        assert was_moved or found.get(tag) == start.before.get(tag)
    for (name, _), (_, content) in fake.manifests.items():
        manifest = json.loads(content)
        for blob in (manifest["config"], *manifest["layers"]):
            assert (name, blob["digest"]) in fake.blobs


@pytest.mark.parametrize("part", range(PARTS))
def test_release_is_completed_wherever_it_was_killed(
    start: Start, tmp_path: Path, part: int
) -> None:
    landed = list(kill_and_complete(start, tmp_path, part))
    assert sum(landed) >= start.requests // PARTS - 1, landed


def kill_and_complete(start: Start, tmp_path: Path, part: int) -> Iterator[bool]:
    """Every so manieth request of a release; by turns here and on another machine."""
    for number in range(1 + part, start.requests + 1, PARTS):
        home = tmp_path / f"home-{number}"
        with registry_with(start.blobs, start.manifests) as fake:
            yield killed_at(fake, number, home, start.context, served=bool(number % 2))
            assert_whole(home)
            assert_nothing_half_seen(fake, start)
            again = home if number % 4 < 2 else tmp_path / f"elsewhere-{number}"
            assert release(fake, again, start.context) == start.digest
            assert tags_of(fake) == start.before | dict.fromkeys(ORDER, start.digest)
            if number <= PARTS:
                fake.seen.clear()
                assert release(fake, again, start.context) == start.digest
                assert {one.method for one in fake.seen} <= {"GET", "HEAD"}, "nothing is left to do"


def test_release_is_killed_twice(start: Start, tmp_path: Path) -> None:
    """Between the tags, then again while it is completed."""
    with registry_with(start.blobs, start.manifests) as fake:
        for number in range(start.requests - 6, 4, -3):
            killed_at(fake, number, tmp_path / "home", start.context, served=True)
            assert_nothing_half_seen(fake, start)
        assert release(fake, tmp_path / "home", start.context) == start.digest
        assert tags_of(fake) == start.before | dict.fromkeys(ORDER, start.digest)
