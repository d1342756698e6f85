"""Files of other tools become definitions that build, and what they lose is listed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentoci.api.converting import (
    ImportFormat,
    convert_from,
    write_imported,
)
from agentoci.api.engine import Engine
from agentoci.api.newfiles import FilesExist
from agentoci.definition.read import read_definition
from agentoci.errors import Conflict, Invalid, NotFound, SourceFaults
from agentoci.interop.imported import Imported, ImportedAgent
from agentoci.interop.skills import read_skill
from tests.convert.conftest import Build
from tests.convert.samples import DOCKER, INPUTS, SKILLS


def lost(imported: Imported) -> dict[str, str]:
    return {loss.path: loss.reason for loss in imported.losses}


def document(agent: ImportedAgent) -> Any:
    return agent.document


def write(folder: Path, name: str, content: object) -> Path:
    """A file to convert; anything but text is written as JSON."""
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


# Everything there is


@pytest.mark.parametrize(
    "path",
    [*SKILLS, *DOCKER, *sorted((INPUTS / "mcp").iterdir()), INPUTS / "project"],
    ids=lambda path: path.name,
)
def test_what_comes_out_is_valid_and_builds(path: Path, build: Build, tmp_path: Path):
    _, imported = convert_from(path)
    written = write_imported(imported, tmp_path / "made")
    for number, agent in enumerate(imported.agents):
        folder = tmp_path / "made" if number == 0 else tmp_path / "made" / "agents" / agent.name
        definition = folder / f"{agent.name}.agentdef"
        assert definition in written
        assert read_definition(definition.read_bytes(), file="it").metadata.name == agent.name
        tree = build(folder, f"{agent.name}:1")
        compiled = json.loads(tree["agent/definition.json"] or b"")
        assert compiled == agent.document
        for file in agent.files:
            content = file.source if isinstance(file.source, bytes) else file.source.read_bytes()
            assert tree[f"agent/knowledge/{file.path}"] == content


# Agent Skills


def test_skill_becomes_knowledge(build: Build, tmp_path: Path):
    form, imported = convert_from(INPUTS / "skills" / "release-notes")
    [agent] = imported.agents
    assert form is ImportFormat.SKILL
    metadata = document(agent)["metadata"]
    assert metadata["version"] == "1.2.0"
    assert metadata["author"] == "docs-team"
    assert metadata["description"].startswith("Write release notes from merged pull requests.")
    assert document(agent)["spec"]["knowledge"] == {"static": ["skills/release-notes/SKILL.md"]}
    assert lost(imported) == {"metadata.version": "written as 1.2.0"}
    assert "LABEL org.opencontainers.image.licenses=Apache-2.0" in agent.agentfile()
    write_imported(imported, tmp_path / "made")
    tree = build(tmp_path / "made", "notes:1")
    assert "agent/knowledge/skills/release-notes/references/style.md" in tree


def test_programs_of_a_skill_stay_programs(engine: Engine, tmp_path: Path):
    _, imported = convert_from(INPUTS / "skills" / "csv-cleaner")
    made = tmp_path / "made"
    write_imported(imported, made)
    program = made / "knowledge/skills/csv-cleaner/scripts/clean.py"
    assert program.stat().st_mode & 0o111
    assert not (made / "knowledge/skills/csv-cleaner/SKILL.md").stat().st_mode & 0o111
    assert set(lost(imported)) == {"compatibility", "allowed-tools"}


def test_links_in_a_skill_are_not_followed(tmp_path: Path):
    skill = shutil.copytree(INPUTS / "skills" / "api-review", tmp_path / "api-review")
    (tmp_path / "outside.md").write_text("not for you")
    (skill / "references" / "more.md").symlink_to(tmp_path / "outside.md")
    (skill / "linked").symlink_to(tmp_path)
    (skill / ".git" / "objects").mkdir(parents=True)
    _, imported = convert_from(skill)
    assert not any(file.path.endswith("more.md") for file in imported.agents[0].files)
    assert [x.value for x in imported.losses if x.path == "files"] == [
        ".git",
        "linked",
        "references/more.md",
    ]


def test_skill_that_is_not_valid(tmp_path: Path):
    skill = tmp_path / "Bad_Name"
    skill.mkdir()
    (skill / "SKILL.md").write_text("---\nname: Bad_Name\n---\n")
    with pytest.raises(SourceFaults) as caught:
        convert_from(skill)
    assert len(caught.value.faults) == 2


# AGENTS.md


def test_project_becomes_principles():
    form, imported = convert_from(INPUTS / "project")
    [agent] = imported.agents
    assert (form, agent.name) == (ImportFormat.AGENTS_MD, "project")
    about = "A web service that tells where a parcel is; Python 3.12 behind, TypeScript in front."
    assert document(agent)["metadata"]["description"] == about
    assert document(agent)["spec"] == {
        "interface": f"# Parcel tracker\n\n{about}\n",
        "knowledge": {"principles": ["AGENTS.md", "web/AGENTS.md"]},
    }
    assert set(lost(imported)) == {"web/AGENTS.md"}


def test_one_file_alone_is_taken_alone():
    _, imported = convert_from(INPUTS / "project" / "AGENTS.md", name="Parcel Bot")
    [agent] = imported.agents
    assert agent.name == "parcel-bot"
    assert [file.path for file in agent.files] == ["AGENTS.md"]
    assert not imported.losses


def test_converting_in_place_twice_gives_the_same(tmp_path: Path):
    project = shutil.copytree(INPUTS / "project", tmp_path / "project")
    _, first = convert_from(project)
    write_imported(first, project)
    _, second = convert_from(project, ImportFormat.AGENTS_MD)
    assert second == first
    write_imported(second, project, overwrite=True)
    copy = project / "knowledge" / "AGENTS.md"
    assert copy.read_bytes() == (project / "AGENTS.md").read_bytes()


@pytest.mark.parametrize("content", [b"", b"  \n", b"# \xff\n"])
def test_agents_file_without_text(tmp_path: Path, content: bytes):
    (tmp_path / "AGENTS.md").write_bytes(content)
    with pytest.raises(SourceFaults, match=r"AGENTS\.md:1:1"):
        convert_from(tmp_path)


# mcp.json


def test_servers_become_tools():
    _, imported = convert_from(INPUTS / "mcp" / "desktop.json")
    [agent] = imported.agents
    assert agent.name == "desktop"
    assert document(agent)["spec"]["requires"]["tools"] == [
        {
            "name": "filesystem",
            "mcp": {
                "command": ["npx"],
                "args": ["-y", "@modelcontextprotocol/server-filesystem", "/data"],
            },
        },
        {
            "name": "issue-tracker",
            "mcp": {
                "command": ["uvx"],
                "args": ["issue-tracker-mcp"],
                "env": {
                    "TRACKER_URL": "https://issues.example.com",
                    "TRACKER_TOKEN": "env:TRACKER_TOKEN",
                },
            },
        },
    ]
    assert set(lost(imported)) == {
        "mcpServers.Issue Tracker",
        "mcpServers.Issue Tracker.alwaysAllow",
        "mcpServers.old",
    }


def test_editors_comments_and_inputs():
    _, imported = convert_from(INPUTS / "mcp" / "editor.json")
    weather, calendar = document(imported.agents[0])["spec"]["requires"]["tools"]
    assert weather["mcp"] == {
        "url": "https://weather.example.com/mcp",
        "headers": {"X-Api-Key": "env:WEATHER_KEY", "Accept-Language": "de"},
    }
    assert calendar["mcp"] == {"url": "https://calendar.example.com/sse"}
    assert set(lost(imported)) == {"inputs", "servers.calendar.type"}


def test_server_of_a_registry(tmp_path: Path):
    server = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.example/weather",
        "description": "Weather of the day",
        "version": "1.0.2",
        "packages": [
            {
                "registryType": "pypi",
                "identifier": "weather-mcp",
                "version": "1.0.2",
                "transport": {"type": "stdio"},
                "environmentVariables": [{"name": "WEATHER_KEY", "isSecret": True}],
            }
        ],
    }
    _, imported = convert_from(write(tmp_path, "server.json", server), name="forecaster")
    [agent] = imported.agents
    assert document(agent)["spec"]["requires"]["tools"] == [
        {
            "name": "weather",
            "interface": "Weather of the day",
            "mcp": {
                "command": ["uvx"],
                "args": ["weather-mcp==1.0.2"],
                "env": {"WEATHER_KEY": "env:WEATHER_KEY"},
            },
        }
    ]
    assert set(lost(imported)) == {"version"}
    server["packages"] = [{"registryType": "mcpb", "identifier": "https://example.com/x.mcpb"}]
    with pytest.raises(SourceFaults, match="cannot be started"):
        convert_from(write(tmp_path, "other.json", server))


def secret() -> str:
    return "gh" + "p_" + "aB3dE5fG7hJ9" * 3


@pytest.mark.parametrize(
    "server",
    [
        {"command": "x", "env": {"API_TOKEN": "hunter2hunter2"}},
        {"command": "x", "env": {"PLAIN": secret()}},
        {"command": "x", "args": ["--api-key", "hunter2hunter2"]},
        {"command": "x", "args": ["--api-key=hunter2hunter2", "--port=80"]},
        {"command": "x", "args": [secret()]},
        {"url": "https://example.com/mcp", "headers": {"Authorization": f"Bearer {secret()}"}},
        {"url": "https://me:hunter2hunter2@example.com/mcp"},
        {"url": "https://example.com/mcp?api_key=hunter2hunter2&x=1"},
        {"command": "x", "future": {"API_TOKEN": "hunter2hunter2"}},
    ],
)
def test_secrets_stay_out(tmp_path: Path, server: object):
    file = write(tmp_path, "servers.json", {"mcpServers": {"one": server}})
    _, imported = convert_from(file)
    assert imported.losses
    shown = json.dumps([imported.agents[0].document, [x.document() for x in imported.losses]])
    shown += "".join(map(str, imported.losses))
    assert "hunter2" not in shown
    assert secret() not in shown
    assert len(document(imported.agents[0])["spec"]["requires"]["tools"]) == 1


def test_server_that_no_definition_can_hold(tmp_path: Path):
    servers = {"both": {"command": "a\nb"}, "none": {}, "good": {"command": "fine"}}
    _, imported = convert_from(write(tmp_path, "x.json", {"mcpServers": servers}))
    tools = document(imported.agents[0])["spec"]["requires"]["tools"]
    assert [tool["name"] for tool in tools] == ["good"]
    assert set(lost(imported)) == {"mcpServers.both", "mcpServers.none"}


def test_server_that_is_started_needs_no_url(tmp_path: Path):
    servers = {"both": {"command": "x", "url": "https://example.com/mcp"}}
    _, imported = convert_from(write(tmp_path, "x.json", {"mcpServers": servers}))
    [tool] = document(imported.agents[0])["spec"]["requires"]["tools"]
    assert tool["mcp"] == {"command": ["x"]}
    assert set(lost(imported)) == {"mcpServers.both.url"}


def test_names_that_become_the_same(tmp_path: Path):
    servers = {"My Server": {"command": "a"}, "my-server": {"command": "b"}}
    _, imported = convert_from(write(tmp_path, "x.json", {"mcpServers": servers}))
    tools = document(imported.agents[0])["spec"]["requires"]["tools"]
    assert [tool["name"] for tool in tools] == ["my-server", "my-server-2"]


def test_faults_have_places(tmp_path: Path):
    text = '{"mcpServers": {\n  "a": {"command": {"x":1}, "args": {}},\n  "b": 5\n}}\n'
    with pytest.raises(SourceFaults) as caught:
        convert_from(write(tmp_path, "x.json", text))
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [
        (2, 20),
        (2, 37),
        (3, 8),
    ]


# Docker Agent


def test_simple_configuration():
    _, imported = convert_from(INPUTS / "docker" / "pirate.yaml")
    [agent] = imported.agents
    assert agent.name == "pirate"
    assert document(agent)["spec"]["config_template"] == {
        "llm": {"supported_models": ["openai/gpt-4o-mini"]}
    }
    assert set(lost(imported)) == {"agents.root.welcome_message", "agents.root.commands"}


def test_team():
    _, imported = convert_from(INPUTS / "docker" / "dev_team.yaml")
    lead, designer, engineer = imported.agents
    assert [lead.name, designer.name, engineer.name] == ["dev_team", "designer", "web_engineer"]
    assert document(lead) == {
        "apiVersion": "agent/v1",
        "kind": "AgentDefinition",
        "metadata": {
            "name": "dev_team",
            "version": "1.4.0",
            "description": "Leads the team and splits the work",
            "author": "platform-team",
        },
        "spec": {
            "interface": "You lead a designer and an engineer.\n\nRules:\n"
            "- one feature at a time\n- done means: tested\n",
            "behavior": {
                "exploration": {"project_exploration": True},
                "memory": {"level": "BASIC", "persistence": True},
            },
            "config_template": {
                "llm": {
                    "temperature": {"default": 0.3},
                    "supported_models": ["anthropic/claude-sonnet-4-0"],
                }
            },
            "constraints": [{"id": "max_iterations", "validation": "max_iterations <= 40"}],
            "requires": {
                "tools": [
                    {"name": "designer", "interface": "Draws pages as words"},
                    {"name": "web_engineer", "interface": "Builds the pages"},
                ]
            },
        },
    }
    assert lead.labels == {"org.opencontainers.image.licenses": "Apache-2.0"}
    assert document(engineer)["spec"]["config_template"]["api_endpoints"] == {
        "dmr": "http://localhost:12434/engines/v1"
    }
    tools = document(engineer)["spec"]["requires"]["tools"]
    assert [tool["name"] for tool in tools] == ["docs-mcp", "dev_team"]
    assert set(lost(imported)) == {
        "agents.root.toolsets[0].type",
        "agents.root.toolsets[1]",
        "agents.root.toolsets[2]",
        "agents.root.toolsets[3].path",
        "agents.web_engineer.toolsets[0].type",
        "agents.web_engineer.toolsets[1]",
        "agents.web_engineer.handoffs[0]",
        "metadata.readme",
        "models.large.max_tokens",
    }


def test_servers_documents_and_permissions():
    _, imported = convert_from(INPUTS / "docker" / "support.yaml")
    [agent] = imported.agents
    assert agent.name == "support"
    spec = document(agent)["spec"]
    assert spec["requires"]["tools"] == [
        {
            "name": "tickets",
            "mcp": {
                "url": "https://tickets.example.com/mcp",
                "headers": {"Authorization": "Bearer env:TICKETS_TOKEN"},
            },
            "interface": "Open a ticket when the handbook has no answer",
        },
        {
            "name": "billing",
            "a2a": {"card": "https://billing.example.com/.well-known/agent-card.json"},
        },
        {"name": "translator", "version": "1.2", "reference": "docker.io/example/translator"},
    ]
    assert spec["knowledge"] == {"static": ["handbook/hours.md", "handbook/refunds.md"]}
    assert spec["config_template"] == {
        "llm": {
            "temperature": {"default": 0},
            "supported_models": ["gateway/chat-large", "openai/gpt-4o"],
        },
        "context_window": {"recommended": 64000},
        "api_endpoints": {"gateway": "https://models.example.com/v1"},
    }
    assert set(lost(imported)) == {
        "agents.support.add_date",
        "agents.support.fallback.retries",
        "agents.support.sub_agents[0]",
        "agents.support.toolsets[0].tools",
        "agents.support.toolsets[2].url",
        "agents.support.toolsets[3]",
        "permissions",
        "providers.gateway.token_key",
        "rag.handbook.strategies",
    }


def test_old_spelling_of_models_and_toolsets(tmp_path: Path):
    text = """\
