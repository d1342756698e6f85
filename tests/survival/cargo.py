"""An image of many blobs, small and large, for transfers that something happens to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentoci.api.builds import BuildOptions
from agentoci.api.engine import Engine
from agentoci.config.settings import read_settings
from agentoci.spec.reference import Reference
from tests import commandline


@dataclass(frozen=True, slots=True)
class Cargo:
    """An image in a store: its manifest's digest, and the size of every blob it needs."""

    home: Path
    digest: str
    blobs: Mapping[str, int]

    @property
    def size(self) -> int:
        """Bytes of all blobs; the manifest is not one of them."""
        return sum(self.blobs.values())

    @property
    def manifest_size(self) -> int:
        """Bytes of the manifest."""
        return blob_path(self.home, self.digest).stat().st_size

    def largest(self, count: int) -> list[str]:
        """The digests of so many of the largest blobs, the largest first."""
        return sorted(self.blobs, key=lambda digest: -self.blobs[digest])[:count]


def blob_path(home: Path, digest: str) -> Path:
    """Where the store of an AGENTOCI_HOME has a blob."""
    return home / "store" / "blobs" / "sha256" / digest.removeprefix("sha256:")


def noise(name: str, size: int) -> bytes:
    """Bytes that do not compress; the same for the same name."""
    return hashlib.shake_256(name.encode()).digest(size)


def build_cargo(folder: Path, images: Mapping[str, Mapping[str, int]]) -> dict[str, Cargo]:
    """Build images in one store: for each name the sizes of its files, a layer for each.

    Files of the same name and size are the same layer.
    """
    with Engine(read_settings(commandline.home_variables(folder))) as engine:
        for image, sizes in images.items():
            context = _write_context(folder / image.replace(":", "-"), sizes)
            engine.builds.build(context, BuildOptions(tags=(Reference.parse(image),)))
    home = folder / "agentoci"
    return {image: read_cargo(home, image) for image in images}


def read_cargo(home: Path, image: str) -> Cargo:
    """What the store of this home has under a name."""
    entries = json.loads((home / "store" / "index.json").read_bytes())["manifests"]
    key = "org.opencontainers.image.ref.name"
    [digest] = [
        entry["digest"]
        for entry in entries
        if entry["annotations"].get(key, "").rpartition("/")[2] == image
    ]
    manifest = json.loads(blob_path(home, digest).read_bytes())
    children = [manifest["config"], *manifest["layers"]]
    return Cargo(home, digest, {child["digest"]: child["size"] for child in children})


def _write_context(folder: Path, sizes: Mapping[str, int]) -> Path:
    folder.mkdir()
    lines = ["FROM scratch"]
    for name, size in sizes.items():
        (folder / name).write_bytes(noise(name, size))
        lines.append(f"COPY {name} /agent/files/{name}")
    (folder / "Agentfile").write_text("\n".join([*lines, "INTERFACE cargo", ""]))
    return folder
