"""agent show, and what the command line says of parents and released versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from agentoci.api.show import Shown
from agentoci.definition.lineage import Entry, Lineage
from agentoci.definition.ordering import ordered
from agentoci.definition.yamlio import load
from tests.cli.conftest import Agent
from tests.definition.patches import children, definitions
from tests.definition.samples import CHILD, FULL
from tests.registry.fake import FakeRegistry

PARENT, OWN = "coordinator_agent@1.0.0", "advanced_coordinator_agent@1.0.0"


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """The architecture's two definitions beside each other."""
    folder = tmp_path / "family"
    folder.mkdir()
    (folder / "coordinator.agentdef").write_text(FULL)
    (folder / "advanced.agentdef").write_text(CHILD)
    return folder


@pytest.fixture
def built(agent: Agent, family: Path) -> str:
    """An image of the child."""
    agent("build", "-q", "-t", "advanced:1.0", "-f", family / "advanced.agentdef", family)
    return "advanced:1.0"


def read(text: str) -> Any:
    return load(text.encode(), file="printed").data


def test_no_name_of_an_image_is_a_line_of_the_definition() -> None:
    """An origin is a comment: a line end in it began a line that looked like the definition's."""
    definition: dict[str, Any] = {
        "metadata": {"name": "x\nspec: evil\x1b[2J", "version": "\u202e1"},
        "spec": {},
    }
    lineage = Lineage.of({"definition": definition}, what="image")
    shown = Shown(lineage.document(), lineage.origins()).yaml()
    assert read(shown) == definition
    assert all(line.isprintable() for line in shown.splitlines())
    assert len(shown.splitlines()) == 4


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_file_is_shown_as_it_is_written(agent: Agent, family: Path, form: str) -> None:
    shown = agent("show", "--format", form, family / "advanced.agentdef")
    assert read(shown.out) == read(CHILD)
    assert agent("show", family / "coordinator.agentdef").out.startswith(
        "apiVersion: agent/v1\nkind: AgentDefinition\nmetadata:\n  name: coordinator_agent\n"
    )


def test_an_image_is_shown_as_its_definition_is_written(agent: Agent, built: str) -> None:
    assert read(agent("show", built).out) == read(CHILD)


def test_permissions_and_limits_are_shown_as_the_rest(agent: Agent, built: str) -> None:
    lines = agent("show", "--effective", built).lines
    for wanted in (
        f"    - user: admin  # {PARENT}",
        f"    max_memory: 1GB  # {PARENT}",
        f"  network: isolated  # {PARENT}",
        f"  endpoint: /health  # {PARENT}",
        f"    labels:  # {PARENT}",
        f"  level: INFO  # {PARENT}",
    ):
        assert wanted in lines


def test_every_value_has_its_origin_in_yaml(agent: Agent, built: str) -> None:
    out = agent("show", "--effective", built).out
    assert read(out) == agent("inspect", built).json["definition"]
    assert f"  name: advanced_coordinator_agent  # {OWN}" in out
    assert f"      - advanced/parallel_execution.md  # {OWN}" in out
    assert f"  interface: |  # {PARENT}\n    ## 零知识协调器\n" in out


def test_every_value_has_its_origin_in_json(agent: Agent, built: str) -> None:
    found = agent("show", "--effective", "--format", "json", built).json
    assert found["definition"] == agent("inspect", built).json["definition"]
    assert found["origins"]["/metadata/parent"] == OWN
    assert found["origins"]["/spec/behavior/memory/level"] == PARENT
    assert set(found["origins"].values()) == {PARENT, OWN}


def test_a_file_and_its_image_have_the_same_definition(
    agent: Agent, family: Path, built: str
) -> None:
    of_file = agent("show", "--effective", "--format", "json", family / "advanced.agentdef").json
    assert of_file == agent("show", "--effective", "--format", "json", built).json


def test_an_agentfile_is_an_origin(agent: Agent, family: Path) -> None:
    (family / "Agentfile").write_text(
        "FROM scratch\nDEFINITION advanced.agentdef\nSET memory.level=NONE\nREQUIRE helper:2.0\n"
    )
    lines = agent("show", "--effective", family).lines
    assert "      level: NONE  # Agentfile" in lines
    assert "      - name: helper  # Agentfile" in lines
    own = read(agent("show", family).out)
    assert own["metadata"]["parent"] == PARENT
    assert own["spec"]["behavior"]["memory"] == {"level": "NONE"}
    assert own["spec"]["extensions"]["tools"] == {"remove": ["debug_agent"]}


def test_a_layout_and_a_registry_are_read_without_a_pull(
    agent: Agent, built: str, fake: FakeRegistry, tmp_path: Path
) -> None:
    here = agent("show", "--effective", built).out
    agent("push", built, f"oci:{tmp_path / 'layout'}:advanced:1.0")
    agent("push", built, f"{fake.host}/team/advanced:1.0")
    agent("rmi", built)
    assert agent("show", "--effective", f"oci:{tmp_path / 'layout'}:advanced:1.0").out == here
    assert agent("show", "--effective", f"{fake.host}/team/advanced:1.0").out == here
    assert "advanced" not in agent("images").out


