"""Files that oras-py's users push and pull: described in one pass, saved verified or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agentoci._internal import limits
from agentoci._internal.files import replacing
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import VerifiedReader
from agentoci.errors import Integrity
from agentoci.layers.paths import fault_of
from agentoci.layers.tree import failure
from agentoci.spec.annotations import TITLE
from agentoci.spec.descriptor import Descriptor


class BadTitle(Integrity):
    """The name that an artifact gives a file is none, leads elsewhere, or is given twice."""


def save(source: Fetcher, desc: Descriptor, path: Path) -> None:
    """Put content into a file, which appears when size and digest are right.

    Raises DigestMismatch, SizeMismatch, ContentNotFound, DiskFull, UnpackDenied, UnpackFailed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as out, source.fetch(desc) as stream:
            reader = VerifiedReader(stream, desc)
            while chunk := reader.read(limits.NETWORK_BUFFER):
                out.write(chunk)
    except OSError as exc:
        raise failure(path, exc) from exc


def titled(layers: Iterable[Descriptor]) -> dict[str, Descriptor]:
    """The layers by the names that their files get: the title, else the digest.

    A layer that stands twice under one name is one file. Raises BadTitle for a name that leads out
    of a folder, or that two layers have.
    """
    found: dict[str, Descriptor] = {}
    for layer in layers:
        title = layer.annotations.get(TITLE) or str(layer.digest)
        name = title.removeprefix("./").removesuffix("/")
        fault = fault_of(name)
        if fault is not None:
            raise BadTitle(f"layer {layer.digest.short} is called {title!r}: {fault}")
        if found.setdefault(name, layer).digest != layer.digest:
            raise BadTitle(f"two layers are called {title!r}")
    return found


def place_in(folder: Path, name: str) -> Path:
    """Where a file of this name goes; raises BadTitle when links that are there lead elsewhere."""
    path = folder / name
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise BadTitle(
            f"{name!r} leads out of {folder} by a link that is there",
            hint="pull into an empty folder",
        )
    return path
