"""Releases of different content that start at once, by processes of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentoci.spec.version import TagVersion
from tests import commandline
from tests.cli.samples import write_talker
from tests.interop.content import digest_of, manifest_at
from tests.registries import Registry
from tests.registry.fake import FakeRegistry

pytestmark = pytest.mark.slow

CONTENDERS = 4
TRIES = 8
TAKEN = 7


class Contender:
    """Somebody with changes of his own, on a machine of his own."""

    def __init__(self, folder: Path, name: str, number: int) -> None:
        self.name = name
        self.home = folder / f"home-{number}"
        self.context = write_talker(folder / f"talker-{number}")
        (self.context / "notes.md").write_text(f"Talk is dear, says {number}.\n")
        self.home.mkdir()

    def release(self, *options: str) -> tuple[int, str]:
        """Exit code, and the digest if it is 0."""
        done = commandline.run_agent(
            "release",
            "-q",
            *options,
            self.name,
            self.context,
            env=commandline.environment_of(self.home),
            cwd=self.home,
        )
        assert done.returncode in {0, TAKEN}, done.stderr
        return done.returncode, done.stdout.strip()

    def release_at_last(self) -> str | None:
        """Until it is released; the digest that was told, None when it never was."""
        for _ in range(TRIES):
            code, digest = self.release()
            if code == 0:
                return digest
        return None


def race(folder: Path, name: str) -> list[str | None]:
    """All at once, from 2.1.0 on; returns the digest that each was told."""
    first = Contender(folder, name, 0)
    assert first.release()[0] == 0
    contenders = [Contender(folder, name, number) for number in range(1, CONTENDERS + 1)]
    with ThreadPoolExecutor(CONTENDERS) as pool:
        return list(pool.map(Contender.release_at_last, contenders))


def assert_everybody_has_a_version(found: dict[str, str], told: list[str | None]) -> None:
    """Whoever was told that his content is released has a version that means it, and no other."""
    releases = {
        tag: digest
        for tag, digest in found.items()
        if (one := TagVersion.parse(tag)) is not None and one.is_release
    }
    assert len(told) == len(set(told)) == CONTENDERS
    assert set(told) == {digest for tag, digest in releases.items() if tag != "2.1.0"}
    assert set(releases) == {f"2.1.{patch}" for patch in range(CONTENDERS + 1)}
    newest = releases[f"2.1.{CONTENDERS}"]
    assert {found[tag] for tag in ("2.1", "2", "latest")} == {newest}


def test_everybody_gets_a_version(tmp_path: Path) -> None:
    with FakeRegistry() as fake:
        told = race(tmp_path, f"{fake.host}/team/talker")
        digests = {raw: tag for (_, tag), (_, raw) in fake.manifests.items() if ":" in tag}
        found = {
            tag: digests[raw] for (_, tag), (_, raw) in fake.manifests.items() if ":" not in tag
        }
    assert_everybody_has_a_version(found, told)


@pytest.mark.integration
def test_everybody_gets_a_version_at_a_real_registry(
    distribution: Registry, repository: str, tmp_path: Path
) -> None:
    name = distribution.reference(repository)
    told = race(tmp_path, name)
    tags = [*(f"2.1.{patch}" for patch in range(CONTENDERS + 1)), "2.1", "2", "latest"]
    found = {tag: digest_of(manifest_at(f"{name}:{tag}")) for tag in tags}
    assert_everybody_has_a_version(found, told)
