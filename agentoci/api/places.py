"""Which repository of a registry holds a blob, remembered from pushes and pulls.

A later push into another repository of that registry mounts such blobs instead of sending them.
The memory may be wrong or lost: a mount that fails is an upload.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import files, limits
from agentoci.api.forwarding import Forwarding
from agentoci.content.protocols import Presence
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.reference import Reference

if TYPE_CHECKING:
    from agentoci.registry.client import RegistryClient
    from agentoci.registry.repository import Repository

_MOST: Final = 50_000
"""Digests kept per registry; the oldest are forgotten."""

_LIMIT: Final = 16 * limits.MIB


class Places:
    """The memory of one home, a file per registry."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, registry: str) -> dict[str, str]:
        """Digest → repository, for one registry."""
        try:
            found = json.loads(files.read_at_most(self._path(registry), _LIMIT))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def remember(self, registry: str, repository: str, blobs: Iterable[Descriptor]) -> None:
        """These blobs are in this repository."""
        known = self.of(registry)
        before = len(known)
        added = {str(blob.digest): repository for blob in blobs}
        if all(digest in known for digest in added) and before:
            return
        merged = list((known | added).items())[-_MOST:]
        self._folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(dict(merged), separators=(",", ":")).encode()
        files.write_atomically(self._path(registry), content)

    def _path(self, registry: str) -> Path:
        return self._folder / f"{Digest.of(registry.encode()).hex[:32]}.json"


class MountingTarget(Forwarding):
    """A repository that mounts blobs from where they are known to be: digest → repository."""

    def __init__(
        self,
        inner: Repository,
        reference: Reference,
        client: RegistryClient,
        known: Mapping[str, str],
    ) -> None:
        super().__init__(inner)
        self._reference = reference
        self._client = client
        self._known = known

    def take_over(self, desc: Descriptor, source: object) -> Presence | None:
        """Have the blob from the repository that is known to hold it, or because it is there."""
        del source
        repository = self._known.get(str(desc.digest))
        if repository is None or repository == self._reference.repository:
            return self._inner.take_over(desc, None)
        neighbour = Reference(self._reference.registry, repository)
        return self._inner.take_over(desc, self._client.repository(neighbour))
