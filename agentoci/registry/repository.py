"""One repository of a registry, as a target of content."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Final

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound, Presence, Reader, Source
from agentoci.content.reader import SizeMismatch, fetch_bytes, read_verified
from agentoci.content.referrers import referrer_of
from agentoci.registry.auth.authorizer import pull_scope, push_scope
from agentoci.registry.blobs.download import Download
from agentoci.registry.blobs.ranges import LEAST, ParallelDownload
from agentoci.registry.blobs.upload import Uploads
from agentoci.registry.deletion import Deletion
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import BlobNotFound, ManifestNotFound
from agentoci.registry.http.origin import Origin
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.listing import list_tags
from agentoci.registry.manifests import Manifests, stated_size
from agentoci.registry.referrers import Referrers
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest

_BYTES: Final = "application/octet-stream"


class Repository:
    """A `Target`: fetch, exists, push, resolve, tag; `Mounter`, `TagPusher`, `ReferrerLister`.

    `push` tells that content will be pushed, so that leave to write is asked for with the first
    request. Safe to use from several threads.
    """

    def __init__(self, endpoint: Endpoint, name: str, *, push: bool = False) -> None:
        self.name = name
        self._endpoint = endpoint
        self._uploads = Uploads(endpoint, name)
        self._write = (push_scope(name),)
        self._read = self._write if push else (pull_scope(name),)
        self._manifests = Manifests(endpoint, name, read=self._read, write=self._write)
        self.listed = Referrers(endpoint, name, self._manifests, source=self, read=self._read)

    @property
    def host(self) -> str:
        """The registry, as references name it."""
        return self._endpoint.host

    @property
    def full_name(self) -> str:
        """`HOST/NAME`."""
        return self._endpoint.named(self.name)

    @property
    def origin(self) -> Origin:
        """Where the registry's API is."""
        return self._endpoint.origin

    @property
    def endpoint(self) -> Endpoint:
        """The registry that it is in, for requests that have no method here."""
        return self._endpoint

    def __repr__(self) -> str:
        return f"Repository({self.full_name})"

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        """A stream of a blob or manifest that mends dropped connections by itself.

        Raises BlobNotFound, ManifestNotFound, Denied, RegistryUnreachable. URLs in descriptors are
        never followed.
        """
        if offset >= desc.size:
            yield io.BytesIO(b"")
            return
        with contextlib.closing(self._download(desc, offset)) as download:
            yield download

    def _download(self, desc: Descriptor, offset: int) -> Download | ParallelDownload:
        kind, accept, missing = _kind(desc)
        request = Request("GET", self._url(f"{kind}/{desc.digest}"), {"Accept": accept})

        def open_stream(start: int, end: int | None) -> Download:
            return Download(
                self._endpoint,
                request,
                desc,
                scopes=self._read,
                what=self._what(str(desc.digest)),
                missing=missing,
                offset=start,
                end=end,
            )

        if desc.size - offset < LEAST or self._endpoint.facts.ranges is False:
            return open_stream(offset, None)
        return ParallelDownload(
            open_stream,
            desc.size,
            offset,
            clock=self._endpoint.patience.clock,
            spare=self._endpoint.spare_streams,
        )

    def exists(self, desc: Descriptor) -> bool:
        """Whether the repository has it; asks for leave to write, for a push is to follow."""
        return (self._manifests if desc.is_manifest else self._uploads).exists(desc)

    def push(self, desc: Descriptor, source: Source) -> None:
        """Store a blob, or a manifest under its digest; nothing wrong becomes visible.

        A manifest with a subject is listed among the subject's referrers when this returns. Raises
        DigestMismatch, SizeMismatch, Rejected, Denied, RegistryUnreachable, ReferrerLost.
        """
        if not desc.is_manifest:
            self._uploads.push(desc, source)
            return
        if desc.size > limits.MAX_MANIFEST_BYTES:
            raise SizeMismatch(f"{desc.digest}: no registry takes a manifest of {desc.size} bytes")
        with source.open() as stream:
            content = read_verified(stream, desc)
        self._put_manifest(desc, content, (str(desc.digest),))

    def push_tagged(self, desc: Descriptor, content: bytes, names: tuple[str, ...]) -> None:
        """Store a manifest under a tag in one request, under several after its digest.

        Raises what `push` raises, and TagImmutable.
        """
        self._put_manifest(desc, content, names)

    def tag(self, desc: Descriptor, name: str) -> None:
        """Give a manifest that is there another tag."""
        self._put_manifest(desc, fetch_bytes(self, desc), (name,))

    def mount(self, desc: Descriptor, source: object) -> bool:
        """Take a blob over from another repository of the same registry; False: push it."""
        neighbour = self._neighbour(desc, source)
        return neighbour is not None and self._uploads.mount(desc, neighbour)

    def take_over(self, desc: Descriptor, source: object) -> Presence | None:
        """Have a blob without its bytes: it is there, or `source` is a repository beside it."""
        return self._uploads.take_over(desc, self._neighbour(desc, source))

    def _neighbour(self, desc: Descriptor, source: object) -> str | None:
        if not isinstance(source, Repository) or desc.is_manifest:
            return None
        beside = source.origin == self.origin and source.name != self.name
        return source.name if beside else None

    def resolve(self, name: str) -> Descriptor:
        """The manifest behind a tag or digest.

        Raises ManifestNotFound, RepositoryNotFound, DigestMismatch, Denied, RegistryUnreachable.
        """
        return self._manifests.resolve(name)

    def read_manifest(self, name: str) -> tuple[Descriptor, bytes]:
        """The manifest behind a tag or digest with its bytes, in one request.

        Raises what `resolve` raises, and SizeMismatch.
        """
        return self._manifests.read(name)

    def blob(self, digest: Digest) -> Descriptor:
        """The descriptor of a blob, of which only the digest is known.

        By HEAD; by GET where storage servers refuse that. Raises BlobNotFound, Denied,
        RegistryUnreachable.
        """
        answer = self._ask_for_blob("HEAD", digest)
        if answer.status != 404 and _size(answer) is None:
            answer.discard()
            answer = self._ask_for_blob("GET", digest)
        size = _size(answer)
        if size is None:
            raise self._endpoint.error(answer, what=self._what(str(digest)), missing=BlobNotFound)
        answer.close()
        return Descriptor(_BYTES, digest, size)

    def _ask_for_blob(self, method: str, digest: Digest) -> Answer:
        request = Request(method, self._url(f"blobs/{digest}"))
        return self._endpoint.request(request, self._read, expect={200, 404})

    @property
    def deletion(self) -> Deletion:
        """What takes content and tags away again."""
        return Deletion(self._endpoint, self.name, self)

    def tags(self) -> list[str]:
        """All tags, in the registry's order; raises what `Listing.names` raises."""
        return list_tags(self._endpoint, self.name)

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """What speaks of a manifest; raises what `Referrers.of` raises."""
        return self.listed.of(subject, artifact_type=artifact_type)

    def _put_manifest(self, desc: Descriptor, content: bytes, names: tuple[str, ...]) -> None:
        referrer = referrer_of(desc, content)
        if referrer is None:
            self._manifests.put(desc, content, names)
        else:
            self.listed.store(referrer, lambda: self._manifests.put(desc, content, names))

    def _url(self, path: str) -> str:
        return self._endpoint.url(f"{self.name}/{path}")

    def _what(self, name: str) -> str:
        return self._endpoint.named(self.name, name)


def _kind(desc: Descriptor) -> tuple[str, str, type[ContentNotFound]]:
    if desc.is_manifest:
        return "manifests", f"{desc.media_type}, {mediatypes.ACCEPT}", ManifestNotFound
    return "blobs", "*/*", BlobNotFound


def _size(answer: Answer) -> int | None:
    return stated_size(answer) if answer.status == 200 else None
