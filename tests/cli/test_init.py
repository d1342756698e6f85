"""agent init: what it writes builds, lints without a finding and runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from agentoci.api.newfiles import FilesExist
from agentoci.api.scaffold import TEMPLATES, scaffold
from agentoci.errors import Conflict, Invalid
from tests.cli.conftest import Agent

SAYS = {
    "minimal": (["hello"], "bot knows:\nfirst.md\n"),
    "python": (["instance"], "An instance remembers what it was asked.\n"),
    "coordinator": (["sum", "up"], "task: sum up\n1. Understand what is asked"),
    "skill": ([], "meeting-notes: Writes meeting notes"),
}


def test_every_template_is_tried():
    assert SAYS.keys() == TEMPLATES.keys()


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_lint_clean_build_and_run(agent: Agent, tmp_path: Path, template: str):
    bot = tmp_path / "bot"
    made = agent("init", "--template", template, bot)
    assert [Path(line).is_relative_to(bot) for line in made.lines] != []
    assert all(Path(line).is_file() for line in made.lines)
    assert f"agent build -t bot:0.1.0-dev {bot}" in made.err
    assert agent("lint", "--strict", "--format", "json", bot).json == []
    files = [line for line in made.lines if line.endswith((".agentdef", "Agentfile", "SKILL.md"))]
    assert all(": ok" in line for line in agent("validate", *files).lines)
    agent("build", "-q", "-t", "bot:0.1.0-dev", bot)
    shown = agent("inspect", "--format", "json", "bot:0.1.0-dev").json
    assert shown["annotations"]["org.opencontainers.image.title"] == "bot"
    assert shown["annotations"]["org.opencontainers.image.version"] == "0.1.0-dev"
    arguments, said = SAYS[template]
    assert said in agent("run", "--rm", "bot:0.1.0-dev", *arguments).out


def test_the_name_is_the_folders_or_the_one_given(tmp_path: Path):
    assert scaffold(tmp_path / "My Agent").name == "my_agent"
    assert scaffold(tmp_path / "--- ").name == "agent"
    made = scaffold(tmp_path / "x", template="python", name="coordinator_agent")
    assert "coordinator_agent.agentdef" in made.files
    text = (tmp_path / "x" / "coordinator_agent.agentdef").read_text()
    assert "name: coordinator_agent\n" in text
    for file in made.files:
        assert "@@" not in (tmp_path / "x" / file).read_text()


def test_the_next_command_can_be_pasted(agent: Agent, tmp_path: Path):
    folder = tmp_path / "my agent"
    [said] = [line for line in agent("init", folder).err.splitlines() if "next: " in line]
    assert agent("build", "-q", *shlex.split(said)[3:]).lines
    (folder / "knowledge" / "first.md").write_text("changed\n")
    assert agent("build", "-q", *shlex.split(said)[3:]).lines
    assert shlex.split(said)[1:] == ["agent", "build", "-t", "my_agent:0.1.0-dev", str(folder)]


@pytest.mark.parametrize("template", TEMPLATES)
def test_from_init_to_the_second_release(agent: Agent, tmp_path: Path, template: str):
    """Edit, build, lock and release in any order: nothing has to be written down for it."""
    bot, shelf = tmp_path / "bot", f"oci:{tmp_path / 'shelf'}:bot"
    agent("init", "--template", template, bot)
    build = ("build", "-q", "-t", "bot:0.1.0-dev", bot)
    built = [agent(*build).out]
    text = bot / ("interface.md" if (bot / "interface.md").exists() else "bot.agentdef")
    text.write_text(text.read_text().replace("Output", "Output that comes out"))
    built.append(agent(*build).out)
    agent("lock", bot)
    built.append(agent(*build).out)
    assert len({*built}) >= 2
    first = agent("release", shelf, bot)
    assert f"released {shelf}:0.1.0" in first.err
    assert "where the definition says" not in first.err
    assert "nothing changed since 0.1.0" in agent("release", shelf, bot).err
    program = next(path for path in bot.iterdir() if path.suffix in (".sh", ".py"))
    program.write_text(program.read_text() + "# more\n")
    second = agent("release", "--format", "json", shelf, bot).json
    assert (second["version"], second["before"]) == ("0.1.1", "0.1.0")


@pytest.mark.parametrize("name", ["", "Bot", "a b", "../x", "-x", "x" * 129])
def test_a_name_that_is_none_is_refused_before_anything_is_written(tmp_path: Path, name: str):
    with pytest.raises(Invalid, match="is not a name"):
        scaffold(tmp_path / "x", name=name)
    assert not (tmp_path / "x").exists()


def test_files_that_are_there_stay(agent: Agent, tmp_path: Path):
    (tmp_path / "Agentfile").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    refused = agent("init", tmp_path, code=7)
    assert "Agentfile exists already" in refused.err
    assert "--force overwrites it" in refused.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "Agentfile",
        "notes.txt",
    ]
    agent("init", "--force", tmp_path)
    assert (tmp_path / "Agentfile").read_text().startswith("# syntax=")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_place_of_a_folder_is_a_conflict(tmp_path: Path):
    (tmp_path / "knowledge").write_text("mine")
    with pytest.raises(Conflict):
        scaffold(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["knowledge"]


def test_a_dangling_link_is_not_written_through(tmp_path: Path):
    (tmp_path / "Agentfile").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FilesExist) as caught:
        scaffold(tmp_path)
    assert caught.value.paths == (tmp_path / "Agentfile",)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_in_the_place_of_a_file_is_a_conflict(agent: Agent, tmp_path: Path):
    (tmp_path / "x" / "Agentfile").mkdir(parents=True)
    refused = agent("init", "--force", tmp_path / "x", code=7)
    assert f"{tmp_path}/x/Agentfile: is a folder, and a file is needed" in refused.err
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["Agentfile"]


def test_templates_are_listed(agent: Agent):
    listed = agent("init", "--list-templates").lines
    assert [line.split()[0] for line in listed[1:]] == list(TEMPLATES)


def test_a_template_that_does_not_exist_is_refused(agent: Agent, tmp_path: Path):
    refused = agent("init", "--template", "pyton", tmp_path / "x", code=2)
    assert "there is no template 'pyton'" in refused.err
    assert "one of: minimal, python" in refused.err
