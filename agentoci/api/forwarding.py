"""What wrappers of a repository leave to it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from agentoci.content.protocols import Reader, Source
from agentoci.spec.descriptor import Descriptor

if TYPE_CHECKING:
    from agentoci.registry.repository import Repository


class Forwarding:
    """A target that does as the repository `inner` does; wrappers change how blobs come to it."""

    def __init__(self, inner: Repository) -> None:
        self._inner = inner

    def fetch(self, desc: Descriptor, offset: int = 0) -> AbstractContextManager[Reader]:
        """As the repository does."""
        return self._inner.fetch(desc, offset)

    def exists(self, desc: Descriptor) -> bool:
        """As the repository does."""
        return self._inner.exists(desc)

    def push(self, desc: Descriptor, source: Source) -> None:
        """As the repository does."""
        self._inner.push(desc, source)

    def push_tagged(self, desc: Descriptor, content: bytes, names: tuple[str, ...]) -> None:
        """As the repository does."""
        self._inner.push_tagged(desc, content, names)

    def resolve(self, name: str) -> Descriptor:
        """As the repository does."""
        return self._inner.resolve(name)

    def tag(self, desc: Descriptor, name: str) -> None:
        """As the repository does."""
        self._inner.tag(desc, name)

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """As the repository does."""
        return self._inner.referrers(subject, artifact_type=artifact_type)
