"""agent search and agent index, as people and scripts meet them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentoci.config.settings import read_settings
from agentoci.registry.search.artifact import pack
from agentoci.registry.search.document import IndexedAgent, SearchIndex
from agentoci.spec.digest import Digest
from tests.cli.conftest import Agent
from tests.conftest import RunAgent
from tests.registries import Registry
from tests.registry.faults import answers
from tests.registry.searching import SearchableRegistry, hub_result, simple_agent

pytestmark = pytest.mark.usefixtures("stocked")


@pytest.fixture
def fake() -> Iterator[SearchableRegistry]:
    with SearchableRegistry() as fake:
        yield fake


def configure(home: Path, text: str) -> None:
    path = home / "config" / "agentoci" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_specification_s_line_works(run_agent: RunAgent):
    done = run_agent("search", "coordinator")
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["NAME", "VERSION", "DIGEST", "SOURCE", "DESCRIPTION"]
    assert [re.split(r" {3,}", row)[:2] for row in rows] == [["coordinator", "1.0"]]


def test_the_specification_s_line_finds_what_was_pushed(
    agent: Agent, home: Path, registry: Registry, repository: str
):
    if registry.kind == "olareg":
        pytest.skip("olareg lists no repositories")
    configure(home, f'default_registry = "{registry.host}/{repository}"\n')
    agent("push", "coordinator:1.0", f"{registry.host}/{repository}/coordinator:1.0")
    found = agent("search", "coordinator", "--format", "json")
    name = f"{registry.host}/{repository}/coordinator"
    assert [(one["name"], one["version"]) for one in found.json["results"]] == [
        (name, "1.0"),
        ("coordinator", "1.0"),
    ]
    assert found.json["errors"] == []
    assert len({one["digest"] for one in found.json["results"]}) == 1


def test_nothing_found_is_no_failure(agent: Agent):
    found = agent("search", "no-such-thing")
    assert found.out == "NAME   VERSION   DIGEST   SOURCE   DESCRIPTION\n"
    assert found.err == "nothing found for 'no-such-thing'\n"
    assert agent("search", "no-such-thing", "--format", "json").json == {
        "query": "no-such-thing",
        "results": [],
        "errors": [],
    }


def test_digests_and_descriptions_are_cut_unless_asked_for(agent: Agent, fake: SearchableRegistry):
    digest = fake.add("team/bot", "1.0", manifest=simple_agent(description="word " * 40))
    source = f"catalog://{fake.host}"
    cut = agent("search", "bot", "--source", source)
    assert cut.lines[1].split()[2] == digest[7:19]
    assert cut.lines[1].endswith("word word…")
    whole = agent("search", "bot", "--source", source, "--no-trunc")
    assert digest in whole.out
    assert whole.lines[1].endswith("word " * 39 + "word")


def test_a_line_fits_the_terminal(fake: SearchableRegistry, tmp_path: Path):
    fake.add("team/bot", "1.0", manifest=simple_agent(description="word " * 60))
    source = f"catalog://{fake.host}"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "agentoci", "search", "bot", "--source", source]
    process = subprocess.Popen(command, stdout=theirs, env={**os.environ, "COLUMNS": "120"})
    os.close(theirs)
    assert process.wait(30) == 0
    lines = os.read(ours, 65536).decode().splitlines()
    os.close(ours)
    assert len(lines) == 2
    assert len(lines[1]) == 120


def test_what_servers_say_cannot_steer_the_terminal(agent: Agent, fake: SearchableRegistry):
    fake.offers.hub = [hub_result("someone/bot", "evil \x1b[2J\x1b]0;title\x07\u202e words")]
    source = f"hub://{fake.host}"
    for arguments in ((), ("--format", "json"), ("--no-trunc",)):
        found = agent("search", "bot", "--source", source, *arguments)
        assert "docker.io/someone/bot" in found.out
        assert not set(found.out) & set("\x1b\x07\u202e")
    fake.on("GET", "search/repositories", answers(400, '{"message": "no \\u001b[2J"}'))
    assert "\x1b" not in agent("search", "bot", "--source", source, code=None).err


def test_what_an_index_says_cannot_steer_the_terminal(agent: Agent, fake: SearchableRegistry):
    entry = IndexedAgent(
        name="host.example/team/bot",
        version="1.0",
        digest=str(Digest.of(b"")),
        description="evil \x1b[2J\nhost.example/team/bot   9.9   ",
    )
    packed = pack(SearchIndex([entry]))
    for content in packed.blobs.values():
        fake.put("list", content)
    fake.put_manifest("list", "latest", packed.manifest.media_type, packed.manifest.raw)
    for command in (
        ("search", "bot", "--source", f"oci-index://{fake.host}/list"),
        ("index", "ls", f"{fake.host}/list"),
    ):
        found = agent(*command)
        assert "\x1b" not in found.out
        assert len(found.lines) == 2


def test_a_failing_source_is_a_warning(agent: Agent, fake: SearchableRegistry):
    sources = ("--source", "local", "--source", f"harbor://{fake.host}")
    found = agent("search", "coordinator", *sources)
    assert "coordinator" in found.lines[1]
    [warning] = found.err.splitlines()
    assert warning.startswith(f"warning: harbor://{fake.host}: ")
    document = agent("search", "coordinator", *sources, "--format", "json").json
    assert len(document["results"]) == 1
    [error] = document["errors"]
    assert (error["source"], error["partial"]) == (f"harbor://{fake.host}", False)
    assert "not found" in error["error"]


def test_when_every_source_fails_so_does_the_command(agent: Agent, fake: SearchableRegistry):
    fake.catalog = False
    sources = ("--source", f"harbor://{fake.host}", "--source", f"catalog://{fake.host}")
    failed = agent("search", "bot", *sources, code=6)
    assert failed.out == ""
    warning, error, *_ = failed.err.splitlines()
    assert warning.startswith(f"warning: catalog://{fake.host}: ")
    assert error.startswith("error: ")
    assert "Harbor's search" in error
    document = agent("search", "bot", *sources, "--format", "json", code=6).json
    assert [one["source"] for one in document["errors"]] == list(sources[1::2])


def test_nobody_there_is_exit_code_4(agent: Agent):
    failed = agent("search", "bot", "--source", "catalog://127.0.0.1:1", code=4)
    assert "127.0.0.1:1" in failed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bot", "--source", "gopher://x"), "not a place to search"),
        (("bot", "--limit", "0"), "--limit"),
        ((" ",), "nothing to search for"),
        (("bot", "--username", "ada"), "several registries"),
    ],
)
def test_wrong_usage_is_exit_code_2(agent: Agent, arguments: tuple[str, ...], words: str):
    assert words in agent("search", *arguments, code=2).err


def test_limit_all_and_configured_sources(agent: Agent, home: Path, fake: SearchableRegistry):
    fake.add("team/talker", "1.0", manifest=simple_agent(title="x", kind="application/x.cake"))
    configure(home, f'[search]\nsources = ["catalog://{fake.host}"]\n')

    def names(*arguments: str) -> list[str]:
        results = agent("search", "talker", "--format", "json", *arguments).json["results"]
        return [one["name"] for one in results]

    assert names() == ["talker"]
    assert names("--all") == [f"{fake.host}/team/talker", "talker"]
    assert names("--all", "--limit", "1") == [f"{fake.host}/team/talker"]


def test_a_bad_config_says_where(agent: Agent, home: Path, monkeypatch: pytest.MonkeyPatch):
    configure(home, '[search]\nsources = ["elsewhere"]\n')
    assert "'elsewhere' is not a place to search" in agent("search", "bot", code=2).err
    assert read_settings().file.search.sources == ("elsewhere",)


# agent index


def test_an_index_from_first_to_last(agent: Agent, fake: SearchableRegistry):
    images = [f"{fake.host}/team/{name}:1.0" for name in ("coordinator", "talker")]
    for image in images:
        agent("push", image.rpartition("/")[2], image)
    where = f"{fake.host}/team/agents-index"
    made = agent("index", "add", where, *images)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", made.out)
    assert made.err == "".join(f"added {image}\n" for image in images)
    assert agent("inspect", where).json["digest"] == made.out.strip()

    again = agent("index", "add", where, images[0])
    assert (again.out, again.err) == (made.out, "everything was listed already\n")

    agent("push", "mute:1.0", images[0])
    document = agent("index", "add", where, images[0], "--format", "json").json
    assert (document["index"], document["added"]) == (where, [])
    [replaced] = document["replaced"]
    assert f"{replaced['name']}:{replaced['version']}" == images[0]

    listed = agent("index", "ls", where)
    assert listed.lines[0].split() == ["NAME", "VERSION", "DIGEST", "DESCRIPTION"]
    assert [line.split()[:2] for line in listed.lines[1:]] == [
        image.rsplit(":", 1) for image in images
    ]
    whole = agent("index", "ls", where, "--format", "json").json
    assert [entry["digest"] for entry in whole] == [
        replaced["digest"],
        str(agent("inspect", "talker:1.0").json["digest"]),
    ]

    gone = agent("index", "rm", where, images[1].rpartition(":")[0])
    assert gone.err == f"removed {images[1]}\n"
    gone = agent("index", "rm", where, images[0], "--format", "json")
    assert [entry["version"] for entry in gone.json["removed"]] == ["1.0"]
    assert agent("index", "ls", where, "--format", "json").json == []


def test_an_index_is_an_artifact_like_others(agent: Agent, fake: SearchableRegistry, home: Path):
    where = f"oci:{home}/usb:agents-index:latest"
    digest = agent("index", "add", where, "coordinator:1.0").out
    remote = f"{fake.host}/team/agents-index:latest"
    assert agent("cp", where, remote).out == digest
    assert agent("index", "ls", remote, "--format", "json").json[0]["name"] == "coordinator"
    with_image = agent("index", "add", f"oci:{home}/b:list", "talker:1.0", "--profile", "image")
    assert with_image.out != digest
    assert len(agent("index", "ls", f"oci:{home}/b:list").lines) == 2


def test_what_goes_wrong_with_an_index(agent: Agent, fake: SearchableRegistry):
    where = f"{fake.host}/team/agents-index"
    absent = agent("index", "add", where, f"{fake.host}/team/absent:1.0", code=6)
    assert f"hint: is it there? agent push {fake.host}/team/absent:1.0" in absent.err
    assert agent("index", "ls", where, code=6).out == ""
    agent("push", "talker:1.0", f"{fake.host}/team/talker:1.0")
    refused = agent("index", "ls", f"{fake.host}/team/talker:1.0", code=2)
    assert "is not a search index" in refused.err
    agent("index", "add", where, f"{fake.host}/team/talker:1.0")
    missing = agent("index", "rm", where, "talker", code=6)
    assert "lists no 'talker'" in missing.err


def test_changes_of_an_index_are_quiet_when_told_to(agent: Agent, home: Path):
    index = f"oci:{home}/layout:list"
    assert agent("index", "add", "-q", index, "talker:1.0").err == ""
    assert agent("index", "rm", "-q", index, "talker").err == ""
