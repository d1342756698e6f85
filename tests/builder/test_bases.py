"""FROM: images of the store and of registries, scratch, stages, and what cannot be a base."""

from __future__ import annotations

import socket

import pytest

from agentoci.api.builds import Profile
from agentoci.content.reader import BytesSource
from agentoci.errors import AgentociError, Invalid, NotFound, Unreachable
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from agentoci.store.images import read_image
from agentoci.store.layout import LayoutStore
from tests.agentfile.samples import COORDINATOR
from tests.builder.workshop import Workshop


def failure(workshop: Workshop, agentfile: str) -> AgentociError:
    workshop.agentfile(agentfile)
    with pytest.raises(AgentociError) as caught:
        workshop.build("faulty:1")
    assert "faulty:1" not in workshop.names()
    return caught.value


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_missing_base_is_told_at_its_place(workshop: Workshop) -> None:
    error = failure(workshop, "# one\nFROM base_agent:latest\n")
    assert error.exit_code == NotFound.exit_code
    assert "Agentfile:2:6: base_agent:latest: no such image in the local store" in error.message
    assert "  | FROM base_agent:latest\n  |      ^^^^^^^^^^^^^^^^^" in error.message
    assert "hint: " in error.message


def test_a_near_name_is_offered(workshop: Workshop) -> None:
    workshop.build_text("FROM scratch\nINTERFACE base_agent\n", "base_agent:latest")
    assert (
        "did you mean 'base_agent:latest'" in failure(workshop, "FROM bass_agent:latest\n").message
    )


@pytest.mark.parametrize(
    ("lines", "label"),
    [
        ("INTERFACE other", None),
        ("INTERFACE other\nLABEL org.opencontainers.image.version=3.1", "3.1"),
        ("DEFINITION child.agentdef", "5.0.0"),
        ("LABEL other=1", "1.2.0"),
    ],
)
def test_the_label_of_a_version_is_not_that_of_the_base(
    workshop: Workshop, lines: str, label: str | None
) -> None:
    version = "org.opencontainers.image.version"
    base = f"FROM scratch\nINTERFACE base\nLABEL {version}=1.2.0\n"
    workshop.build_text(base, "base:1")
    text = "apiVersion: agent/v1\nkind: AgentDefinition\nmetadata: {name: child, version: 5.0.0}\n"
    workshop.write("child.agentdef", f"{text}spec: {{}}\n")
    built = workshop.build_text(f"FROM base:1\n{lines}\n", "child:1-dev")
    image = read_image(workshop.engine.store, built.root, what="child")
    assert image.config.labels.get(version) == label
    assert built.version == {None: "0.0.0", "3.1": "3.1.0"}.get(label, label)


def test_an_unreachable_registry_has_a_code_of_its_own(workshop: Workshop) -> None:
    error = failure(workshop, f"FROM 127.0.0.1:{closed_port()}/team/base:1\n")
    assert error.exit_code == Unreachable.exit_code
    assert "Agentfile:1:6: " in error.message
    assert "^^^^" in error.message


def test_an_image_that_is_no_agent(workshop: Workshop) -> None:
    store = workshop.engine.writable_store
    put_stranger(store, "busybox:latest")
    error = failure(workshop, "FROM busybox:latest\n")
    assert error.exit_code == Invalid.exit_code
    assert "busybox:latest is not an agent image" in error.message
    assert "Agentfile:1:6: " in error.message


def put_stranger(store: LayoutStore, name: str) -> None:
    """An image of another kind."""
    config = Descriptor.of("application/vnd.oci.image.config.v1+json", b"{}")
    layer = Descriptor.of("application/vnd.oci.image.layer.v1.tar", bytes(1024))
    store.push(config, BytesSource(b"{}"))
    store.push(layer, BytesSource(bytes(1024)))
    manifest = Manifest.build(config=config, layers=(layer,))
    store.push(manifest.descriptor, BytesSource(manifest.raw))
    store.tag(manifest.descriptor, name)


def test_all_stages_are_needed_only_when_something_comes_from_them(workshop: Workshop) -> None:
    """As in docker's builder, a stage that nobody asks for is not built."""
    built = workshop.build_text("FROM nobody:1 AS unused\nFROM scratch\nINTERFACE x\n")
    assert built.name == "x"
    assert [step.text for step, _ in workshop.told.steps] == ["FROM scratch", "INTERFACE x"]


