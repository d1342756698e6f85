"""agent tags, untag, rm --remote, manifest, blob: what users see of a repository."""

from __future__ import annotations

from pathlib import Path

from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT
from agentoci.spec.manifest import Manifest
from tests.cli.conftest import Agent
from tests.registry.fake import Basic, FakeRegistry


def stock(fake: FakeRegistry, *tags: str, kind: str = "x/y") -> str:
    """A small artifact under these tags of `team/bot`; returns its digest."""
    manifest = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type=kind)
    fake.put("team/bot", EMPTY_CONTENT)
    digests = [
        fake.put_manifest("team/bot", tag, mediatypes.OCI_MANIFEST, manifest.raw) for tag in tags
    ]
    return digests[0]


# Tags


def test_tags_are_listed_with_the_newest_version_first(agent: Agent, fake: FakeRegistry):
    stock(fake, "latest", "1.0.0", "1.10.0", "1.9.0", "v2.0.0-rc.1")
    listed = agent("tags", f"{fake.host}/team/bot")
    assert listed.lines == ["v2.0.0-rc.1", "1.10.0", "1.9.0", "1.0.0", "latest"]
    assert listed.err == ""


def test_limit_says_how_many_there_are(agent: Agent, fake: FakeRegistry):
    stock(fake, "1", "2", "3")
    listed = agent("tags", "--limit", "2", f"{fake.host}/team/bot")
    assert listed.lines == ["3", "2"]
    assert listed.err == "2 of 3 tags\n"
    assert [seen.method for seen in fake.seen] == ["GET"]


def test_digests_are_asked_for_the_shown_tags(agent: Agent, fake: FakeRegistry):
    first = stock(fake, "1.0", kind="a/b")
    second = stock(fake, "2.0", "3.0")
    listed = agent("tags", "--digests", "--limit", "2", f"{fake.host}/team/bot")
    assert [line.split() for line in listed.lines] == [
        ["TAG", "DIGEST"],
        ["3.0", second],
        ["2.0", second],
    ]
    assert first not in listed.out
    assert len(fake.requests("HEAD")) == 2


def test_tags_are_a_document_too(agent: Agent, fake: FakeRegistry):
    digest = stock(fake, "v1.0", "1.0.0-rc.1", "main")
    found = agent("tags", "--format", "json", "--digests", f"{fake.host}/team/bot").json
    assert found == {
        "repository": f"{fake.host}/team/bot",
        "total": 3,
        "tags": [
            {"tag": "v1.0", "version": "1.0.0", "prerelease": False, "digest": digest},
            {"tag": "1.0.0-rc.1", "version": "1.0.0-rc.1", "prerelease": True, "digest": digest},
            {"tag": "main", "version": None, "prerelease": False, "digest": digest},
        ],
    }


def test_tags_of_the_local_store_and_of_a_layout(agent: Agent, stocked: Path, tmp_path: Path):
    agent("tag", "talker:1.0", "talker:2.0")
    assert agent("tags", "talker").lines == ["2.0", "1.0"]
    agent("push", "talker:2.0", f"oci:{tmp_path}/layout")
    agent("push", "mute:1.0", f"oci:{tmp_path}/layout")
    assert agent("tags", f"oci:{tmp_path}/layout:talker").lines == ["2.0"]
    assert agent("tags", f"oci:{tmp_path}/layout").lines == ["2.0", "1.0"]


def test_unknown_repositories_are_not_found(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    assert "team/bot" in agent("tags", f"{fake.host}/team/bot", code=6).err
    assert "no such repository in the local store" in agent("tags", "nothing", code=6).err
    assert "no OCI image layout there" in agent("tags", f"oci:{tmp_path}/x", code=6).err


def test_an_image_is_no_repository(agent: Agent, fake: FakeRegistry):
    refused = agent("tags", f"{fake.host}/team/bot:1.0", code=2)
    assert f"hint: write {fake.host}/team/bot\n" in refused.err


def test_tags_ask_as_the_user_says(agent: Agent, fake: FakeRegistry):
    stock(fake, "1.0")
    fake.auth = Basic()
    name = f"{fake.host}/team/bot"
    assert agent("tags", name, code=5).out == ""
    listed = agent("tags", "-u", "ada", "--password-stdin", name, stdin=b"secret\n")
    assert listed.lines == ["1.0"]
