"""What a holder of content can do, one ability per protocol; ask for the least you need."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol, runtime_checkable

from agentoci.errors import AgentociError, NotFound
from agentoci.spec.descriptor import Descriptor


class ContentNotFound(NotFound):
    """No such blob, manifest or name in the target."""


class ChildMissing(AgentociError):
    """A target does not take a manifest, for it lacks something that the manifest names."""


class Reader(Protocol):
    """A stream of bytes; `read` returns b"" at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        ...


class Source(Protocol):
    """Bytes that can be opened again, so that a retry can start over or go on at an offset."""

    def open(self, offset: int = 0) -> AbstractContextManager[Reader]:
        """A stream of the bytes from `offset` on; the context manager closes it."""
        ...


class Fetcher(Protocol):
    """Gives content by descriptor."""

    def fetch(self, desc: Descriptor, offset: int = 0) -> AbstractContextManager[Reader]:
        """A raw stream from `offset` on; wrap it in VerifiedReader, or read it by `fetch_bytes`.

        Raises ContentNotFound.
        """
        ...


class Pusher(Protocol):
    """Takes content by descriptor."""

    def exists(self, desc: Descriptor) -> bool:
        """Whether the content is there already."""
        ...

    def push(self, desc: Descriptor, source: Source) -> None:
        """Store content; it becomes visible only when size and digest are right.

        Pushing what is there already does nothing. Raises DigestMismatch, SizeMismatch.
        """
        ...


class Resolver(Protocol):
    """Knows names."""

    def resolve(self, name: str) -> Descriptor:
        """The manifest descriptor behind a tag or a digest; raises ContentNotFound."""
        ...


class Tagger(Protocol):
    """Gives names."""

    def tag(self, desc: Descriptor, name: str) -> None:
        """Let `name` mean the manifest `desc`, which must be there already."""
        ...


class ReadableTarget(Fetcher, Resolver, Protocol):
    """What content can be copied from."""


class Target(Fetcher, Pusher, Resolver, Tagger, Protocol):
    """What content can be copied from and to."""


class Presence(StrEnum):
    """How a target has come by a blob without its bytes being sent; the values are shown."""

    EXISTS = "exists"
    MOUNTED = "mounted"


@runtime_checkable
class Mounter(Protocol):
    """A target that can take over a blob from a neighbour without moving bytes."""

    def take_over(self, desc: Descriptor, source: object) -> Presence | None:
        """Have the blob, from `source` (the other target) or because it is there; None: push it.

        The push is to follow at once: the target may have got ready for it.
        """
        ...


@runtime_checkable
class TagPusher(Protocol):
    """A target that takes a manifest and its names at once."""

    def push_tagged(self, desc: Descriptor, content: bytes, names: tuple[str, ...]) -> None:
        """Store the manifest, then let the names mean it; its children must be there already.

        Raises ChildMissing when one of them is not.
        """
        ...


@runtime_checkable
class ReferrerLister(Protocol):
    """A target that knows which of its manifests speak of another one: their subject."""

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """The manifests whose subject this is, each once, with type and annotations."""
        ...


@runtime_checkable
class Preparer(Protocol):
    """A target that can tell beforehand whether it has room."""

    def prepare(self, blobs: Sequence[Descriptor]) -> None:
        """Is told which blobs will come; raises when they do not fit."""
        ...


class Progress(Protocol):
    """Is told how a transfer goes; called from several threads."""

    def start(self, desc: Descriptor, *, total: int) -> None:
        """A blob of `total` bytes begins."""
        ...

    def advance(self, desc: Descriptor, count: int) -> None:
        """`count` more bytes have passed."""
        ...

    def finish(self, desc: Descriptor, *, outcome: str) -> None:
        """The blob is done: `copied`, `exists` or `mounted`."""
        ...


class NoProgress:
    """Tells nobody."""

    def start(self, desc: Descriptor, *, total: int) -> None:
        """Nothing."""

    def advance(self, desc: Descriptor, count: int) -> None:
        """Nothing."""

    def finish(self, desc: Descriptor, *, outcome: str) -> None:
        """Nothing."""
