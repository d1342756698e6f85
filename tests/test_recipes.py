"""README's release pipelines do what the page says of them."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import pipelines, recipes, registries
from tests.certificates import Authority
from tests.conftest import RunAgent
from tests.pipelines import GitLab, Pipeline, Ran, Workflow
from tests.quirks import site
from tests.quirks.profiles import GITLAB
from tests.quirks.server import QuirkRegistry
from tests.recipes import git
from tests.registries import KINDS, Registry
from tests.registry.tokenserver import serve_with_tokens

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MOVING = {"1.4", "1", "latest"}
LISTS = re.compile("sha256-[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Site:
    """A pipeline, the two repositories that it speaks of, and somebody who may look into them.

    `sent` tells how many blobs came, where the registry knows.
    """

    pipeline: Pipeline
    staging: str
    production: str
    agent: RunAgent
    sent: Callable[[], int] = lambda: 0

    def ask(self, *arguments: str) -> Any:
        """What a verb of ours says."""
        done = self.agent(*arguments, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def digests(self, repository: str) -> dict[str, str]:
        """The tags, each with what it means; not those that list what speaks of something."""
        found = self.ask("tags", repository, "--digests")["tags"]
        return {one["tag"]: one["digest"] for one in found if not LISTS.match(one["tag"])}

    def attached(self, image: str) -> list[str]:
        """What speaks of an image."""
        return [one["digest"] for one in self.ask("discover", image)["referrers"]]

    def everything(self) -> list[Any]:
        """All that can be seen of both repositories."""
        names = (self.staging, self.production)
        tags = [self.digests(name) for name in names]
        images = [
            f"{name}@{digest}"
            for name, found in zip(names, tags, strict=True)
            for digest in found.values()
        ]
        return [tags, [self.attached(image) for image in images]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the example agent, its version taken as the page says; tagged v1.4.2."""
    if shutil.which("git") is None:
        pytest.skip("no git on this machine; pipelines release tags of a repository")
    folder = tmp_path / "checkout"
    shutil.copytree(recipes.EXAMPLE, folder)
    recipes.take_version(folder)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "v1.4.2")
    return folder


def commit(folder: Path, tag: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", f"Release {tag}")
    git(folder, "tag", "-f", tag)


def change(folder: Path, tag: str) -> None:
    """Another agent under this tag."""
    with (folder / "agent.py").open("a") as agent:
        agent.write(f"# {len(git(folder, 'log', '--format=%h').splitlines())}\n")
    commit(folder, tag)


def pipeline_of(service: str) -> dict[str, Any]:
    """The pipeline of a service on the page."""
    github, gitlab = recipes.blocks("Release pipelines")
    assert (github.language, gitlab.language) == ("yaml", "yaml")
    return pipelines.load({"github": github, "gitlab": gitlab}[service])


@pytest.fixture(scope="module")
def token_registry(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """What stands in for ghcr.io: distribution v3 with a token server."""
    if KINDS["distribution"].program() is None:
        pytest.skip(KINDS["distribution"].missing)
    with serve_with_tokens("distribution", tmp_path_factory.mktemp("ghcr"), authority) as (
        found,
        _,
    ):
        yield found


@pytest.fixture
def github(
    checkout: Path, token_registry: Registry, repository: str, tmp_path: Path, run_agent: RunAgent
) -> Site:
    """The workflow, released to a registry with tokens, by the names of this test's own."""
    document = pipeline_of("github")
    names = {key: document["env"][key] for key in ("STAGING", "IMAGE")}
    document["env"] |= {
        key: name.replace("/acme/", f"/{repository}/") for key, name in names.items()
    }
    pipeline = Workflow(
        document,
        checkout,
        tmp_path / "runners",
        {"GITHUB_ACTOR": registries.USER},
        contexts={"github.token": registries.PASSWORD},
        hosts={"ghcr.io": token_registry.host},
    )
    log_in(run_agent, token_registry.host, registries.USER, registries.PASSWORD)
    staging, production = (
        name.replace("ghcr.io/acme/", token_registry.reference(f"{repository}/"))
        for name in names.values()
    )
    return Site(pipeline, staging, production, run_agent)


@pytest.fixture
def gitlab(checkout: Path, tmp_path: Path, run_agent: RunAgent) -> Iterator[Site]:
    """The GitLab pipeline, released to a registry with GitLab's ways."""
    with QuirkRegistry(GITLAB) as registry:
        image = f"{registry.host}/acme/coordinator"
        variables = {
            "CI_REGISTRY": registry.host,
            "CI_REGISTRY_IMAGE": image,
            "CI_REGISTRY_USER": site.USER,
            "CI_REGISTRY_PASSWORD": site.PASSWORD,
        }
        pipeline = GitLab(pipeline_of("gitlab"), checkout, tmp_path / "runners", variables)
        log_in(run_agent, registry.host, site.USER, site.PASSWORD)

        def sent() -> int:
            return len(registry.requests(pattern="/blobs/uploads/"))

        yield Site(pipeline, f"{image}/staging", image, run_agent, sent)


def log_in(agent: RunAgent, host: str, user: str, password: str) -> None:
    done = agent("login", host, "-u", user, "--password-stdin", stdin=password.encode())
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["github", "gitlab"])
def service(request: pytest.FixtureRequest) -> Site:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Site)
    return found


