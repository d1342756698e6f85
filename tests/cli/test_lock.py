"""agent lock, install, update, compat and build --locked, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Agent, MoveHome
from tests.registries import Registry
from tests.registry.fake import FakeRegistry

VERSION = "LABEL org.opencontainers.image.version="


class Agents:
    """Folders of agents to build: each is what it is called and what it requires."""

    def __init__(self, folder: Path, agent: Agent) -> None:
        self.folder = folder
        self._agent = agent

    def write(self, name: str, version: str, *lines: str, base: str = "scratch") -> Path:
        """An Agentfile with a file that differs by version."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        (path / "notes.md").write_text(f"{name} {version}\n")
        text = (f"FROM {base}", "COPY notes.md /agent/knowledge/", *lines, f"INTERFACE {name}")
        (path / "Agentfile").write_text("\n".join([*text, f"{VERSION}{version}", ""]))
        return path

    def build(self, name: str, version: str, *lines: str, where: str = "") -> str:
        """Build it under its version, in a repository when `where` is one; returns the digest."""
        path = self.write(name, version, *lines)
        reference = f"{where}{name}:{version}"
        push = ("--push",) if where else ()
        return self._agent("build", "-q", *push, "-t", reference, path).out.strip()


@pytest.fixture
def agents(tmp_path: Path, agent: Agent) -> Agents:
    folder = tmp_path / "agents"
    folder.mkdir()
    return Agents(folder, agent)


def pins(path: Path, lock: str = "agent.lock") -> dict[str, str]:
    """What a lock pins: name → version, or digest for what has none."""
    document = json.loads((path / lock).read_text())
    return {pin["name"]: pin.get("version", pin["digest"]) for pin in document["pins"]}


def test_a_lock_pins_the_newest_that_fits_with_all_it_needs(agent: Agent, agents: Agents) -> None:
    agents.build("template", "1.4.0")
    old = agents.build("psm_gen", "1.0.0")
    new = agents.build("psm_gen", "1.1.0", "REQUIRE template@^1")
    agents.build("psm_gen", "2.0.0")
    path = agents.write("coordinator", "1.0.0", "REQUIRE psm_gen@^1", "REQUIRE --optional debug")
    done = agent("lock", path)
    assert pins(path) == {"psm_gen": "1.1.0", "template": "1.4.0"}
    assert new in done.out
    assert old not in done.out
    assert "psm_gen: none → 1.1.0" in done.err
    assert "debug: optional, and nowhere found" in done.err
    assert "psm_gen is in the local store only" in done.err
    again = agent("lock", "--format", "json", path)
    assert (again.json["written"], again.json["changes"]) == (False, [])
    [psm, template] = again.json["pins"]
    assert psm["wantedBy"] == {".": "^1"}
    assert template["wantedBy"] == {"psm_gen@1.1.0": "^1"}


def test_pins_stay_until_they_are_upgraded(agent: Agent, agents: Agents) -> None:
    for name in ("one", "two"):
        agents.build(name, "1.0.0")
    path = agents.write("coordinator", "1.0.0", "REQUIRE one", "REQUIRE two@^1")
    agent("lock", path)
    for name in ("one", "two"):
        agents.build(name, "1.1.0")
    assert "stays as it is" in agent("lock", path).err
    assert pins(path) == {"one": "1.0.0", "two": "1.0.0"}
    done = agent("lock", "--upgrade", path, "one")
    assert "one: 1.0.0 → 1.1.0" in done.err
    assert pins(path) == {"one": "1.1.0", "two": "1.0.0"}
    agent("lock", "--upgrade", path)
    assert pins(path) == {"one": "1.1.0", "two": "1.1.0"}
    refused = agent("lock", "--upgrade", path, "tow", code=6)
    assert "did you mean 'two'?" in refused.err


def test_a_conflict_tells_who_wants_what_and_leaves_the_lock(agent: Agent, agents: Agents) -> None:
    agents.build("psm_gen", "1.0.0")
    agents.build("psm_gen", "2.0.0")
    agents.build("code_gen", "1.1.0", "REQUIRE psm_gen@^1")
    path = agents.write("coordinator", "1.0.0", "REQUIRE psm_gen@>=2", "REQUIRE code_gen")
    refused = agent("lock", path, code=7)
    assert (
        "psm_gen: code_gen 1.1.0 wants ^1, coordinator 1.0.0 wants >=2; there are 1.0.0, 2.0.0"
    ) in refused.err
    assert not (path / "agent.lock").exists()
    agents.write("coordinator", "1.0.0", "REQUIRE psm_gne")
    missing = agent("lock", path, code=6)
    assert "psm_gne: coordinator 1.0.0 wants *; there is none" in missing.err
    assert "did you mean 'psm_gen'?" in missing.err


