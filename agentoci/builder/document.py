"""What a finished stage says of itself in the config blob and in the manifest's annotations."""

from __future__ import annotations

from agentoci.builder.compiling import UNVERSIONED, Compiled
from agentoci.builder.options import FORMAT
from agentoci.builder.stages import StageResult
from agentoci.definition.lineage import KEY as LINEAGE
from agentoci.release.requirements import annotation_of
from agentoci.spec import annotations as keys
from agentoci.spec.jsonio import Json
from agentoci.spec.mediatypes import LayerKind
from agentoci.store.images import layer_type


def own_key(stage: StageResult) -> dict[str, Json]:
    """The key `agentoci` of the config blob."""
    made: dict[str, Json] = {"definition": stage.compiled.document, "format": FORMAT}
    if len(stage.compiled.lineage.entries) > 1:
        made[LINEAGE] = stage.compiled.lineage.json()
    if stage.requirements:
        made["requirements"] = list(stage.requirements)
    if stage.healthcheck is not None:
        made["healthcheck"] = stage.healthcheck
    return made


def manifest_annotations(stage: StageResult) -> dict[str, str]:
    """The standard annotations, as far as they are known, and the labels that are such."""
    name, version = name_and_version(stage.compiled)
    metadata = stage.compiled.document.get("metadata")
    made = {keys.TITLE: name}
    if version != UNVERSIONED:
        made[keys.VERSION] = version
    if isinstance(metadata, dict):
        for key, source in ((keys.AUTHORS, "author"), (keys.DESCRIPTION, "description")):
            if isinstance(value := metadata.get(source), str):
                made[key] = value
    if stage.base.reference and stage.base.digest:
        made[keys.BASE_NAME] = stage.base.reference
        made[keys.BASE_DIGEST] = stage.base.digest
    if any(layer_type(layer.desc).kind is LayerKind.TOOLS for layer in stage.layers):
        made[keys.REQUIREMENTS] = annotation_of(stage.requirements)
    own = {k: v for k, v in stage.labels.items() if k.startswith("org.opencontainers.image.")}
    own.pop(keys.VERSION, None)
    return made | own


def name_and_version(compiled: Compiled) -> tuple[str, str]:
    """The name and version that the compiled definition gives."""
    metadata = compiled.document.get("metadata")
    if not isinstance(metadata, dict):
        return "agent", UNVERSIONED
    return str(metadata.get("name")), str(metadata.get("version"))
