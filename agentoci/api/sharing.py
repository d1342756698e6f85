"""Blobs that several images share go to a registry once, however many copies run side by side."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from agentoci.api.forwarding import Forwarding
from agentoci.content.protocols import Presence, Source
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest

if TYPE_CHECKING:
    from agentoci.registry.repository import Repository

_Key: TypeAlias = tuple[str, Digest]


class Traffic:
    """Which blobs are on their way to which registry, and which have arrived; of one sync."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._turns: dict[_Key, threading.Lock] = {}
        self._arrived: dict[_Key, dict[str, Repository]] = {}

    @contextlib.contextmanager
    def turn(self, repository: Repository, digest: Digest) -> Iterator[None]:
        """Be the only one who sends this blob to this registry; waits for others."""
        with self._guard:
            mine = self._turns.setdefault((repository.host, digest), threading.Lock())
        with mine:
            yield

    def arrived(self, repository: Repository, digest: Digest) -> None:
        """The blob is in the repository now."""
        with self._guard:
            there = self._arrived.setdefault((repository.host, digest), {})
            there[repository.name] = repository

    def nearest(self, repository: Repository, digest: Digest) -> Repository | None:
        """A repository of the same registry that has got the blob, the same one if possible."""
        with self._guard:
            there = self._arrived.get((repository.host, digest), {})
            return there.get(repository.name) or next(iter(there.values()), None)


class SharingTarget(Forwarding):
    """A repository that leaves a blob to the copy that sends it already."""

    def __init__(self, inner: Repository, traffic: Traffic) -> None:
        super().__init__(inner)
        self._traffic = traffic
        self._believed: set[Digest] = set()

    def take_over(self, desc: Descriptor, source: object) -> Presence | None:
        """Have the blob because another copy brought it, here or to a repository beside.

        That is believed once; who asks again was told by the registry that it is not there.
        """
        near = self._traffic.nearest(self._inner, desc.digest)
        is_here = near is not None and near.name == self._inner.name
        if is_here and desc.digest not in self._believed:
            self._believed.add(desc.digest)
            return Presence.EXISTS
        presence = self._inner.take_over(desc, near or source)
        if presence is not None:
            self._traffic.arrived(self._inner, desc.digest)
        return presence

    def push(self, desc: Descriptor, source: Source) -> None:
        """Send it, unless somebody else did while we waited."""
        if desc.is_manifest:
            self._inner.push(desc, source)
            return
        with self._traffic.turn(self._inner, desc.digest):
            near = self._traffic.nearest(self._inner, desc.digest)
            if near is None or self.take_over(desc, near) is None:
                self._inner.push(desc, source)
                self._traffic.arrived(self._inner, desc.digest)
