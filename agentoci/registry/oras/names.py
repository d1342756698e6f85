"""Between oras-py's values and ours: containers and references, dicts and documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import oras.container

from agentoci.registry.auth.credentials import DOCKER_HUB
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.jsonio import loads_object
from agentoci.spec.reference import DEFAULT_TAG, InvalidReference, Reference


class InvalidTarget(InvalidReference, ValueError):
    """Not a target; oras-py's users know it as a ValueError."""


class OrasManifest(dict[str, Any]):
    """A manifest as oras-py has it, and the very bytes that it was read from."""

    def __init__(self, raw: bytes, *, what: str) -> None:
        super().__init__(loads_object(raw, what=what))
        self.raw = raw


def encoded(manifest: Mapping[str, Any] | bytes | str, *, what: str) -> bytes:
    """A manifest's bytes: those that it came in when nothing was changed, else oras-py's."""
    if isinstance(manifest, bytes):
        return manifest
    if isinstance(manifest, str):
        return manifest.encode()
    if isinstance(manifest, OrasManifest) and loads_object(manifest.raw, what=what) == manifest:
        return manifest.raw
    return json.dumps(manifest, allow_nan=False).encode()


def layer_of(layer: Mapping[str, Any]) -> Descriptor:
    """A descriptor by oras-py's dict; raises InvalidDescriptor, InvalidDigest."""
    bare = {key: layer.get(key) for key in ("mediaType", "digest", "size")}
    return Descriptor.parse(bare, what="layer")


def to_container(text: str, hostname: str | None) -> oras.container.Container:
    """Parse a target by docker's grammar; raises InvalidTarget."""
    found = _parsed(text)
    container = oras.container.Container("x", registry=found.registry or hostname or DOCKER_HUB)
    namespace, _, container.repository = found.repository.rpartition("/")
    container.namespace = namespace or None
    container.tag = found.tag or DEFAULT_TAG
    container.digest = str(found.digest) if found.digest else None
    return container


def to_reference(container: oras.container.Container) -> Reference:
    """The same for somebody's own container; raises InvalidTarget."""
    registry = container.registry
    if not registry:
        raise InvalidTarget(f"{container.uri!r} names no registry", hint="write HOST/NAME:TAG")
    mark = f"@{container.digest}" if container.digest else f":{container.tag or DEFAULT_TAG}"
    found = _parsed(f"localhost/{container.api_prefix}{mark}")
    return found.at(registry, found.repository)


def _parsed(text: str) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidReference as exc:
        raise InvalidTarget(exc.message, hint=exc.hint) from exc
