"""What can be deleted again; and the removal of what the probes have left."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError
from agentoci.registry.deletion import DeletionDisabled, TagsLost
from agentoci.registry.errors import RegistryFailing, RegistryUnreachable
from agentoci.registry.probes.ground import OCTETS, Finding, Ground, Result
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import EMPTY, Descriptor
from agentoci.spec.digest import Digest


def deletes_tags(ground: Ground) -> Iterator[Finding]:
    """Whether a tag goes by its name, and alone.

    What `agent untag` does where it does not is tried too.
    """
    image = ground.taken()
    tag = ground.tags[-1]
    try:
        ground.repository.deletion.tag(tag)
    except RegistryUnreachable:
        raise
    except AgentociError as exc:
        known = isinstance(exc, DeletionDisabled | TagsLost)
        known = known or ground.endpoint.facts.delete_tags is False
        ground.note(EMPTY)
        yield Finding("tag delete", Result.NO if known else Result.UNKNOWN, exc.message)
        return
    ground.tags = ground.tags[:-1]
    ground.litter.manifests[image.descriptor.digest] = ground.tags
    if ground.endpoint.facts.delete_tags:
        yield Finding("tag delete", Result.YES)
        return
    ground.note(EMPTY)  # of the manifest that took the tag over
    yield Finding("tag delete", Result.NO, "goes with a manifest made for it, by its digest")


def deletes_manifests(ground: Ground) -> Iterator[Finding]:
    """Whether a manifest goes by its digest, and is gone then."""
    desc = ground.taken().descriptor

    def delete() -> None:
        ground.repository.deletion.manifest(desc.digest, ground.tags)

    found = _tried("manifest delete", delete, lambda: ground.is_there(str(desc.digest)))
    if found.result is Result.YES:
        del ground.litter.manifests[desc.digest]
    yield found


def deletes_blobs(ground: Ground) -> Iterator[Finding]:
    """Whether a blob goes, and is gone then."""
    desc = ground.push(ground.content(64), OCTETS)

    def delete() -> None:
        ground.repository.deletion.blob(desc.digest)

    found = _tried("blob delete", delete, lambda: ground.repository.exists(desc))
    if found.result is Result.YES:
        del ground.litter.blobs[ground.name, desc.digest]
    yield found


def _tried(check: str, delete: Callable[[], None], is_there: Callable[[], bool]) -> Finding:
    try:
        delete()
    except DeletionDisabled as exc:
        return Finding(check, Result.NO, exc.message)
    if is_there():
        return Finding(check, Result.NO, "said to be gone, and is there")
    return Finding(check, Result.YES)


def clean(ground: Ground) -> tuple[str, ...]:
    """Remove what was put there, manifests first; returns what stays, in words.

    A registry that does not answer any more is not asked for the rest.
    """
    removal = _Removal(ground)
    left: dict[str, list[str]] = {}
    for digest, tags in ground.litter.manifests.items():
        if not removal.of_manifest(digest, tags):
            left.setdefault(ground.name, []).append(", ".join(tags) or str(digest))
    for (name, digest), desc in ground.litter.blobs.items():
        if not removal.of_blob(name, desc):
            left.setdefault(name, []).append(f"blob {digest.short} of {desc.size} bytes")
    return tuple(f"{ground.endpoint.host}/{name}: {'; '.join(what)}" for name, what in left.items())


class _Removal:
    """Removes what is there; each method tells whether it is gone."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._down = False

    def of_manifest(self, digest: Digest, tags: tuple[str, ...]) -> bool:
        ground = self._ground
        return self._gone(
            lambda: ground.repository.deletion.manifest(digest, tags),
            lambda: ground.is_there(str(digest)),
        )

    def of_blob(self, name: str, desc: Descriptor) -> bool:
        repository = Repository(self._ground.endpoint, name, push=True)
        return self._gone(
            lambda: repository.deletion.blob(desc.digest), lambda: repository.exists(desc)
        )

    def _gone(self, delete: Callable[[], None], is_there: Callable[[], bool]) -> bool:
        if self._down:
            return False
        try:
            delete()
        except ContentNotFound:
            return True
        except AgentociError as exc:
            self._down = isinstance(exc, RegistryUnreachable) and not isinstance(
                exc, RegistryFailing
            )
            with contextlib.suppress(AgentociError):
                return not self._down and not is_there()
            return False
        return True