def test_what_is_not_found_is_told_where_it_is_required(
    agent: Agent, agents: Agents, fake: FakeRegistry
) -> None:
    agents.build("there", "1.0.0", "REQUIRE hidden")
    lines = ("REQUIRE nowhere@^1", "REQUIRE --optional more")
    path = agents.write("coordinator", "0.1.0-rc.1", *lines)
    assert (
        f"{path}/Agentfile:3:9: nowhere: coordinator 0.1.0-rc.1 wants ^1; there is none\n"
        "  | REQUIRE nowhere@^1\n"
        "  |         ^^^^^^^\n"
        "hint: did you mean 'there'?"
    ) in agent("lock", path, code=6).err
    agents.write("coordinator", "0.1.0-rc.1", "REQUIRE team/other")
    assert "  | REQUIRE team/other\n  |         ^^^^^^^^^^\n" in agent("lock", path, code=6).err
    agents.write("coordinator", "0.1.0-rc.1", "REQUIRE there")
    refused = agent("lock", path, code=6).err
    assert "error: hidden: there 1.0.0 wants *; there is none" in refused, "no line asks for it"
    skill = f"skill:{fake.host}/team/review:1.0"
    agents.write("coordinator", "0.1.0-rc.1", f"REQUIRE {skill}")
    refused = agent("lock", path, code=6).err
    assert f"{path}/Agentfile:3:9: " in refused
    assert f"  |         {'^' * len(skill)}\n" in refused


def test_locked_refuses_drift_and_a_build_without_it_mends(agent: Agent, agents: Agents) -> None:
    agents.build("psm_gen", "1.0.0")
    path = agents.write("coordinator", "0.1.0-rc.1", "REQUIRE psm_gen@^1")
    none = agent("build", "--locked", path, code=3)
    assert "there is no lock" in none.err
    agent("lock", path)
    first = agent("build", "-q", "--locked", path).out
    agents.build("psm_gen", "1.1.0")
    assert agent("build", "-q", "--locked", path).out == first, "a newer one changes nothing"
    agents.write("coordinator", "0.1.0-rc.1", "REQUIRE psm_gen@>=1.1")
    drift = agent("build", "--locked", path, code=3)
    assert "psm_gen >=1.1 is required, 1.0.0 is locked" in drift.err
    assert agent("lock", "--check", path, code=3).err == drift.err
    assert pins(path) == {"psm_gen": "1.0.0"}
    mended = agent("build", path)
    assert "agent.lock is made anew: psm_gen >=1.1 is required, 1.0.0 is locked" in mended.err
    assert "psm_gen: 1.0.0 → 1.1.0" in mended.err
    assert pins(path) == {"psm_gen": "1.1.0"}
    agent("lock", "--check", path)
    agents.write("coordinator", "0.1.0-rc.1")
    gone = agent("lock", "--check", path, code=3)
    assert "psm_gen is locked, and nothing requires it any more" in gone.err


def test_a_build_that_fails_leaves_the_lock_as_it_was(agent: Agent, agents: Agents) -> None:
    agents.build("psm_gen", "1.0.0")
    path = agents.write("coordinator", "0.1.0-rc.1", "REQUIRE psm_gen@^1")
    agent("lock", "-q", path)
    agents.write("coordinator", "0.1.0-rc.1", "COPY nowhere.md /agent/")
    before = (path / "agent.lock").read_bytes()
    assert "'nowhere.md' is not in the context" in agent("build", path, code=2).err
    assert (path / "agent.lock").read_bytes() == before
    agents.write("coordinator", "0.1.0-rc.1")
    agent("build", "-q", path)
    assert pins(path) == {}


