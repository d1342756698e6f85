"""How to build, and where the images of FROM come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci.spec.jsonio import Json
from agentoci.spec.mediatypes import Compression
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.store.images import Image


FORMAT: Final = 1
"""The version of everything that decides an image's bytes."""


class Profile(StrEnum):
    """How an agent image presents itself to registries and tools."""

    AGENT = "agent"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Pins:
    """What a lock holds for a build.

    `images` say what FROM, COPY --from and parents name: by that name, as it is written, the
    `HOST/NAME@DIGEST` to take for it; `requirements` say by name the `version`, `digest` and
    `reference` of agents and skills.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build; the defaults are the usual case.

    `file` is the Agentfile or `.agentdef` (None: found in the context); `epoch` the seconds that
    every time in the image is set to (SOURCE_DATE_EPOCH). `version` takes the place of the one that
    the definition declares; `annotations` are added to the manifest's; `name` is the agent's, where
    nothing says how it is called (None: by the first tag). By findings with an id among
    `allowed_secrets` the build does not fail. `replace` lets a full release mean other content than
    before.
    """

    tags: tuple[Reference, ...] = ()
    file: Path | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    use_cache: bool = True
    profile: Profile = Profile.AGENT
    compression: Compression = Compression.ZSTD
    epoch: int = 0
    version: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    allowed_secrets: frozenset[str] = frozenset()
    replace: bool = False
    pins: Pins = field(default_factory=Pins)

    @property
    def fallback_name(self) -> str:
        """What an agent is called that nothing gives a name."""
        return self.name or (self.tags[0].repository.rpartition("/")[2] if self.tags else "agent")


ImageLookup = Callable[[Reference], "Image"]
"""The image of a FROM or COPY --from: from the store, or pulled; raises NotFound and others."""
