"""Push: which content goes where, under which names, and where its blobs may be near already."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentoci.api.locations import LayoutLocation, with_tag
from agentoci.api.places import MountingTarget, Places
from agentoci.content.copy import CopyOptions, copy
from agentoci.content.graph import fetch_manifest, walk
from agentoci.content.protocols import NoProgress, Target
from agentoci.content.standing import IfExists, check_releases, taken_by
from agentoci.errors import AgentociError
from agentoci.registry.errors import ManifestRejected
from agentoci.spec import annotations as keys
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.reference import Reference, check_tag
from agentoci.store.layout import LayoutStore

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.repository import Repository


class TypesRefused(ManifestRejected):
    """The registry is known to take images only, and this is something else."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to push: `tags` are given besides the one of the destination's name.

    `as_image` pushes the image profile; `if_exists` says what to do when the destination's own name
    means other content there: a version that must not change decides for `latest`, too. All names
    move, except full releases (`1.4.2`): these only with REPLACE.
    """

    as_image: bool = False
    tags: tuple[str, ...] = ()
    if_exists: IfExists | None = None

    def __post_init__(self) -> None:
        """Raises InvalidReference for what is no tag, before anything moves."""
        for tag in self.tags:
            check_tag(tag)


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a push or pull did.

    `target` is where to, `digest` what is there now; `names` were given, none when the target was
    left alone. `blobs` were looked at, `moved_blobs` of them with `moved_bytes`
    moved, by `requests` to registries. `kind` is what the artifact is, in words.
    """

    target: str
    digest: Digest
    names: tuple[str, ...]
    blobs: int
    moved_blobs: int
    moved_bytes: int
    requests: int = 0
    kind: str = ""

    @property
    def skipped(self) -> bool:
        """Whether nothing was done, since the name means other content there."""
        return not self.names


def push_to_layout(
    engine: Engine, root: Descriptor, where: LayoutLocation, text: str, options: PushOptions
) -> Transferred:
    """Push into a layout, where names are whole references; `text` is the name of last resort."""
    store = LayoutStore.create(where.folder, clock=engine.clock)
    name = where.name or text
    with store.using():
        tags = tuple(with_tag(name, tag) for tag in options.tags)
        return _pushed(engine, root, store, (name, *tags), str(where), options)


def push_to_registry(
    engine: Engine, root: Descriptor, where: Reference, options: PushOptions
) -> Transferred:
    """Push into a repository.

    Raises NameTaken, TagImmutable, TypesRefused, and what the registry says.
    """
    repository = engine.client.repository(where, push=True)
    _check_types(engine, root, repository, where)
    places = Places(engine.settings.cache / "places")
    host = str(where.registry)
    known = {**_of_base(engine, root, host), **places.of(host)}
    target = MountingTarget(repository, where, engine.client, known)
    names = (where.tag or where.selector, *options.tags)
    before = engine.client.requests
    done = _pushed(engine, root, target, tuple(dict.fromkeys(names)), str(where), options)
    remember(engine, where, root)
    return replace(done, requests=engine.client.requests - before)


def _check_types(
    engine: Engine, root: Descriptor, repository: Repository, where: Reference
) -> None:
    """Raise TypesRefused before blobs are sent for a manifest that will not be taken."""
    if repository.endpoint.facts.custom_types is not False:
        return
    kind = fetch_manifest(engine.store, root).artifact_type
    if kind is not None:
        raise TypesRefused(
            f"{where}: the registry takes no artifacts of type {kind}, as agent doctor found out",
            hint="agent push --profile image pushes it as a container image; "
            f"if the registry has learned it since: agent doctor {where.name.rpartition('/')[0]}",
        )


def remember(engine: Engine, where: Reference, root: Descriptor) -> None:
    """The blobs of this image are in that repository; a later push can mount them."""
    places = Places(engine.settings.cache / "places")
    blobs = walk(engine.store, root).blobs
    places.remember(str(where.registry), where.repository, blobs)


def _pushed(
    engine: Engine,
    root: Descriptor,
    target: Target,
    names: tuple[str, ...],
    shown: str,
    options: PushOptions,
) -> Transferred:
    policy = options.if_exists
    if policy is not None:
        present = taken_by(target, root, names[0], policy, where=shown)
        if present is not None:
            return Transferred(shown, present.digest, (), 0, 0, 0)
    if policy is not IfExists.REPLACE:
        unasked = names if policy is None else names[1:]
        check_releases(target, root, unasked, where=shown)
    copying = CopyOptions(progress=engine.progress or NoProgress())
    done = copy(engine.store, root, target, names, options=copying)
    return Transferred(shown, root.digest, names, done.blobs, done.moved_blobs, done.moved_bytes)


def _of_base(engine: Engine, root: Descriptor, registry: str) -> Mapping[str, str]:
    """Blobs that came with FROM → the base's repository, when that is at the same registry."""
    with contextlib.suppress(AgentociError):
        noted = fetch_manifest(engine.store, root).annotations
        base = Reference.parse(noted.get(keys.BASE_NAME, ""))
        if base.registry != registry:
            return {}
        held = engine.store.resolve(str(Digest.parse(noted.get(keys.BASE_DIGEST))))
        blobs = walk(engine.store, held).blobs
        return {str(blob.digest): base.repository for blob in blobs}
    return {}
