"""Every verb that speaks to registries, at each of the four real ones, by the command line.

What a registry cannot do is no gap in the table: the test says what happens instead.
"""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agentoci.cli.main import agent as program
from tests.cli.conftest import Agent, MoveHome
from tests.interop.content import digest_of
from tests.registries import Registry
from tests.survival.wholeness import assert_whole

pytestmark = pytest.mark.integration

REPORT = "application/vnd.example.report"
SBOM = "application/spdx+json"

DELETES_TAGS = {"distribution", "ggcr", "olareg"}
"""docker-registry 2.8 deletes manifests by digest only."""
MOUNTS = {"docker-registry", "distribution", "olareg"}
"""The go-containerregistry registry has one blob store for all, and says nothing of mounting."""


@pytest.fixture
def name(registry: Registry, repository: str) -> str:
    """A repository that is not there yet, at each registry."""
    return registry.reference(repository)


@pytest.fixture
def pushed(agent: Agent, talker: str, name: str) -> str:
    """`talker:1.0` is there under two versions; returns its digest."""
    agent("push", "talker:1.0", f"{name}:1.0.0", "-t", "1.0")
    return talker


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A file to attach."""
    path = tmp_path / "report.txt"
    path.write_text("all is well\n")
    return path


def build_version(agent: Agent, context: Path, version: str) -> str:
    """Another version of the agent in the store; returns its digest."""
    (context / "notes.md").write_text(f"Talk is cheap, says {version}.\n")
    return agent("build", "-q", "--replace", "-t", f"talker:{version}", context).out.strip()


def meanings(agent: Agent, name: str) -> dict[str, str]:
    """The digests of the tags that are there."""
    found = agent("tags", "--digests", "--format", "json", name).json
    return {row["tag"]: row["digest"] for row in found["tags"]}


# Push


def test_build_pushes_every_name(agent: Agent, context: Path, name: str) -> None:
    other = f"{name}/other"
    tags = (f"{name}:1.0.0", f"{name}:latest", f"{other}:1.0.0")
    built = agent("build", "--push", *[word for tag in tags for word in ("-t", tag)], context)
    digest = built.out.strip()
    assert meanings(agent, name) == {"1.0.0": digest, "latest": digest}
    assert meanings(agent, other) == {"1.0.0": digest}


def test_push_with_several_tags(agent: Agent, registry: Registry, talker: str, name: str) -> None:
    tags = ("-t", "1.0", "-t", "1", "-t", "latest", "--format", "json")
    done = agent("push", "talker:1.0", f"{name}:1.0.0", *tags).json
    assert done["digest"] == talker
    if registry.kind != "ggcr":  # what any repository has, all have there
        assert done["movedBlobs"] == done["blobs"] > 0
    assert meanings(agent, name) == dict.fromkeys(("1.0.0", "1.0", "1", "latest"), talker)
    again = agent("push", "talker:1.0", f"{name}:1.0.0", *tags).json
    assert (again["digest"], again["movedBlobs"]) == (talker, 0)
    assert "everything was there already" in agent("push", "talker:1.0", f"{name}:1.0.0").err


def test_version_that_means_something_else(
    agent: Agent, pushed: str, context: Path, name: str
) -> None:
    newer = build_version(agent, context, "2.0")
    push = ("push", "talker:2.0", f"{name}:1.0.0", "-t", "latest")
    for policy in ([], ["--if-exists", "fail"]):
        refused = agent(*push, *policy, code=7)
        assert f"{name}:1.0.0" in refused.err
    skipped = agent(*push, "--if-exists", "skip", "--format", "json").json
    assert (skipped["skipped"], skipped["digest"]) == (True, pushed)
    assert meanings(agent, name) == {"1.0.0": pushed, "1.0": pushed}, "nothing has moved"
    other = ("push", "talker:2.0", f"{name}:2.0.0", "-t", "1.0", "--if-exists", "fail")
    assert agent(*other).out.strip() == agent(*other).out.strip() == newer
    assert meanings(agent, name) == {"1.0.0": pushed, "1.0": newer, "2.0.0": newer}
    assert agent(*push, "--if-exists", "replace").out.strip() == newer
    assert set(meanings(agent, name).values()) == {newer}


# Release


def test_releases_follow_each_other(agent: Agent, context: Path, name: str) -> None:
    first = agent("release", name, context).out.strip()
    tags = ("2.1.0", "2.1", "2", "latest")  # the version is the one declared
    assert meanings(agent, name) == dict.fromkeys(tags, first)
    assert agent("release", name, context).out.strip() == first
    (context / "notes.md").write_text("Talk is dear.\n")
    assert agent("release", "--dry-run", name, context).out == "2.1.1\n"
    candidate = agent("release", "--pre", "rc", "--format", "json", name, context).json
    assert (candidate["tag"], candidate["moved"]) == ("2.1.1-rc.1", ["2.1.1-rc.1"])
    done = agent("release", "--format", "json", name, context).json
    assert (done["before"], done["verdict"], done["tag"]) == ("2.1.0", "PATCH", "2.1.1")
    assert done["moved"] == ["2.1.1", "2.1", "2", "latest"]
    found = {"2.1.0": first, "2.1.1-rc.1": candidate["digest"]}
    assert meanings(agent, name) == found | dict.fromkeys(done["moved"], done["digest"])
    assert agent("inspect", "--remote", f"{name}:2").json["digest"] == done["digest"]
    assert (
        "2.1.0 is released already, with other content"
        in agent("release", "--version", "2.1.0", name, context, code=7).err
    )


# Pull


def test_pull_brings_it_whole(agent: Agent, pushed: str, name: str, move_home: MoveHome) -> None:
    home = move_home("elsewhere")
    done = agent("pull", "--format", "json", f"{name}:1.0").json
    assert (done["digest"], done["kind"]) == (pushed, "an agent image")
    assert agent("pull", f"{name}@{pushed}", "mine:1").out.strip() == pushed
    assert_whole(home)
    said = agent("run", "--rm", "--name", "bot", "mine:1").out
    assert said == "hello there from bot, arguments: <>\n"


def test_run_pulls_what_is_not_here(
    agent: Agent, pushed: str, name: str, move_home: MoveHome
) -> None:
    move_home("elsewhere")
    assert "hello there from bot" in agent("run", "--rm", "--name", "bot", f"{name}:1.0").out
    assert agent("images", "-q").lines == [pushed]
    assert agent("create", "--name", "ready", f"{name}:1.0.0").out == "ready\n"


def test_platform_of_an_image(agent: Agent, talker: str, name: str, move_home: MoveHome) -> None:
    index = agent("push", "--profile", "image", "talker:1.0", f"{name}:1.0").out.strip()
    [amd64, arm64] = [
        agent("manifest", "head", "--digest", "--platform", f"linux/{one}", f"{name}:1.0").out
        for one in ("amd64", "arm64")
    ]
    move_home("elsewhere")
    assert agent("pull", "--platform", "linux/arm64", f"{name}:1.0").out == arm64
    assert agent("pull", f"{name}:1.0", "both:1").out.strip() == index
    assert amd64 != arm64
    assert "linux/s390x" in agent("pull", "--platform", "linux/s390x", f"{name}:1.0", code=6).err
    assert "hello there from bot" in agent("run", "--rm", "--name", "bot", "both:1").out


def test_what_is_not_there_is_not_found(
    agent: Agent, registry: Registry, pushed: str, name: str
) -> None:
    nothing = f"{name}@sha256:{64 * '0'}"
    for command in (["pull"], ["inspect", "--remote"], ["manifest"], ["untag"], ["rm", "--remote"]):
        assert f"{name}:9.9" in agent(*command, f"{name}:9.9", code=6).err
        if command != ["untag"]:
            assert nothing in agent(*command, nothing, code=6).err
    if registry.kind == "olareg":  # it says of any repository that it is there, and empty
        assert agent("tags", f"{name}/other").lines == []
    else:
        assert f"{name}/other" in agent("tags", f"{name}/other", code=6).err
    assert agent("blob", nothing, code=6).out == ""


# Look


def test_inspect_reads_what_is_there(agent: Agent, pushed: str, name: str) -> None:
    found = agent("inspect", "--remote", f"{name}:1.0").json
    local = agent("inspect", "talker:1.0").json
    assert found["digest"] == local["digest"] == pushed
    assert (found["definition"], found["layers"]) == (local["definition"], local["layers"])


def test_convert_reads_what_is_there(
    agent: Agent, pushed: str, name: str, move_home: MoveHome
) -> None:
    here = agent("convert", "--to", "skill", "--format", "json", "talker:1.0").json
    move_home("elsewhere")
    there = agent("convert", "--to", "skill", "--format", "json", f"{name}:1.0").json
    assert there["files"] == here["files"] == ["talker/SKILL.md", "talker/references/notes.md"]
    assert f"{name}@{pushed}" in there["content"]
    assert agent("images", "-q").out == "", "nothing was pulled"


def test_tags_come_sorted(agent: Agent, talker: str, name: str) -> None:
    wanted = ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.0.0", "latest", "stable"]
    rest = [word for tag in sorted(wanted)[1:] for word in ("-t", tag)]
    agent("push", "talker:1.0", f"{name}:{min(wanted)}", *rest)
    assert agent("tags", name).lines == wanted
    limited = agent("tags", "--limit", "2", "--format", "json", name).json
    assert (limited["total"], [row["tag"] for row in limited["tags"]]) == (6, wanted[:2])


def test_manifest_and_blob_as_they_are(
    agent: Agent, pushed: str, name: str, tmp_path: Path
) -> None:
    raw = agent("manifest", f"{name}:1.0").out.encode()
    assert digest_of(raw) == pushed
    descriptor = agent("manifest", "--descriptor", f"{name}:1.0").json
    assert (descriptor["digest"], descriptor["size"]) == (pushed, len(raw))
    (tmp_path / "manifest.json").write_bytes(raw)
    put = agent("manifest", "put", "--format", "json", tmp_path / "manifest.json", f"{name}:copy")
    assert put.json["digest"] == meanings(agent, name)["copy"] == pushed
    config = json.loads(raw)["config"]
    blob = f"{name}@{config['digest']}"
    agent("blob", blob, "-o", tmp_path / "config.json")
    assert digest_of((tmp_path / "config.json").read_bytes()) == config["digest"]
    assert agent("blob", "head", blob).json["size"] == config["size"]


def test_blob_comes_and_goes(
    agent: Agent, registry: Registry, pushed: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / "blob").write_bytes(f"only in {name}".encode())
    digest = agent("blob", "put", tmp_path / "blob", name).out.strip()
    assert agent("blob", "get", f"{name}@{digest}").out == f"only in {name}"
    assert agent("blob", "rm", f"{name}@{digest}").out == f"deleted: {digest}\n"
    agent("blob", "get", f"{name}@{digest}", code=6)
    assert meanings(agent, name) == {"1.0.0": pushed, "1.0": pushed}


# Copy


def test_copies_go_everywhere_and_come_back(
    agent: Agent, pushed: str, name: str, report: Path, tmp_path: Path
) -> None:
    """Registry, layout, archive, and back; what is attached comes along."""
    attach = ("attach", f"{name}:1.0", report, "--artifact-type", REPORT)
    attached = agent(*attach, "-a", "by=ada").out.strip()
    ways = [f"{name}:1.0", f"{name}/copy:1.0", f"oci:{tmp_path}/layout:bot:1.0"]
    ways += [f"oci-archive:{tmp_path}/bot.tar:bot:1.0", f"{name}/back:1.0"]
    for source, target in itertools.pairwise(ways):
        done = agent("cp", "--recursive", "--format", "json", source, target).json
        assert (done["digest"], done["outcome"]) == (pushed, "copied")
        assert [one["digest"] for one in done["attached"]] == [attached]
    found = agent("discover", "--format", "json", ways[-1]).json["referrers"]
    assert [(one["digest"], one["artifactType"]) for one in found] == [(attached, REPORT)]
    again = agent("cp", "--recursive", "--format", "json", ways[0], ways[-1]).json
    assert (again["outcome"], again["movedBlobs"]) == ("exists", 0)
    assert agent("cp", ways[-1], f"{name}/plain:1.0").out.strip() == pushed
    assert agent("discover", "--format", "json", f"{name}/plain:1.0").json["referrers"] == []


def test_copies_within_a_registry_move_no_bytes(
    agent: Agent, registry: Registry, pushed: str, name: str
) -> None:
    planned = agent("cp", "--dry-run", "--format", "json", f"{name}:1.0", f"{name}/copy:1.0").json
    assert planned["digest"] == pushed
    agent("manifest", f"{name}/copy:1.0", code=6)
    done = agent("cp", "--format", "json", f"{name}:1.0", f"{name}/copy:1.0").json
    if registry.kind in MOUNTS:
        assert done["movedBytes"] < 10_000, "the manifest alone"
    assert meanings(agent, f"{name}/copy") == {"1.0": pushed}


def test_sync_copies_lists(
    agent: Agent, pushed: str, context: Path, name: str, tmp_path: Path
) -> None:
    newer = build_version(agent, context, "2.0")
    agent("push", "talker:2.0", f"{name}:2.0.0", "-t", "latest")
    listed = [
        {"source": name, "tags": ["1.*", "latest"], "target": f"{name}/mirror"},
        {"source": f"{name}:9.9", "target": f"{name}/mirror"},
    ]
    (tmp_path / "images.yaml").write_text(json.dumps({"images": listed}))
    report = tmp_path / "report.json"
    command = ("sync", "--format", "json", "--report", report, tmp_path / "images.yaml")
    done = agent(*command, code=1)
    assert json.loads(report.read_text()) == done.json
    outcomes = {row["source"]: row["outcome"] for row in done.json["images"]}
    assert outcomes.pop(f"{name}:9.9") == "failed"
    assert set(outcomes.values()) <= {"copied", "exists"}, "two names mean one image"
    assert meanings(agent, f"{name}/mirror") == {"1.0.0": pushed, "1.0": pushed, "latest": newer}
    again = agent("sync", "--format", "json", "--source", name, f"oci:{tmp_path}/layout").json
    assert {row["outcome"] for row in again["images"]} <= {"copied", "exists"}
    assert len(agent("tags", f"oci:{tmp_path}/layout").lines) == len(meanings(agent, name))
    back = agent("sync", "--source", f"oci:{tmp_path}/layout", f"{name}/back")
    assert len(back.lines) == 1 + len(meanings(agent, name))
    kept = name.partition("/")[2]
    assert meanings(agent, f"{name}/back/{kept}") == meanings(agent, name)


# Attach


def test_attachments_are_discovered_replaced_and_mended(
    agent: Agent, pushed: str, name: str, report: Path
) -> None:
    image = f"{name}:1.0"
    attach = ("attach", image, f"{report}:text/plain", "--artifact-type")
    first = agent(*attach, REPORT, "--format", "json").json
    assert first["subject"] == pushed
    sbom = agent(*attach, SBOM, "-a", "by=ada").out.strip()
    above = agent("attach", f"{name}@{sbom}", report, "--artifact-type", REPORT).out.strip()
    listed = agent("discover", "--format", "json", image).json["referrers"]
    assert {one["digest"] for one in listed} == {first["digest"], sbom}
    [only] = agent("discover", "--artifact-type", SBOM, "--format", "json", image).json["referrers"]
    assert (only["digest"], only["annotations"]) == (sbom, {"by": "ada"})
    assert len(agent("discover", "-r", "--format", "tree", image).lines) == 4
    assert above not in {one["digest"] for one in listed}
    report.write_text("all is very well\n")
    second = agent(*attach, REPORT, "--replace", "--format", "json").json
    assert second["replaced"] == [first["digest"]]
    listed = agent("discover", "--format", "json", image).json["referrers"]
    assert {one["digest"] for one in listed} == {second["digest"], sbom}
    mended = agent("discover", "--repair", "--format", "json", image).json
    assert (mended["added"], mended["corrected"], mended["dropped"]) == ([], [], {})
    assert meanings(agent, name)["1.0"] == pushed


# Search


def test_search_index_is_kept_and_searched(agent: Agent, pushed: str, name: str) -> None:
    index = f"{name}/agents-index"
    added = agent("index", "add", "--format", "json", index, f"{name}:1.0.0").json
    assert [entry["digest"] for entry in added["added"]] == [pushed]
    [entry] = agent("index", "ls", "--format", "json", index).json
    assert entry["digest"] == pushed
    source = f"oci-index://{index}:latest"
    [hit] = agent("search", "talker", "--source", source, "--format", "json").json["results"]
    assert (hit["digest"], hit["source"]) == (pushed, source)
    removed = agent("index", "rm", "--format", "json", index, entry["name"]).json
    assert [one["digest"] for one in removed["removed"]] == [pushed]
    assert agent("index", "ls", "--format", "json", index).json == []


def test_search_of_a_whole_registry(
    agent: Agent, registry: Registry, pushed: str, name: str
) -> None:
    source = f"registry://{registry.host}"
    search = ("search", name.rpartition("/")[2], "--source", source, "--format", "json")
    if registry.kind == "olareg":  # it lists no repositories
        refused = agent(*search, code=6)
        assert refused.json["results"] == []
        assert "hint: search an index there that `agent index add` made" in refused.err
        return
    [hit] = agent(*search).json["results"]
    assert (hit["name"], hit["digest"]) == (name, pushed)


# Require


def test_requirements_are_locked_installed_and_updated(
    agent: Agent, tmp_path: Path, name: str, move_home: MoveHome
) -> None:
    folder = tmp_path / "helper"
    folder.mkdir()
    (folder / "notes.md").write_text("helps\n")
    text = "FROM scratch\nCOPY notes.md /agent/knowledge/\nINTERFACE helper\nENV V={}\n"
    digests = {}
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        (folder / "Agentfile").write_text(text.format(version))
        built = agent("build", "-q", "--push", "-t", f"{name}/helper:{version}", folder)
        digests[version] = built.out.strip()
    move_home("other")
    (folder / "Agentfile").write_text(f"FROM scratch\nREQUIRE {name}/helper@^1.0\nINTERFACE x\n")
    lock = folder / "agent.lock"
    done = agent("lock", "--format", "json", folder).json
    assert [(p["version"], p["digest"]) for p in done["pins"]] == [("1.1.0", digests["1.1.0"])]
    assert done["requests"] <= 4
    [installed] = agent("install", "--format", "json", folder).json["installed"]
    assert (installed["digest"], installed["pulled"]) == (digests["1.1.0"], True)
    older = lock.read_text().replace("1.1.0", "1.0.0")
    lock.write_text(older.replace(digests["1.1.0"], digests["1.0.0"]))
    assert agent("install", "--format", "json", folder).json["installed"][0]["pulled"] is True
    assert "helper: 1.0.0 → 1.1.0" in agent("update", "-C", folder).err
    newest = agent("tags", f"{name}/helper", "--latest", "^1").out.strip()
    assert newest == digests["1.1.0"]


# Delete


def test_untag_leaves_the_rest(agent: Agent, registry: Registry, pushed: str, name: str) -> None:
    shown = agent("untag", "--dry-run", f"{name}:1.0.0")
    assert shown.lines == [f"untagged: {name}:1.0.0"]
    assert set(meanings(agent, name)) == {"1.0", "1.0.0"}
    done = agent("untag", "--format", "json", f"{name}:1.0.0").json
    assert [(one["tags"], one["deleted"]) for one in done["removed"]] == [(["1.0.0"], False)]
    assert meanings(agent, name) == {"1.0": pushed}
    agent("untag", f"{name}:1.0")
    assert agent("manifest", "head", "--digest", f"{name}@{pushed}").out.strip() == pushed
    facts = agent("doctor", "--cached", "--format", "json", registry.host).json["facts"]
    assert facts["deleteTags"] is (registry.kind in DELETES_TAGS)


def test_rm_remote_takes_no_other_tags_by_surprise(
    agent: Agent, pushed: str, context: Path, name: str
) -> None:
    newer = build_version(agent, context, "2.0")
    agent("push", "talker:2.0", f"{name}:2.0.0")
    refused = agent("rm", "--remote", f"{name}:1.0.0", code=7)
    assert "which would go with it: 1.0" in refused.err
    assert len(meanings(agent, name)) == 3
    done = agent("rm", "--remote", "--force", "--format", "json", f"{name}:1.0.0").json
    assert [(sorted(one["tags"]), one["deleted"]) for one in done["removed"]] == [
        (["1.0", "1.0.0"], True)
    ]
    assert meanings(agent, name) == {"2.0.0": newer}
    agent("pull", f"{name}@{pushed}", code=6)
    agent("pull", f"{name}:2.0.0")


def test_prune_keeps_what_rules_keep(
    agent: Agent, talker: str, context: Path, name: str, report: Path
) -> None:
    digests = {}
    for version in ("1.0.0", "1.1.0", "1.1.1", "2.0.0"):
        digests[version] = build_version(agent, context, version)
        agent("push", f"talker:{version}", f"{name}:{version}")
        agent("attach", f"{name}:{version}", report, "--artifact-type", REPORT)
    agent("push", "talker:2.0.0", f"{name}:2.0.0", "-t", "latest")
    prune = ("prune", "--remote", name, "--keep-semver", "major:2,minor:1", "--format", "json")
    planned = agent(*prune, "--dry-run").json
    assert {tag for one in planned["removals"] for tag in one["tags"]} >= {"1.0.0", "1.1.0"}
    assert {"1.0.0", "1.1.0"} <= set(meanings(agent, name)), "nothing has happened"
    done = agent(*prune, "--yes").json
    assert {one["outcome"] for one in done["removals"]} == {"removed"}
    left = {tag: one for tag, one in meanings(agent, name).items() if not tag.startswith("sha256-")}
    assert left == {tag: digests[tag] for tag in ("1.1.1", "2.0.0")} | {"latest": digests["2.0.0"]}
    for tag in left:
        assert len(agent("discover", "--format", "json", f"{name}:{tag}").json["referrers"]) == 1
    agent("pull", f"{name}@{digests['1.0.0']}", code=6)
    assert agent(*prune, "--dry-run").json["removals"] == []


# Ask


def test_diff_reads_no_more_than_what_changed(
    agent: Agent, pushed: str, context: Path, name: str
) -> None:
    build_version(agent, context, "1.1")
    agent("push", "talker:1.1", f"{name}:1.1.0")
    found = agent("diff", f"{name}:1.0.0", f"{name}:1.1.0", "--format", "json").json
    assert [change["subject"] for change in found["changes"]] == ["agent/knowledge/notes.md"]
    assert found["changes"][0]["text"]["added"] == 1
    assert found["before"]["digest"] == pushed


def test_show_reads_a_definition_where_it_is(
    agent: Agent, pushed: str, name: str, move_home: MoveHome
) -> None:
    here = agent("show", "--effective", "talker:1.0").out
    move_home("elsewhere")
    assert agent("show", "--effective", f"{name}:1.0.0").out == here
    assert agent("show", f"{name}@{pushed}").lines[2:5:2] == ["metadata:", "  version: 2.1.0"]


def test_doctor_tells_what_it_can_do(agent: Agent, registry: Registry, name: str) -> None:
    found = agent("doctor", "--format", "json", name).json
    assert found["error"] is None
    facts = found["facts"]
    assert facts["customTypes"] is True
    assert facts["deleteTags"] is (registry.kind in DELETES_TAGS)
    assert facts["referrers"] is (registry.kind == "olareg")
    assert found["left"] == []


def test_login_where_nobody_asks(agent: Agent, registry: Registry, home: Path) -> None:
    """A registry without users takes any; those with users are in test_tls.py."""
    me = ("-u", "ada", "--password-stdin", "--format", "json")
    done = agent("login", registry.host, *me, stdin=b"secret").json
    assert (done["registry"], done["username"]) == (registry.host, "ada")
    assert agent("logout", registry.host, "--format", "json").json["known"] is True


# Nothing is left out


def commands_with_registries() -> Iterator[str]:
    """Every command of the program that speaks to registries: those that may be told how."""
    for verb in program.list_commands(click.Context(program)):
        command = program.get_command(click.Context(program), verb)
        assert command is not None
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        if any(option.name == "access_plain" for part in parts for option in part.params):
            yield verb


def test_every_verb_is_here() -> None:
    words = {
        node.value
        for node in ast.walk(ast.parse(Path(__file__).read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    verbs = set(commands_with_registries())
    assert verbs > {"build", "push", "pull", "cp", "run", "rm", "prune"}
    assert verbs <= words, f"not tried at real registries: {verbs - words}"