models:
  gpt: {type: openai, model: gpt-4o}
agents:
  root:
    name: old_timer
    model: gpt
    instruction: Help.
    think: true
    todo: true
    memory: {path: ./mem.db}
"""
    _, imported = convert_from(write(tmp_path, "agent.yaml", text))
    [agent] = imported.agents
    assert agent.name == "old_timer"
    assert document(agent)["spec"]["config_template"]["llm"]["supported_models"] == [
        "openai/gpt-4o"
    ]
    assert document(agent)["spec"]["behavior"]["memory"]["level"] == "BASIC"
    assert set(lost(imported)) == {"agents.root.think", "agents.root.todo"}


def test_newer_version_is_read_and_said(tmp_path: Path):
    text = (
        'version: "23"\nagents:\n  root:\n    model: a/b\n    instruction: Hi.\n    telepathy: on\n'
    )
    _, imported = convert_from(write(tmp_path, "x.yaml", text))
    assert set(lost(imported)) == {"version", "agents.root.telepathy"}


@pytest.mark.parametrize("below", ["../outside.md", "/etc/hostname", "~/notes.md", "missing.md"])
def test_no_file_outside_the_folder_is_read(tmp_path: Path, below: str):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.md").write_text("not for you")
    text = f"agents:\n  root:\n    model: a/b\n    instruction_file: {below}\n"
    _, imported = convert_from(write(folder, "x.yaml", text))
    assert "interface" not in document(imported.agents[0])["spec"]
    assert set(lost(imported)) == {"agents.root.instruction_file[0]"}


def test_links_on_the_way_are_not_followed(tmp_path: Path):
    folder, outside = tmp_path / "inside", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.md").write_text("not for you")
    (folder / "docs").symlink_to(outside)
    text = "agents:\n  root:\n    model: a/b\n    add_prompt_files: [docs/secret.md, docs]\n"
    _, imported = convert_from(write(folder, "x.yaml", text))
    assert imported.agents[0].files == ()
    assert len(imported.losses) == 2
    (folder / "AGENTS.md").symlink_to(outside / "secret.md")
    with pytest.raises(NotFound):
        convert_from(folder, ImportFormat.AGENTS_MD)


def test_skills_that_are_written_out(build: Build, tmp_path: Path):
    text = """\
