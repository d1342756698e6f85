"""Where names are looked for that have no registry: required agents, and parents of definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agentoci.spec.reference import Reference
from agentoci.spec.registrypath import RegistryPath

if TYPE_CHECKING:
    from agentoci.config.settings import ConfigFile


def sources_of(
    file: ConfigFile, named: Sequence[str], beside: Iterable[str] = ()
) -> tuple[RegistryPath, ...]:
    """What is named, then the default registry, or `beside` without one, then those of the file.

    Raises InvalidReference.
    """
    default = [file.default_registry] if file.default_registry else list(beside)
    texts = [*named, *default, *file.requirement_sources]
    return tuple(map(RegistryPath.parse, dict.fromkeys(texts)))


def parent_places(
    file: ConfigFile, named: Sequence[str], reference: Reference
) -> tuple[Reference, ...]:
    """Where the image of a parent may be; at the default registry, or here, by its short name.

    Raises InvalidReference.
    """
    places = {str(source): source.repository(str(reference)) for source in sources_of(file, named)}
    if file.default_registry:
        places[file.default_registry] = reference
    return tuple(dict.fromkeys([*places.values(), reference]))
