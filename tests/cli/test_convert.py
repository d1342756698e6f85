"""agent convert: what goes to stdout, to files and to stderr, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.cli.conftest import Agent
from tests.convert.samples import DOCKER, INPUTS, SKILLS, write_translator
from tests.registry.fake import FakeRegistry

PIRATE = INPUTS / "docker" / "pirate.yaml"
TEAM = INPUTS / "docker" / "dev_team.yaml"

SERVER = {
    "type": "object",
    "required": ["$schema", "name", "description", "version", "packages"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"pattern": r"^https://static\.modelcontextprotocol\.io/schemas/2025-12-11/"},
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "maxLength": 200},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "maxLength": 255},
        "websiteUrl": {"type": "string"},
        "repository": {"type": "object", "required": ["url", "source"]},
        "packages": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["registryType", "identifier", "transport"],
                "properties": {
                    "registryType": {"const": "oci"},
                    "identifier": {"pattern": "@sha256:[0-9a-f]{64}$"},
                    "transport": {"const": {"type": "stdio"}},
                    "environmentVariables": {"items": {"required": ["name"]}},
                },
                "additionalProperties": False,
            },
        },
    },
}
"""What the registry's schema of 2025-12-11 asks for, as far as we write it."""


def test_definition_on_stdout(agent: Agent):
    done = agent("convert", "--from", "docker-agent", PIRATE)
    assert yaml.safe_load(done.out)["metadata"]["name"] == "pirate"
    *lost, rest = done.err.splitlines()
    assert [line.partition(": ")[0] for line in lost] == ["lost", "lost"]
    assert rest == "-o FOLDER writes it with an Agentfile"
    assert agent("convert", PIRATE).out == agent("convert", PIRATE, "-o", "-").out == done.out


def test_folder_that_builds(agent: Agent, tmp_path: Path):
    made = tmp_path / "team"
    done = agent("convert", TEAM, "-o", made)
    assert [str(Path(line).relative_to(made)) for line in done.lines] == [
        "dev_team.agentdef",
        "Agentfile",
        "agents/designer/designer.agentdef",
        "agents/designer/Agentfile",
        "agents/web_engineer/web_engineer.agentdef",
        "agents/web_engineer/Agentfile",
    ]
    agent("build", "-q", "-t", "dev_team:1.4.0", made)
    assert agent("inspect", "dev_team:1.4.0").json["definition"]["metadata"]["version"] == "1.4.0"
    again = agent("convert", TEAM, "-o", made, code=7)
    assert (again.out, "--force overwrites them" in again.err) == ("", True)
    agent("convert", TEAM, "-o", made, "--force")


@pytest.mark.parametrize(
    "path",
    [*SKILLS, *DOCKER, *sorted((INPUTS / "mcp").iterdir()), INPUTS / "project"],
    ids=lambda path: path.name,
)
def test_lint_finds_no_error_in_what_comes_out(agent: Agent, tmp_path: Path, path: Path):
    made = tmp_path / "made"
    agent("convert", path, "-o", made)
    for agentfile in made.rglob("Agentfile"):
        found = agent("lint", "--format", "json", agentfile.parent).json
        rules = {finding["rule"] for finding in found if finding["severity"] != "note"}
        assert rules <= {"version-missing"}


def test_what_it_did_as_json(agent: Agent, tmp_path: Path):
    done = agent("convert", TEAM, "-o", tmp_path / "made", "--format", "json").json
    assert done["format"] == "docker-agent"
    assert [one["name"] for one in done["agents"]] == ["dev_team", "designer", "web_engineer"]
    assert len(done["written"]) == 6
    assert {
        "path": "agents.root.toolsets[2]",
        "value": "todo",
        "reason": "a list of Docker Agent's own",
    } in done["losses"]


@pytest.mark.parametrize("name", ["AGENTS.md", "."])
def test_another_tools_file_is_no_agent_yet(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "AGENTS.md").write_text("# Bot\n\nRun the tests.\n")
    refused = agent("convert", name, "--to", "a2a-card", code=2)
    assert f"{name} is in another tool's format (agents-md)" in refused.err
    assert f"agent convert {name} -o DIR, then agent convert DIR --to a2a-card" in refused.err
    agent("convert", name, "-o", "made")
    assert agent("convert", "made", "--to", "skill").lines


@pytest.mark.parametrize("direction", ["from", "to"])
def test_strict_writes_nothing(agent: Agent, stocked: Path, tmp_path: Path, direction: str):
    made = tmp_path / "made"
    words = (TEAM,) if direction == "from" else ("coordinator:1.0", "--to", "a2a-card")
    refused = agent("convert", *words, "--strict", "-o", made, code=3)
    assert "lost: " in refused.err
    assert "cannot be said in" in refused.err
    assert not made.exists()


def test_strict_when_nothing_is_lost(agent: Agent, tmp_path: Path):
    done = agent("convert", "--strict", INPUTS / "project" / "AGENTS.md", "-o", tmp_path / "made")
    assert len(done.lines) == 3


