"""Agents in other tools' formats: what is written, what is lost, and what comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentoci.api.builds import BuildOptions
from agentoci.api.converting import (
    Exported,
    ExportFormat,
    ExportOptions,
    convert_from,
    convert_to,
    write_exported,
    write_imported,
)
from agentoci.api.engine import Engine
from agentoci.api.newfiles import FilesExist
from agentoci.errors import Invalid
from agentoci.interop.names import InvalidServerName
from agentoci.interop.serverexport import NotAtRegistry
from agentoci.spec.reference import Reference
from tests.convert.conftest import Build
from tests.convert.samples import INPUTS, SKILLS, write_translator
from tests.layers.archives import contents


@pytest.fixture
def translator(engine: Engine, tmp_path: Path) -> str:
    """An image with something of everything, in the local store."""
    context = write_translator(tmp_path / "translator")
    engine.builds.build(context, BuildOptions(tags=(Reference.parse("translator:2.1"),)))
    return "translator:2.1"


def lost(exported: Exported) -> dict[str, str]:
    return {loss.path: loss.reason for loss in exported.losses}


def json_of(exported: Exported) -> Any:
    return json.loads(exported.main[1])


def accepted(program: str, *arguments: str | Path) -> str:
    """What a peer's program prints; in a process of its own, for they are slow and warn."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A2A

PARSE_CARD = """
import json, sys
from a2a.types import AgentCard
from google.protobuf import json_format
card = json_format.ParseDict(json.load(open(sys.argv[1])), AgentCard())
print(card.name, card.version, card.supported_interfaces[0].protocol_version)
"""


