"""A lock says the same on every machine, whatever its default registry is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Agent, MoveHome
from tests.registry.fake import FakeRegistry
from tests.registry.faults import refuses

HEAD = "apiVersion: agent/v1\nkind: AgentDefinition\nmetadata:\n"
PARENT = f"{HEAD}  name: basis\n  version: 1.0.0\nspec:\n  interface: reasons\n"
CHILD = (
    f"{HEAD}  name: child\n  version: 0.1.0-dev\n  parent: basis@1.0.0\nspec: {{inherit: all}}\n"
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeRegistry) -> Path:
    """The config file, with the team's folder at the fake as default registry."""
    path = tmp_path / "config.toml"
    path.write_text(f'default_registry = "{fake.host}/team"\n')
    monkeypatch.setenv("AGENTOCI_CONFIG", str(path))
    return path


def folder(path: Path, **files: str) -> Path:
    """A folder with these files; `_` in a name stands for a dot."""
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
    return path


def references(path: Path) -> dict[str, str]:
    """What the pins of a lock are pulled by."""
    return {pin["name"]: pin["reference"] for pin in json.loads(path.read_text())["pins"]}


def heads(fake: FakeRegistry, path: str) -> int:
    return len(fake.requests("HEAD", f"/v2/{path}/manifests/"))


def make_team(agent: Agent, tmp_path: Path, *, push: bool) -> Path:
    """A base, a parent and a tool under short names, and a child that needs all three."""
    text = "FROM scratch\nCOPY note.md /agent/knowledge/\nINTERFACE base\n"
    base = folder(tmp_path / "base", Agentfile=text, note_md="a note")
    basis = folder(tmp_path / "basis", basis_agentdef=PARENT)
    tool = folder(tmp_path / "tool", Agentfile="FROM scratch\nENV T=t\nINTERFACE tool\n")
    for name, context in (("base:1.0.0", base), ("basis:1.0.0", basis), ("tool:1.0.0", tool)):
        agent("build", "-q", "-t", name, context)
        if push:
            agent("push", "-q", name)
    text = "FROM scratch\nDEFINITION child.agentdef\nREQUIRE tool@^1\n"
    text += "COPY --from=base:1.0.0 /agent/knowledge/note.md /agent/knowledge/\n"
    return folder(tmp_path / "child", Agentfile=text, child_agentdef=CHILD)


def test_what_the_default_registry_has_is_pinned_there(
    agent: Agent, tmp_path: Path, config: Path, fake: FakeRegistry, move_home: MoveHome
) -> None:
    path = make_team(agent, tmp_path, push=True)
    done = agent("lock", path)
    assert references(path / "agent.lock") == {
        "base:1.0.0": f"{fake.host}/team/base:1.0.0",
        "basis:1.0.0": f"{fake.host}/team/basis:1.0.0",
        "tool": f"{fake.host}/team/tool:1.0.0",
    }
    assert "nobody else" not in done.err
    locked = (path / "agent.lock").read_bytes()
    before = len(fake.requests())
    agent("lock", "--check", path)
    built = agent("build", "-q", "--locked", path).out
    assert "stays as it is" in agent("lock", path).err
    assert len(fake.requests()) == before, "what fits is not asked for again"

    move_home("elsewhere")
    config.write_text("")
    assert len(agent("install", path).lines) == 3
    assert agent("build", "-q", "--locked", path).out == built
    agent("lock", path)
    assert (path / "agent.lock").read_bytes() == locked
    move_home("without install")
    assert agent("build", "-q", "--locked", path).out == built


def test_what_only_the_local_store_has_is_told_until_it_is_pushed(
    agent: Agent, tmp_path: Path, config: Path, fake: FakeRegistry
) -> None:
    path = make_team(agent, tmp_path, push=False)
    assert config.is_file()
    done = agent("lock", "--format", "json", path)
    assert done.json["unpushed"] == ["tool", "base:1.0.0", "basis:1.0.0"]
    assert "base:1.0.0 is in the local store only: nobody else can install it" in done.err
    assert {name: heads(fake, f"team/{name}") for name in ("base", "basis")} == {
        "base": 1,
        "basis": 1,
    }
    for name in ("base", "basis", "tool"):
        agent("push", "-q", f"{name}:1.0.0")
    done = agent("lock", "--format", "json", path)
    assert (done.json["unpushed"], done.json["written"]) == ([], True)
    assert set(references(path / "agent.lock").values()) == {
        f"{fake.host}/team/{name}:1.0.0" for name in ("base", "basis", "tool")
    }
    assert done.json["changes"] == []


def test_a_registry_that_lets_nobody_in_does_not_stop_the_lock(
    agent: Agent, tmp_path: Path, config: Path, fake: FakeRegistry
) -> None:
    assert config.is_file()
    base = folder(tmp_path / "base", Agentfile="FROM scratch\nENV A=b\nINTERFACE base\n")
    agent("build", "-q", "-t", "base:1.0.0", base)
    path = folder(tmp_path / "child", Agentfile="FROM base:1.0.0\nINTERFACE child\n")
    for method in ("HEAD", "GET"):
        fake.on(method, "/v2/team/base/", refuses(403, "DENIED", "not for you"), times=9)
    done = agent("lock", path)
    assert f"{fake.host}/team/base:1.0.0 is not known to be there" in done.err
    assert references(path / "agent.lock") == {"base:1.0.0": "base:1.0.0"}


