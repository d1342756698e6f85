"""Definitions with parents in a build: found beside, in the store and at a registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentoci.api.builds import Built
from agentoci.definition.parents import ParentMissing
from agentoci.definition.read import parse_document
from agentoci.errors import Invalid, NotFound, SourceFaults, Unreachable
from agentoci.layers.unpack import unpack_image
from tests.builder.workshop import Workshop
from tests.definition import samples
from tests.definition.samples import CHILD, FULL
from tests.registries import Registry

KNOWLEDGE = {
    "workflow/coordination_patterns.md": "coordinate",
    "knowledge/zero_knowledge_pattern.md": "zero",
    "advanced/parallel_execution.md": "parallel",
}
PARENT_NAME, CHILD_NAME = "coordinator_agent@1.0.0", "advanced_coordinator_agent@1.0.0"


def definition(key: str, parent: str = "", spec: str = "{}") -> str:
    name, _, version = key.partition("@")
    head = f"apiVersion: agent/v1\nkind: AgentDefinition\nmetadata:\n  name: {name}\n"
    listed = f"  parent: {parent}\n" if parent else ""
    return f"{head}  version: {version}\n{listed}spec: {spec}\n"


def lineage_of(workshop: Workshop, built: Built) -> list[str]:
    """The origins of the entries that the config carries."""
    found: Any = workshop.image(built).config.agentoci.get("lineage", [])
    return [entry["origin"] for entry in found]


@pytest.fixture
def family(workshop: Workshop) -> Workshop:
    """The architecture's two definitions beside each other, and their knowledge."""
    workshop.fill({"coordinator.agentdef": FULL, "advanced.agentdef": CHILD, **KNOWLEDGE})
    return workshop


# Beside


def test_a_lone_definition_has_its_parents_beside_it(family: Workshop) -> None:
    built = family.build(file=family.context / "advanced.agentdef")
    assert (built.name, built.version) == ("advanced_coordinator_agent", "1.0.0")
    assert family.copied(built) == {
        "knowledge/workflow/coordination_patterns.md": b"coordinate",
        "knowledge/zero_knowledge_pattern.md": b"zero",
        "knowledge/advanced/parallel_execution.md": b"parallel",
    }
    assert lineage_of(family, built) == [PARENT_NAME, CHILD_NAME]
    made: Any = family.image(built).definition
    assert made["metadata"]["parent"] == PARENT_NAME
    assert not {"inherit", "extensions"} & set(made["spec"])
    parse_document(made, what="the config")


def test_the_image_agrees_with_itself(family: Workshop, tmp_path: Path) -> None:
    """`definition.json` of the interface layer is the config's."""
    built = family.build(file=family.context / "advanced.agentdef")
    image, store = family.image(built), family.engine.store
    unpack_image(image.packed_layers(store), tmp_path / "out", inventory=image.inventory(store))
    from agentoci.spec.jsonio import canonical

    written = (tmp_path / "out" / "agent" / "definition.json").read_bytes()
    assert written == canonical(image.definition)


def test_the_definitions_of_the_architecture_build_as_written(workshop: Workshop) -> None:
    texts = list(samples.written_definitions())
    if not texts:
        pytest.skip("the architecture's text is not beside this checkout")
    for text in texts:
        workshop.write(text.splitlines()[0].removeprefix("# ").strip(), text)
    built = workshop.build(file=workshop.context / "advanced_coordinator.agentdef")
    spec: Any = workshop.image(built).definition["spec"]
    assert spec["behavior"]["execution"]["max_parallel_tasks"] == 5
    assert spec["behavior"]["memory"]["level"] == "SMART"
    assert [tool["name"] for tool in spec["requires"]["tools"]][-1] == "performance_monitor"
    assert spec["knowledge"]["static"][-1] == "advanced/parallel_execution.md"
    assert spec["constraints"][0]["id"] == "no_infinite_loop"
    assert len(spec["invariants"]) == 4


def test_parents_are_looked_for_in_the_folder_of_the_child_first(workshop: Workshop) -> None:
    workshop.write("defs/child.agentdef", definition("child@1.0.0", "base@1.0.0"))
    workshop.write("defs/base.agentdef", definition("base@1.0.0", spec="{interface: near}"))
    workshop.write("base.agentdef", definition("base@1.0.0", spec="{interface: far}"))
    agentfile = "FROM scratch\nDEFINITION defs/child.agentdef\n"
    made: Any = workshop.image(workshop.build_text(agentfile)).definition
    assert made["spec"]["interface"] == "near"
    (workshop.context / "defs" / "base.agentdef").unlink()
    made = workshop.image(workshop.build()).definition
    assert made["spec"]["interface"] == "far"