def test_both_directions_at_once(agent: Agent):
    refused = agent("convert", "--from", "mcp", "--to", "skill", "x", code=2)
    assert "exclude each other" in refused.err


@pytest.mark.parametrize("form", ["a2a-card", "skill", "docker-agent"])
def test_image_of_the_store(agent: Agent, stocked: Path, form: str):
    done = agent("convert", "coordinator:1.0", "--to", form)
    assert "coordinator_agent" in done.out
    assert "lost: " in done.err
    told = agent("convert", "coordinator:1.0", "--to", form, "--format", "json").json
    assert told["content"].rstrip("\n") == done.out.rstrip("\n")
    said = [line.split(": ")[1] for line in done.err.splitlines() if line.startswith("lost: ")]
    assert [loss["path"] for loss in told["losses"]] == said


def test_skill_with_its_files(agent: Agent, stocked: Path, tmp_path: Path):
    done = agent("convert", "coordinator:1.0", "--to", "skill", "-o", tmp_path / "skills")
    folder = tmp_path / "skills" / "coordinator-agent"
    assert done.lines[0] == str(folder / "SKILL.md")
    found = {path.name for path in (folder / "references").iterdir()}
    assert found == {"coordination_patterns.md", "error_recovery.md", "zero_knowledge_pattern.md"}
    assert (
        "-o FOLDER writes 3 more files beside it"
        in agent("convert", "coordinator:1.0", "--to", "skill").err
    )


def test_image_in_a_layout(agent: Agent, stocked: Path, tmp_path: Path):
    agent("push", "coordinator:1.0", f"oci:{tmp_path}/layout:coordinator:1.0")
    here = agent("convert", "coordinator:1.0", "--to", "docker-agent").out
    there = agent("convert", f"oci:{tmp_path}/layout:coordinator:1.0", "--to", "docker-agent").out
    assert here == there


def test_what_is_not_there(agent: Agent, stocked: Path, tmp_path: Path):
    assert "nothing:9" in agent("convert", "nothing:9", "--to", "skill", code=6).err
    assert "no such file" in agent("convert", tmp_path / "nothing", code=6).err


def test_server_of_an_image_at_a_registry(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    context = write_translator(tmp_path / "translator")
    name = f"{fake.host}/team/translator"
    built = agent("build", "--profile", "image", "--push", "-q", "-t", f"{name}:2.1.0", context)
    done = agent("convert", f"{name}:2.1.0", "--to", "mcp-server")
    server = json.loads(done.out)
    jsonschema.validate(server, SERVER)
    assert server == {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.example/translator",
        "title": "Translator",
        "description": "Translates documentation and keeps its code samples",
        "version": "2.1.0",
        "packages": [
            {
                "registryType": "oci",
                "identifier": f"{name}@{built.out.strip()}",
                "transport": {"type": "stdio"},
                "environmentVariables": [
                    {"name": "GLOSSARY_TOKEN", "isRequired": True, "isSecret": True}
                ],
            }
        ],
        "repository": {"url": "https://github.com/example/translator", "source": "github"},
        "websiteUrl": "https://example.com/translator",
    }
    assert "image" not in {line.split(": ")[1] for line in done.err.splitlines()}
    other = agent("convert", f"{name}:2.1.0", "--to", "mcp-server", "--name", "io.github.me/x")
    assert json.loads(other.out)["name"] == "io.github.me/x"
    assert "lost: labels.io.modelcontextprotocol.server.name" in other.err


def test_server_is_read_back(agent: Agent, fake: FakeRegistry, tmp_path: Path):
    context = write_translator(tmp_path / "translator")
    name = f"{fake.host}/team/translator"
    agent("build", "--push", "-q", "-t", f"{name}:2.1.0", context)
    done = agent("convert", f"{name}:2.1.0", "--to", "mcp-server", "-o", tmp_path / "server.json")
    assert "lost: image: MCP hosts run container images" in done.err
    back = agent("convert", tmp_path / "server.json", "--name", "caller")
    [tool] = yaml.safe_load(back.out)["spec"]["requires"]["tools"]
    assert tool["name"] == "translator"
    assert tool["mcp"]["command"] == ["docker", "run", "-i", "--rm"]
    assert tool["mcp"]["args"][-1].startswith(f"{name}@sha256:")


def test_names_of_images_cannot_steer_the_terminal(agent: Agent, tmp_path: Path):
    text = {"name": "odd", "version": "1.0.0", "description": "\x9b31mred\x1b]0;x\x07"}
    document = {"apiVersion": "agent/v1", "kind": "AgentDefinition", "metadata": text, "spec": {}}
    (tmp_path / "odd.agentdef").write_text(json.dumps(document))
    for form in ("skill", "a2a-card", "docker-agent"):
        done = agent("convert", tmp_path / "odd.agentdef", "--to", form)
        assert not {"\x1b", "\x9b", "\x07"} & set(done.out + done.err)