def test_names_want_a_lock_and_folders_are_no_names(
    agent: Agent, agents: Agents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents.build("psm_gen", "1.0.0")
    path = agents.write("coordinator", "0.1.0-rc.1", "REQUIRE psm_gen@^1")
    monkeypatch.chdir(agents.folder)
    for command in (("update", "psm_gen"), ("lock", "--upgrade", "psm_gen")):
        assert "agent.lock: there is no lock" in agent(*command, code=3).err
    agent("lock", "-q", path)
    monkeypatch.chdir(path)
    (path / "docs").mkdir()
    refused = agent("update", "docs", code=6).err
    assert "docs is not locked" in refused
    assert "agent update -C docs" in refused


def test_what_is_locked_is_in_the_image(agent: Agent, agents: Agents) -> None:
    digest = agents.build("psm_gen", "1.0.0")
    path = agents.write("coordinator", "0.1.0-rc.1", "REQUIRE psm_gen:1.0")
    agent("lock", "-q", path)
    agent("build", "-q", "-t", "coordinator:0.1", path)
    [found] = agent("inspect", "--format", "json", "coordinator:0.1").json["requirements"]
    resolved = {"version": "1.0.0", "digest": digest, "reference": "psm_gen:1.0.0"}
    assert found["resolved"] == resolved


def test_a_lock_alone_is_named_when_a_release_has_other_content(
    agent: Agent, agents: Agents
) -> None:
    """What is resolved is content: who built a release, then locked, is told what differs."""
    agents.build("psm_gen", "1.1.0")
    path = agents.write("coordinator", "1.0.0", "REQUIRE psm_gen@^1")
    agent("build", "-q", "-t", "coordinator:1.0.0", path)
    agent("lock", path)
    refused = agent("build", "-q", "-t", "coordinator:1.0.0", path, code=7)
    assert "the only difference is what agent.lock pins" in refused.err
    assert "raise the version" in refused.err
    (path / "notes.md").write_text("and another text\n")
    refused = agent("build", "-q", "-t", "coordinator:1.0.0", path, code=7)
    assert "agent.lock" not in refused.err
    assert "`agent diff coordinator:1.0.0 PATH` shows what differs" in refused.err


def test_from_stays_where_it_was_whatever_its_tag_becomes(agent: Agent, agents: Agents) -> None:
    first = agents.build("base", "0.1.0-a.1")
    agent("tag", "base:0.1.0-a.1", "base:latest")
    path = agents.write("child", "0.1.0-rc.1", base="base")
    agent("lock", "-q", path)
    assert pins(path) == {"base:latest": first}
    built = agent("build", "-q", path).out
    second = agents.build("base", "0.1.0-a.2")
    agent("tag", "base:0.1.0-a.2", "base:latest")
    assert agent("build", "-q", "--locked", path).out == built
    upgraded = agent("lock", "--upgrade", path, "base")
    assert f"base:latest: {first[7:19]} → {second[7:19]}" in upgraded.err
    assert agent("build", "-q", "--locked", path).out != built


@pytest.mark.integration
def test_a_team_locks_builds_and_installs_by_digest(
    agent: Agent, agents: Agents, distribution: Registry, repository: str, move_home: MoveHome
) -> None:
    """Three agents with requirements; a tag moves; another machine gets what was locked."""
    where = f"{distribution.reference(repository)}/"
    agents.build("template", "1.0.0", where=where)
    psm = agents.build("psm_gen", "1.0.0", "REQUIRE template@^1", where=where)
    agents.build("code_gen", "1.0.0", "REQUIRE psm_gen@^1", where=where)
    path = agents.write(
        "coordinator", "0.1.0-rc.1", "REQUIRE code_gen", f"REQUIRE {where}psm_gen:1"
    )
    move_home("builder")
    done = agent("lock", "--source", where.rstrip("/"), "--format", "json", path).json
    assert pins(path) == {"code_gen": "1.0.0", "psm_gen": "1.0.0", "template": "1.0.0"}
    assert done["requests"] <= 2 * 3 + 2, "two for each, and what a registry asks first"
    assert done["unpushed"] == []
    built = agent("build", "-q", "--locked", path).out

    move_home("releaser")
    moved = agents.build("psm_gen", "1.0.0", "ENV MOVED=yes")
    agent("tag", moved, f"{where}psm_gen:1.0.0")
    agent("push", "--if-exists", "replace", f"{where}psm_gen:1.0.0")

    move_home("installer")
    installed = agent("install", "--format", "json", path).json["installed"]
    assert {one["name"] for one in installed if one["pulled"]} == set(pins(path))
    assert next(one["digest"] for one in installed if one["name"] == "psm_gen") == psm
    listed = agent("images")
    assert "psm_gen" in listed.out
    assert "<none>" not in listed.out, "a tag says what a digest beside it says"
    assert None in {row["tag"] for row in agent("images", "--format", "json").json}
    again = agent("install", path)
    assert (again.out, "0 of 3 pins pulled" in again.err) == ("", True)
    assert agent("build", "-q", "--locked", path).out == built
    updated = agent("update", "-C", path, "--source", where.rstrip("/"), "psm_gen")
    assert f"psm_gen: 1.0.0 {psm[7:19]} → 1.0.0" in updated.err
    assert agent("build", "-q", "--locked", path).out != built
    agents.write("coordinator", "0.1.0-rc.1", "REQUIRE template@^2")
    refused = agent("install", path, code=3)
    assert "template ^2 is not locked" in refused.err


def test_the_specification_s_agentfile_is_locked(
    agent: Agent, stocked: Path, coordinator: Path
) -> None:
    agent("lock", "-q", coordinator)
    locked = pins(coordinator)
    assert set(locked) == {"base_agent:latest", "psm_generator", "code_generator"}
    agent("build", "-q", "--locked", "-t", "coordinator:locked", coordinator)
    found = agent("inspect", "--format", "json", "coordinator:locked").json["requirements"]
    assert {one["name"]: one["resolved"]["version"] for one in found} == {
        name: version for name, version in locked.items() if ":" not in name
    }


def test_every_image_that_a_build_takes_from_is_pinned(agent: Agent, agents: Agents) -> None:
    """FROM of the stages that count, COPY --from, by build arguments; a digest needs no pin."""
    digests = {name: agents.build(name, "0.1.0-a.1") for name in ("one", "two", "three", "four")}
    path = agents.write("child", "0.1.0-rc.1")
    (path / "other.Agentfile").write_text(
        "ARG BASE=one\n"
        "FROM three:0.1.0-a.1 AS unused\n"
        "FROM ${BASE}:0.1.0-a.1 AS first\n"
        f"FROM four@{digests['four']}\n"
        "COPY --from=first /agent/knowledge/notes.md /agent/knowledge/first.md\n"
        "COPY --from=two:0.1.0-a.1 /agent/knowledge/notes.md /agent/knowledge/two.md\n"
        "INTERFACE child\n"
    )
    given = ("-f", path / "other.Agentfile", path)
    agent("lock", "-q", *given)
    pinned = pins(path, "other.Agentfile.lock")
    assert pinned == {f"{name}:0.1.0-a.1": digests[name] for name in ("one", "two")}
    agent("build", "-q", "--locked", *given)
    drift = agent("build", "--locked", "--build-arg", "BASE=three", *given, code=3)
    assert "three:0.1.0-a.1 is not locked" in drift.err
    assert "one:0.1.0-a.1 is locked, and not used any more" in drift.err


def test_two_files_in_one_folder_have_two_locks(agent: Agent, agents: Agents) -> None:
    for name in ("one", "two"):
        agents.build(name, "1.0.0")
    path = agents.write("child", "0.1.0-rc.1", "REQUIRE one@^1")
    text = "FROM scratch\nREQUIRE two@^1\nINTERFACE other\n"
    (path / "test.Agentfile").write_text(text)
    other = ("-f", path / "test.Agentfile", path)
    agent("lock", "-q", path)
    agent("lock", "-q", *other)
    agent("lock", "-q", "-f", path / "Agentfile", path)
    assert pins(path) == {"one": "1.0.0"}
    assert pins(path, "test.Agentfile.lock") == {"two": "1.0.0"}
    for verb in (("build", "--locked"), ("lock", "--check"), ("install",)):
        agent(*verb, path)
        agent(*verb, *other)
    for name in ("one", "two"):
        agents.build(name, "1.1.0")
    agent("lock", "-q", "--upgrade", *other, "two")
    agent("update", "-q", "-C", path, "one")
    assert (pins(path), pins(path, "test.Agentfile.lock")) == ({"one": "1.1.0"}, {"two": "1.1.0"})
    assert {file.name for file in path.glob("*.lock")} == {"agent.lock", "test.Agentfile.lock"}


def test_the_lock_is_called_by_how_the_file_is_found(agent: Agent, agents: Agents) -> None:
    """A lone definition is found by itself; beside an Agentfile only -f leads to it."""
    agents.build("one", "1.0.0")
    path = agents.folder / "lone"
    path.mkdir()
    (path / "lone.agentdef").write_text(
        "apiVersion: agent/v1\nkind: AgentDefinition\n"
        "metadata: {name: lone, version: 0.1.0-dev}\n"
        "spec: {requires: {tools: [{name: one, version: ^1}]}}\n"
    )
    agent("lock", "-q", "-f", path / "lone.agentdef", path)
    assert pins(path) == {"one": "1.0.0"}
    (path / "Agentfile").write_text("FROM scratch\nINTERFACE bot\n")
    agent("lock", "-q", "-f", path / "lone.agentdef", path)
    assert pins(path, "lone.agentdef.lock") == {"one": "1.0.0"}
    agent("lock", "-q", path)
    assert pins(path) == {}


def test_a_base_s_requirements_are_locked_too(agent: Agent, agents: Agents) -> None:
    agents.build("psm_gen", "1.0.0")
    agents.build("base", "1.0.0", "REQUIRE psm_gen@^1")
    path = agents.write("child", "0.1.0-rc.1", base="base:1.0.0")
    agent("lock", "-q", path)
    assert set(pins(path)) == {"base:1.0.0", "psm_gen"}
    agent("build", "-q", "--locked", path)


def test_a_lock_that_cannot_be_read_is_told_with_its_line(agent: Agent, agents: Agents) -> None:
    path = agents.write("child", "0.1.0-rc.1")
    agent("lock", "-q", path)
    lock = path / "agent.lock"
    lock.write_text(lock.read_text().replace('"pins"', '"pin"'))
    for verb in (("lock",), ("lock", "--check"), ("install",), ("build",), ("build", "--locked")):
        refused = agent(*verb, path, code=2)
        assert f"{lock}:3:3: unknown key 'pin'" in refused.err
        assert "did you mean 'pins'?" in refused.err


def test_a_missing_lock_is_drift_for_everybody_who_asks_for_one(
    agent: Agent, agents: Agents, tmp_path: Path
) -> None:
    path = agents.write("child", "0.1.0-rc.1")
    release = ("release", "--locked", f"oci:{tmp_path / 'layout'}:child")
    for verb in (("lock", "--check"), ("install",), ("build", "--locked"), release):
        refused = agent(*verb, path, code=3)
        assert f"{path}/agent.lock: there is no lock" in refused.err
        assert "hint: agent lock makes one" in refused.err


MATRIX = {
    "compatibility": {
        "coordinator": {"1.0.0": {"compatible_with": ["psm_gen@1.0"], "llm_models": ["gpt-4"]}}
    }
}


def test_the_matrix_limits_what_is_locked(agent: Agent, agents: Agents) -> None:
    agents.build("psm_gen", "1.0.0")
    agents.build("psm_gen", "2.0.0")
    path = agents.write("coordinator", "1.0.0", "REQUIRE psm_gen")
    agent("lock", "-q", path)
    (path / "compatibility.json").write_text(json.dumps(MATRIX))
    warned = agent("build", path)
    said = "coordinator@1.0.0 works with psm_gen@1.0, not with psm_gen@2.0.0"
    ruled_out = (
        "coordinator 1.0.0 works with psm_gen@1.0 only (compatibility.json), 2.0.0 is locked"
    )
    for verb in (("lock", "--check"), ("install",), ("build", "--locked")):
        assert ruled_out in agent(*verb, path, code=3).err
    assert said in warned.err
    assert said in agent("build", path).err, "and again, though nothing is built"
    agent("lock", "-q", path)
    assert pins(path) == {"psm_gen": "1.0.0"}
    assert said not in agent("build", "--replace", path).err
    agent("lock", "--check", path)
    agents.write("coordinator", "1.0.0", "REQUIRE psm_gen@2")
    refused = agent("lock", path, code=7)
    assert "coordinator 1.0.0 works with psm_gen@1.0 only (compatibility.json)" in refused.err


def test_compat_check_and_list(agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "compatibility.json"
    file.write_text(json.dumps(MATRIX))
    check = ("compat", "check", "--file", file, "coordinator@1.0.0")
    assert agent(*check, "psm_gen@1.0").lines == ["coordinator@1.0.0  psm_gen@1.0  compatible"]
    assert "not with psm_gen@2.0" in agent(*check, "psm_gen@2.0", code=3).err
    assert "nothing is said of" in agent(*check, "other@1").err
    agent(*check, "other@1", "--strict", code=3)
    agent(*check, "--model", "gpt-4")
    found = agent(*check, "--model", "claude-3", "--format", "json", code=3).json
    assert [one["answer"] for one in found["answers"]] == ["incompatible"]
    agent(*check, code=2)
    [row] = agent("compat", "list", "--file", file, "--format", "json").json
    assert row["compatibleWith"] == ["psm_gen@1.0"]
    assert "psm_gen@1.0" in agent("compat", "list", "--file", file).out
    agent("compat", "list", "--file", tmp_path / "none.json", code=6)
