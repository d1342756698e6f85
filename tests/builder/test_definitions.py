"""DEFINITION, INTERFACE, SET and LABEL in a build; folders that hold only a definition."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentoci.builder.finding import AgentfileMissing, AmbiguousDefinition
from agentoci.builder.loose import DefinitionMissing
from agentoci.errors import Invalid, NotFound, SourceFaults
from tests.builder.workshop import Workshop

FULL = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata:
  name: coordinator_agent
  version: 1.4.0
  author: somebody
  description: Coordinates.
spec:
  interface: |
    I coordinate.
  knowledge:
    static: [workflow/a.md, b.md]
    principles: [zero.md]
  behavior:
    memory: {level: SMART}
"""

CHILD = """\
apiVersion: agent/v1
kind: AgentDefinition
metadata: {name: child, version: 1.0.0, parent: coordinator_agent@1.4.0}
spec: {}
"""


def definition(workshop: Workshop, agentfile: str, **options: Any) -> Any:
    """The compiled definition of a build."""
    return workshop.image(workshop.build_text(agentfile, **options)).definition


def fault(workshop: Workshop, agentfile: str) -> tuple[int, str]:
    (found,) = workshop.faults(agentfile).faults
    assert "^" in found.render()
    return found.line, found.message


def test_a_definition_from_a_file(workshop: Workshop) -> None:
    workshop.write("defs/c.agentdef", FULL)
    made = definition(workshop, "FROM scratch\nDEFINITION defs/c.agentdef\n")
    assert made["metadata"]["name"] == "coordinator_agent"
    assert made["metadata"]["version"] == "1.4.0"
    assert made["spec"]["interface"] == "I coordinate.\n"
    annotations = workshop.image(workshop.build()).manifest.annotations
    assert annotations["org.opencontainers.image.authors"] == "somebody"
    assert annotations["org.opencontainers.image.description"] == "Coordinates."


def test_instructions_change_a_definition_whatever_their_order(workshop: Workshop) -> None:
    workshop.write("c.agentdef", FULL)
    lines = [
        "DEFINITION c.agentdef",
        "SET memory.level=BASIC",
        "LABEL org.opencontainers.image.version=2.0",
    ]
    one = definition(workshop, "FROM scratch\n" + "\n".join(lines) + "\n")
    other = definition(workshop, "FROM scratch\n" + "\n".join(reversed(lines)) + "\n")
    assert one == other
    assert one["spec"]["behavior"]["memory"]["level"] == "BASIC"
    assert one["metadata"]["version"] == "2.0.0"


def test_an_interface_by_name_of_a_definition(workshop: Workshop) -> None:
    """`INTERFACE name` takes identity and interface of `name.agentdef`, not its behaviour."""
    workshop.write("coordinator_agent.agentdef", FULL)
    made = definition(workshop, "FROM scratch\nINTERFACE coordinator_agent\n")
    assert made["metadata"]["version"] == "1.4.0"
    assert made["spec"]["interface"] == "I coordinate.\n"
    assert "behavior" not in made["spec"]


def test_an_interface_by_what_a_definition_calls_itself(workshop: Workshop) -> None:
    """The specification writes `INTERFACE coordinator_agent` beside `coordinator.agentdef`."""
    text = "FROM scratch\nINTERFACE coordinator_agent\n"
    workshop.write("broken.agentdef", "metadata: {name: somebody_else\n")
    workshop.write("child.agentdef", CHILD)
    workshop.write("deep/coordinator.agentdef", FULL.replace("I coordinate", "I hide"))
    assert definition(workshop, text)["metadata"]["version"] == "0.0.0", "only the root counts"
    workshop.write("coordinator.agentdef", FULL)
    made = definition(workshop, text)
    assert made["metadata"]["version"] == "1.4.0", "a build before it was there is not replayed"
    assert made["spec"]["interface"] == "I coordinate.\n"
    workshop.write("coordinator.agentdef", FULL.replace("I coordinate", "I lead"))
    assert definition(workshop, text)["spec"]["interface"] == "I lead.\n"
    workshop.write("coordinator_agent.agentdef", FULL.replace("1.4.0", "2.0.0"))
    assert definition(workshop, text)["metadata"]["version"] == "2.0.0", "the file name goes first"


def test_an_interface_that_two_definitions_claim(workshop: Workshop) -> None:
    workshop.write("one.agentdef", FULL)
    workshop.write("two.agentdef", FULL.replace("1.4.0", "1.5.0"))
    line, message = fault(workshop, "FROM scratch\nINTERFACE coordinator_agent\n")
    assert (line, message) == (2, "one.agentdef and two.agentdef are both called coordinator_agent")