def test_what_is_not_there(agent: Agent, tmp_path: Path) -> None:
    assert "no such file" in agent("show", "./gone", code=6).err
    assert "no such image" in agent("show", "gone:1", code=6).err
    assert "no Agentfile" in agent("show", tmp_path, code=6).err


def test_a_missing_parent_matters_when_it_is_asked_for(agent: Agent, family: Path) -> None:
    (family / "coordinator.agentdef").unlink()
    assert read(agent("show", family / "advanced.agentdef").out) == read(CHILD)
    refused = agent("show", "--effective", family / "advanced.agentdef", code=6)
    assert "advanced.agentdef:6:11: parent coordinator_agent@1.0.0 is neither" in refused.err
    assert f"({OWN} → {PARENT})" in refused.err


@given(definitions())
def test_printing_and_reading_is_the_identity(document: Any) -> None:
    shown = Shown(ordered(document))
    assert read(shown.yaml()) == document
    assert Shown(read(shown.yaml())).yaml() == shown.yaml()


@given(definitions(), children())
def test_origins_change_nothing_of_what_is_read(root: Any, child: Any) -> None:
    lineage = Lineage((Entry("a@1.0.0", root), Entry("b@1.0.0", child)))
    shown = Shown(ordered(lineage.document()), lineage.origins())
    assert read(shown.yaml()) == lineage.document()
    assert shown.yaml().count("  # ") == len(lineage.origins())


@pytest.mark.parametrize(
    "text",
    [
        "1e5", "0x1F", "no", "null", "~", "2024-01-15", "- a", "a: b", "# a", "a  # b", " a", "a ",
        "", "'", '"', "\\", "!x", "&a", "*a", "|", ">", "%", "@", "`", "{a}", "[a]", "a\nb", "a\n",
        "\na", "a\n\n", " a\nb", "a\n  b\n", "a\n \nb", "tab\there", "a\r\nb", "\u2028", "\x7f",
        "\u202e", "\ufeff", "知识", "😀", "long " * 60, "x" * 300, "a: |\n  b", "ends with |",
    ],
)  # fmt: skip
def test_any_text_is_read_back(text: str) -> None:
    document: Any = {"spec": {"interface": text, "invariants": [text], "last": 1}, "metadata": {}}
    origins = {"/spec/interface": "a@1.0.0", "/spec/invariants/0": "b@1.0.0", "/spec/last": "c@1"}
    for shown in (Shown(document), Shown(document, origins)):
        printed = shown.yaml()
        assert read(printed) == document
        assert all(char.isprintable() or char == "\n" for char in printed)


# Released versions


def test_a_release_is_built_once(agent: Agent, talker: Path) -> None:
    first = agent("build", "-q", "-t", "talker:2.1.0", talker).out.strip()
    (talker / "notes.md").write_text("changed\n")
    refused = agent("build", "-q", "-t", "talker:2.1.0", talker, code=7)
    assert f"talker 2.1.0 is in the store with other content: {first} (talker:2.1.0)" in refused.err
    assert "--replace" in refused.err
    assert agent("images", "-q").out.strip() == first
    second = agent("build", "-q", "--replace", "-t", "talker:2.1.0", talker).out.strip()
    assert second != first
    assert agent("build", "-q", "-t", "talker:2.1.0", talker).out.strip() == second


def write_definition(folder: Path, name: str, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    head = ["apiVersion: agent/v1", "kind: AgentDefinition", "metadata:", f"  name: {name}"]
    (folder / f"{name}.agentdef").write_text("\n".join([*head, "  version: 1.0.0", *lines, ""]))
    return folder


def test_a_lock_pins_a_parent_that_is_an_image(agent: Agent, tmp_path: Path) -> None:
    child = write_definition(tmp_path / "child", "child", "  parent: base@1.0.0", "spec: {}")
    (child / "Agentfile").write_text("FROM scratch\nDEFINITION child.agentdef\n")

    def build_parent(said: str) -> str:
        base = write_definition(tmp_path / "base", "base", f"spec: {{interface: {said}}}")
        return agent("build", "-q", "--replace", "-t", "team/base:1", base).out.strip()

    def interface() -> str:
        agent("build", "-q", "--locked", "--replace", "-t", "child:1", child)
        return next(x for x in agent("show", "--effective", "child:1").lines if "interface" in x)

    first = build_parent("first")
    agent("lock", child)
    assert build_parent("second") != first
    assert interface() == "  interface: first  # base@1.0.0"
    agent("lock", "--upgrade", child, "team/base:1")
    assert interface() == "  interface: second  # base@1.0.0"
