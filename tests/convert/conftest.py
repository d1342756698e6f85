"""An engine over a home of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from agentoci.api.builds import BuildOptions
from agentoci.api.engine import Engine
from agentoci.layers.unpack import unpack_image
from agentoci.spec.reference import Reference
from agentoci.store.images import read_image
from tests.layers.archives import contents

Build = Callable[[Path, str], Mapping[str, bytes | str | None]]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """It has the test's home."""
    with Engine() as engine:
        yield engine


@pytest.fixture
def build(engine: Engine, tmp_path: Path) -> Build:
    """Build a folder under a name; gives what the image unpacks to."""

    def build(folder: Path, name: str) -> Mapping[str, bytes | str | None]:
        built = engine.builds.build(folder, BuildOptions(tags=(Reference.parse(name),)))
        image = read_image(engine.store, built.root, what=name)
        tree = tmp_path / "trees" / name.replace(":", "_")
        tree.parent.mkdir(exist_ok=True)
        layers = image.packed_layers(engine.store)
        unpack_image(layers, tree, inventory=image.inventory(engine.store))
        return contents(tree)

    return build
