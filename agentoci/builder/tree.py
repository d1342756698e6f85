"""An image from its tree: the folder `/agent` as it lies unpacked, with `definition.json` in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agentoci._internal import files, limits
from agentoci.agentfile import parse
from agentoci.builder.build import store_stage
from agentoci.builder.compiling import Compiled
from agentoci.builder.context import Context
from agentoci.builder.copying import RESERVED, ROOT
from agentoci.builder.options import BuildOptions
from agentoci.builder.packing import Packer
from agentoci.builder.report import NoReport
from agentoci.builder.stages import StageBase, StageBuilder
from agentoci.errors import Integrity
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.imageconfig import ImageConfig
from agentoci.spec.jsonio import Json, canonical, loads_object
from agentoci.store.layout import LayoutStore

SIDECAR: Final = ".agentoci.json"
"""Beside the content: what the definition does not say (environment, entrypoint, labels, names)."""


class BadTree(Integrity):
    """The tree has no readable `definition.json`, or a sidecar of another shape."""


def describe_image(config: ImageConfig, names: list[str]) -> bytes:
    """The sidecar of an image."""
    listed: list[Json] = [*names]
    document: dict[str, Json] = {
        "version": 1,
        "names": listed,
        "config": config.document()["config"],
    }
    for key in ("requirements", "healthcheck"):
        if key in config.agentoci:
            document[key] = config.agentoci[key]
    return canonical(document)


def build_tree(store: LayoutStore, cache: Path, folder: Path) -> tuple[Descriptor, list[str]]:
    """Pack a tree into an image of the agent profile; returns it and the names it had.

    Content, definition and configuration are those of the saved image; its layers are cut anew.
    Raises BadTree, and CorruptDefinition for a definition that breaks the schema.
    """
    from agentoci.definition.read import parse_document

    definition = _read(folder / "definition.json")
    parse_document(definition, what="definition.json")
    sidecar = _read(folder / SIDECAR) if (folder / SIDECAR).exists() else {}
    config = _config(sidecar)
    requirements = sidecar.get("requirements")
    base = StageBase(
        env=config.env,
        entrypoint=config.entrypoint,
        labels=dict(config.labels),
        requirements=tuple(requirements) if isinstance(requirements, list) else (),
        healthcheck=sidecar.get("healthcheck"),
    )
    agentfile = parse("FROM scratch\nCOPY . /agent/\n", file="tree")
    context = Context(folder, ignored=lambda name, _is_folder: _is_generated(name))
    options = BuildOptions()
    packer = Packer(
        store,
        cache,
        options.compression,
        options.epoch,
        use_cache=False,
        known=lambda copied: copied.entry.sha256,
        learn=lambda _copied, _sha256: None,
    )
    builder = StageBuilder(agentfile, packer, NoReport(), lambda _copy: context)
    compiled = Compiled(definition, ())
    stage = builder.build(agentfile.final, base, lambda: compiled, iter(()))
    return store_stage(store, stage, options), _names(sidecar, definition)


def _is_generated(name: str) -> bool:
    return name == SIDECAR or f"{ROOT}/{name}" in RESERVED


def _read(path: Path) -> dict[str, Json]:
    try:
        raw = files.read_at_most(path, limits.MAX_CONFIG_BYTES)
    except OSError as exc:
        raise BadTree(f"{path.name}: {exc.strerror}", hint="the tree needs a definition") from exc
    return loads_object(raw, what=path.name, limit=limits.MAX_CONFIG_BYTES)


def _config(sidecar: Mapping[str, Json]) -> ImageConfig:
    return ImageConfig.parse(canonical({"config": sidecar.get("config")}), what=SIDECAR)


def _names(sidecar: Mapping[str, Json], definition: Mapping[str, Json]) -> list[str]:
    """The saved names; a tree without a sidecar is called NAME:VERSION."""
    listed = sidecar.get("names")
    if isinstance(listed, list) and listed:
        return [str(name) for name in listed]
    metadata = definition.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    return [f"{known.get('name')}:{str(known.get('version')).replace('+', '_')}"]