def test_an_interface_whose_definition_is_broken(workshop: Workshop) -> None:
    """Taking the name for a mere name would hide the mistake."""
    workshop.write("one.agentdef", "metadata: {name: coordinator_agent\n")
    text = "FROM scratch\nINTERFACE coordinator_agent\n"
    (found,) = workshop.faults(text).faults
    assert found.file == str(workshop.context / "one.agentdef")
    workshop.write("two.agentdef", FULL)
    assert definition(workshop, text)["metadata"]["version"] == "1.4.0"


def test_an_interface_by_a_mere_name_keeps_that_of_the_base(workshop: Workshop) -> None:
    workshop.write("c.agentdef", FULL)
    workshop.build_text("FROM scratch\nDEFINITION c.agentdef\n", "base:1")
    made = definition(workshop, "FROM base:1\nINTERFACE renamed\n")
    assert made["metadata"]["name"] == "renamed"
    assert made["metadata"]["version"] == "0.0.0", "the version was another agent's"
    assert "description" not in made["metadata"]
    assert made["spec"]["interface"] == "I coordinate.\n"
    same = definition(workshop, "FROM base:1\nINTERFACE coordinator_agent\n")
    assert same["metadata"]["version"] == "1.4.0"


def test_an_interface_from_a_file_or_a_heredoc(workshop: Workshop) -> None:
    workshop.write("docs/interface.md", "# 接口\n")
    made = definition(workshop, "FROM scratch\nINTERFACE docs/interface.md\n")
    assert made["spec"]["interface"] == "# 接口\n"
    made = definition(workshop, "FROM scratch\nINTERFACE <<EOF\nI am here.\nEOF\n")
    assert made["spec"]["interface"] == "I am here.\n"


def test_the_name_is_the_tags_when_nothing_else_says_it(workshop: Workshop) -> None:
    assert (
        definition(workshop, "FROM scratch\n", tag="reg.example/team/mine:1")["metadata"]["name"]
        == "mine"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("DEFINITION gone.agentdef", "'gone.agentdef' is not in the context"),
        ("DEFINITION ../x.agentdef", "'../x.agentdef' leads out of the context"),
        ("DEFINITION folder", "'folder' is not in the context"),
        ("DEFINITION link.agentdef", "'link.agentdef' is not in the context"),
        ("DEFINITION linked/c.agentdef", "'linked' is a symbolic link"),
        ("DEFINITION huge.agentdef", "huge.agentdef: larger than 262144 bytes"),
        ("INTERFACE gone/interface.md", "'gone/interface.md' is not in the context"),
        ("INTERFACE ../interface.md", "leads out of the context"),
        ("INTERFACE huge.md", "huge.md: larger than 262144 bytes"),
        ("INTERFACE latin.md", "latin.md: not UTF-8 text"),
        ("LABEL org.opencontainers.image.version=one", "version 'one' is not a semantic version"),
        ("LABEL org.opencontainers.image.version=1.2.3.4", "is not a semantic version"),
        ("SET memory.level=CLEVER", "memory.level"),
        ("SET memory.levle=SMART", "levle"),
    ],
)
def test_faults_are_told_at_their_place(workshop: Workshop, line: str, message: str) -> None:
    workshop.fill(
        {
            "folder/x": "x",
            "c.agentdef": FULL,
            "link.agentdef": "-> c.agentdef",
            "linked": "-> folder",
            "huge.agentdef": "#" * 262145,
            "huge.md": "x" * 262145,
            "latin.md": b"\xe9",
        }
    )
    number, told = fault(workshop, f"FROM scratch\n\n{line}\n")
    assert number == 3
    assert message in told


def test_a_version_that_is_none_is_told_where_it_stands(workshop: Workshop) -> None:
    line = "LABEL a=b org.opencontainers.image.version=one c=d"
    (found,) = workshop.faults(f"FROM scratch\n{line}\n").faults
    assert (found.line, found.column) == (2, line.index("one") + 1)


def test_faults_of_a_definition_are_told_in_its_own_file(workshop: Workshop) -> None:
    workshop.write("c.agentdef", FULL.replace("interface:", "interfase:"))
    found = workshop.faults("FROM scratch\nDEFINITION c.agentdef\n").faults
    assert [fault.file for fault in found] == [str(workshop.context / "c.agentdef")]
    assert found[0].line == 9


@pytest.mark.parametrize(
    ("label", "version"), [("1", "1.0.0"), ("1.2", "1.2.0"), ("1.2.3-rc.1+b", "1.2.3-rc.1+b")]
)
def test_versions_from_labels(workshop: Workshop, label: str, version: str) -> None:
    text = f"FROM scratch\nLABEL org.opencontainers.image.version={label}\n"
    built = workshop.build_text(text)
    assert built.version == version
    assert workshop.image(built).manifest.annotations["org.opencontainers.image.version"] == version