def test_a_stage_as_base(workshop: Workshop) -> None:
    workshop.write("a.md", "a")
    built = workshop.build_text(
        "FROM scratch AS one\nCOPY a.md /agent/knowledge/\nENV A=1\nREQUIRE x:1\n"
        'LABEL org.opencontainers.image.version=2.0.0\nINTERFACE one\nENTRYPOINT ["run"]\n'
        "HEALTHCHECK CMD check\n"
        "FROM one AS two\nENV B=2\n"
        "FROM two\nCOPY a.md /agent/knowledge/b.md\n"
    )
    config = workshop.image(built).config
    assert workshop.copied(built) == {"knowledge/a.md": b"a", "knowledge/b.md": b"a"}
    assert config.env == ("A=1", "B=2")
    assert config.entrypoint == ("run",)
    assert "healthcheck" in config.agentoci
    assert (built.name, built.version) == ("one", "2.0.0")
    assert "org.opencontainers.image.base.name" not in workshop.image(built).manifest.annotations


def test_a_base_pinned_by_digest(workshop: Workshop) -> None:
    first = workshop.build_text("FROM scratch\nENV V=1\nINTERFACE base\n", "base:1")
    workshop.build_text("FROM scratch\nENV V=2\nINTERFACE base\n", "base:1")
    built = workshop.build_text(f"FROM base@{first.root.digest}\nENV W=1\n")
    assert workshop.image(built).config.env == ("V=1", "W=1")
    annotations = workshop.image(built).manifest.annotations
    assert annotations["org.opencontainers.image.base.digest"] == str(first.root.digest)
    gone = "sha256:" + "0" * 64
    assert failure(workshop, f"FROM base@{gone}\n").exit_code == NotFound.exit_code


def test_a_base_by_an_argument(workshop: Workshop) -> None:
    workshop.build_text("FROM scratch\nENV V=1\nINTERFACE base\n", "base:one")
    workshop.build_text("FROM scratch\nENV V=2\nINTERFACE base\n", "base:two")
    workshop.agentfile("ARG TAG=one\nFROM base:$TAG\nENV W=1\n")
    assert workshop.image(workshop.build()).config.env[0] == "V=1"
    assert workshop.image(workshop.build(build_args={"TAG": "two"})).config.env[0] == "V=2"


@pytest.mark.parametrize("above", list(Profile))
@pytest.mark.parametrize("below", list(Profile))
def test_bases_of_either_profile(workshop: Workshop, below: Profile, above: Profile) -> None:
    workshop.write("a.md", "a")
    workshop.write("noise", bytes(range(256)) * 3)
    base = workshop.build_text(
        "FROM scratch\nCOPY a.md noise /agent/knowledge/\nINTERFACE base\n", "base:1", profile=below
    )
    built = workshop.build_text("FROM base:1\nCOPY a.md /agent/b.md\n", profile=above)
    assert workshop.copied(built).keys() == {"knowledge/a.md", "knowledge/noise", "b.md"}
    mine = [desc.digest for desc in workshop.image(built).manifest.layers]
    theirs = [desc.digest for desc in workshop.image(base).manifest.layers]
    if below is above:
        assert mine[: len(theirs)] == theirs


def test_the_profile_of_the_base_does_not_decide_the_content(workshop: Workshop) -> None:
    workshop.write("a.md", "a" * 1000)
    trees = []
    for profile in Profile:
        workshop.build_text("FROM scratch\nCOPY a.md /agent/\n", "base:1", profile=profile)
        built = workshop.build_text("FROM base:1\nCOPY a.md /agent/b\n")
        trees.append(workshop.image(built).config.diff_ids)
    assert trees[0] == trees[1]


def test_the_agentfile_of_the_specification_builds_as_written(workshop: Workshop) -> None:
    workshop.fill(
        {
            "knowledge/workflow/coordination_patterns.md": "# c\n",
            "knowledge/workflow/error_recovery.md": "# e\n",
            "knowledge/patterns/zero_knowledge_pattern.md": "# z\n",
        }
    )
    workshop.build_text(
        'FROM scratch\nINTERFACE base_agent\nENTRYPOINT ["run"]\n', "base_agent:latest"
    )
    for name in ("psm_generator", "code_generator"):
        workshop.build_text(f"FROM scratch\nINTERFACE {name}\n", f"{name}:1.0")
    built = workshop.build_text(COORDINATOR, "coordinator:1.0")
    image = workshop.image(built)
    assert set(workshop.copied(built)) == {
        "knowledge/coordination_patterns.md",
        "knowledge/error_recovery.md",
        "knowledge/zero_knowledge_pattern.md",
    }
    assert image.name == "coordinator_agent"
    kinds = [str(kind.kind) for kind in image.layer_types()]
    assert kinds == ["interface", "knowledge", "knowledge", "tools", "config", "interface"]
    assert image.config.entrypoint == ("run",)
    assert not [text for text in workshop.told.warnings if "satisfies" in text]