def test_a_change_of_a_parent_is_a_change_of_the_child(family: Workshop) -> None:
    first = family.build(file=family.context / "advanced.agentdef")
    again = family.build(file=family.context / "advanced.agentdef")
    assert again.root == first.root
    family.write("coordinator.agentdef", FULL.replace("level: SMART", "level: BASIC"))
    changed: Any = family.image(family.build(file=family.context / "advanced.agentdef")).definition
    assert changed["spec"]["behavior"]["memory"]["level"] == "BASIC"


def test_other_definitions_beside_may_be_broken(family: Workshop) -> None:
    family.write("broken.agentdef", "coordinator_agent: [")
    assert (
        family.build(file=family.context / "advanced.agentdef").name == "advanced_coordinator_agent"
    )


def test_a_broken_parent_is_told_in_its_own_file(family: Workshop) -> None:
    family.write("coordinator.agentdef", FULL.replace("level: SMART", "level: CLEVER"))
    with pytest.raises(SourceFaults) as caught:
        family.build(file=family.context / "advanced.agentdef")
    (fault,) = caught.value.faults
    parent = str(family.context / "coordinator.agentdef")
    assert (fault.file, fault.line) == (parent, 36)
    family.write("coordinator.agentdef", FULL.replace("metadata:", "metadata: ["))
    with pytest.raises(SourceFaults) as caught:
        family.build(file=family.context / "advanced.agentdef")
    assert caught.value.faults[0].file == parent


def test_two_files_of_one_name_are_ambiguous(family: Workshop) -> None:
    family.write("copy.agentdef", FULL)
    with pytest.raises(ParentMissing, match=r"copy\.agentdef are both") as caught:
        family.build(file=family.context / "advanced.agentdef")
    assert caught.value.exit_code == Invalid.exit_code


# In the store


def test_a_parent_in_the_store_is_the_base_of_a_lone_definition(family: Workshop) -> None:
    parent = family.build("team/coordinator:1", file=family.context / "coordinator.agentdef")
    for name in ("coordinator.agentdef", *list(KNOWLEDGE)[:2]):
        (family.context / name).unlink()
    built = family.build(file=family.context / "advanced.agentdef")
    image = family.image(built)
    assert image.manifest.annotations["org.opencontainers.image.base.digest"] == str(
        parent.root.digest
    )
    assert image.config.diff_ids[: len(parent.layers)] == tuple(x.diff_id for x in parent.layers)
    assert set(family.copied(built)) == {
        "knowledge/workflow/coordination_patterns.md",
        "knowledge/zero_knowledge_pattern.md",
        "knowledge/advanced/parallel_execution.md",
    }
    assert lineage_of(family, built) == [PARENT_NAME, CHILD_NAME]
    assert family.told.warnings == []


def test_the_tag_of_name_and_version_comes_first(family: Workshop) -> None:
    family.build("aaa:1", file=family.context / "coordinator.agentdef")
    family.write("coordinator.agentdef", FULL.replace("协调复杂的工作流", "named"))
    tagged = family.build("coordinator_agent:1.0.0", file=family.context / "coordinator.agentdef")
    (family.context / "coordinator.agentdef").unlink()
    built = family.build(file=family.context / "advanced.agentdef")
    annotations = family.image(built).manifest.annotations
    assert annotations["org.opencontainers.image.base.digest"] == str(tagged.root.digest)


def test_an_image_that_is_called_as_the_parent_must_be_it(family: Workshop) -> None:
    family.write("coordinator.agentdef", FULL.replace("1.0.0\n  author", "1.1.0\n  author"))
    family.build("coordinator_agent:1.0.0", file=family.context / "coordinator.agentdef")
    (family.context / "coordinator.agentdef").unlink()
    with pytest.raises(
        ParentMissing, match=r"coordinator_agent:1\.0\.0 is coordinator_agent@1\.1\.0"
    ):
        family.build(file=family.context / "advanced.agentdef")


