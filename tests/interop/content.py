"""Content read without code of ours: plain HTTP, plain files, every digest computed again."""

from __future__ import annotations

import http.client
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
)


def digest_of(content: bytes) -> str:
    """The digest of bytes."""
    return f"sha256:{sha256(content).hexdigest()}"


def manifest_at(reference: str) -> bytes:
    """The manifest that a registry serves for `host/repository:tag` or `host/repository@digest`."""
    host, _, rest = reference.partition("/")
    repository, _, target = rest.partition("@") if "@" in rest else rest.rpartition(":")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        path = f"/v2/{repository}/manifests/{target}"
        connection.request("GET", path, headers={"Accept": ", ".join(MANIFESTS)})
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return content
    finally:
        connection.close()


def blob(layout: Path, digest: str) -> bytes:
    """A blob of a layout; its bytes must have the digest."""
    content = (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert digest_of(content) == digest
    return content


def layer_digests(layout: Path, digest: str) -> set[str]:
    """The layers under a manifest or an index of a layout; every blob on the way is checked."""
    document: dict[str, Any] = json.loads(blob(layout, digest))
    if "manifests" in document:
        children = [child["digest"] for child in document["manifests"]]
        return set().union(*(layer_digests(layout, child) for child in children))
    found = {layer["digest"]: layer["size"] for layer in document["layers"]}
    for layer, size in found.items():
        assert len(blob(layout, layer)) == size
    blob(layout, document["config"]["digest"])
    return set(found)


def named(layout: Path) -> dict[str, str]:
    """The digests in a layout's index by name."""
    entries = json.loads((layout / "index.json").read_bytes())["manifests"]
    key = "org.opencontainers.image.ref.name"
    return {
        entry["annotations"][key]: entry["digest"]
        for entry in entries
        if key in entry.get("annotations", {})
    }
