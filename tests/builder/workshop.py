"""A place to build in: a context to fill, a home to build into, and what came out of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agentoci._internal.clock import SystemClock
from agentoci.api.builds import BuildOptions, Built, Layer, Step
from agentoci.api.engine import Engine
from agentoci.config.settings import read_settings
from agentoci.errors import SourceFaults
from agentoci.layers.inventory import Inventory
from agentoci.layers.unpack import unpack_image
from agentoci.spec.reference import Reference
from agentoci.store.images import Image, read_image
from tests.layers.archives import contents

GENERATED = (
    "agent/definition.json",
    "agent/files.json",
    "agent/config.json",
    "agent/tools/bindings.json",
)


FILES: dict[str, str | bytes | None] = {
    "a.md": "a",
    "b.md": "b",
    ".hidden.md": "hidden",
    "docs/c.md": "c",
    "docs/d.txt": "d",
    "docs/deep/e.md": "e",
    "docs/deep/deeper/f.md": "f",
    "docs/empty": None,
    "more/a.md": "more a",
    "set/a1.md": "1",
    "set/b2.md": "2",
    "set/d3.md": "3",
    "set/[x].md": "x",
    "with space.md": "space",
}
"""A context to copy from."""


class LaterClock(SystemClock):
    """An hour ahead, so that no file of a test is too young to be trusted."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=1)

    def sleep(self, seconds: float) -> None:
        """Nobody waits in a test."""


class Told:
    """Keeps what a build reports."""

    def __init__(self) -> None:
        self.steps: list[tuple[Step, list[Layer]]] = []
        self.warnings: list[str] = []

    def step(self, step: Step, layers: Sequence[Layer]) -> None:
        self.steps.append((step, list(layers)))

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class Workshop:
    """One context and one home; every build sees the disk anew, as a new process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = folder / "context"
        self.home = folder / "workshop-home"
        self.context.mkdir(parents=True, exist_ok=True)
        self.told = Told()
        self.clock: SystemClock = LaterClock()
        self.environment: dict[str, str] = {}

    # The context

    def write(
        self, path: str, content: str | bytes = "text\n", *, executable: bool = False
    ) -> Path:
        """Write a file of the context."""
        file = self.context / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(0o755 if executable else 0o644)
        return file

    def fill(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write many: text, `-> target` for a link, None for an empty folder."""
        for path, content in files.items():
            file = self.context / path
            if content is None:
                file.mkdir(parents=True)
            elif isinstance(content, str) and content.startswith("-> "):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.symlink_to(content.removeprefix("-> "))
            else:
                self.write(path, content)

    def agentfile(self, text: str) -> None:
        """Write the Agentfile."""
        self.write("Agentfile", text)

    # Building

    @property
    def engine(self) -> Engine:
        """An engine over the home."""
        settings = read_settings(
            {"HOME": str(self.folder), "AGENTOCI_HOME": str(self.home), **self.environment}
        )
        return Engine(settings, clock=self.clock)

    def build(self, tag: str = "test:1", *, context: Path | None = None, **options: Any) -> Built:
        """Build and tag; what was told is in `told`."""
        self.told = Told()
        engine = self.engine
        options.setdefault("epoch", engine.settings.epoch)
        options.setdefault("replace", True)  # tests build one version again and again
        chosen = BuildOptions(tags=(Reference.parse(tag),), **options)
        return engine.builds.build(context or self.context, chosen, report=self.told)

    def build_text(self, agentfile: str, tag: str = "test:1", **options: Any) -> Built:
        """Build with this Agentfile."""
        self.agentfile(agentfile)
        return self.build(tag, **options)

    def faults(self, agentfile: str) -> SourceFaults:
        """The faults of a build with this Agentfile; nothing may have been tagged."""
        try:
            self.build_text(agentfile, "faulty:1")
        except SourceFaults as exc:
            assert "faulty:1" not in self.names()
            return exc
        raise AssertionError("the build went through")

    # What came out

    def names(self) -> list[str]:
        """The names in the store."""
        return [entry.name for entry in self.engine.store.index.read() if entry.name]

    def image(self, built: Built) -> Image:
        """The image of a build."""
        return read_image(self.engine.store, built.root, what="the test's image")

    def inventory(self, built: Built) -> Inventory:
        """Its `files.json`."""
        return self.image(built).inventory(self.engine.store)

    def tree(self, built: Built) -> dict[str, bytes | str | None]:
        """Everything below the image's root, checked against the inventory by unpacking."""
        image, store = self.image(built), self.engine.store
        folder = Path(tempfile.mkdtemp(dir=self.folder)) / "tree"
        unpack_image(image.packed_layers(store), folder, inventory=image.inventory(store))
        found = contents(folder)
        shutil.rmtree(folder.parent)
        return found

    def copied(self, built: Built) -> dict[str, bytes | str | None]:
        """The tree below `/agent`, without what the builder writes itself."""
        return {
            path.removeprefix("agent/"): content
            for path, content in self.tree(built).items()
            if path not in GENERATED
        }

    def ingest(self) -> list[str]:
        """Half-written files in the store."""
        folder = self.home / "store" / "ingest"
        return sorted(path.name for path in folder.glob("*") if path.suffix != ".lock")