def test_short_names_that_name_their_place_fit_wherever_it_is(
    agent: Agent, tmp_path: Path, config: Path, fake: FakeRegistry, move_home: MoveHome
) -> None:
    """REQUIRE sub/tool is pinned in full, and still what was asked for."""
    tool = folder(tmp_path / "tool", Agentfile="FROM scratch\nENV T=t\nINTERFACE tool\n")
    agent("build", "-q", "-t", "sub/tool:1.0.0", tool)
    agent("push", "-q", "sub/tool:1.0.0")
    path = folder(tmp_path / "child", Agentfile="FROM scratch\nREQUIRE sub/tool@^1\n")
    agent("lock", path)
    assert references(path / "agent.lock") == {"tool": f"{fake.host}/team/sub/tool:1.0.0"}
    before = (path / "agent.lock").read_bytes()
    assert "stays as it is" in agent("lock", path).err
    move_home("elsewhere")
    config.write_text("")
    assert agent("install", path).lines
    agent("lock", "--check", path)
    assert "stays as it is" in agent("lock", path).err
    assert (path / "agent.lock").read_bytes() == before


def test_pins_are_upgraded_by_every_name_they_have(
    agent: Agent, tmp_path: Path, config: Path, fake: FakeRegistry
) -> None:
    assert config.is_file()
    path = make_team(agent, tmp_path, push=True)
    agent("lock", "-q", path)
    for name in ("base", "base:1.0.0", f"{fake.host}/team/base", f"{fake.host}/team/tool", "basis"):
        assert "stays as it is" in agent("lock", "--upgrade", path, name).err


def test_parents_are_looked_for_where_required_agents_are(
    agent: Agent, tmp_path: Path, config: Path, fake: FakeRegistry, move_home: MoveHome
) -> None:
    basis = folder(tmp_path / "basis", basis_agentdef=PARENT)
    agent("build", "-q", "--push", "-t", f"{fake.host}/library/basis:1.0.0", basis)
    path = folder(tmp_path / "child", child_agentdef=CHILD)

    move_home("nowhere")
    config.write_text("")
    missing = agent("build", path, code=6)
    assert "parent basis@1.0.0 is neither in the folder, nor in the store" in missing.err
    assert "--source" in missing.err

    move_home("by option")
    source = ("--source", f"{fake.host}/library")
    agent("build", "-q", *source, path)
    move_home("by option, locking")
    agent("lock", "-q", *source, path)
    assert references(path / "agent.lock") == {
        "basis:1.0.0": f"{fake.host}/library/basis:1.0.0",
    }
    move_home("by the lock")
    agent("build", "-q", "--locked", path)
    (path / "agent.lock").unlink()

    move_home("by config file")
    closed = f"{fake.host}/closed"
    fake.on("GET", "/v2/closed/", refuses(403, "DENIED", "not for you"), times=9)
    fake.on("HEAD", "/v2/closed/", refuses(403, "DENIED", "not for you"), times=9)
    config.write_text(f'requirement_sources = ["{closed}", "{fake.host}/library"]\n')
    agent("build", "-q", path)


def test_a_parent_enters_the_lock_by_its_own_name(agent: Agent, tmp_path: Path) -> None:
    """Wherever an image of it is, the lock is the same, and a build by it finds the image."""
    basis = folder(tmp_path / "basis", basis_agentdef=PARENT)
    agent("build", "-q", "-t", "registry.example.com/library/basis:1.0.0", basis)
    path = folder(tmp_path / "child", child_agentdef=CHILD)
    agent("lock", "-q", path)
    assert references(path / "agent.lock") == {
        "basis:1.0.0": "registry.example.com/library/basis:1.0.0"
    }
    agent("tag", "registry.example.com/library/basis:1.0.0", "basis:1.0.0")
    agent("lock", "--check", path)
    agent("build", "-q", "--locked", path)


@pytest.mark.parametrize("where", ["", "HOST/team/", "HOST/library/"])
def test_a_base_that_is_the_parent_too(
    agent: Agent, tmp_path: Path, config: Path, fake: FakeRegistry, move_home: MoveHome, where: str
) -> None:
    """By its short name at the default registry, or by the full one, there or elsewhere."""
    name = f"{where.replace('HOST', fake.host)}basis:1.0.0"
    agent("build", "-q", "-t", name, folder(tmp_path / "basis", basis_agentdef=PARENT))
    agent("push", "-q", name)
    text = f"FROM {name}\nDEFINITION child.agentdef\n"
    path = folder(tmp_path / "child", Agentfile=text, child_agentdef=CHILD)
    assert agent("lock", "--format", "json", path).json["unpushed"] == []
    assert name in references(path / "agent.lock")
    built = agent("build", "-q", "--locked", path).out
    before = (path / "agent.lock").read_bytes()
    move_home("elsewhere")
    config.write_text("")
    agent("install", path)
    assert agent("build", "-q", "--locked", path).out == built
    agent("lock", path)
    assert (path / "agent.lock").read_bytes() == before


def test_a_dry_run_takes_what_the_lock_pins_or_the_sources_have(
    agent: Agent, tmp_path: Path, fake: FakeRegistry, move_home: MoveHome
) -> None:
    basis = folder(tmp_path / "basis", basis_agentdef=PARENT)
    agent("build", "-q", "--push", "-t", f"{fake.host}/library/basis:1.0.0", basis)
    text = "FROM scratch\nDEFINITION child.agentdef\n"
    path = folder(tmp_path / "child", Agentfile=text, child_agentdef=CHILD)
    source = ("--source", f"{fake.host}/library")
    agent("lock", "-q", *source, path)
    move_home("planner")
    agent("build", "--dry-run", path)
    (path / "agent.lock").unlink()
    move_home("other planner")
    missing = agent("build", "--dry-run", path, code=6)
    assert "basis@1.0.0" in missing.err, "without either the parent is not found"
    agent("build", "--dry-run", *source, path)
