"""One repository of a registry, as a target of content."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound, Reader, Source
from agentoci.content.reader import BytesSource, SizeMismatch, VerifiedReader, fetch_bytes
from agentoci.registry.auth import pull_scope, push_scope
from agentoci.registry.download import Download
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import BlobNotFound, ManifestNotFound, ManifestRejected
from agentoci.registry.origin import Origin
from agentoci.registry.transport import Answer, Body, Request
from agentoci.registry.upload import Uploads, check_answered_digest
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest, InvalidDigest

_MANIFEST_STORED = frozenset({200, 201, 202})


class Repository:
    """A `Target`: fetch, exists, push, resolve, tag; also `Mounter` and `TagPusher`.

    `push` tells that content will be pushed, so that leave to write is asked for with the first
    request. Safe to use from several threads.
    """

    def __init__(self, endpoint: Endpoint, name: str, *, push: bool = False) -> None:
        self.name = name
        self._endpoint = endpoint
        self._uploads = Uploads(endpoint, name)
        self._write = (push_scope(name),)
        self._read = self._write if push else (pull_scope(name),)

    @property
    def host(self) -> str:
        """The registry, as references name it."""
        return self._endpoint.host

    @property
    def origin(self) -> Origin:
        """Where the registry's API is."""
        return self._endpoint.origin

    def __repr__(self) -> str:
        return f"Repository({self.host}/{self.name})"

    @contextlib.contextmanager
    def fetch(self, desc: Descriptor, offset: int = 0) -> Iterator[Reader]:
        """A stream of a blob or manifest that mends dropped connections by itself.

        Raises BlobNotFound, ManifestNotFound, Denied, RegistryUnreachable. URLs in descriptors are
        never followed.
        """
        if offset >= desc.size:
            yield io.BytesIO(b"")
            return
        kind, accept, missing = _kind(desc)
        download = Download(
            self._endpoint,
            Request("GET", self._url(f"{kind}/{desc.digest}"), {"Accept": accept}),
            desc,
            scopes=self._read,
            what=self._what(str(desc.digest)),
            missing=missing,
            offset=offset,
        )
        with contextlib.closing(download):
            yield download

    def exists(self, desc: Descriptor) -> bool:
        """Whether the repository has it; asks for leave to write, for a push is to follow."""
        if not desc.is_manifest:
            return self._uploads.exists(desc)
        answer = self._head(str(desc.digest), self._write)
        if answer.status in {200, 404}:
            return answer.status == 200
        raise self._error(answer, str(desc.digest))

    def push(self, desc: Descriptor, source: Source) -> None:
        """Store a blob, or a manifest under its digest; nothing wrong becomes visible.

        Raises DigestMismatch, SizeMismatch, Rejected, Denied, RegistryUnreachable.
        """
        if not desc.is_manifest:
            self._uploads.push(desc, source)
            return
        if desc.size > limits.MAX_MANIFEST_BYTES:
            raise SizeMismatch(f"{desc.digest}: no registry takes a manifest of {desc.size} bytes")
        with source.open() as stream:
            content = _verified(stream, desc)
        self._put_manifest(desc, content, str(desc.digest))

    def push_tagged(self, desc: Descriptor, content: bytes, name: str) -> None:
        """Store a manifest under a tag in one request; raises what `push` raises."""
        self._put_manifest(desc, _verified(io.BytesIO(content), desc), name)

    def tag(self, desc: Descriptor, name: str) -> None:
        """Give a manifest that is there another tag."""
        self._put_manifest(desc, fetch_bytes(self, desc), name)

    def mount(self, desc: Descriptor, source: object) -> bool:
        """Take a blob over from another repository of the same registry; False: push it."""
        if not isinstance(source, Repository) or desc.is_manifest:
            return False
        if source.origin != self.origin or source.name == self.name:
            return False
        return self._uploads.mount(desc, source.name)

    def resolve(self, name: str) -> Descriptor:
        """The manifest behind a tag or digest.

        By HEAD, which registries do not count against limits; by GET when HEAD leaves something
        open. A digest asked for is the digest returned: headers are hints. Raises ManifestNotFound,
        RepositoryNotFound, DigestMismatch, Denied, RegistryUnreachable.
        """
        answer = self._head(name, self._read)
        if answer.status == 200 and (found := _described(answer, name)) is not None:
            check_answered_digest(answer, found, what=self._what(name))
            return found
        if answer.status == 404 and "json" in answer.headers.get("Content-Type", ""):
            raise self._error(answer, name)
        return self._resolve_by_get(name)

    def _resolve_by_get(self, name: str) -> Descriptor:
        request = Request("GET", self._url(f"manifests/{name}"), {"Accept": mediatypes.ACCEPT})
        answer = self._endpoint.request(request, self._read, expect={200})
        if answer.status != 200:
            raise self._error(answer, name)
        with answer:
            content = answer.content(limits.MAX_MANIFEST_BYTES)
        if len(content) > limits.MAX_MANIFEST_BYTES:
            raise SizeMismatch(f"{self._what(name)}: larger than {limits.MAX_MANIFEST_BYTES} bytes")
        pinned = _digest(name)
        found = Descriptor.of(_media_type(answer) or mediatypes.OCI_MANIFEST, content)
        if pinned is not None:
            found = Descriptor(found.media_type, pinned, len(content))
            _verified(io.BytesIO(content), found)
        check_answered_digest(answer, found, what=self._what(name))
        return found

    def _head(self, name: str, scopes: tuple[str, ...]) -> Answer:
        request = Request("HEAD", self._url(f"manifests/{name}"), {"Accept": mediatypes.ACCEPT})
        answer = self._endpoint.request(request, scopes, expect={200, 404})
        answer.discard()
        return answer

    def _put_manifest(self, desc: Descriptor, content: bytes, name: str) -> None:
        body = Body(BytesSource(content), len(content), desc.media_type)
        answer = self._endpoint.request(
            Request("PUT", self._url(f"manifests/{name}"), body=body),
            self._write,
            expect=_MANIFEST_STORED,
        )
        if answer.status not in _MANIFEST_STORED:
            raise self._error(answer, name)
        check_answered_digest(answer, desc, what=self._what(name))
        answer.discard()

    def _error(self, answer: Answer, name: str) -> Exception:
        return self._endpoint.error(
            answer, what=self._what(name), missing=ManifestNotFound, rejected=ManifestRejected
        )

    def _url(self, path: str) -> str:
        return self._endpoint.url(f"{self.name}/{path}")

    def _what(self, name: str) -> str:
        return f"{self.host}/{self.name}{'@' if ':' in name else ':'}{name}"


def _verified(stream: Reader, desc: Descriptor) -> bytes:
    reader = VerifiedReader(stream, desc)
    return b"".join(iter(lambda: reader.read(limits.NETWORK_BUFFER), b""))


def _kind(desc: Descriptor) -> tuple[str, str, type[ContentNotFound]]:
    if desc.is_manifest:
        return "manifests", f"{desc.media_type}, {mediatypes.ACCEPT}", ManifestNotFound
    return "blobs", "*/*", BlobNotFound


def _described(answer: Answer, name: str) -> Descriptor | None:
    """The descriptor that the headers give; None when one of its parts is missing."""
    media_type = _media_type(answer)
    length = answer.headers.get("Content-Length", "")
    digest = _digest(name) or _digest(answer.headers.get("Docker-Content-Digest"))
    if not media_type or digest is None or not length.isdecimal() or int(length) == 0:
        return None
    return Descriptor(media_type, digest, int(length))


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip()


def _digest(text: str | None) -> Digest | None:
    try:
        return Digest.parse(text)
    except InvalidDigest:
        return None
