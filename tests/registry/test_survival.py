"""The whole client against every registry that people have: log in, push, pull, verify, list.

Once into an empty repository, once into one that holds an older image under another tag. What a
registry refuses is no excuse: there is always a way, and where the user must choose it, the error
names it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import conftest as cli
from tests.cli.conftest import Agent, MoveHome
from tests.quirks.profiles import MIB, PROFILES
from tests.quirks.server import Profile, QuirkRegistry
from tests.registries import Registry
from tests.registry.crates import build_crates

pytestmark = pytest.mark.slow

agent, move_home = cli.agent, cli.move_home

BLOB_SIZE = 12 * MIB
REQUESTS = 60
"""A push of some ten blobs stays far below, whatever must be tried first."""


@pytest.fixture(scope="module")
def crates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with images: of a 12 MiB blob, of a 24 MiB one, and a small old one."""
    sizes = {"crate:1.0": BLOB_SIZE, "crate:2.0": 2 * BLOB_SIZE, "crate:0.9": 20_000}
    return build_crates(tmp_path_factory.mktemp("crates"), sizes)


@pytest.fixture
def stocked(home: Path, crates: Path) -> Path:
    return shutil.copytree(crates, home / "agentoci")


@pytest.fixture(params=PROFILES.values(), ids=lambda profile: str(profile.name))
def quirky(request: pytest.FixtureRequest) -> Iterator[QuirkRegistry]:
    with QuirkRegistry(request.param) as registry:
        yield registry


def log_in(agent: Agent, registry: QuirkRegistry) -> None:
    if registry.auth is not None:
        agent("login", registry.host, "-u", "ada", "--password-stdin", stdin=b"secret")


def push(agent: Agent, profile: Profile, image: str, target: str) -> str:
    """Push, and do what the error says when a registry takes no types of ours."""
    if profile.takes_custom_types:
        return agent("push", image, target).out.strip()
    refused = agent("push", image, target, code=None)
    assert refused.code not in (0, 130)
    assert "push --profile image" in refused.err
    return agent("push", "--profile", "image", image, target).out.strip()


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("state", ["empty", "used"])
def test_image_goes_there_and_comes_back(
    agent: Agent, quirky: QuirkRegistry, move_home: MoveHome, state: str
) -> None:
    target = f"{quirky.host}/team/crate"
    log_in(agent, quirky)
    if state == "used":
        push(agent, quirky.profile, "crate:0.9", f"{target}:0.9")
    digest = push(agent, quirky.profile, "crate:1.0", f"{target}:1.0")
    assert push_again(agent, quirky.profile, f"{target}:1.0") == digest
    pull_and_verify(agent, move_home, f"{target}:1.0", digest, BLOB_SIZE)


def push_again(agent: Agent, profile: Profile, target: str) -> str:
    options = [] if profile.takes_custom_types else ["--profile", "image"]
    return agent("push", *options, "crate:1.0", target).out.strip()


def pull_and_verify(agent: Agent, move_home: MoveHome, target: str, digest: str, size: int) -> None:
    """As on another machine."""
    folder = move_home("elsewhere")
    assert agent("pull", target).out.strip() == digest
    checksums = folder / "checksums"
    checksums.write_text(f"{digest.removeprefix('sha256:')}  {target}\n")
    agent("verify", target, "--checksum", checksums)
    blobs = [path.read_bytes() for path in (folder / "store/blobs/sha256").iterdir()]
    assert max(map(len, blobs)) >= size


@pytest.mark.usefixtures("stocked")
def test_bytes_are_not_sent_over_and_over(agent: Agent, quirky: QuirkRegistry) -> None:
    log_in(agent, quirky)
    push(agent, quirky.profile, "crate:1.0", f"{quirky.host}/team/crate:1.0")
    attempts = 1 if quirky.profile.takes_custom_types else 2
    assert len(quirky.seen) < REQUESTS * attempts
    assert quirky.received < 2.5 * BLOB_SIZE, "once, and what a refused attempt had cost"
    before = quirky.received
    push_again(agent, quirky.profile, f"{quirky.host}/team/crate:1.0")
    assert quirky.received - before < MIB, "nothing that is there is sent again"


@pytest.mark.usefixtures("stocked")
def test_learned_way_is_taken_at_once_the_next_time(agent: Agent, quirky: QuirkRegistry) -> None:
    """What a push found out is known to the next process: no refused attempt."""
    log_in(agent, quirky)
    push(agent, quirky.profile, "crate:1.0", f"{quirky.host}/team/crate:1.0")
    before, seen = quirky.received, len(quirky.seen)
    push_image = [] if quirky.profile.takes_custom_types else ["--profile", "image"]
    agent("push", *push_image, "crate:2.0", f"{quirky.host}/team/crate:2.0")
    assert quirky.received - before < 2 * BLOB_SIZE + MIB
    assert len(quirky.seen) - seen < REQUESTS


@pytest.mark.usefixtures("stocked")
def test_tags_are_all_listed(agent: Agent, quirky: QuirkRegistry) -> None:
    quirky.page = 2
    log_in(agent, quirky)
    names = ["0.1", "0.2", "0.3", "0.4", "0.9"]
    target = f"{quirky.host}/team/crate"
    push(agent, quirky.profile, "crate:0.9", f"{target}:0.9")
    kept = quirky.manifests["team/crate", "0.9"]
    for name in names:
        quirky.manifests["team/crate", name] = kept
    assert sorted(agent("tags", target).lines) == names


@pytest.mark.usefixtures("stocked")
def test_hub_counts_one_pull(agent: Agent, move_home: MoveHome) -> None:
    with QuirkRegistry(PROFILES["docker-hub"]) as hub:
        log_in(agent, hub)
        target = f"{hub.host}/team/crate:1.0"
        agent("push", "crate:1.0", target)
        pushed = hub.counts["pulls"]
        move_home("elsewhere")
        agent("pull", target)
        assert hub.counts["pulls"] - pushed <= 2


@pytest.mark.usefixtures("stocked")
def test_acr_takes_a_blob_that_is_too_long_for_one_piece(agent: Agent, move_home: MoveHome) -> None:
    with QuirkRegistry(PROFILES["acr"]) as acr:
        log_in(agent, acr)
        target = f"{acr.host}/team/crate:2.0"
        digest = agent("push", "crate:2.0", target).out.strip()
        pull_and_verify(agent, move_home, target, digest, 2 * BLOB_SIZE)


@pytest.mark.integration
@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("profile", ["agent", "image"])
def test_real_registries_take_it(
    agent: Agent, registry: Registry, repository: str, move_home: MoveHome, profile: str
) -> None:
    target = f"{registry.reference(repository)}:1.0"
    digest = agent("push", "--profile", profile, "crate:1.0", target).out.strip()
    assert agent("push", "--profile", profile, "crate:1.0", target).out.strip() == digest
    pull_and_verify(agent, move_home, target, digest, BLOB_SIZE)