# A folder that holds only a definition


@pytest.fixture
def loose(workshop: Workshop) -> Workshop:
    workshop.fill({"coordinator.agentdef": FULL, "knowledge/workflow/a.md": "a", "b.md": "b"})
    return workshop


def test_a_folder_with_a_definition_alone(loose: Workshop) -> None:
    built = loose.build("coordinator:1.4")
    assert (built.name, built.version) == ("coordinator_agent", "1.4.0")
    assert loose.copied(built) == {"knowledge/workflow/a.md": b"a", "knowledge/b.md": b"b"}
    assert any("'zero.md' is not in the folder" in text for text in loose.told.warnings)
    kinds = [str(kind.kind) for kind in loose.image(built).layer_types()]
    assert kinds == ["knowledge", "knowledge", "config", "interface"]


def test_a_definition_named_by_file(loose: Workshop) -> None:
    loose.write("other.agentdef", FULL.replace("coordinator_agent", "other"))
    built = loose.build(file=loose.context / "other.agentdef")
    assert built.name == "other"
    loose.agentfile("FROM scratch\nINTERFACE from_agentfile\n")
    assert loose.build(file=loose.context / "other.agentdef").name == "other"
    assert loose.build().name == "from_agentfile"


@pytest.mark.parametrize(
    "name", ["my agent.agentdef", "$HOME.agentdef", 'quo"te.agentdef', "#x.agentdef", "知.agentdef"]
)
def test_definitions_of_any_name(workshop: Workshop, name: str) -> None:
    text = FULL.replace("[workflow/a.md, b.md]", "['a [x].md', '$b \"q\".md', 'c*.md']")
    workshop.fill({name: text, "a [x].md": "1", '$b "q".md': "2", "c*.md": "3", "cc.md": "4"})
    assert workshop.copied(workshop.build()) == {
        "knowledge/a [x].md": b"1",
        'knowledge/$b "q".md': b"2",
        "knowledge/c*.md": b"3",
    }


def test_two_definitions_need_a_choice(loose: Workshop) -> None:
    loose.write("other.agentdef", FULL)
    with pytest.raises(
        AmbiguousDefinition, match=r"no Agentfile, and 2 \.agentdef files"
    ) as caught:
        loose.build()
    assert caught.value.exit_code == Invalid.exit_code
    assert caught.value.hint == "name the file with -f FILE"


def test_nothing_to_build(workshop: Workshop) -> None:
    with pytest.raises(AgentfileMissing, match=r"no Agentfile, and no \.agentdef") as caught:
        workshop.build()
    assert caught.value.exit_code == NotFound.exit_code
    with pytest.raises(AgentfileMissing, match="Nofile") as caught:
        workshop.build(file=workshop.context / "Nofile")
    assert caught.value.hint
    with pytest.raises(DefinitionMissing, match="No such file"):
        workshop.build(file=workshop.context / "no.agentdef")
    with pytest.raises(NotFound, match="no such folder"):
        workshop.build(context=workshop.context / "nowhere")


def test_a_definition_outside_the_folder(loose: Workshop) -> None:
    outside = loose.folder / "outside.agentdef"
    outside.write_text(FULL)
    with pytest.raises(DefinitionMissing, match="is not inside") as caught:
        loose.build(file=outside)
    assert caught.value.hint == "build its own folder"


@pytest.mark.parametrize("path", ["../secret.md", "/etc/passwd", "workflow/../../secret.md"])
def test_knowledge_outside_the_folder_stays_there(workshop: Workshop, path: str) -> None:
    """A definition from somebody else must not reach into the builder's machine."""
    (workshop.folder / "secret.md").write_text("secret")
    workshop.write("c.agentdef", FULL.replace("[workflow/a.md, b.md]", json.dumps([path])))
    with pytest.raises(SourceFaults, match="leaves the agent's own files"):
        workshop.build()


def test_knowledge_behind_a_link_stays_there(workshop: Workshop) -> None:
    (workshop.folder / "secret").mkdir()
    (workshop.folder / "secret/s.md").write_text("secret")
    workshop.fill({"c.agentdef": FULL.replace("b.md", "out/s.md"), "out": "-> ../secret"})
    with pytest.raises(Invalid, match="'out' is a symbolic link"):
        workshop.build()


def test_a_definition_behind_a_link_leads_nowhere(loose: Workshop) -> None:
    (loose.context / "linked.agentdef").symlink_to("coordinator.agentdef")
    assert loose.build(file=loose.context / "linked.agentdef").name == "coordinator_agent"
