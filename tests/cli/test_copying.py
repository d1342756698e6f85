"""agent cp and agent sync, as people and scripts call them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentoci.registry.client import RegistryClient
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.manifest import Manifest
from agentoci.spec.reference import Reference
from tests import commandline
from tests.cli.conftest import Agent
from tests.content.graphs import put, put_image, put_manifest
from tests.registry.fake import FakeRegistry
from tests.registry.faults import waits


@pytest.fixture
def bot(fake: FakeRegistry) -> Repository:
    """A repository with one image, 1.0, that has a signature and a checkpoint."""
    with RegistryClient() as client:
        bot = client.repository(Reference(fake.host, "team/bot", "latest"), push=True)
        image = put_image(bot, b"layer")
        bot.tag(image, "1.0")
        for kind in ("a/signature", mediatypes.CHECKPOINT):
            attach(bot, image, kind)
        return bot


def attach(target: Repository, subject: Descriptor, kind: str) -> Descriptor:
    put(target, EMPTY_CONTENT, mediatypes.OCI_EMPTY)
    manifest = Manifest.build(
        config=EMPTY, layers=[put(target, kind.encode())], artifact_type=kind, subject=subject
    )
    return put_manifest(target, manifest)


def test_cp_prints_the_digest(agent: Agent, bot: Repository, tmp_path: Path) -> None:
    source, layout = f"{bot.host}/team/bot:1.0", f"oci:{tmp_path}/layout:bot:1.0"
    copied = agent("cp", source, layout)
    assert copied.lines == [str(bot.resolve("1.0").digest)]
    assert f"copied {layout}: 2 of 2 blobs" in copied.err
    again = agent("cp", source, layout)
    assert again.lines == copied.lines
    assert "everything was there already" in again.err
    assert agent("cp", "-q", source, layout).err == ""


def test_cp_says_what_stays_behind(agent: Agent, bot: Repository, tmp_path: Path) -> None:
    source, archive = f"{bot.host}/team/bot:1.0", f"oci-archive:{tmp_path}/bot.tar"
    copied = agent("cp", "-r", source, archive)
    assert "1 attached" in copied.err
    assert f"warning: left out {mediatypes.CHECKPOINT} sha256:" in copied.err
    everything = agent("cp", "-r", "--with-checkpoints", "--format", "json", source, archive)
    assert "left out" not in everything.err
    assert {item["artifactType"] for item in everything.json["attached"]} == {
        "a/signature",
        mediatypes.CHECKPOINT,
    }


def test_cp_in_json(agent: Agent, bot: Repository) -> None:
    root = bot.resolve("1.0")
    source, target = f"{bot.host}/team/bot:1.0", f"{bot.host}/other/bot:2.0"
    document = agent("cp", "-r", "--format", "json", source, target).json
    assert document["requests"] > 0
    assert {name: document[name] for name in ("source", "target", "digest", "outcome")} == {
        "source": source,
        "target": target,
        "digest": str(root.digest),
        "outcome": "copied",
    }
    [attached], [left_out] = document["attached"], document["leftOut"]
    assert (attached["artifactType"], attached["subject"], attached["tag"]) == (
        "a/signature",
        str(root.digest),
        None,
    )
    assert left_out["artifactType"] == mediatypes.CHECKPOINT
    assert "private memories" in left_out["reason"]


def test_cp_dry_run(agent: Agent, bot: Repository, fake: FakeRegistry, tmp_path: Path) -> None:
    source, layout = f"{bot.host}/team/bot:1.0", f"oci:{tmp_path}/layout"
    planned = agent("cp", "--dry-run", source, layout)
    assert "would copy" in planned.err
    assert planned.lines[0].split() == ["DIGEST", "SIZE", "TYPE"]
    assert len(planned.lines) == 1 + 3
    document = agent("cp", "--dry-run", "--format", "json", source, layout).json
    assert [entry["mediaType"] for entry in document["moves"]][-1] == mediatypes.OCI_MANIFEST
    assert document["present"] == []
    assert not (tmp_path / "layout").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{source}", "{host}/team/bot:taken", "--if-exists", "fail"], 7, "already"),
        (["{source}", "{host}/Bad"], 2, "is not a name"),
        (["{host}/team/bot:none", "bot:1"], 6, "none"),
        (["{source}", "bot:1", "--platform", "arm"], 2, "not a platform"),
        (["{source}", "bot:1", "-u", "ada", "--username", "ada"], 2, ""),
    ],
)
def test_cp_that_cannot_be(
    arguments: list[str], code: int, said: str, agent: Agent, bot: Repository
) -> None:
    with RegistryClient() as client:
        there = client.repository(Reference(bot.host, "team/bot", "latest"), push=True)
        there.tag(put_image(there, b"other"), "taken")
    words = {"host": bot.host, "source": f"{bot.host}/team/bot:1.0"}
    ended = agent("cp", *(word.format(**words) for word in arguments), code=code)
    assert said in ended.err


def test_cp_skips(agent: Agent, bot: Repository) -> None:
    agent("cp", f"{bot.host}/team/bot:1.0", f"{bot.host}/x/bot:1")
    with RegistryClient() as client:
        there = client.repository(Reference(bot.host, "team/bot", "latest"), push=True)
        there.tag(put_image(there, b"other"), "2.0")
    skipped = agent("cp", f"{bot.host}/team/bot:2.0", f"{bot.host}/x/bot:1", "--if-exists", "skip")
    assert "left alone" in skipped.err
    assert skipped.lines == [str(bot.resolve("1.0").digest)]


@pytest.mark.parametrize("recursive", [[], ["-r"]])
def test_cp_gives_several_tags(
    agent: Agent, bot: Repository, fake: FakeRegistry, tmp_path: Path, recursive: list[str]
) -> None:
    source = f"{bot.host}/team/bot:1.0"
    tags = ["-t", "1.4", "-t", "latest"]
    target = f"{fake.host}/prod/bot:1.4.2"
    digest = agent("cp", *recursive, source, target, *tags).out.strip()
    again = agent("cp", *recursive, source, target, *tags, "-t", "1", "--if-exists", "fail")
    assert again.out.strip() == digest
    told = agent("cp", *recursive, source, target, *tags, "--format", "json").json
    assert told["tags"] == ["1.4.2", "1.4", "latest"]
    for tag in ("1.4.2", "1.4", "1", "latest"):
        assert agent("inspect", "--remote", f"{fake.host}/prod/bot:{tag}").json["digest"] == digest
    agent("cp", *recursive, source, f"oci:{tmp_path}/layout:bot:1.4.2", *tags)
    index = json.loads((tmp_path / "layout" / "index.json").read_bytes())
    notes = [entry.get("annotations", {}) for entry in index["manifests"]]
    names = {note.get("org.opencontainers.image.ref.name") for note in notes} - {None}
    assert {"bot:1.4.2", "bot:1.4", "bot:latest"} == {n for n in names if "sha256-" not in n}


@pytest.mark.parametrize("tag", ["", "a b", "../../x", "h.io/bot:2"])
def test_what_is_no_tag_is_refused_before_anything_moves(
    agent: Agent, fake: FakeRegistry, stocked: Path, tag: str
) -> None:
    for verb in ("push", "cp"):
        refused = agent(verb, "talker:1.0", f"{fake.host}/bot:1.0", "-t", tag, code=2)
        assert f"error: {tag!r} is not a tag\nhint: " in refused.err
    assert not fake.seen


def test_cp_of_a_version_that_exists_moves_no_tag(
    agent: Agent, bot: Repository, fake: FakeRegistry
) -> None:
    bot.tag(put_image(bot, b"other"), "2.0")
    target = f"{fake.host}/prod/bot:1.4.2"
    there = agent("cp", f"{bot.host}/team/bot:1.0", target, "-t", "latest").out.strip()
    for policy, code in (("fail", 7), ("skip", 0)):
        options = ("-t", "latest", "--if-exists", policy)
        agent("cp", f"{bot.host}/team/bot:2.0", target, *options, code=code)
        now = agent("inspect", "--remote", f"{fake.host}/prod/bot:latest").json["digest"]
        assert now == there


def test_cp_of_an_agent_runs(
    agent: Agent, stocked: Path, fake: FakeRegistry, tmp_path: Path
) -> None:
    archive = f"oci-archive:{tmp_path}/talker.tar"
    agent("cp", "talker:1.0", archive)
    agent("cp", archive, f"{fake.host}/team/talker:1.0")
    agent("cp", f"{fake.host}/team/talker:1.0", "again:1.0")
    assert "hello there" in agent("run", "again:1.0").out


def test_sync_of_a_list(agent: Agent, bot: Repository, tmp_path: Path) -> None:
    listed = tmp_path / "images.yaml"
    listed.write_text(f"images:\n  - {{source: {bot.host}/team/bot}}\n")
    layout = f"oci:{tmp_path}/layout"
    synced = agent("sync", listed, layout)
    digest = str(bot.resolve("1.0").digest)
    assert synced.lines[0].split() == ["OUTCOME", "TARGET", "DIGEST"]
    assert synced.lines[1].split() == ["copied", f"{layout}:{bot.host}/team/bot:1.0", digest]
    assert re.search(r"^1 image: 1 copied, [1-9][0-9]* requests$", synced.err, re.MULTILINE)
    assert "exists" in agent("sync", listed, layout).lines[1]


def test_sync_of_sources_with_attachments(agent: Agent, bot: Repository) -> None:
    target = f"{bot.host}/backup"
    synced = agent("sync", "-r", "--source", f"{bot.host}/team/bot", target, "--format", "json")
    [row] = synced.json["images"]
    assert (row["attached"], len(row["leftOut"]), row["outcome"]) == (1, 1, "copied")
    assert "private memories" in synced.err


def test_sync_from_stdin_goes_on_after_failures(
    agent: Agent, bot: Repository, tmp_path: Path
) -> None:
    lines = "".join(
        f"{bot.host}/team/bot:{tag} {bot.host}/x/bot:{tag}\n" for tag in ("none", "1.0")
    )
    report = tmp_path / "report.json"
    failed = agent(
        "sync", "-", "--report", report, "--format", "json", stdin=lines.encode(), code=1
    )
    assert "1 of 2 images failed" in failed.err
    assert f"error: {bot.host}/team/bot:none: not found" in failed.err
    assert json.loads(report.read_bytes()) == failed.json
    assert [(row["outcome"], row["exitCode"]) for row in failed.json["images"]] == [
        ("failed", 6),
        ("copied", 0),
    ]


def test_quiet_sync_says_why_it_failed(agent: Agent, bot: Repository) -> None:
    sources = ("--source", f"{bot.host}/team/bot:1.0", "--source", f"{bot.host}/team/bot:none")
    failed = agent("sync", "-q", *sources, f"{bot.host}/x", code=1)
    first, *_ = failed.err.splitlines()
    assert first.startswith(f"error: {bot.host}/team/bot:none: not found")
    assert f"copied {bot.host}" not in failed.err


def test_a_host_is_no_image(agent: Agent, home: Path) -> None:
    for verb in (["inspect", "localhost:5000"], ["sync", "--source", "10.0.0.5:5000", "oci:x"]):
        failed = agent(*verb, code=None)
        assert "/NAME, if it is a registry's host and port" in failed.err


def test_sync_writes_its_report_even_when_nothing_can_begin(
    agent: Agent, bot: Repository, tmp_path: Path
) -> None:
    agent("sync", "--source", f"{bot.host}/x", "mirror", "--report", tmp_path / "r.json", code=2)
    assert json.loads((tmp_path / "r.json").read_bytes())["images"] == []


def test_sync_that_is_interrupted_writes_its_report(
    bot: Repository, fake: FakeRegistry, home: Path, tmp_path: Path
) -> None:
    go_on = threading.Event()
    fake.on("PUT", "/v2/x/bot/manifests/", waits(go_on))
    report = tmp_path / "report.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "agentoci", "sync", "-", "--report", report],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **commandline.home_variables(home)},
    )
    assert process.stdin is not None
    process.stdin.write(f"{bot.host}/team/bot:1.0 {bot.host}/x/bot:1.0\n".encode())
    process.stdin.close()
    process.stdin = None
    while not fake.requests("PUT", "/v2/x/bot/manifests/"):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    go_on.set()
    assert process.returncode == 130, said
    assert [row["outcome"] for row in json.loads(report.read_bytes())["images"]] == ["cancelled"]


def test_sync_dry_run(agent: Agent, bot: Repository) -> None:
    planned = agent("sync", "--dry-run", "--source", f"{bot.host}/team/bot", f"{bot.host}/x")
    assert planned.lines[1].split()[0] == "planned"
    agent("cp", f"{bot.host}/x/team/bot:1.0", "bot:1", code=6)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "expected LIST"),
        (["a", "b", "c"], 2, "expected LIST"),
        (["--source", "h.io/bot"], 2, "DESTINATION"),
        (["none.yaml"], 6, "no such list"),
        (["none.yaml", "--report", "none/report.json"], 6, "no such folder"),
        (["-"], 2, "names no image"),
    ],
)
def test_sync_that_cannot_be(arguments: list[str], code: int, said: str, agent: Agent) -> None:
    assert said in agent("sync", *arguments, code=code).err
