"""Mirrors: other hosts that hold a registry's content, asked first when something is read.

A mirror is a stranger: it gets no credentials, headers or certificates of the registry, only those
that are kept for its own host. It cannot lie about a digest, and about tags only when it is trusted
with them. What it lacks, refuses or spoils comes from the registry itself.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound, Reader
from agentoci.content.reader import SourceSpoiled, fetch_bytes
from agentoci.errors import AgentociError
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest

_WHOLE: Final = 8 * limits.MIB
"""Bytes up to which a mirror's content is checked before any of it is passed on."""


class MirrorEndpoint(Endpoint):
    """A mirror's API: says whose content is asked for (`?ns=`), as containerd does.

    A path in the mirror's address is the start of repository names, unless it says itself where
    `/v2` is.
    """

    def __init__(self, *arguments: Any, address: str, upstream: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        path = urlsplit(address).path.rstrip("/")
        self._root = path if "/v2/" in f"{path}/" else f"/v2{path}"
        self._upstream = upstream

    def url(self, path: str) -> str:
        """The URL of a path below the mirror's root."""
        mark = "&" if "?" in path else "?"
        return f"{self.origin}{self._root}/{path}{mark}ns={quote(self._upstream, safe='')}"


class Mirror:
    """One mirror of one registry; left out for the rest of the run once it has failed."""

    def __init__(self, endpoint: Endpoint, *, resolves: bool, warn: Callable[[str], None]) -> None:
        self.endpoint = endpoint
        self.resolves = resolves
        self.usable = True
        self._lacking = False
        self._warn = warn

    def failed(self, error: AgentociError) -> None:
        """Say so and ask elsewhere: always from now on, unless it only lacks something."""
        if isinstance(error, ContentNotFound):
            if not self._lacking:
                self._warn(f"mirror {self.endpoint.host} lacks some content; asking elsewhere")
            self._lacking = True
            return
        self._warn(f"mirror {self.endpoint.host} is left out: {error.message}")
        self.usable = False


class MirroredRepository(Repository):
    """A repository that is read from mirrors where they serve, and is else as any other."""

    def __init__(
        self, endpoint: Endpoint, name: str, mirrors: Sequence[Mirror], *, push: bool = False
    ) -> None:
        super().__init__(endpoint, name, push=push)
        self._mirrors = [(one, Repository(one.endpoint, name)) for one in mirrors]

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        """A stream of a blob or manifest, from the first that has it.

        Small content of a mirror is verified before it is passed on. Of large content the start is
        with the reader when it turns out wrong: that raises SourceSpoiled, and the next fetch
        passes the mirror by.
        """
        if offset >= desc.size:
            yield io.BytesIO(b"")
        elif desc.size <= _WHOLE:
            content = self._whole(desc)
            if content is None:
                with super().fetch(desc, offset) as stream:
                    yield stream
            else:
                yield io.BytesIO(content[offset:])
        else:
            with contextlib.closing(_Stream(self._openings(), desc, offset)) as changing:
                yield changing

    def resolve(self, name: str) -> Descriptor:
        """The manifest behind a tag, by a mirror only if it may say; behind a digest by any."""
        for mirror, repository in self._serving():
            if mirror.resolves or ":" in name:
                try:
                    return repository.resolve(name)
                except AgentociError as exc:
                    mirror.failed(exc)
        return super().resolve(name)

    def _whole(self, desc: Descriptor) -> bytes | None:
        for mirror, repository in self._serving():
            try:
                return fetch_bytes(repository, desc, limit=_WHOLE)
            except AgentociError as exc:
                mirror.failed(exc)
        return None

    def _openings(self) -> Iterator[tuple[Mirror | None, Repository]]:
        """Who may be asked for content, the registry itself last."""
        yield from self._serving()
        yield None, Repository(self._endpoint, self.name)

    def _serving(self) -> list[tuple[Mirror, Repository]]:
        return [(mirror, repository) for mirror, repository in self._mirrors if mirror.usable]


class _Stream:
    """A raw stream that goes on at the next source where one has failed."""

    def __init__(
        self, openings: Iterator[tuple[Mirror | None, Repository]], desc: Descriptor, offset: int
    ) -> None:
        self._openings = openings
        self._desc = desc
        self._position = offset
        self._mirror: Mirror | None = None
        self._hash = None if offset else desc.digest.hasher()
        self._giver: Mirror | None = None
        self._held = contextlib.ExitStack()
        self._stream = self._open_next()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        while True:
            try:
                chunk = self._stream.read(size)
            except AgentociError as exc:
                if self._mirror is None:
                    raise
                self._mirror.failed(exc)
                self._stream = self._open_next()
                continue
            self._position += len(chunk)
            self._check(chunk)
            return chunk

    def _check(self, chunk: bytes) -> None:
        """Keep the last bytes back when the whole is wrong, and do not ask this mirror again.

        Who goes on in the middle of a blob has no whole to check; the reader's own check remains.
        """
        if self._hash is None:
            return
        self._hash.update(chunk)
        self._giver = self._mirror or self._giver
        if self._giver is None or (chunk and self._position < self._desc.size):
            return
        if Digest.from_hash(self._hash) != self._desc.digest:
            error = SourceSpoiled(
                f"{self._desc.digest}: the mirror {self._giver.endpoint.host} gave other content",
                hint="take the mirror out of the config file",
            )
            self._giver.failed(error)
            raise error

    def close(self) -> None:
        """Free the connection."""
        self._held.close()

    def _open_next(self) -> Reader:
        self._held.close()
        while True:
            self._mirror, repository = next(self._openings)
            try:
                return self._held.enter_context(repository.fetch(self._desc, self._position))
            except AgentociError as exc:
                if self._mirror is None:
                    raise
                self._mirror.failed(exc)