def test_another_parent_in_the_store_makes_another_build(family: Workshop) -> None:
    """A record of an earlier build does not outlive the image that it looked at."""
    parent = family.context / "coordinator.agentdef"
    family.build("coordinator_agent:1.0.0", file=parent)
    parent.rename(family.folder / "coordinator.agentdef")
    family.build(file=family.context / "advanced.agentdef")
    other = Workshop(family.folder / "other")
    other.home = family.home
    other.fill({"c.agentdef": FULL.replace("level: SMART", "level: NONE"), **KNOWLEDGE})
    other.build("coordinator_agent:1.0.0")
    made: Any = family.image(family.build(file=family.context / "advanced.agentdef")).definition
    assert made["spec"]["behavior"]["memory"]["level"] == "NONE"


def test_a_chain_of_files_ends_at_an_image(workshop: Workshop) -> None:
    workshop.fill({"a.agentdef": definition("a@1.0.0", spec="{knowledge: {static: [a.md]}}")})
    workshop.write("a.md", "of a")
    workshop.build("a:1.0.0")
    (workshop.context / "a.agentdef").unlink()
    (workshop.context / "a.md").unlink()
    workshop.fill(
        {
            "b.agentdef": definition("b@1.0.0", "a@1.0.0", "{knowledge: {static: [b.md]}}"),
            "c.agentdef": definition("c@1.0.0", "b@1.0.0", "{knowledge: {static: [c.md]}}"),
            "b.md": "of b",
            "c.md": "of c",
        }
    )
    built = workshop.build(file=workshop.context / "c.agentdef")
    assert workshop.copied(built) == {
        "knowledge/a.md": b"of a",
        "knowledge/b.md": b"of b",
        "knowledge/c.md": b"of c",
    }
    assert lineage_of(workshop, built) == ["a@1.0.0", "b@1.0.0", "c@1.0.0"]


def test_a_missing_parent_is_told_with_what_there_is(workshop: Workshop) -> None:
    workshop.write("child.agentdef", definition("child@1.0.0", "base@1.0.0"))
    workshop.write("base.agentdef", definition("base@1.1.0"))
    with pytest.raises(ParentMissing) as caught:
        workshop.build(file=workshop.context / "child.agentdef")
    assert caught.value.exit_code == NotFound.exit_code
    first, *others = caught.value.message.splitlines()
    where = "neither in the folder, nor in the store, nor at a registry"
    assert first == f"child.agentdef:6:11: parent base@1.0.0 is {where} (child@1.0.0 → base@1.0.0)"
    assert others == [
        "  |   parent: base@1.0.0",
        "  |           ^^^^^^^^^^",
        "  hint: there is base@1.1.0 (base.agentdef)",
    ]


def test_the_way_to_a_parent_elsewhere_is_one_that_works(workshop: Workshop) -> None:
    workshop.write("child.agentdef", definition("child@1.0.0", "base@1.0.0+b"))
    with pytest.raises(ParentMissing) as caught:
        workshop.build(file=workshop.context / "child.agentdef")
    assert "agent pull HOST/base:1.0.0_b; " in caught.value.message
    assert "from default_registry" in caught.value.message


def test_a_circle_of_files_is_shown(workshop: Workshop) -> None:
    workshop.write("a.agentdef", definition("a@1.0.0", "b@1.0.0"))
    workshop.write("b.agentdef", definition("b@1.0.0", "a@1.0.0"))
    with pytest.raises(SourceFaults, match=r"in a circle: a@1\.0\.0 → b@1\.0\.0 → a@1\.0\.0"):
        workshop.build(file=workshop.context / "a.agentdef")


# FROM and parent


def test_from_and_parent_agree(family: Workshop) -> None:
    family.build("coordinator:1.0", file=family.context / "coordinator.agentdef")
    (family.context / "coordinator.agentdef").unlink()
    built = family.build_text("FROM coordinator:1.0\nDEFINITION advanced.agentdef\n")
    assert lineage_of(family, built) == [PARENT_NAME, CHILD_NAME]
    assert "knowledge/workflow/coordination_patterns.md" in family.copied(built)


def test_from_is_asked_before_files(family: Workshop) -> None:
    """What is built upon is the parent, even if a file beside has its name."""
    family.build("coordinator:1.0", file=family.context / "coordinator.agentdef")
    family.write("coordinator.agentdef", FULL.replace("level: SMART", "level: NONE"))
    made: Any = family.image(
        family.build_text("FROM coordinator:1.0\nDEFINITION advanced.agentdef\n")
    ).definition
    assert made["spec"]["behavior"]["memory"]["level"] == "SMART"


