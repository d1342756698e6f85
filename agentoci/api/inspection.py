"""Inspect and history: what an image is, from its manifest and config; no layer is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentoci._internal import limits
from agentoci.api.ends import find_in_layout
from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.content.graph import fetch_manifest
from agentoci.content.protocols import Fetcher
from agentoci.content.reader import fetch_bytes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json
from agentoci.spec.manifest import AnyManifest, Manifest
from agentoci.store.images import layer_type, select_manifest

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One step of an image: what made it, and its layer if it made one."""

    created_by: str
    kind: str | None
    digest: str | None
    size: int


def inspect(engine: Engine, text: str, *, remote: bool = False) -> dict[str, Json]:
    """Everything that manifest and config say, as one document.

    A name that is not in the local store is asked for at its registry (or read from `oci:DIR`);
    `remote` does that at once. Nothing is pulled. Raises ContentNotFound and registry errors.
    """
    source, desc = locate(engine, text, remote=remote)
    root = fetch_manifest(source, desc)
    manifest = select_manifest(source, desc, what=text)
    document: dict[str, Json] = {
        "reference": text,
        "digest": str(desc.digest),
        "mediaType": desc.media_type,
        "artifactType": root.kind or manifest.kind,
        "profile": _profile(root, manifest),
        "size": manifest.total_size,
        "annotations": dict(manifest.annotations),
    }
    if isinstance(root, Manifest):
        document["manifest"] = str(root.descriptor.digest)
    else:
        document["manifests"] = [entry.document() for entry in root.manifests]
    return document | _of_config(source, manifest, text)


def history(engine: Engine, text: str) -> list[HistoryRow]:
    """The steps of a local or remote image, the newest first."""
    source, desc = locate(engine, text, remote=False)
    manifest = select_manifest(source, desc, what=text)
    config = _read_config(source, manifest, text)
    layers = iter(manifest.layers)
    rows: list[HistoryRow] = []
    for entry in config.history:
        layer = None if entry.empty_layer else next(layers, None)
        rows.append(
            HistoryRow(
                entry.created_by,
                _kind(layer) if layer else None,
                str(layer.digest) if layer else None,
                layer.size if layer else 0,
            )
        )
    return rows[::-1]


def locate(engine: Engine, text: str, *, remote: bool) -> tuple[Fetcher, Descriptor]:
    """Where an image is, and its root, as `inspect` finds it; nothing is pulled."""
    location = parse_location(text)
    if isinstance(location, LayoutLocation):
        layout, found = find_in_layout(engine, location)
        return layout, found.desc.bare()
    if not remote:
        entry = engine.transfers.find_here(text)
        if entry is not None:
            return engine.store, entry.desc.bare()
    reference = engine.transfers.at_registry(location)
    repository = engine.client.repository(reference)
    with engine.images.near_named(text):
        return repository, repository.resolve(reference.selector)


def _of_config(source: Fetcher, manifest: Manifest, text: str) -> dict[str, Json]:
    if not manifest.is_agent and "config" not in manifest.config.media_type:
        return {"layers": [layer.document() for layer in manifest.layers]}
    config = _read_config(source, manifest, text)
    made_by = [entry.created_by for entry in config.layer_history()]
    layers: list[Json] = []
    for number, layer in enumerate(manifest.layers):
        diff_id = str(config.diff_ids[number]) if number < len(config.diff_ids) else None
        layers.append(
            {
                "kind": _kind(layer),
                "mediaType": layer.media_type,
                "digest": str(layer.digest),
                "size": layer.size,
                "diffId": diff_id,
                "createdBy": made_by[number] if number < len(made_by) else None,
            }
        )
    agentoci = dict(config.agentoci)
    return {
        "created": config.created,
        "config": config.document()["config"],
        "layers": layers,
        "definition": agentoci.get("definition"),
        "requirements": agentoci.get("requirements", []),
        "healthcheck": agentoci.get("healthcheck"),
    }


def _read_config(source: Fetcher, manifest: Manifest, text: str) -> ImageConfig:
    raw = fetch_bytes(source, manifest.config, limit=limits.MAX_CONFIG_BYTES)
    return ImageConfig.parse(raw, what=f"{text}: config")


def _kind(layer: Descriptor) -> str | None:
    from agentoci.spec.mediatypes import UnknownMediaType

    try:
        kind = layer_type(layer).kind
    except UnknownMediaType:
        return None
    return str(kind) if kind else None


def _profile(root: AnyManifest, manifest: Manifest) -> str | None:
    if not manifest.is_agent:
        return None
    return "agent" if isinstance(root, Manifest) and root.artifact_type else "image"