version: "15"
agents:
  root:
    model: a/b
    instruction: Help.
    skills:
      - local
      - name: Git_Hints
        description: How to use git here
        instructions: |
          Rebase, never merge.
        allowed_tools: [shell]
        context: fork
"""
    _, imported = convert_from(write(tmp_path, "helper.yaml", text))
    assert set(lost(imported)) == {
        "agents.root.skills[0]",
        "agents.root.skills[1]",
        "agents.root.skills[1].context",
    }
    write_imported(imported, tmp_path / "made")
    tree = build(tmp_path / "made", "helper:1")
    content = tree["agent/knowledge/skills/git-hints/SKILL.md"]
    assert isinstance(content, bytes)
    skill = read_skill(content, folder="git-hints", file="SKILL.md")
    assert (skill.description, skill.allowed_tools) == ("How to use git here", "shell")
    assert skill.body == "\nRebase, never merge.\n"


def test_instruction_from_files(tmp_path: Path):
    (tmp_path / "a.md").write_text("One.")
    (tmp_path / "b.md").write_text("Two.")
    text = "agents:\n  root:\n    model: a/b\n    instruction_file: [a.md, b.md]\n"
    _, imported = convert_from(write(tmp_path, "x.yaml", text))
    assert document(imported.agents[0])["spec"]["interface"] == "One.\n\nTwo."
    assert not imported.losses


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("agents: []\n", 1),
        ("agents:\n  root: 5\n", 2),
        ("agents:\n  root:\n    model: [a]\n", 3),
        ("agents:\n  root: &x\n    model: a/b\n", 2),
        ("agents:\n  root:\n    model: a/b\n    toolsets: {}\n    sub_agents: [[x]]\n", 4),
    ],
)
def test_faults_of_a_configuration(tmp_path: Path, text: str, line: int):
    with pytest.raises(SourceFaults) as caught:
        convert_from(write(tmp_path, "x.yaml", text), ImportFormat.DOCKER_AGENT)
    assert caught.value.faults[0].line == line


# Recognising, writing


def test_folder_with_several_formats(tmp_path: Path):
    write(tmp_path, "AGENTS.md", "# A\n\nB\n")
    write(tmp_path, ".mcp.json", {"mcpServers": {"a": {"command": "x"}}})
    with pytest.raises(Invalid, match=r"AGENTS\.md, \.mcp\.json") as caught:
        convert_from(tmp_path)
    assert "--from skill|agents-md|mcp|docker-agent" in (caught.value.hint or "")
    assert convert_from(tmp_path, ImportFormat.MCP)[1].agents[0].name == tmp_path.name


@pytest.mark.parametrize("name", ["x.txt", "x.yaml"])
def test_file_that_tells_no_format(tmp_path: Path, name: str):
    with pytest.raises(Invalid, match="nothing tells its format"):
        convert_from(write(tmp_path, name, "a: b\n"))


@pytest.mark.parametrize("form", list(ImportFormat))
def test_nothing_there(tmp_path: Path, form: ImportFormat):
    with pytest.raises(NotFound):
        convert_from(tmp_path / "missing", form)


def test_only_yaml_is_read(tmp_path: Path):
    with pytest.raises(Invalid, match="only YAML"):
        convert_from(write(tmp_path, "x.hcl", 'agent "root" {}\n'))


def test_nothing_is_overwritten(tmp_path: Path):
    _, imported = convert_from(INPUTS / "project")
    made = tmp_path / "made"
    made.mkdir()
    (made / "Agentfile").write_text("mine")
    with pytest.raises(FilesExist, match="Agentfile exists already"):
        write_imported(imported, made)
    assert [path.name for path in made.iterdir()] == ["Agentfile"]
    write_imported(imported, made, overwrite=True)
    assert (made / "Agentfile").read_text() == imported.agents[0].agentfile()


def test_a_file_in_the_place_of_a_folder_is_a_conflict(tmp_path: Path):
    _, imported = convert_from(INPUTS / "project")
    made = write(tmp_path, "made", "mine")
    for folder in (made, made / "below"):
        with pytest.raises(Conflict, match="made: is no folder, and one is needed"):
            write_imported(imported, folder, overwrite=True)
    assert made.read_text() == "mine"
