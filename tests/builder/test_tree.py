"""The tree form: what `save --tree` writes becomes the same agent again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentoci.api.builds import Built
from agentoci.builder.tree import SIDECAR, BadTree, build_tree, describe_image
from agentoci.errors import Integrity, SourceFaults
from agentoci.layers.unpack import unpack_image
from agentoci.spec.jsonio import Json
from agentoci.store.images import Image, read_image
from tests.builder.workshop import Workshop

AGENTFILE = """\
FROM scratch
COPY in /agent/knowledge/
COPY --chmod=755 in/a.md /agent/tools/run
REQUIRE helper:1.0
SET memory.level=BASIC
ENV A=1
LABEL team=blue org.opencontainers.image.version=1.2.3
INTERFACE tree_agent
HEALTHCHECK CMD check
ENTRYPOINT ["tools/run"]
"""


@pytest.fixture
def built(workshop: Workshop) -> Built:
    workshop.fill({"in/a.md": "a", "in/sub/b.md": "b", "in/link": "-> sub/b.md", "in/void": None})
    return workshop.build_text(AGENTFILE, "tree:1")


@pytest.fixture
def tree(workshop: Workshop, built: Built, tmp_path: Path) -> Path:
    """The image as a folder, with its sidecar."""
    image, store = workshop.image(built), workshop.engine.store
    unpack_image(image.packed_layers(store), tmp_path / "whole", inventory=image.inventory(store))
    folder = tmp_path / "whole/agent"
    (folder / SIDECAR).write_bytes(describe_image(image.config, ["tree:1", "tree:2"]))
    return folder


def load(workshop: Workshop, tree: Path) -> tuple[Image, list[str]]:
    store = workshop.engine.writable_store
    desc, names = build_tree(store, workshop.home / "cache", tree)
    return read_image(store, desc, what="the tree"), names


def test_an_image_survives_as_a_tree(workshop: Workshop, built: Built, tree: Path) -> None:
    image, names = load(workshop, tree)
    before, after = workshop.image(built).config, image.config
    assert names == ["tree:1", "tree:2"]
    assert after.agentoci == before.agentoci
    assert (after.env, after.entrypoint) == (before.env, before.entrypoint)
    assert dict(after.labels) == dict(before.labels)
    made = Built(image.root, built.layers, image.name, image.version)
    assert workshop.tree(made) == workshop.tree(built)
    assert load(workshop, tree)[0].root == image.root


def test_a_tree_without_a_sidecar_has_the_name_of_its_definition(
    workshop: Workshop, tree: Path
) -> None:
    (tree / SIDECAR).unlink()
    image, names = load(workshop, tree)
    assert names == ["tree_agent:1.2.3"]
    assert image.config.env == ()
    assert image.name == "tree_agent"


def test_what_is_generated_is_made_anew(workshop: Workshop, tree: Path) -> None:
    for name in ("files.json", "config.json"):
        (tree / name).chmod(0o644)
        (tree / name).write_text("{}")
    image, _ = load(workshop, tree)
    assert len(image.inventory(workshop.engine.store).entries) > 5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("definition.json", None, "definition.json: No such file"),
        ("definition.json", "[]", "definition.json: expected a JSON object"),
        ("definition.json", '{"kind": 1}', "definition.json"),
        (SIDECAR, "no", ".agentoci.json"),
        (SIDECAR, '{"config": 3}', ".agentoci.json"),
    ],
)
def test_trees_that_are_none(
    workshop: Workshop, tree: Path, name: str, content: str | None, message: str
) -> None:
    (tree / name).unlink()
    if content is not None:
        (tree / name).write_text(content)
    with pytest.raises(Integrity, match=message) as caught:
        load(workshop, tree)
    assert content is not None or isinstance(caught.value, BadTree)


def test_a_tree_with_names_that_collide(workshop: Workshop, tree: Path) -> None:
    for name in ("x", "X"):
        (tree / "knowledge" / name).write_text("x")
    with pytest.raises(SourceFaults, match="are one name where case is folded"):
        load(workshop, tree)


def test_the_sidecar_is_readable(workshop: Workshop, built: Built) -> None:
    document: dict[str, Json] = json.loads(describe_image(workshop.image(built).config, []))
    assert document["version"] == 1
    assert document["names"] == []
    assert document["requirements"] == [{"name": "helper", "version": "1.0", "required": True}]
    assert document["healthcheck"] is not None