@pytest.mark.parametrize("line", ["DEFINITION advanced.agentdef", "INTERFACE advanced"])
def test_from_something_else_than_the_parent_is_refused(family: Workshop, line: str) -> None:
    family.build_text(
        "FROM scratch\nINTERFACE other\nLABEL org.opencontainers.image.version=3.0.0\n", "other:3"
    )
    (fault,) = family.faults(f"FROM other:3\n{line}\n").faults
    assert (fault.line, fault.message) == (
        2,
        "advanced.agentdef extends coordinator_agent@1.0.0, but FROM other:3 is other@3.0.0",
    )
    assert fault.hint == "build FROM an image of coordinator_agent@1.0.0, or FROM scratch"
    assert "^" in fault.render()


def test_from_another_version_of_the_parent_is_refused(family: Workshop) -> None:
    family.build_text(
        "FROM scratch\nDEFINITION coordinator.agentdef\n"
        "LABEL org.opencontainers.image.version=1.0.1\n",
        "coordinator:1",
    )
    (fault,) = family.faults("FROM coordinator:1\nDEFINITION advanced.agentdef\n").faults
    assert "FROM coordinator:1 is coordinator_agent@1.0.1" in fault.message


def test_an_earlier_stage_is_a_base_as_an_image_is(family: Workshop) -> None:
    made: Any = family.image(
        family.build_text(
            "FROM scratch AS below\nDEFINITION coordinator.agentdef\nSET memory.level=NONE\n"
            "FROM below\nDEFINITION advanced.agentdef\n"
        )
    ).definition
    assert made["spec"]["behavior"]["memory"]["level"] == "NONE"


def test_the_interface_of_a_child_is_its_parents(family: Workshop) -> None:
    made: Any = family.image(family.build_text("FROM scratch\nINTERFACE advanced\n")).definition
    assert made["metadata"]["name"] == "advanced_coordinator_agent"
    assert made["spec"]["interface"].startswith("## 零知识协调器")


# Agentfiles over definitions


def test_what_an_agentfile_says_is_in_the_lineage(family: Workshop) -> None:
    built = family.build_text(
        "FROM scratch\nDEFINITION advanced.agentdef\nSET memory.level=NONE\n"
        "REQUIRE helper:1.0\nLABEL org.opencontainers.image.version=1.2.0\n"
    )
    assert lineage_of(family, built) == [PARENT_NAME, CHILD_NAME, "Agentfile"]
    above = family.build_text("FROM test:1\nSET memory.level=BASIC\n", "above:1")
    assert lineage_of(family, above) == [PARENT_NAME, CHILD_NAME, "Agentfile", "Agentfile"]
    made: Any = family.image(above).definition
    assert made["metadata"]["version"] == "1.2.0"
    assert made["spec"]["behavior"]["memory"]["level"] == "BASIC"


def test_an_image_without_parents_carries_no_lineage(family: Workshop) -> None:
    built = family.build(file=family.context / "coordinator.agentdef")
    assert lineage_of(family, built) == []


def test_a_definition_without_parents_starts_anew(family: Workshop) -> None:
    family.build_text("FROM scratch\nINTERFACE other\nSET memory.level=NONE\n", "other:1")
    family.write("plain.agentdef", definition("plain@1.0.0", spec="{interface: plain}"))
    made: Any = family.image(
        family.build_text("FROM other:1\nDEFINITION plain.agentdef\n")
    ).definition
    assert made["spec"] == {"interface": "plain"}


WEAKER = json.dumps(
    [
        {"id": "no_infinite_loop", "description": "必须避免无限循环", "validation": "true"},
        {
            "id": "no_file_deletion",
            "description": "不能删除用户文件",
            "validation": "!uses_rm_command",
        },
    ]
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("SET constraints=[]", "SET constraints leaves out 'no_infinite_loop' of the definition"),
        (f"SET constraints='{WEAKER}'", "SET constraints leaves out 'no_infinite_loop'"),
        ("SET invariants=[]", "SET invariants leaves out '保持工作目录整洁'"),
    ],
)
def test_an_agentfile_does_not_weaken_a_definition(
    family: Workshop, line: str, message: str
) -> None:
    (fault,) = family.faults(f"FROM scratch\nDEFINITION coordinator.agentdef\n{line}\n").faults
    assert fault.line == 3
    assert message in fault.message
    assert "only added" in str(fault.hint)


