"""A target in memory: for tests, and for small artifacts made on the fly."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator

from agentoci.content.protocols import ContentNotFound, Reader, Source
from agentoci.content.reader import read_verified
from agentoci.content.referrers import of_type, referrer_of
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest


class MemoryTarget:
    """Content in a dictionary; safe for several threads."""

    def __init__(self) -> None:
        self._content: dict[Digest, bytes] = {}
        self._names: dict[str, Descriptor] = {}
        self._referrers: dict[Digest, dict[Digest, Descriptor]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        """The bytes of `desc` from `offset` on; raises ContentNotFound."""
        content = self._content.get(desc.digest)
        if content is None:
            raise ContentNotFound(f"{desc.digest}: not in memory")
        yield io.BytesIO(content[offset:])

    def exists(self, desc: Descriptor) -> bool:
        """Whether it was pushed."""
        return desc.digest in self._content

    def push(self, desc: Descriptor, source: Source) -> None:
        """Keep the bytes, once they are verified."""
        with source.open() as stream:
            content = read_verified(stream, desc)
        referrer = referrer_of(desc, content)
        with self._lock:
            self._content[desc.digest] = content
            if referrer is not None:
                listed = self._referrers.setdefault(referrer.subject.digest, {})
                listed[desc.digest] = referrer.entry

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """What was pushed with this subject."""
        with self._lock:
            listed = tuple(self._referrers.get(subject.digest, {}).values())
        return of_type(listed, artifact_type)

    def resolve(self, name: str) -> Descriptor:
        """The descriptor behind a name or digest; raises ContentNotFound."""
        try:
            return self._names[name]
        except KeyError:
            raise ContentNotFound(f"{name}: not in memory") from None

    def tag(self, desc: Descriptor, name: str) -> None:
        """Let the name mean `desc`; raises ContentNotFound when it was never pushed."""
        if not self.exists(desc):
            raise ContentNotFound(f"{desc.digest}: not in memory")
        with self._lock:
            self._names[name] = desc
            self._names[str(desc.digest)] = desc
