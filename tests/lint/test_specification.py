"""The specification's own files, as written: each is valid, and lints without an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli import samples
from tests.cli.conftest import Agent
from tests.definition.samples import SPEC_FOLDER

PARENT, CHILD = "coordinator.agentdef", "advanced_coordinator.agentdef"


def block(language: str, *holds: str) -> str:
    """The block of code of the specification that holds these words."""
    if not SPEC_FOLDER.is_dir():
        pytest.skip("the specification is not beside the checkout")
    text = "".join(path.read_text("utf-8") for path in sorted(SPEC_FOLDER.glob("*.txt")))
    for found in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL):
        if all(word in found for word in holds):
            return str(found)
    raise AssertionError(f"no block has {holds}")


@pytest.fixture
def files(context: Path) -> list[str]:
    """Its definitions, instance, matrix and Agentfile."""
    made = {
        PARENT: block("yaml", "kind: AgentDefinition", "max_iterations < 1000"),
        CHILD: block("yaml", "kind: AgentDefinition", "parent: coordinator_agent@1.0.0"),
        "compatibility.json": block("json", '"compatibility"'),
        "Agentfile": samples.SPEC_AGENTFILE,
    }
    for name, content in made.items():
        (context / name).write_text(content, "utf-8")
    return list(made)


def test_all_files_are_valid(agent: Agent, files: list[str]):
    assert agent("validate", *files).lines == [
        f"{PARENT}: ok (3 of 3 constraints are checked at run)",
        f"{CHILD}: ok",
        "compatibility.json: ok",
        "Agentfile: ok",
    ]


@pytest.mark.parametrize("name", [PARENT, CHILD])
def test_definitions_lint_without_an_error(agent: Agent, files: list[str], name: str):
    found = agent("lint", "--format", "json", "-f", name).json
    assert {each["rule"] for each in found} == {"knowledge-missing", "isolation-missing"}


def test_the_agentfile_lints_without_an_error(agent: Agent, files: list[str], context: Path):
    samples.write_coordinator(context)
    found = agent("lint", "--format", "json").json
    assert {each["severity"] for each in found} == {"warning"}


def test_the_agentfile_takes_the_interface_of_the_definition(
    agent: Agent, files: list[str], context: Path
):
    """`INTERFACE coordinator_agent` means what `coordinator.agentdef` calls itself."""
    base = context.parent / "base"
    base.mkdir()
    (base / "Agentfile").write_text("FROM scratch\nINTERFACE base_agent\n")
    agent("build", "-q", "-t", "base_agent:latest", base)
    samples.write_coordinator(context)
    agent("build", "-q", "-t", "coordinator:1.0", ".")
    made = agent("inspect", "coordinator:1.0").json["definition"]
    assert made["metadata"]["name"] == "coordinator_agent"
    assert made["metadata"]["version"] == "1.0.0"
    assert made["spec"]["interface"].startswith("## ")