def test_what_is_said_twice_is_said_once(workshop: Workshop) -> None:
    """The definition is the sum of its lineage, whatever the parts looked like."""
    workshop.write("a.agentdef", definition("a@1.0.0", spec="{invariants: [x, x]}"))
    workshop.build_text("FROM scratch\nDEFINITION a.agentdef\nSET memory.level=NONE\n", "a:1")
    made: Any = workshop.image(workshop.build_text("FROM a:1\nSET memory.level=BASIC\n")).definition
    assert made["spec"]["invariants"] == ["x"]


def test_the_memo_of_a_definition_knows_its_lineage(family: Workshop) -> None:
    """Two contexts, one definition: the second is not compiled again, and the image is the same."""
    agentfile = "FROM scratch\nDEFINITION coordinator.agentdef\nSET memory.level=NONE\n"
    first = family.build_text(agentfile)
    family.write("more.md", "another record")
    again = family.build(file=family.context / "Agentfile")
    assert again.root == first.root
    assert lineage_of(family, again) == [PARENT_NAME, "Agentfile"]


def test_secrets_of_parents_are_found(family: Workshop) -> None:
    """The lineage is in the config for everybody to read, also what a child overrides."""
    token = "gh" + "p_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    family.write("a.agentdef", definition("a@1.0.0", spec=f"{{interface: 'token {token}'}}"))
    family.write("b.agentdef", definition("b@1.0.0", "a@1.0.0", "{interface: clean}"))
    from agentoci.builder.scanning import SecretsFound

    with pytest.raises(SecretsFound):
        family.build(file=family.context / "b.agentdef")


# At a registry


@pytest.mark.integration
def test_a_parent_is_pulled_from_the_default_registry(
    family: Workshop, distribution: Registry, repository: str
) -> None:
    family.build("coordinator_agent:1.0.0", file=family.context / "coordinator.agentdef")
    family.engine.transfers.push(
        "coordinator_agent:1.0.0", distribution.reference(f"{repository}/coordinator_agent:1.0.0")
    )
    elsewhere = Workshop(family.folder / "elsewhere")
    elsewhere.write("advanced.agentdef", CHILD)
    elsewhere.write("advanced/parallel_execution.md", "parallel")
    config = elsewhere.folder / "config.toml"
    host = distribution.reference(repository)
    config.write_text(f'default_registry = "{host}"\n')
    elsewhere.environment = {"AGENTOCI_CONFIG": str(config)}
    built = elsewhere.build(file=elsewhere.context / "advanced.agentdef")
    assert lineage_of(elsewhere, built) == [PARENT_NAME, CHILD_NAME]
    assert "coordinator_agent:1.0.0" in elsewhere.names()


def test_a_registry_that_does_not_answer_is_no_missing_parent(workshop: Workshop) -> None:
    workshop.write("child.agentdef", definition("child@1.0.0", "base@1.0.0"))
    config = workshop.folder / "config.toml"
    config.write_text('default_registry = "127.0.0.1:1/x"\n')
    workshop.environment = {"AGENTOCI_CONFIG": str(config)}
    with pytest.raises(ParentMissing) as caught:
        workshop.build(file=workshop.context / "child.agentdef")
    assert caught.value.exit_code == Unreachable.exit_code


def test_the_files_of_an_image_come_only_with_from(workshop: Workshop) -> None:
    workshop.write("coordinator.agentdef", FULL)
    workshop.build_text(
        "FROM scratch\nDEFINITION coordinator.agentdef\n", "coordinator_agent:1.0.0"
    )
    (workshop.context / "coordinator.agentdef").unlink()
    workshop.write("advanced.agentdef", CHILD)
    told = "the files of coordinator_agent:1.0.0 do not come along"
    workshop.build_text("FROM scratch\nDEFINITION advanced.agentdef\n")
    assert [text for text in workshop.told.warnings if text.startswith(told)]
    workshop.told.warnings.clear()
    workshop.build_text("FROM coordinator_agent:1.0.0\nDEFINITION advanced.agentdef\n")
    assert not [text for text in workshop.told.warnings if "come along" in text]
