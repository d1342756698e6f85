"""Images with one big blob, for tests of whole transfers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from agentoci.api.builds import BuildOptions
from agentoci.api.engine import Engine
from agentoci.config.settings import read_settings
from agentoci.spec.reference import Reference
from tests import commandline

AGENTFILE = """\
FROM scratch
COPY {name} /agent/knowledge/{name}
COPY notes.md /agent/knowledge/notes.md
INTERFACE crate
"""


def noise(size: int) -> bytes:
    """Bytes that do not compress, always the same."""
    return hashlib.shake_256(b"crate").digest(size)


def build_crates(folder: Path, sizes: Mapping[str, int]) -> Path:
    """Build an image for each name, with a blob of that size; returns their AGENTOCI_HOME."""
    with Engine(read_settings(commandline.home_variables(folder))) as engine:
        for image, size in sizes.items():
            context = _write_context(folder / image.replace(":", "-"), size)
            engine.builds.build(context, BuildOptions(tags=(Reference.parse(image),)))
    return folder / "agentoci"


def _write_context(folder: Path, size: int) -> Path:
    folder.mkdir()
    name = f"noise-{size}.bin"
    (folder / name).write_bytes(noise(size))
    (folder / "notes.md").write_text("# Notes\n")
    (folder / "Agentfile").write_text(AGENTFILE.format(name=name))
    return folder
