"""What push and pull take besides names: several tags, taken tags, platforms, other artifacts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentoci.content.protocols import Target
from agentoci.registry.client import RegistryClient
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor, Platform
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.reference import Reference
from tests.cli.conftest import Agent, MoveHome
from tests.content.graphs import put, put_image, put_manifest
from tests.registry.fake import FakeRegistry
from tests.registry.faults import refuses

pytestmark = pytest.mark.usefixtures("stocked")


@pytest.fixture
def remote(fake: FakeRegistry) -> Iterator[Target]:
    """A repository of the fake, to put things there that are no agents."""
    with RegistryClient() as client:
        yield client.repository(Reference(fake.host, "team/other", "latest"), push=True)


def put_skill(target: Target, kind: str) -> Descriptor:
    put(target, EMPTY_CONTENT, mediatypes.OCI_EMPTY)
    layer = put(target, b"# A skill", "application/octet-stream")
    return put_manifest(target, Manifest.build(config=EMPTY, layers=[layer], artifact_type=kind))


def tags_of(fake: FakeRegistry, name: str) -> dict[str, str]:
    """Tag → content, without digests."""
    return {
        tag: json.loads(content)["mediaType"] + str(len(content))
        for (repository, tag), (_, content) in fake.manifests.items()
        if repository == name and ":" not in tag
    }


def test_several_tags_in_one_push(agent: Agent, fake: FakeRegistry):
    target = f"{fake.host}/team/talker"
    done = agent("push", "talker:1.0", f"{target}:1.4.2", "-t", "1.4", "--tag", "latest")
    assert set(tags_of(fake, "team/talker")) == {"1.4.2", "1.4", "latest"}
    assert len(set(tags_of(fake, "team/talker").values())) == 1
    assert done.lines == [agent("images", "-q", "talker").lines[0]]


def test_push_says_what_it_did_as_json(agent: Agent, fake: FakeRegistry):
    target = f"{fake.host}/team/talker:1.0"
    first = agent("push", "talker:1.0", target, "-t", "stable", "--format", "json").json
    assert first["digest"] == agent("images", "-q", "talker").lines[0]
    assert first["tags"] == ["1.0", "stable"]
    assert first["movedBlobs"] == first["blobs"] > 0
    assert first["requests"] == len(fake.seen)
    before = len(fake.seen)
    again = agent("push", "talker:1.0", target, "--format", "json").json
    assert (again["movedBlobs"], again["movedBytes"]) == (0, 0)
    assert again["requests"] == len(fake.seen) - before <= 3, "a re-tag is three round trips"


def test_pull_says_what_it_did_as_json(agent: Agent, fake: FakeRegistry, move_home: MoveHome):
    target = f"{fake.host}/team/talker:1.0"
    digest = agent("push", "talker:1.0", target).out.strip()
    move_home("elsewhere")
    before = len(fake.seen)
    found = agent("pull", target, "--format", "json").json
    assert (found["digest"], found["reference"]) == (digest, target)
    assert (found["kind"], found["tags"]) == ("an agent image", ["1.0"])
    assert found["requests"] == len(fake.seen) - before
    assert agent("pull", target).err.endswith("everything was there already, 1 request\n")


@pytest.mark.parametrize(("policy", "code"), [("fail", 7), ("skip", 0), ("replace", 0)])
def test_taken_tag(agent: Agent, fake: FakeRegistry, policy: str, code: int):
    target = f"{fake.host}/team/bot:1.0"
    there = agent("push", "mute:1.0", target).out.strip()
    done = agent("push", "talker:1.0", target, "--if-exists", policy, code=code)
    now = agent("inspect", "--remote", target).json["digest"]
    assert (now == there) == (policy != "replace")
    match policy:
        case "fail":
            assert there in done.err
            assert done.out == ""
        case "skip":
            assert done.out.strip() == there
            assert f"left alone: {target} is there already as {there}" in done.err
        case _:
            assert done.out.strip() == now


@pytest.mark.parametrize(("policy", "code"), [("fail", 7), ("skip", 0)])
def test_taken_version_keeps_other_tags_where_they_are(
    agent: Agent, fake: FakeRegistry, policy: str, code: int
):
    target = f"{fake.host}/team/bot:1.4.2"
    there = agent("push", "mute:1.0", target, "-t", "latest").out.strip()
    agent("push", "talker:1.0", target, "-t", "latest", "--if-exists", policy, code=code)
    assert agent("inspect", "--remote", f"{fake.host}/team/bot:latest").json["digest"] == there


def test_new_version_moves_the_other_tags(agent: Agent, fake: FakeRegistry):
    agent("push", "mute:1.0", f"{fake.host}/team/bot:1.4.1", "-t", "latest")
    options = ("-t", "latest", "--if-exists", "fail")
    new = agent("push", "talker:1.0", f"{fake.host}/team/bot:1.4.2", *options).out.strip()
    assert agent("inspect", "--remote", f"{fake.host}/team/bot:latest").json["digest"] == new
    again = agent("push", "talker:1.0", f"{fake.host}/team/bot:1.4.2", *options)
    assert again.out.strip() == new


@pytest.mark.parametrize(
    ("named", "more", "code"),
    [
        ("1.4.2", [], 7),
        ("v1.4.2", [], 7),
        ("1.4.2_build.5", [], 7),
        ("latest", ["1.4.2"], 7),
        ("1.5.0", ["1.4.2", "1.5"], 7),
        ("1.4", ["1", "latest"], 0),
        ("1.4.3-rc.1", ["1.4.3-alpine"], 0),
        ("20240131", ["stable"], 0),
    ],
)
def test_full_releases_are_never_replaced_by_default(
    agent: Agent, fake: FakeRegistry, named: str, more: list[str], code: int
):
    bot = f"{fake.host}/team/bot"
    taken = ["1.4.2", "v1.4.2", "1.4.2_build.5", "1.4", "1", "latest", "1.4.3-rc.1", "20240131"]
    tags = [word for tag in taken for word in ("-t", tag)]
    agent("push", "mute:1.0", f"{bot}:first", *tags)
    before = dict(fake.manifests)
    also = [word for tag in more for word in ("-t", tag)]
    done = agent("push", "talker:1.0", f"{bot}:{named}", *also, code=code)
    if code:
        assert "1.4.2" in done.err
        assert "hint: raise the version; agent push --if-exists replace" in done.err
        assert fake.manifests == before, "nothing has moved"
        done = agent("push", "talker:1.0", f"{bot}:{named}", *also, "--if-exists", "replace")
    assert agent("inspect", "--remote", f"{bot}:{named}").json["digest"] == done.out.strip()


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_release_among_the_tags_is_not_replaced(agent: Agent, fake: FakeRegistry, policy: str):
    bot = f"{fake.host}/team/bot"
    agent("push", "mute:1.0", f"{bot}:1.4.2")
    push = ("push", "talker:1.0", f"{bot}:edge", "-t", "1.4.2", "--if-exists", policy)
    assert "1.4.2 is released already" in agent(*push, code=7).err


def test_full_release_costs_one_request_more(agent: Agent, fake: FakeRegistry):
    bot = f"{fake.host}/team/bot"
    agent("push", "talker:1.0", f"{bot}:1.0")
    fake.seen.clear()
    digest = agent("push", "talker:1.0", f"{bot}:1.0.0").out.strip()
    manifests = "/v2/team/bot/manifests"
    assert [str(one) for one in fake.seen] == [
        f"HEAD {manifests}/1.0.0",
        f"HEAD {manifests}/{digest}",
        f"PUT {manifests}/1.0.0",
    ]


def test_full_release_in_a_layout(agent: Agent, tmp_path: Path):
    layout = f"oci:{tmp_path / 'layout'}"
    agent("push", "mute:1.0", f"{layout}:bot:1.4.2", "-t", "1.4")
    again = ("push", "talker:1.0", f"{layout}:bot:1.4.2", "-t", "1.4")
    assert "bot:1.4.2 is released already" in agent(*again, code=7).err
    there = {
        row["tag"]: row["digest"] for row in agent("tags", layout, "--format", "json").json["tags"]
    }
    assert there["1.4"] == there["1.4.2"]
    assert agent("push", "talker:1.0", f"{layout}:bot:1.4").out.strip() != there["1.4"]


def test_build_pushes_over_no_release(agent: Agent, fake: FakeRegistry, talker: Path):
    name = f"{fake.host}/team/talker:1.4.2"
    build = ("build", "--push", "-t", name, talker)
    first = agent(*build).out
    assert agent(*build).out == first
    (talker / "notes.md").write_text("Talk costs.\n")
    again = ("build", "--replace", *build[1:], "-t", f"{fake.host}/team/talker:1.4")
    assert "1.4.2 is released already" in agent(*again, code=7).err
    assert set(tags_of(fake, "team/talker")) == {"1.4.2"}


def test_skipped_push_says_what_is_there(agent: Agent, fake: FakeRegistry):
    target = f"{fake.host}/team/bot:1.0"
    there = agent("push", "mute:1.0", target).out.strip()
    done = agent("push", "talker:1.0", target, "--if-exists", "skip", "--format", "json").json
    assert (done["digest"], done["tags"], done["skipped"]) == (there, [], True)


def test_same_content_under_a_taken_tag_is_no_conflict(agent: Agent, fake: FakeRegistry):
    target = f"{fake.host}/team/bot:1.0"
    first = agent("push", "talker:1.0", target)
    again = agent("push", "talker:1.0", target, "--if-exists", "fail")
    assert again.out == first.out


def test_immutable_tag_is_told(agent: Agent, fake: FakeRegistry):
    target = f"{fake.host}/team/bot:1.0"
    there = agent("push", "mute:1.0", target).out.strip()
    fake.on("PUT", "/manifests/1.0", refuses(400, "TAG_INVALID", "tag is immutable"))
    done = agent("push", "talker:1.0", target, code=7)
    assert there in done.err
    fake.on("PUT", "/manifests/1.0", refuses(400, "TAG_INVALID", "tag is immutable"))
    assert agent("push", "mute:1.0", target).out.strip() == there


def test_tags_of_a_layout(agent: Agent, tmp_path: Path):
    agent("push", "talker:1.0", f"oci:{tmp_path / 'layout'}", "-t", "stable")
    index = json.loads((tmp_path / "layout" / "index.json").read_bytes())
    names = {
        entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]
    }
    assert names == {"talker:1.0", "talker:stable"}


def test_platform_of_an_index(agent: Agent, fake: FakeRegistry, remote: Target):
    entries: list[Any] = []
    for name in ("linux/amd64", "linux/arm64"):
        image = put_image(remote, name.encode())
        entries.append(
            Descriptor(image.media_type, image.digest, image.size, platform=Platform.parse(name))
        )
    index = put_manifest(remote, Index.build(entries))
    remote.tag(index, "tool")
    reference = f"{fake.host}/team/other:tool"
    picked = agent("pull", "--platform", "linux/arm64", reference, "tool:arm")
    assert picked.out.strip() == str(entries[1].digest)
    assert "tool:arm is a container image; `agent run` does not run it" in picked.err
    assert agent("pull", reference, "tool:all").out.strip() == str(index.digest)
    missing = agent("pull", "--platform", "linux/s390x", reference, code=6)
    assert "made for linux/amd64, linux/arm64" in missing.err
    wrong = agent("pull", "--platform", "s390x", reference, code=2)
    assert "linux/arm64" in wrong.err


def test_platform_of_a_single_image_must_fit(agent: Agent, fake: FakeRegistry, remote: Target):
    config = json.dumps({"os": "linux", "architecture": "arm64", "rootfs": {}}).encode()
    remote.tag(put_image(remote, b"layer", config=config), "arm")
    reference = f"{fake.host}/team/other:arm"
    assert agent("pull", "--platform", "linux/arm64", reference).out
    done = agent("pull", "--platform", "linux/amd64", reference, code=6)
    assert "not made for linux/amd64" in done.err
    assert "linux/arm64" in done.err


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("application/vnd.agentskills.skill.v1", "an Agent Skill"),
        ("application/vnd.docker.agent.config.v1+json", "a Docker Agent definition"),
        ("application/vnd.example.thing", "an artifact of type application/vnd.example.thing"),
    ],
)
def test_other_artifacts_are_pulled_and_called_what_they_are(
    agent: Agent, fake: FakeRegistry, remote: Target, kind: str, words: str
):
    remote.tag(put_skill(remote, kind), "1.0")
    reference = f"{fake.host}/team/other:1.0"
    assert f"is {words}; `agent run` does not run it" in agent("pull", reference).err
    assert agent("inspect", reference).json["artifactType"] == kind
    done = agent("run", reference, code=2)
    assert f"is not an agent image, but {words}" in done.err


def test_artifact_of_many_files_is_pulled(agent: Agent, fake: FakeRegistry, remote: Target):
    layers = [str(number).encode() for number in range(300)]
    remote.tag(put_image(remote, *layers), "many")
    done = agent("pull", f"{fake.host}/team/other:many", "--format", "json").json
    assert done["blobs"] == done["movedBlobs"] == 301


def test_build_pushes_all_tags_of_a_repository_at_once(
    agent: Agent, fake: FakeRegistry, talker: Path
):
    names = [f"{fake.host}/team/talker:{tag}" for tag in ("1.0", "1", "latest")]
    tags = [part for name in names for part in ("-t", name)]
    agent("build", "--push", *tags, "-t", f"{fake.host}/other/talker:1.0", talker)
    assert set(tags_of(fake, "team/talker")) == {"1.0", "1", "latest"}
    assert set(tags_of(fake, "other/talker")) == {"1.0"}


def test_layers_of_the_base_are_mounted_from_its_repository(
    agent: Agent, fake: FakeRegistry, talker: Path, home: Path
):
    base = f"{fake.host}/bases/talker:1.0"
    agent("push", "talker:1.0", base)
    agent("tag", "talker:1.0", base)
    shutil.rmtree(home / "agentoci" / "cache" / "places")  # as on a machine that pulled nothing
    (talker / "Agentfile").write_text(f"FROM {base}\nCOPY notes.md /agent/more/\nINTERFACE bot\n")
    agent("build", "-t", "bot:1.0", talker)
    before = len(fake.seen)
    done = agent("push", "bot:1.0", f"{fake.host}/team/bot:1.0", "--format", "json").json
    mounts = [one.query["from"] for one in fake.seen[before:] if one.query.get("mount")]
    assert ["bases/talker"] in mounts
    assert 0 < done["movedBlobs"] < done["blobs"] - 1
