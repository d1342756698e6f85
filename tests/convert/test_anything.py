"""Whatever comes in is a valid definition then, or has faults; what goes out is valid there."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from agentoci.agentfile import parse
from agentoci.api.converting import ImportFormat, convert_from, definition_text
from agentoci.definition.read import read_definition
from agentoci.errors import SourceFaults
from agentoci.interop.a2acard import to_card
from agentoci.interop.skillexport import to_skill
from agentoci.interop.skills import read_skill
from agentoci.interop.subject import Subject
from tests.convert.documents import DOCKER_FILES, DOCUMENTS, MCP_FILES


def convert(document: Any, form: ImportFormat) -> None:
    """Only SourceFaults may come of it, or definitions and Agentfiles that are valid."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "it.yaml")
        file.write_text(json.dumps(document))
        try:
            _, imported = convert_from(file, form)
        except SourceFaults:
            return
        for agent in imported.agents:
            parse(agent.agentfile().encode(), file="Agentfile")
            read_definition(definition_text(agent).encode(), file=f"{agent.name}.agentdef")
        told = [(str(loss), loss.document()) for loss in imported.losses]
        assert "u:p@" not in json.dumps(told), "a password is shown"


@given(MCP_FILES)
def test_any_servers(document: Any):
    convert(document, ImportFormat.MCP)


@given(DOCKER_FILES)
def test_any_configuration(document: Any):
    convert(document, ImportFormat.DOCKER_AGENT)


@given(DOCUMENTS)
def test_any_agent_is_a_valid_skill(document: Any):
    made = to_skill(Subject(document))
    path, content = made.main
    skill = read_skill(content, folder=path.partition("/")[0], file=path)
    assert skill.name == made.name


@given(DOCUMENTS)
def test_any_agent_has_a_card(document: Any):
    card = json.loads(to_card(Subject(document), url="https://example.com").main[1])
    assert card["name"] == document["metadata"]["name"]
    assert card["description"].strip()
    assert all(skill["id"] and skill["tags"] for skill in card["skills"])


@pytest.mark.parametrize("content", ["", "{}", "[]", "5", "mcpServers: 5", "agents: {a: }", "\x00"])
@pytest.mark.parametrize("form", [ImportFormat.MCP, ImportFormat.DOCKER_AGENT])
def test_what_is_something_else_has_a_fault(tmp_path: Path, form: ImportFormat, content: str):
    file = tmp_path / "it.yaml"
    file.write_text(content)
    if content == "agents: {a: }" and form is ImportFormat.DOCKER_AGENT:
        assert convert_from(file, form)[1].agents[0].name == "a"
        return
    with pytest.raises(SourceFaults):
        convert_from(file, form)
