"""Skills in an image: checked where they are copied, brought in where they are required."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agentoci.agentfile import parse
from agentoci.api.builds import BuildOptions, Built
from agentoci.builder.context import Context
from agentoci.builder.located import InstructionFailed
from agentoci.builder.needs import skill_requirements
from agentoci.builder.options import Pins
from agentoci.builder.replay import Trace
from agentoci.errors import AgentociError, SourceFaults
from agentoci.release.requirements import SkillRequirement
from agentoci.store.layout import LayoutStore
from tests.builder.workshop import Workshop
from tests.interop_formats import layouts
from tests.interop_formats.layouts import LAYOUTS, SKILLS
from tests.peers import Oras
from tests.registries import Registry, find_tool

NAME = "table-cleanup"
ALL = sorted(path.name for path in SKILLS.iterdir())


def expected(*names: str) -> dict[str, bytes | str | None]:
    """The files of our skills, where an image has them."""
    return {
        f"knowledge/skills/{name}/{path}": file.read_bytes()
        for name in names
        for path, file in layouts.files_of(SKILLS / name).items()
    }


def bindings(workshop: Workshop, built: Built) -> list[dict[str, Any]]:
    found: Any = workshop.image(built).config.agentoci["requirements"]
    listed: list[dict[str, Any]] = found
    return listed


def layout_of(workshop: Workshop, name: str = "layout") -> LayoutStore:
    return LayoutStore.create(workshop.folder / name, clock=workshop.clock)


@pytest.fixture
def copied(workshop: Workshop) -> Workshop:
    """A context with our skills in it."""
    shutil.copytree(SKILLS, workshop.context / "skills")
    return workshop


# COPY


def test_good_skills_are_copied_as_they_are(copied: Workshop) -> None:
    built = copied.build_text("FROM scratch\nCOPY skills /agent/knowledge/skills/\n")
    assert copied.copied(built) == expected(*ALL)
    modes = {entry.path: entry.mode for entry in copied.inventory(built).entries}
    assert modes[f"agent/knowledge/skills/{NAME}/scripts/clean.py"] == 0o755


def test_bad_skills_fail_the_build_with_all_their_faults(copied: Workshop) -> None:
    copied.write("skills/one/SKILL.md", "---\nname: Two\nfoo: x\n---\n")
    copied.write("skills/three/SKILL.md", "nothing\n")
    found = copied.faults(
        "FROM scratch\nCOPY none.md /agent/\nCOPY skills /agent/knowledge/skills/\n"
    )
    said = str(found)
    for part in (
        "'none.md' is not in the context",
        "skills/one/SKILL.md:2:1: 'description' is missing",
        "skills/one/SKILL.md:2:7: 'Two' is not the name of a skill",
        "skills/one/SKILL.md:3:1: unknown key 'foo'",
        "skills/three/SKILL.md:1:1: no frontmatter",
    ):
        assert part in said


def test_the_folder_in_the_image_counts(copied: Workshop) -> None:
    found = copied.faults(f"FROM scratch\nCOPY skills/{NAME} /agent/knowledge/tables/\n")
    assert f"the skill is called '{NAME}', its folder 'tables'" in str(found)


def test_a_heredoc_is_a_skill_too(workshop: Workshop) -> None:
    text = "FROM scratch\nCOPY <<SKILL.md /agent/knowledge/skills/x/\n---\nname: y\n---\nSKILL.md\n"
    assert "'y', its folder 'x'" in str(workshop.faults(text))


# REQUIRE of a folder


@pytest.mark.parametrize("source", [f"skills/{NAME}", f"./skills/{NAME}", f"skills/{NAME}/"])
def test_a_skill_of_the_context(copied: Workshop, source: str) -> None:
    built = copied.build_text(f"FROM scratch\nREQUIRE skill:{source} AS tables\n")
    assert copied.copied(built) == expected(NAME)
    assert bindings(copied, built) == [
        {
            "name": "tables",
            "required": True,
            "skill": {"path": source},
            "resolved": {"skills": [NAME]},
        }
    ]


def test_a_dry_run_shows_its_layer(copied: Workshop) -> None:
    copied.agentfile(f"FROM scratch\nCOPY skills /agent/a/\nREQUIRE skill:skills/{NAME}\n")
    plans = copied.engine.builds.plan(copied.context, BuildOptions())
    assert [plan.created_by for plan in plans][-1] == f"skill {NAME}"
    assert plans[-1].file_count == 2


def test_a_skill_of_a_definition(copied: Workshop) -> None:
    definition = f"""\