def test_card(engine: Engine, translator: str, tmp_path: Path):
    url = "https://agents.example.com/translator"
    exported = convert_to(engine, translator, ExportFormat.A2A_CARD, ExportOptions(url=url))
    digest = engine.images.find(translator).digest
    assert json_of(exported) == {
        "name": "doc_translator",
        "description": "Translates documentation and keeps its code samples",
        "version": "2.1.0",
        "supportedInterfaces": [
            {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        ],
        "capabilities": {
            "streaming": False,
            "pushNotifications": False,
            "extensions": [
                {
                    "uri": "urn:agentoci:image:v1",
                    "description": "The OCI image that the agent is.",
                    "params": {"digest": str(digest)},
                }
            ],
        },
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [
            {
                "id": "doc-translator",
                "name": "Translator",
                "description": "# Translator\n\n"
                "Translates Markdown from one language to another.\n",
                "tags": ["translation", "docs"],
            }
        ],
        "provider": {"organization": "docs-team", "url": "https://example.com/translator"},
    }
    assert set(lost(exported)) == {
        "spec.requires",
        "spec.knowledge",
        "spec.behavior",
        "spec.config_template",
        "spec.invariants",
    }
    [card] = write_exported(exported, tmp_path / "agent-card.json")
    assert accepted(PARSE_CARD, card) == "doc_translator 2.1.0 1.0\n"


def test_card_says_that_it_has_no_address(engine: Engine, translator: str):
    exported = convert_to(engine, translator, ExportFormat.A2A_CARD)
    assert lost(exported)["url"] == "where the agent answers is not known: give --url"
    assert json_of(exported)["supportedInterfaces"] == []


def test_card_stays_small(engine: Engine, tmp_path: Path):
    metadata = {"name": "big", "version": "1.0.0"}
    spec = {"interface": "每一步的说明\n" * 2000}
    document = {"apiVersion": "agent/v1", "kind": "AgentDefinition"}
    file = tmp_path / "big.agentdef"
    file.write_text(json.dumps({**document, "metadata": metadata, "spec": spec}))
    exported = convert_to(engine, str(file), ExportFormat.A2A_CARD)
    assert lost(exported)["spec.interface"] == "cut to 4000 bytes"
    assert len(exported.main[1]) < 10_000


# Skills

VALIDATE_SKILLS = """
import sys
from pathlib import Path
from skills_ref import validate, read_properties
for name in sys.argv[1:]:
    print(validate(Path(name)), read_properties(Path(name)).name)
"""


def test_skill(engine: Engine, translator: str, tmp_path: Path):
    exported = convert_to(engine, translator, ExportFormat.SKILL)
    assert list(exported.files) == [
        "doc-translator/SKILL.md",
        "doc-translator/references/style.md",
    ]
    _, front, body = exported.main[1].decode().split("---\n", 2)
    assert yaml.safe_load(front) == {
        "name": "doc-translator",
        "description": "Translates documentation and keeps its code samples",
        "license": "Apache-2.0",
        "compatibility": "Needs the MCP server glossary: Looks up terms; "
        "the agent reviewer >=1.0: Reads translations again",
        "metadata": {
            "author": "docs-team",
            "version": "2.1.0",
            "image": str(engine.images.find(translator).digest),
        },
    }
    assert body == (
        "\n# Translator\n\nTranslates Markdown from one language to another.\n\n"
        "## Always\n\n- Never translate code\n\n"
        "## Needs\n\n- the MCP server glossary: Looks up terms\n"
        "- the agent reviewer >=1.0: Reads translations again\n\n"
        "## References\n\n- [style.md](references/style.md)\n"
    )
    assert lost(exported)["metadata.name"] == "skills have other names: doc-translator"
    write_exported(exported, tmp_path / "skills")
    folder = tmp_path / "skills" / "doc-translator"
    assert accepted(VALIDATE_SKILLS, folder) == "[] doc-translator\n"


@pytest.mark.parametrize("path", SKILLS, ids=lambda path: path.name)
def test_skill_comes_back_as_it_was(engine: Engine, build: Build, path: Path, tmp_path: Path):
    _, imported = convert_from(path)
    write_imported(imported, tmp_path / "made")
    build(tmp_path / "made", "back:1")
    exported = convert_to(engine, "back:1", ExportFormat.SKILL)
    write_exported(exported, tmp_path / "skills")
    assert contents(tmp_path / "skills" / path.name) == contents(path)
    assert accepted(VALIDATE_SKILLS, tmp_path / "skills" / path.name) == f"[] {path.name}\n"


def test_every_name_becomes_one_of_a_skill(engine: Engine, tmp_path: Path):
    """A frontmatter of odd values is read by a reader of a small YAML, too."""
    names = ["a..b", "x_y", "no", "1e3", "x" * 128, "a--b-", "0", "null"]
    folders: dict[str, Path] = {}
    for name in names:
        file = tmp_path / f"{name}.agentdef"
        metadata = json.dumps({"name": name, "version": "3.11.0-rc.1", "author": "1.10: #x"})
        head = "apiVersion: agent/v1\nkind: AgentDefinition\n"
        file.write_text(f"{head}metadata: {metadata}\nspec: {{interface: 'a: |\n\n  b'}}\n")
        exported = convert_to(engine, str(file), ExportFormat.SKILL)
        write_exported(exported, tmp_path / name)
        folders[exported.name] = tmp_path / name / exported.name
        assert ("metadata.name" in lost(exported)) == (exported.name != name)
    expected = "".join(f"[] {name}\n" for name in folders)
    assert accepted(VALIDATE_SKILLS, *folders.values()) == expected


def test_skill_that_says_something_else_than_the_definition(
    engine: Engine, build: Build, tmp_path: Path
):
    _, imported = convert_from(INPUTS / "skills" / "release-notes")
    write_imported(imported, tmp_path / "made")
    file = tmp_path / "made" / "release-notes.agentdef"
    file.write_text(file.read_text().replace("1.2.0", "1.3.0").replace("docs-team", "others"))
    (tmp_path / "made" / "knowledge" / "more.md").write_text("More.\n")
    build(tmp_path / "made", "changed:1")
    exported = convert_to(engine, "changed:1", ExportFormat.SKILL)
    assert lost(exported) == {
        "metadata.author": "the skill in the image says: docs-team",
        "metadata.version": "the skill in the image says: 1.2.0",
        "knowledge/more.md": "the file is no part of the skill",
    }


def test_skills_of_an_agent_are_on_its_card(engine: Engine, build: Build, tmp_path: Path):
    _, imported = convert_from(INPUTS / "skills" / "commit-messages", name="committer")
    write_imported(imported, tmp_path / "made")
    build(tmp_path / "made", "committer:1")
    card = json_of(convert_to(engine, "committer:1", ExportFormat.A2A_CARD))
    assert [skill["id"] for skill in card["skills"]] == ["committer", "commit-messages"]


# Docker Agent

PARSE_SERVER = """
import json, sys
from mcp.client.stdio import StdioServerParameters
made = StdioServerParameters.model_validate(json.loads(sys.argv[1]))
print(made.command, made.args, made.env)
"""


def test_docker_agent(engine: Engine, translator: str):
    exported = convert_to(engine, translator, ExportFormat.DOCKER_AGENT)
    assert list(exported.files) == ["doc_translator.yaml"]
    document = yaml.safe_load(exported.main[1])
    assert document == {
        "version": "6",
        "agents": {
            "doc_translator": {
                "model": "main",
                "description": "Translates documentation and keeps its code samples",
                "instruction": "# Translator\n\n"
                "Translates Markdown from one language to another.\n",
                "toolsets": [
                    {
                        "type": "mcp",
                        "name": "glossary",
                        "command": "npx",
                        "args": ["-y", "glossary-mcp"],
                        "env": {"GLOSSARY_TOKEN": "${GLOSSARY_TOKEN}"},
                        "instruction": "Looks up terms",
                    },
                    {"type": "memory"},
                ],
                "sub_agents": ["reviewer"],
            },
            "reviewer": {
                "model": "main",
                "description": "Reads translations again",
                "instruction": "Reads translations again",
            },
        },
        "models": {
            "main": {
                "provider": "anthropic",
                "model": "claude-sonnet-4-0",
                "temperature": 0.1,
            }
        },
        "metadata": {"author": "docs-team", "license": "Apache-2.0", "version": "2.1.0"},
    }
    assert set(lost(exported)) == {
        "metadata.tags",
        "spec.requires.tools[1].name",
        "spec.requires.tools[1].version",
        "spec.knowledge",
        "spec.invariants",
    }
    server = document["agents"]["doc_translator"]["toolsets"][0]
    start = {key: server[key] for key in ("command", "args", "env")}
    said = accepted(PARSE_SERVER, json.dumps(start))
    assert said == "npx ['-y', 'glossary-mcp'] {'GLOSSARY_TOKEN': '${GLOSSARY_TOKEN}'}\n"


@pytest.mark.parametrize("path", sorted((INPUTS / "mcp").glob("d*.json")))
def test_servers_that_come_in_are_servers(path: Path):
    tools: Any = convert_from(path)[1].agents[0].document["spec"]
    for tool in tools["requires"]["tools"]:
        [command], server = tool["mcp"]["command"], tool["mcp"]
        assert accepted(PARSE_SERVER, json.dumps({**server, "command": command}))


# server.json


def test_image_without_registry(engine: Engine, translator: str):
    with pytest.raises(NotAtRegistry) as caught:
        convert_to(engine, translator, ExportFormat.MCP_SERVER)
    assert caught.value.hint == "push it, then convert HOST/NAME:TAG"


def test_definition_without_image(engine: Engine, tmp_path: Path):
    context = write_translator(tmp_path / "translator")
    file = str(context / "doc_translator.agentdef")
    with pytest.raises(Invalid, match="the server has no name"):
        convert_to(engine, file, ExportFormat.MCP_SERVER)
    with pytest.raises(InvalidServerName):
        convert_to(engine, file, ExportFormat.MCP_SERVER, ExportOptions(name="plain"))
    with pytest.raises(NotAtRegistry):
        convert_to(engine, file, ExportFormat.MCP_SERVER, ExportOptions(name="io.github.me/x"))


# Where from, where to


@pytest.mark.parametrize("thing", ["child.agentdef", ""])
def test_definition_with_a_parent(engine: Engine, tmp_path: Path, thing: str):
    write_translator(tmp_path)
    (tmp_path / "Agentfile").write_text("FROM scratch\nDEFINITION child.agentdef\n")
    (tmp_path / "child.agentdef").write_text(
        "apiVersion: agent/v1\nkind: AgentDefinition\n"
        "metadata: {name: child, version: 1.0.0, parent: doc_translator@2.1.0}\n"
        "spec: {inherit: all, invariants: [Be quick]}\n"
    )
    exported = convert_to(engine, str(tmp_path / thing), ExportFormat.SKILL)
    text = exported.main[1].decode()
    assert "Translates Markdown from one language to another." in text
    assert "- Never translate code" in text
    assert lost(exported)["metadata.parent"] == "what the parent says is in it, its name is not"


def test_files_of_a_definition_are_not_at_hand(engine: Engine, tmp_path: Path):
    context = write_translator(tmp_path / "translator")
    exported = convert_to(engine, str(context / "doc_translator.agentdef"), ExportFormat.SKILL)
    assert list(exported.files) == ["doc-translator/SKILL.md"]
    assert "spec.knowledge.principles[0]" in lost(exported)


def test_one_file_goes_into_a_folder_or_to_a_file(engine: Engine, translator: str, tmp_path: Path):
    exported = convert_to(engine, translator, ExportFormat.DOCKER_AGENT)
    assert write_exported(exported, tmp_path / "x.yaml") == [tmp_path / "x.yaml"]
    assert write_exported(exported, tmp_path) == [tmp_path / "doc_translator.yaml"]
    with pytest.raises(FilesExist):
        write_exported(exported, tmp_path / "x.yaml")
    write_exported(exported, tmp_path / "x.yaml", overwrite=True)
