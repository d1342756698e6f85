"""Where skills come from: the local store, registries, layouts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentoci.api.locations import LayoutLocation, parse_location
from agentoci.builder.skills import Artifact, SkillMissing
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.api.engine import Engine


@contextlib.contextmanager
def open_artifact(
    engine: Engine, reference: str, version: str | None, folder: Path
) -> Iterator[Artifact]:
    """What a reference or `oci:DIR[:NAME]` means; a registry's is pulled when it is not here.

    A relative DIR counts from `folder`. With a version range it is the newest version in it, of
    the tags here and in the registry. Raises SkillMissing, ContentNotFound, NoRegistry and what
    registries say.
    """
    location = parse_location(reference)
    if isinstance(location, LayoutLocation):
        from agentoci.api.ends import open_source

        inside = replace(location, folder=folder / location.folder)
        with open_source(engine, inside) as found:
            yield Artifact(found.target, found.root, reference)
        return
    said = None
    if version and version != "*":
        location, said = _newest(engine, location, version)
    root = engine.transfers.ensure(str(location))
    yield Artifact(engine.store, root, str(location), said)


def _newest(engine: Engine, reference: Reference, version: str) -> tuple[Reference, str]:
    """The reference with the tag of the newest version in the range, and that version."""
    from agentoci.release.tagversions import in_range
    from agentoci.spec.ranges import VersionRange
    from agentoci.spec.version import sort_tags

    tags = _tags(engine, reference)
    for best in in_range(VersionRange.parse(version), reference.name, tags):
        tag = best.reference.rpartition(":")[2]
        return replace(reference, tag=tag), str(best.version)
    listed = ", ".join(sort_tags(tags)[:8]) or "none"
    raise SkillMissing(f"{reference.name}: no version in {version!r}", hint=f"tags: {listed}")


def _tags(engine: Engine, reference: Reference) -> list[str]:
    """The tags of a name here and, unless it leads to none, in its registry."""
    here = [
        entry.name.rpartition(":")[2]
        for entry in engine.store.index.read()
        if entry.name and entry.name.rpartition(":")[0] == reference.name
    ]
    if not engine.transfers.has_registry(str(reference)):
        return here
    at = engine.transfers.at_registry(reference)
    return sorted({*here, *engine.client.repository(at).tags()})
