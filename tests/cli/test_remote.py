"""agent tags, untag, rm --remote, manifest, blob: what users see of a repository."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT
from agentoci.spec.manifest import Manifest
from tests.cli.conftest import Agent
from tests.cli.test_terminal import Terminal
from tests.registry.fake import Basic, FakeRegistry
from tests.registry.faults import refuses, spoils_body


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
    assert agent("tags", "-q", "--limit", "2", f"{fake.host}/team/bot").err == ""
    fake.seen.pop()
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


def test_tags_made_of_digests_are_shown_when_asked_for(agent: Agent, fake: FakeRegistry):
    stock(fake, "1.0", f"sha256-{'a' * 64}", f"sha256-{'b' * 64}.sig", kind="a/b")
    repository = f"{fake.host}/team/bot"
    listed = agent("tags", repository)
    assert listed.lines == ["1.0"]
    assert listed.err == "1 of 1 tag; 2 made of digests are hidden (--all)\n"
    assert len(agent("tags", "--all", repository).lines) == 3
    told = agent("tags", "--format", "json", repository).json
    assert (told["total"], told["hidden"]) == (1, 2)


def test_repository_without_tags_says_so(agent: Agent, fake: FakeRegistry):
    stock(fake, f"sha256-{'a' * 64}")
    assert agent("tags", f"{fake.host}/team/bot").err.startswith("0 of 0 tags")


def test_tags_are_a_document_too(agent: Agent, fake: FakeRegistry):
    digest = stock(fake, "v1.0", "1.0.0-rc.1", "main")
    found = agent("tags", "--format", "json", "--digests", f"{fake.host}/team/bot").json
    assert found == {
        "repository": f"{fake.host}/team/bot",
        "total": 3,
        "hidden": 0,
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


def test_a_tag_that_is_not_there_is_looked_for_in_the_list(agent: Agent, fake: FakeRegistry):
    digest = stock(fake, "1.0")
    missing = agent("inspect", f"{fake.host}/team/bot:9", code=6)
    assert f"hint: agent tags {fake.host}/team/bot lists what is there" in missing.err
    other = digest.replace(digest[-4:], "0000")
    assert "hint" not in agent("inspect", f"{fake.host}/team/bot@{other}", code=6).err


def test_unknown_repositories_are_not_found(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    assert "team/bot" in agent("tags", f"{fake.host}/team/bot", code=6).err
    assert "no such repository in the local store" in agent("tags", "nothing", code=6).err
    assert "no OCI image layout there" in agent("tags", f"oci:{tmp_path}/x", code=6).err


def test_an_image_is_no_repository(agent: Agent, fake: FakeRegistry):
    refused = agent("tags", f"{fake.host}/team/bot:1.0", code=2)
    assert f"hint: write {fake.host}/team/bot\n" in refused.err
    refused = agent("tags", fake.host, code=2)
    assert f"hint: write {fake.host}/NAME" in refused.err


def test_tags_ask_as_the_user_says(agent: Agent, fake: FakeRegistry):
    stock(fake, "1.0")
    fake.auth = Basic()
    name = f"{fake.host}/team/bot"
    assert agent("tags", name, code=5).out == ""
    listed = agent("tags", "-u", "ada", "--password-stdin", name, stdin=b"secret\n")
    assert listed.lines == ["1.0"]


# Untag, rm --remote


def test_untag_says_what_went(agent: Agent, fake: FakeRegistry):
    name = f"{fake.host}/team/bot"
    stock(fake, "1.0", "2.0", "latest")
    assert agent("untag", f"{name}:1.0", f"{name}:2.0").lines == [
        f"untagged: {name}:1.0",
        f"untagged: {name}:2.0",
    ]
    assert fake.tags("team/bot") == ["latest"]


def test_untag_goes_on_after_a_failure(agent: Agent, fake: FakeRegistry):
    name = f"{fake.host}/team/bot"
    digest = stock(fake, "1.0", "latest")
    ended = agent("untag", "--format", "json", f"{name}:9.9", f"{name}:1.0", code=6)
    assert ended.json["removed"] == [
        {
            "repository": name,
            "tags": ["1.0"],
            "digest": digest,
            "deleted": False,
            "attachments": [],
        }
    ]
    [failed] = ended.json["failed"]
    assert (failed["reference"], failed["exitCode"]) == (f"{name}:9.9", 6)
    assert f"error: {failed['error']}" in ended.err
    assert fake.tags("team/bot") == ["latest"]


def test_dry_runs_say_that_nothing_happened(agent: Agent, fake: FakeRegistry):
    name = f"{fake.host}/team/bot"
    digest = stock(fake, "1.0")
    shown = agent("untag", "--dry-run", f"{name}:1.0")
    assert (shown.lines, "nothing was changed" in shown.err) == ([f"untagged: {name}:1.0"], True)
    shown = agent("rm", "--remote", "--dry-run", f"{name}:1.0")
    assert shown.lines == [f"untagged: {name}:1.0", f"deleted: {name}@{digest}"]
    assert fake.tags("team/bot") == ["1.0"]


def test_rm_remote_deletes_what_nothing_else_needs(agent: Agent, fake: FakeRegistry):
    name = f"{fake.host}/team/bot"
    digest = stock(fake, "1.0", "latest")
    refused = agent("rm", "--remote", f"{name}:1.0", code=7)
    assert "which would go with it: latest" in refused.err
    assert "hint: `agent untag`" in refused.err
    assert agent("rm", "--remote", "--force", f"{name}:1.0").lines == [
        f"untagged: {name}:1.0",
        f"untagged: {name}:latest",
        f"deleted: {name}@{digest}",
    ]
    assert fake.tags("team/bot") == []


def test_registry_that_deletes_nothing_is_told_from_one_that_denies(
    agent: Agent, fake: FakeRegistry
):
    name = f"{fake.host}/team/bot"
    stock(fake, "1.0")
    fake.deletes = False
    fake.on("DELETE", "sha256:", refuses(405, "UNSUPPORTED", "unsupported"), times=9)
    for verb in (["rm", "--remote"], ["untag"]):
        refused = agent(*verb, f"{name}:1.0", code=5)
        assert "the registry does not delete (405 UNSUPPORTED" in refused.err
        assert "hint: deletion is often switched off" in refused.err


def test_switches_of_images_go_with_remote(agent: Agent):
    for switch in (["--dry-run"], ["--format", "json"]):
        assert "--remote" in agent("rm", *switch, "coord_001", code=2).err
    refused = agent("rm", "h.io/team/bot:1.0", code=2)
    assert "'h.io/team/bot:1.0' is an image: rm --remote" in refused.err


# Prune


def versions(fake: FakeRegistry) -> None:
    """Three versions with content of their own."""
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        stock(fake, version, kind=f"v/{version}")


def test_prune_shows_what_would_go_and_why(agent: Agent, fake: FakeRegistry):
    versions(fake)
    name = f"{fake.host}/team/bot"
    shown = agent("prune", "--remote", name, "--keep-semver", "1", "--dry-run")
    rows = [line.split(maxsplit=3) for line in shown.lines]
    assert rows[0] == ["ACTION", "TAGS", "DIGEST", "WHY"]
    assert {(row[0], row[1], row[3]) for row in rows[1:]} == {
        ("delete", "1.0.0", "no rule keeps it"),
        ("delete", "1.1.0", "no rule keeps it"),
    }
    assert "would remove 2, keeps 1 tags" in shown.err
    assert len(fake.tags("team/bot")) == 3


def test_prune_removes_when_told_to(agent: Agent, fake: FakeRegistry):
    versions(fake)
    name = f"{fake.host}/team/bot"
    command = ("prune", "--remote", name, "--keep-semver", "1", "--keep", "1.0.*", "--yes")
    found = agent(*command, "--format", "json").json
    [removal] = found["removals"]
    assert (removal["action"], removal["tags"]) == ("delete", ["1.1.0"])
    assert (removal["outcome"], removal["error"]) == ("removed", None)
    assert found["kept"] == [
        {"tag": "1.0.0", "why": "matches 1.0.*"},
        {"tag": "2.0.0", "why": "is kept by 1"},
    ]
    assert fake.tags("team/bot") == ["1.0.0", "2.0.0"]
    assert "nothing to remove" in agent(*command).err


def test_prune_does_not_act_when_nobody_can_be_asked(agent: Agent, fake: FakeRegistry):
    versions(fake)
    refused = agent("prune", "--remote", f"{fake.host}/team/bot", "--keep-semver", "1", code=2)
    assert "--yes" in refused.err
    assert not fake.seen


def test_prune_reports_what_failed(agent: Agent, fake: FakeRegistry):
    versions(fake)
    digest = stock(fake, "1.0.0", kind="v/1.0.0")
    fake.on("DELETE", digest, refuses(403, "DENIED", "locked"))
    command = ("prune", "--remote", f"{fake.host}/team/bot", "--keep-semver", "1", "--yes")
    ended = agent(*command, code=1)
    assert f"failed: {digest}" in ended.err
    assert "1 of 2 removals failed" in ended.err
    assert fake.tags("team/bot") == ["1.0.0", "2.0.0"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--remote", "localhost:1/x"], "--remote needs --keep-semver"),
        (["--remote", "localhost:1/x", "--keep-semver", "many", "--dry-run"], "number of versions"),
        (["--remote", "localhost:1/x", "--all", "--keep-semver", "1"], "--all"),
        (["--keep-semver", "1", "--yes"], "--keep-semver, --yes: goes with --remote"),
        (["--remote", ""], "--remote needs --keep-semver"),
        (["--remote", "", "--keep-semver", "1", "--yes"], "the name is empty"),
        (["--remote", "localhost:1/x:1.0", "--keep-semver", "1", "-y"], "names an image"),
    ],
)
def test_prune_takes_options_of_one_kind(agent: Agent, arguments: list[str], words: str):
    assert words in agent("prune", *arguments, code=2).err


def test_prune_asks_on_a_terminal(home: Path, fake: FakeRegistry):
    versions(fake)
    command = ("prune", "--remote", f"{fake.host}/team/bot", "--keep-semver", "1")
    for answer, left in (("n", 3), ("y", 1)):
        terminal = Terminal(*command)
        try:
            terminal.expect("Remove these from")
            assert "no rule keeps it" in terminal.shown
            terminal.type(f"{answer}\n")
            assert terminal.end() == 0
        finally:
            terminal.close()
        assert len(fake.tags("team/bot")) == left


def test_prune_asks_nobody_who_wants_json(home: Path, fake: FakeRegistry):
    versions(fake)
    command = ("prune", "--remote", f"{fake.host}/team/bot", "--keep-semver", "1")
    terminal = Terminal(*command, "--format", "json")
    try:
        terminal.expect("then say --yes")
        assert terminal.end() == 2
    finally:
        terminal.close()
    assert not fake.seen


# Manifest and blob


def test_manifest_is_printed_byte_for_byte(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    stock(fake, "1.0")
    _, content = fake.manifests["team/bot", "1.0"]
    name = f"{fake.host}/team/bot:1.0"
    for verb in (["manifest"], ["manifest", "get"], ["manifest", "fetch"]):
        assert agent(*verb, name).out.encode() == content
    agent("manifest", name, "-o", tmp_path / "manifest.json")
    assert (tmp_path / "manifest.json").read_bytes() == content
    indented = agent("manifest", "--format", "json", name)
    assert indented.json == json.loads(content)
    assert len(indented.lines) > 10


def test_descriptors_of_manifests(agent: Agent, fake: FakeRegistry):
    digest = stock(fake, "1.0")
    name = f"{fake.host}/team/bot:1.0"
    size = len(fake.manifests["team/bot", "1.0"][1])
    expected = {"mediaType": mediatypes.OCI_MANIFEST, "digest": digest, "size": size}
    assert agent("manifest", "--descriptor", name).json == expected
    for form in ([], ["--format", "json"]):
        assert agent("manifest", "head", name, *form).json == expected
    assert agent("manifest", "head", "--digest", name).out == f"{digest}\n"


def test_manifest_is_stored_from_a_file_or_stdin(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    digest = stock(fake, "1.0")
    _, content = fake.manifests["team/bot", "1.0"]
    (tmp_path / "manifest.json").write_bytes(content)
    put = agent("manifest", "put", tmp_path / "manifest.json", f"{fake.host}/team/bot:2.0")
    assert put.out == f"{digest}\n"
    put = agent("manifest", "put", "--format", "json", "-", f"{fake.host}/x", stdin=content)
    assert put.json["digest"] == digest
    assert fake.manifests["x", digest] == fake.manifests["team/bot", "2.0"]
    assert agent("manifest", "put", "-", f"{fake.host}/x", stdin=b"{}", code=8).out == ""
    for content in (b"{}", b"", b"no json"):
        refused = agent("manifest", "put", "-", f"{fake.host}/x", stdin=content, code=8)
        assert refused.err.startswith("error: <stdin>: ")


def test_stdin_and_stdout_are_written_as_a_dash(agent: Agent, fake: FakeRegistry):
    digest = stock(fake, "1.0")
    name = f"{fake.host}/team/bot"
    content = agent("manifest", "get", "-o", "-", f"{name}:1.0").out
    assert content.encode() == fake.manifests["team/bot", "1.0"][1]
    put = agent("blob", "put", "-", name, stdin=content.encode())
    assert put.out == f"{digest}\n"
    read, write = os.pipe()
    os.write(write, content.encode())
    os.close(write)
    assert agent("blob", "put", f"/dev/fd/{read}", name).out == put.out
    os.close(read)
    assert agent("blob", "get", "-o", "-", f"{name}@{digest}").out == content


def test_who_writes_it_as_for_oras_is_told_the_order(agent: Agent, fake: FakeRegistry):
    for verb in ("manifest", "blob"):
        refused = agent(verb, "push", f"{fake.host}/team/bot", "file", code=6)
        assert refused.err.splitlines() == [
            f"error: {fake.host}/team/bot: no such file",
            "hint: FILE comes first, and then REFERENCE",
        ]
    for verb in ("rm", "delete"):
        refused = agent("manifest", verb, f"{fake.host}/team/bot:1.0", code=2)
        assert "`agent rm --remote REFERENCE` deletes a manifest" in refused.err
    assert not fake.seen


@pytest.mark.parametrize("verb", ["get", "head", "rm"])
def test_a_digest_that_is_none_is_wrong_usage(agent: Agent, fake: FakeRegistry, verb: str):
    refused = agent("blob", verb, f"{fake.host}/team/bot@sha256:abc", code=2)
    assert "'sha256:abc' is not a digest" in refused.err


def test_blob_comes_and_goes(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    (tmp_path / "blob").write_bytes(b"\x00\xff\n")
    digest = agent("blob", "put", tmp_path / "blob", f"{fake.host}/team/bot").out.strip()
    name = f"{fake.host}/team/bot@{digest}"
    for form in ([], ["--format", "json"]):
        assert agent("blob", "head", name, *form).json["size"] == 3
    agent("blob", name, "-o", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"\x00\xff\n"
    assert agent("blob", "rm", name).out == f"deleted: {digest}\n"
    agent("blob", "put", tmp_path / "blob", f"{fake.host}/team/bot")
    gone = agent("blob", "rm", "--format", "json", name).json
    assert gone == {"reference": name, "digest": digest, "deleted": True}
    assert agent("blob", "get", name, code=6).out == ""


def test_wrong_blob_makes_no_file(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    digest = fake.put("team/bot", b"content")
    fake.on("GET", "/blobs/", spoils_body(lambda body: b"consent"), times=9)
    agent("blob", f"{fake.host}/team/bot@{digest}", "-o", tmp_path / "file", code=8)
    assert not list(tmp_path.glob("*file*"))


def test_terminal_is_shown_documents_only(home: Path, fake: FakeRegistry):
    binary, document = (fake.put("team/bot", content) for content in (b"\x1b[31m\x00", b'{"a":1}'))
    for digest, words, code in ((binary, "nothing for a terminal", 2), (document, '"a": 1', 0)):
        terminal = Terminal("blob", f"{fake.host}/team/bot@{digest}")
        try:
            terminal.expect(words)
            assert terminal.end() == code
        finally:
            terminal.close()
        assert "\x1b[31m" not in terminal.shown


@pytest.mark.parametrize("group", ["manifest", "blob"])
def test_groups_explain_their_verbs(agent: Agent, group: str):
    shown = agent(group, "--help").out
    for verb in ("get", "head", "put"):
        assert f"\n  {verb} " in shown
        text = agent(group, verb, "--help").out
        assert f"agent {group} {verb}" in text.partition("Example")[2]


def test_image_of_the_local_store_has_a_manifest(agent: Agent, stocked: Path):
    content = agent("manifest", "talker:1.0").out.encode()
    digest = agent("manifest", "head", "--digest", "talker:1.0").out.strip()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
    config = json.loads(content)["config"]
    shown = agent("blob", f"talker:1.0@{config['digest']}").out
    assert len(shown.encode()) == config["size"]
    assert "no such image" in agent("manifest", "nothing:1.0", code=6).err
