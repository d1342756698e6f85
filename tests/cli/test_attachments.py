"""agent attach and discover."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from agentoci.spec import mediatypes
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import referrers_tag
from tests.cli.conftest import Agent
from tests.registries import Registry
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Reply, answers

REPORT = "application/vnd.example.report"
SBOM = "application/spdx+json"


@pytest.fixture
def image(agent: Agent, stocked: Path, fake: FakeRegistry) -> str:
    """An image at a registry."""
    reference = f"{fake.host}/team/talker:1.0"
    agent("push", "talker:1.0", reference)
    return reference


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text("all is well\n")
    return path


@pytest.mark.usefixtures("stocked")
def test_what_is_attached_is_discovered(agent: Agent, report: Path):
    for where in ("talker:1.0", "mute:1.0"):
        assert agent("discover", where).lines == ["DIGEST   TYPE   SIZE   CREATED   ANNOTATIONS"]
    created = "org.opencontainers.image.created=2024-01-15T10:00:00Z"
    done = agent(
        "attach", "talker:1.0", f"{report}:text/x-report", "--artifact-type", REPORT,
        "--annotation", "by=ada", "-a", created,
    )  # fmt: skip
    digest = done.out.strip()
    Digest.parse(digest)
    [_, row] = agent("discover", "talker:1.0").lines
    assert row.split() == [digest, REPORT, *row.split()[2:4], "2024-01-15T10:00:00Z", "by=ada"]
    assert "nothing speaks of mute:1.0" in agent("discover", "mute:1.0").err


def test_discover_at_a_registry_in_every_format(agent: Agent, image: str, report: Path):
    options = ("--artifact-type", REPORT, "--format", "json")
    attached = agent("attach", image, report, *options).json
    assert attached["replaced"] == attached["left"] == []
    name = f"{image.removesuffix(':1.0')}@{attached['digest']}"
    above = agent("attach", name, report, "--artifact-type", SBOM).out.strip()
    found = agent("discover", "--format", "json", image).json
    assert found["digest"] == attached["subject"]
    pinned = f"{image.removesuffix(':1.0')}@{attached['subject']}"
    assert found["reference"] == attached["reference"] == pinned
    [entry] = found["referrers"]
    assert (entry["digest"], entry["artifactType"], entry["subject"]) == (
        attached["digest"],
        REPORT,
        attached["subject"],
    )
    assert (entry["mediaType"], entry["tag"], entry["created"]) == (
        mediatypes.OCI_MANIFEST,
        None,
        None,
    )
    tree = agent("discover", "-r", "--format", "tree", image).lines
    assert tree[1:] == [
        f"└── {REPORT} {attached['digest'][7:19]}",
        f"    └── {SBOM} {above[7:19]}",
    ]
    listed = agent("discover", "--recursive", "--artifact-type", SBOM, image).lines
    assert len(listed) == 2
    assert listed[1].startswith(above)


def test_a_tree_draws_its_branches(agent: Agent, image: str, report: Path):
    for kind in (REPORT, SBOM):
        agent("attach", image, report, "--artifact-type", kind)
    tree = agent("discover", "--format", "tree", image).lines
    assert [line[:4] for line in tree[1:]] == ["├── ", "└── "]


def test_replacing(agent: Agent, image: str, report: Path):
    first = agent("attach", image, report, "--artifact-type", REPORT).out.strip()
    report.write_text("all is better\n")
    done = agent("attach", image, report, "--artifact-type", REPORT, "--replace")
    assert f"replaced {first}" in done.err
    report.write_text("all is best\n")
    done = agent("attach", "-q", image, report, "--artifact-type", REPORT, "--replace")
    assert done.err == ""
    assert [row.split()[0] for row in agent("discover", image).lines[1:]] == [done.out.strip()]


def test_an_earlier_one_that_stays_is_an_error_after_the_digest(
    agent: Agent, image: str, report: Path, fake: FakeRegistry
):
    agent("attach", image, report, "--artifact-type", REPORT)
    fake.on("DELETE", "/manifests/", answers(405), times=9)
    report.write_text("all is better\n")
    done = agent("attach", image, report, "--artifact-type", REPORT, "--replace", code=7)
    Digest.parse(done.out.strip())
    assert "earlier ones are listed still" in done.err


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize("api", [False, True], ids=["tag", "api"])
def test_what_is_attached_here_travels_with_the_image(
    agent: Agent, report: Path, fake: FakeRegistry, api: bool
):
    fake.referrers = api
    digest = agent("attach", "talker:1.0", report, "--artifact-type", REPORT).out.strip()
    image = f"{fake.host}/team/talker:1.0"
    agent("cp", "--recursive", "talker:1.0", image)
    assert agent("discover", image).lines[1].startswith(digest)
    assert digest[7:19] not in agent("images").out
    removed = agent("rmi", "talker:1.0").lines
    assert f"deleted: {digest}" in removed
    agent("cp", "--recursive", image, "back:1.0")
    assert agent("discover", "back:1.0").lines[1].startswith(digest)
    agent("prune")
    assert agent("discover", "back:1.0").lines[1].startswith(digest)


@pytest.mark.usefixtures("stocked")
def test_wrong_usage(agent: Agent, report: Path):
    kind = ("--artifact-type", REPORT)
    assert "needs a type" in agent("attach", "talker:1.0", report, code=2).err
    assert "nothing to attach" in agent("attach", "talker:1.0", *kind, code=2).err
    assert "no such file" in agent("attach", "talker:1.0", "missing", *kind, code=6).err
    assert "no such image" in agent("attach", "nobody:1.0", report, *kind, code=6).err
    assert "KEY=VALUE" in agent("attach", "talker:1.0", report, *kind, "-a", "x", code=2).err
    agent("discover", "nobody:1.0", code=6)
    digest = "sha256:" + "0" * 64
    for wrong in ([digest], ["--dry-run"], ["--repair", "-r"], ["--repair", *kind]):
        assert agent("discover", "talker:1.0", *wrong, code=2).err
    refused = agent("discover", "--repair", "talker:1.0", "sha256:abc", code=2)
    assert "'sha256:abc' is not a digest" in refused.err
    assert "no list can be wrong" in agent("discover", "--repair", "talker:1.0", code=2).err


def test_repair_says_what_it_did(agent: Agent, image: str, report: Path, fake: FakeRegistry):
    fake.referrers = False
    digest = agent("attach", image, report, "--artifact-type", REPORT).out.strip()
    subject = agent("discover", "--format", "json", image).json["digest"]
    assert "is right" in agent("discover", "--repair", image).err
    missing = {"mediaType": mediatypes.OCI_MANIFEST, "digest": "sha256:" + "0" * 64, "size": 9}
    index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": [missing]}
    tag = referrers_tag(Digest.parse(subject))
    fake.put_manifest("team/talker", tag, mediatypes.OCI_INDEX, json.dumps(index).encode())
    expected = [f"added: {digest}", f"dropped: {missing['digest']} (not there any more)"]
    planned = agent("discover", "--repair", "--dry-run", image, digest, code=3)
    assert planned.lines == expected
    assert "wrong in 2 places" in planned.err
    assert agent("discover", "--repair", image, digest).lines == expected
    done = agent("discover", "--repair", "--dry-run", "--format", "json", image, digest).json
    assert (done["added"], done["dropped"], done["corrected"]) == ([], {}, [])
    assert agent("discover", image).lines[1].startswith(digest)


@pytest.mark.slow
def test_who_loses_every_race_is_told_how_to_mend_it(
    agent: Agent, image: str, report: Path, fake: FakeRegistry
):
    fake.referrers = False
    empty = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": []}
    racing = threading.Event()
    racing.set()

    def overwrites(exchange: Exchange) -> Reply:
        reply = exchange.serve()
        if racing.is_set():
            tag = exchange.seen.path.rpartition("/")[2]
            fake.put_manifest("team/talker", tag, mediatypes.OCI_INDEX, json.dumps(empty).encode())
        return reply

    fake.on("PUT", "/manifests/sha256-", overwrites, times=99)
    done = agent("attach", image, report, "--artifact-type", REPORT, code=7)
    assert "is stored, but not listed" in done.err
    [hint] = [line for line in done.err.splitlines() if line.startswith("hint: agent discover")]
    racing.clear()
    assert agent(*hint.removeprefix("hint: agent ").split()).out.startswith("added: sha256:")
    assert len(agent("discover", image).lines) == 2


# Real registries

WORKERS = 8


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.usefixtures("stocked")
def test_eight_processes_attach_at_once_and_nothing_is_lost(
    agent: Agent, registry: Registry, repository: str, tmp_path: Path
):
    image = registry.reference(f"{repository}:1.0")
    agent("push", "mute:1.0", image)
    running = []
    for number in range(WORKERS):
        path = tmp_path / f"{number}.txt"
        path.write_text(f"report {number}\n")
        command = [sys.executable, "-m", "agentoci", "attach", image, str(path)]
        running.append(
            subprocess.Popen(
                [*command, "--artifact-type", REPORT],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    ended = [process.communicate(timeout=120) for process in running]
    assert [err for _, err in ended] == [""] * WORKERS
    assert [process.returncode for process in running] == [0] * WORKERS
    found = agent("discover", "--format", "json", image).json["referrers"]
    assert {entry["digest"] for entry in found} == {out.strip() for out, _ in ended}
    assert len(found) == WORKERS


@pytest.mark.integration
@pytest.mark.usefixtures("stocked")
def test_the_verbs_at_every_registry(
    agent: Agent, registry: Registry, repository: str, report: Path
):
    image = registry.reference(f"{repository}:1.0")
    agent("push", "mute:1.0", image)
    first = agent("attach", image, report, "--artifact-type", REPORT).out.strip()
    other = agent("attach", image, report, "--artifact-type", SBOM).out.strip()
    report.write_text("all is better\n")
    second = agent("attach", image, report, "--artifact-type", REPORT, "--replace").out.strip()
    found = agent("discover", "--format", "json", image).json["referrers"]
    assert {entry["digest"] for entry in found} == {other, second}
    assert first != second
    listed = agent("discover", "--artifact-type", SBOM, image).lines
    assert [line.split()[0] for line in listed[1:]] == [other]
    assert not agent("discover", "--repair", image).out


@pytest.mark.integration
@pytest.mark.usefixtures("stocked")
def test_a_deleted_attachment_does_not_stand_in_the_way_of_others(
    agent: Agent, registry: Registry, repository: str, report: Path
):
    image = registry.reference(f"{repository}:1.0")
    agent("push", "mute:1.0", image)
    first = agent("attach", image, report, "--artifact-type", REPORT).out.strip()
    request = urllib.request.Request(
        f"http://{registry.host}/v2/{repository}/manifests/{first}", method="DELETE"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
    second = agent("attach", image, report, "--artifact-type", SBOM).out.strip()
    agent("discover", "--repair", image)
    found = agent("discover", "--format", "json", image).json["referrers"]
    assert [entry["digest"] for entry in found] == [second]