apiVersion: agent/v1
kind: AgentDefinition
metadata: {{name: bot, version: 1.0.0}}
spec: {{interface: x, requires: {{tools: [{{name: t, skill: ./skills/{NAME}}}]}}}}
"""
    copied.write("bot.agentdef", definition)
    assert copied.copied(copied.build("bot:1")) == expected(NAME)


def test_a_changed_skill_is_seen(copied: Workshop) -> None:
    text = f"FROM scratch\nREQUIRE skill:skills/{NAME}\n"
    first = copied.build_text(text)
    assert copied.build().root.digest == first.root.digest
    copied.write(f"skills/{NAME}/extra.md", "more\n")
    assert f"knowledge/skills/{NAME}/extra.md" in copied.copied(copied.build())


# What REQUIRE says, the message, the hint.
BAD = [
    ("./none", "the skill './none' is no folder of the context", "HOST/NAME:TAG"),
    ("skills/", "the folder 'skills/' has no SKILL.md", "a skill has one"),
    (f"skills/{NAME}/SKILL.md", "is no folder of the context", ""),
    (f"./skills/{NAME}#other", f"is called '{NAME}'", ""),
    ("../skills/", "leads out of the context", "inside the folder"),
]


@pytest.mark.parametrize(("source", "message", "hint"), BAD)
def test_what_is_no_skill_of_the_context(
    copied: Workshop, source: str, message: str, hint: str
) -> None:
    good = f"REQUIRE --optional skill:./skills/{NAME}"
    with pytest.raises((InstructionFailed, SourceFaults)) as caught:
        copied.build_text(f"FROM scratch\n{good}\nREQUIRE skill:{source} AS it\n")
    said = str(caught.value)
    assert message in said
    assert hint in said
    assert "Agentfile:3:9:" in said
    assert "test:1" not in copied.names()


# REQUIRE of an artifact


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_skill_of_every_layout(workshop: Workshop, layout: str) -> None:
    store = layout_of(workshop)
    root = LAYOUTS[layout](store, SKILLS / NAME)
    store.tag(root, "skills/tables:1.0")
    source = f"oci:{store.root}:skills/tables:1.0"
    built = workshop.build_text(f"FROM scratch\nREQUIRE skill:{source} AS tables\n")
    assert workshop.copied(built) == expected(NAME)
    assert bindings(workshop, built) == [
        {
            "name": "tables",
            "required": True,
            "skill": {"reference": source},
            "resolved": {"reference": source, "digest": str(root.digest), "skills": [NAME]},
        }
    ]
    modes = {entry.path: entry.mode for entry in workshop.inventory(built).entries}
    assert modes[f"agent/knowledge/skills/{NAME}/scripts/clean.py"] == 0o755


def test_an_agent_image_is_a_layout_too(copied: Workshop) -> None:
    copied.build_text("FROM scratch\nCOPY skills /agent/knowledge/skills/\n", "kit:1")
    built = copied.build_text("FROM scratch\nREQUIRE skill:kit:1\n", "bot:1")
    assert copied.copied(built) == expected(*ALL)


def test_all_or_one_of_several(workshop: Workshop) -> None:
    store = layout_of(workshop)
    store.tag(layouts.several(store), "kit:1")
    source = f"skill:oci:{store.root}:kit:1"
    whole = workshop.build_text(f"FROM scratch\nREQUIRE {source} AS kit\n")
    assert workshop.copied(whole) == expected(*ALL)
    one = workshop.build_text(f'FROM scratch\nREQUIRE "{source}#{NAME}"\n')
    assert workshop.copied(one) == expected(NAME)
    (binding,) = bindings(workshop, one)
    assert binding["name"] == NAME
    assert binding["resolved"]["skills"] == [NAME]


def test_a_folder_of_a_layout_counts_from_the_context(workshop: Workshop) -> None:
    store = LayoutStore.create(workshop.context / "vendor" / "oci", clock=workshop.clock)
    store.tag(layouts.raw_files(store, SKILLS / NAME), "t:1")
    built = workshop.build_text("FROM scratch\nREQUIRE skill:oci:vendor/oci:t:1 AS t\n")
    assert workshop.copied(built) == expected(NAME)


def test_a_base_passes_its_skills_on(workshop: Workshop) -> None:
    store = layout_of(workshop)
    store.tag(layouts.raw_files(store, SKILLS / NAME), "t:1")
    base = workshop.build_text(f"FROM scratch\nREQUIRE skill:oci:{store.root}:t:1 AS t\n", "base:1")
    shutil.rmtree(store.root)  # what the base has is not looked for again
    child = workshop.build_text("FROM base:1\nENV A=1\n", "child:1")
    assert bindings(workshop, child) == bindings(workshop, base)
    assert workshop.copied(child) == expected(NAME)


def test_versions_of_a_skill_are_not_mixed(copied: Workshop) -> None:
    copied.build_text(f"FROM scratch\nREQUIRE skill:skills/{NAME}\n", "base:1")
    shutil.rmtree(copied.context / f"skills/{NAME}/scripts")
    with pytest.raises(
        InstructionFailed, match=r"scripts/clean\.py', which this version of the skill has"
    ):
        copied.build_text(f"FROM base:1\nREQUIRE skill:skills/{NAME}\n", "child:1")


def test_a_skill_comes_once(copied: Workshop) -> None:
    text = f"FROM scratch\nREQUIRE skill:skills/{NAME}\nREQUIRE skill:./skills/{NAME} AS again\n"
    with pytest.raises(InstructionFailed, match=f"{NAME} and again both bring the skill '{NAME}'"):
        copied.build_text(text)


def test_a_definition_renews_its_skills_over_a_base(copied: Workshop) -> None:
    tool = f"{{name: t, skill: ./skills/{NAME}}}"
    definition = "apiVersion: agent/v1\nkind: AgentDefinition\n"
    definition += "metadata: {name: bot, version: 0.1.0-dev}\n"
    definition += f"spec: {{interface: x, requires: {{tools: [{tool}]}}}}\n"
    copied.write("bot.agentdef", definition)
    copied.build_text("FROM scratch\nDEFINITION bot.agentdef\n", "base:1")
    copied.write(f"skills/{NAME}/extra.md", "more\n")
    plain = copied.build_text("FROM base:1\n", "plain:1")
    renewed = copied.build_text("FROM base:1\nDEFINITION bot.agentdef\n", "renewed:1")
    added = f"knowledge/skills/{NAME}/extra.md"
    assert added not in copied.copied(plain)
    assert added in copied.copied(renewed)


def test_an_optional_skill_is_taken_once_it_is_there(workshop: Workshop) -> None:
    store = layout_of(workshop)
    store.tag(layouts.raw_files(store, SKILLS / ALL[0]), "other:1")
    text = f"FROM scratch\nREQUIRE --optional skill:oci:{store.root}:t:1 AS t\n"
    assert workshop.copied(workshop.build_text(text)) == {}
    store.tag(layouts.raw_files(store, SKILLS / NAME), "t:1")
    assert workshop.copied(workshop.build()) == expected(NAME)


def test_a_secret_in_a_skill_fails_the_build(copied: Workshop) -> None:
    secret = "-".join(("sk", "ant", "api03", "A1b2C3d4" * 12))
    copied.write(f"skills/{NAME}/references/keys.md", f"key: {secret}\n")
    with pytest.raises(AgentociError, match="secret") as caught:
        copied.build_text(f"FROM scratch\nREQUIRE skill:skills/{NAME}\n")
    assert secret not in str(caught.value)


def test_a_pin_decides_which_one_it_is(workshop: Workshop) -> None:
    store = layout_of(workshop)
    old = layouts.raw_files(store, SKILLS / NAME)
    store.tag(old, "t:1")
    text = f"FROM scratch\nREQUIRE skill:oci:{store.root}:t:1 AS t\n"
    pin = {"digest": str(old.digest), "reference": f"oci:{store.root}:t:1", "version": "1.0.0"}
    first = workshop.build_text(text, pins=Pins(requirements={"t": pin}))
    store.tag(layouts.raw_files(store, SKILLS / ALL[0]), "t:1")
    assert workshop.build(pins=Pins(requirements={"t": pin})).root.digest == first.root.digest
    (binding,) = bindings(workshop, first)
    assert binding["resolved"] == {**pin, "skills": [NAME]}
    assert workshop.copied(workshop.build()) == expected(ALL[0])


def test_what_is_not_there(workshop: Workshop) -> None:
    with pytest.raises(InstructionFailed, match=r"Agentfile:2:9: .*none") as caught:
        workshop.build_text("FROM scratch\nREQUIRE skill:none:1.0\n")
    assert caught.value.exit_code == 6
    workshop.build_text("FROM scratch\nREQUIRE --optional skill:none:1.0\n")
    assert any("without the optional skill none" in text for text in workshop.told.warnings)


def test_what_is_no_skill(workshop: Workshop) -> None:
    store = layout_of(workshop)
    chart = ("application/vnd.cncf.helm.config.v1+json", b"{}")
    layer = layouts.blob("text/plain", b"hello", "hello.txt")
    store.tag(layouts.artifact(store, [layer], config=chart), "t:1")
    with pytest.raises(InstructionFailed, match=r"no SKILL\.md in it") as caught:
        workshop.build_text(f"FROM scratch\nREQUIRE skill:oci:{store.root}:t:1 AS t\n")
    assert "it is a Helm chart" in str(caught.value)
    assert caught.value.exit_code == 2


# What the lock asks


def test_the_skills_that_come_from_elsewhere(copied: Workshop) -> None:
    text = (
        "FROM scratch\n"
        f"REQUIRE skill:skills/{NAME}\n"
        "REQUIRE --optional skill:ghcr.io/x/pdf:1.0\n"
        "REQUIRE skill:oci:vendor:x AS vendored\n"
        "REQUIRE psm:1.0\n"
    )
    definition: dict[str, Any] = {
        "spec": {
            "requires": {
                "tools": [
                    {"name": "a", "skill": {"reference": "ghcr.io/x/a"}, "version": "^1"},
                    {"name": "pdf", "skill": {"reference": "old"}},
                    {"name": NAME, "skill": {"reference": "old"}},
                    {"name": "b", "skill": {"path": "./b"}},
                    {"name": "c"},
                ]
            }
        }
    }
    context = Context.open(copied.context, trace=Trace(0))
    assert skill_requirements(parse(text), definition, context) == [
        SkillRequirement("a", "ghcr.io/x/a", "^1"),
        SkillRequirement("pdf", "ghcr.io/x/pdf:1.0", required=False),
        SkillRequirement("vendored", "oci:vendor:x"),
    ]


# Registries, and the tools that people push with


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def tool(name: str) -> Path:
    found = find_tool(name)
    if found is None:
        pytest.skip(f"no {name} on this machine; scripts/install-peers installs it")
    return found


@pytest.mark.interop
def test_a_skill_that_oras_pushed(
    workshop: Workshop, distribution: Registry, repository: str
) -> None:
    name = distribution.reference(f"{repository}/{NAME}:1.2.0")
    oras = Oras(tool("oras"))
    run(*oras.push_files(name, "SKILL.md", "scripts"), cwd=SKILLS / NAME)
    built = workshop.build_text(f"FROM scratch\nREQUIRE skill:{name}\n")
    assert workshop.copied(built) == expected(NAME)
    run(*oras.push_files(name, "SKILL.md:text/markdown"), cwd=SKILLS / "release-notes")
    assert workshop.build().root.digest == built.root.digest, "the tag here has not moved"


@pytest.mark.interop
def test_a_folder_that_oras_pushed(
    workshop: Workshop, distribution: Registry, repository: str
) -> None:
    name = distribution.reference(f"{repository}/kit:1")
    run(*Oras(tool("oras")).push_files(name, *ALL), cwd=SKILLS)
    built = workshop.build_text(f"FROM scratch\nREQUIRE skill:{name}\n")
    assert workshop.copied(built) == expected(*ALL)


@pytest.mark.interop
def test_an_image_that_crane_made(
    workshop: Workshop, distribution: Registry, repository: str, tmp_path: Path
) -> None:
    name = distribution.reference(f"{repository}/{NAME}:1")
    layer = tmp_path / "layer.tar"
    layer.write_bytes(layouts.tar_of(SKILLS / NAME, prefix=f"skills/{NAME}/"))
    run(tool("crane"), "append", "--oci-empty-base", "-f", layer, "-t", name, cwd=tmp_path)
    built = workshop.build_text(f"FROM scratch\nREQUIRE skill:{name} AS tables\n")
    assert workshop.copied(built) == expected(NAME)


@pytest.mark.integration
def test_a_range_of_versions(workshop: Workshop, distribution: Registry, repository: str) -> None:
    name = distribution.reference(f"{repository}/{NAME}")
    store = layout_of(workshop)
    for tag, skill in (
        ("1.0.0", ALL[0]),
        ("1.2.0", NAME),
        ("1.10.0-rc.1", ALL[1]),
        ("2.0.0", ALL[1]),
    ):
        root = layouts.raw_files(store, SKILLS / skill)
        store.tag(root, f"it:{tag}")
        workshop.engine.copies.copy(f"oci:{store.root}:it:{tag}", f"{name}:{tag}")
    definition = f"""\
apiVersion: agent/v1
kind: AgentDefinition
metadata: {{name: bot, version: 1.0.0}}
spec: {{requires: {{tools: [{{name: t, version: ^1.0, skill: {{reference: "{name}"}}}}]}}}}
"""
    workshop.write("bot.agentdef", definition)
    built = workshop.build("bot:1")
    assert workshop.copied(built) == expected(NAME)
    (binding,) = bindings(workshop, built)
    assert binding["resolved"]["version"] == "1.2.0"
    assert binding["resolved"]["reference"] == f"{name}:1.2.0"
    workshop.write("bot.agentdef", definition.replace("^1.0", "^3"))
    with pytest.raises(InstructionFailed, match=r"no version in '\^3'") as caught:
        workshop.build("none:1")
    assert "1.2.0" in str(caught.value)
    assert caught.value.exit_code == 6