def release(here: Site, tag: str) -> list[Ran]:
    """Run the pipeline to its end; a release leaves no line of the page out but the set-up."""
    ran = here.pipeline.run(tag)
    for one in ran:
        assert one.done.returncode == 0, f"{one.script}\n{one.done.stderr}"
    if "-" not in tag:
        scripts = "\n".join(one.script for one in ran)
        lines = Counter(pipelines.shell_lines(here.pipeline.document))
        left = {line for line, times in lines.items() if scripts.count(line) < times}
        assert left == pipelines.INSTALLS
    return ran


def test_release_is_promoted_under_the_digest_of_staging(service: Site):
    ran = release(service, "v1.4.2")
    assert [one.job for one in ran][-1] == "promote"
    assert "nothing to remove" in ran[-1].done.stderr
    [(staged, digest)] = service.digests(service.staging).items()
    assert staged == "1.4.2"
    assert service.digests(service.production) == dict.fromkeys({"1.4.2", *MOVING}, digest)
    [report] = service.attached(f"{service.staging}@{digest}")
    assert service.attached(f"{service.production}:1.4.2") == [report]
    inspected = service.ask("inspect", "--remote", f"{service.production}:latest")
    assert inspected["definition"]["metadata"]["version"] == "1.4.2"
    assert inspected["created"] == recipes.DAY


def test_second_run_changes_nothing_and_other_content_is_refused(service: Site, checkout: Path):
    release(service, "v1.4.2")
    before, sent = service.everything(), service.sent()
    release(service, "v1.4.2")
    assert service.everything() == before
    assert service.sent() == sent
    change(checkout, "v1.4.2")
    *_, last = service.pipeline.run("v1.4.2")
    assert (last.job, last.done.returncode) == ("stage", 7)
    assert "1.4.2 is there already" in last.done.stderr
    assert service.everything() == before


def test_prerelease_stays_in_staging_and_its_release_moves_tags(service: Site, checkout: Path):
    release(service, "v1.4.2")
    before = service.digests(service.production)
    change(checkout, "v1.5.0-rc.1")
    assert {one.job for one in release(service, "v1.5.0-rc.1")} == {"stage"}
    assert service.digests(service.production) == before
    change(checkout, "v1.5.0")
    pruned = release(service, "v1.5.0")[-1].done
    found = service.digests(service.production)
    new = found["1.5.0"]
    assert new != before["1.4.2"]
    assert found == {**before, **dict.fromkeys(["1.5.0", "1.5", "1", "latest"], new)}
    assert "1.5.0-rc.1" in pruned.stdout
    assert "1.4.2" not in pruned.stdout
    assert set(service.digests(service.staging)) == {"1.4.2", "1.5.0-rc.1", "1.5.0"}
