"""Stores that others wrote to, looked at without code of ours: every digest is computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.survival.cargo import blob_path

_LEAVINGS = ("*.part", "tmp-*", ".*")


def assert_whole(home: Path) -> None:
    """What is in the store is what its name says, and what the index names is there.

    A store that nobody has made yet is whole.
    """
    store = home / "store"
    if not (store / "index.json").exists():
        return
    for path in (store / "blobs" / "sha256").iterdir():
        assert _digest(path) == path.name, f"{path.name} is not what its name says"
        assert not path.stat().st_mode & 0o222, f"{path.name} can be written"
    for entry in named_manifests(home):
        _assert_complete(home, entry)


def named_manifests(home: Path) -> list[dict[str, Any]]:
    """The entries of the index."""
    found = json.loads((home / "store" / "index.json").read_bytes())["manifests"]
    assert isinstance(found, list)
    return found


def references(home: Path) -> dict[str, str]:
    """The digests in the index by full reference."""
    key = "org.opencontainers.image.ref.name"
    return {
        entry["annotations"][key]: entry["digest"]
        for entry in named_manifests(home)
        if key in entry.get("annotations", {})
    }


def leavings(home: Path) -> list[Path]:
    """Files that are nothing by themselves: half of something, or its temporary form."""
    found = {path for pattern in _LEAVINGS for path in home.rglob(pattern) if path.is_file()}
    return sorted(found)


def bytes_held(home: Path) -> int:
    """Bytes of content, blobs that are only begun among them."""
    folders = (home / "store" / "blobs" / "sha256", home / "store" / "ingest")
    return sum(_size(path) for folder in folders if folder.is_dir() for path in folder.iterdir())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _assert_complete(home: Path, entry: dict[str, Any]) -> None:
    for desc in (entry, *_children(home, entry)):
        path = blob_path(home, desc["digest"])
        assert path.is_file(), f"{desc['digest']} is named and not there"
        assert path.stat().st_size == desc["size"]


def _children(home: Path, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    document = json.loads(blob_path(home, entry["digest"]).read_bytes())
    for child in document.get("manifests", []):
        yield child
        yield from _children(home, child)
    if "config" in document:
        yield document["config"]
    yield from document.get("layers", [])
