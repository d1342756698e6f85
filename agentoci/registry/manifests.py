"""Manifests of one repository: resolve a name, store a manifest, give it tags."""

from __future__ import annotations

import io
import re
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from agentoci._internal import limits
from agentoci.content.reader import BytesSource, SizeMismatch, read_verified
from agentoci.errors import AgentociError, Conflict
from agentoci.registry.blobs.sessions import check_answered_digest
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import (
    ManifestBlobUnknown,
    ManifestNotFound,
    ManifestRejected,
    RegistryUnreachable,
)
from agentoci.registry.http.transport import Answer, Body, Request
from agentoci.registry.problems import Problem
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest, InvalidDigest

_STORED: Final = frozenset({200, 201, 202})
_SIZE: Final = re.compile(r"[0-9]{1,15}")
_MAYBE_IMMUTABLE: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.CONFLICT,
        HTTPStatus.PRECONDITION_FAILED,
    }
)
"""How registries refuse to move a tag; each has its own idea."""

_CHILD_MISSING: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "DIGEST_INVALID"})
"""What registries say of a child. The digest of what we send is right: docker-registry 2.8 means
the child's, whose file another client is writing at this moment."""


class TagImmutable(Conflict):
    """The registry does not let this tag move to other content."""


class Manifests:
    """Reads with the scopes `read`, writes with `write`; safe to use from several threads."""

    def __init__(
        self, endpoint: Endpoint, name: str, *, read: tuple[str, ...], write: tuple[str, ...]
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self._read = read
        self._write = write

    def exists(self, desc: Descriptor) -> bool:
        """Whether it is there; asks for leave to write, for a push is to follow."""
        answer = self._head(str(desc.digest), self._write)
        if answer.status in {200, 404}:
            return answer.status == 200
        raise self._error(answer, str(desc.digest))

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
        return self.read(name)[0]

    def put(self, desc: Descriptor, content: bytes, names: tuple[str, ...]) -> Answer:
        """Store a manifest under one tag or digest, or under its digest and then several tags.

        Returns the (closed) answer to the manifest itself. Raises DigestMismatch, ManifestRejected,
        ManifestBlobUnknown, TagImmutable, Denied, RegistryUnreachable.
        """
        read_verified(io.BytesIO(content), desc)
        if len(names) == 1:
            return self._put(desc, content, names[0])
        query = urlencode([("tag", name) for name in names])
        answer = self._put(desc, content, f"{desc.digest}", query=query)
        told = {tag.strip() for tag in answer.headers.get("OCI-Tag", "").split(",")}
        for name in names:
            if name not in told:
                self._put(desc, content, name)
        return answer

    def _put(self, desc: Descriptor, content: bytes, name: str, *, query: str = "") -> Answer:
        body = Body(BytesSource(content), len(content), desc.media_type)
        path = f"manifests/{name}?{query}" if query else f"manifests/{name}"
        answer = self._endpoint.request(
            Request("PUT", self._url(path), body=body), self._write, expect=_STORED
        )
        if answer.status not in _STORED:
            return self._refused(answer, desc, name)
        check_answered_digest(answer, desc, what=self._what(name))
        answer.discard()
        return answer

    def _refused(self, answer: Answer, desc: Descriptor, name: str) -> Answer:
        """A tag that must not move is fine where it is; everything else is an error.

        Some registries refuse even the content that the tag has already.
        """
        problem = Problem.read(answer)
        error = self._endpoint.error(
            problem, what=self._what(name), missing=ManifestNotFound, rejected=ManifestRejected
        )
        if problem.code in _CHILD_MISSING:
            raise ManifestBlobUnknown(error.message, hint=error.hint)
        if problem.status in _MAYBE_IMMUTABLE and ":" not in name:
            present = self._present(name)
            if present is not None and present.digest == desc.digest:
                return answer
            if present is not None and _speaks_of_tags(problem):
                raise TagImmutable(
                    f"{self._what(name)}: the registry does not let this tag move from "
                    f"{present.digest} to {desc.digest} ({problem})",
                    hint="push under another tag; the tag that is there was left alone",
                )
        raise error

    def _present(self, name: str) -> Descriptor | None:
        try:
            return self.resolve(name)
        except RegistryUnreachable:
            raise
        except AgentociError:
            return None

    def read(self, name: str) -> tuple[Descriptor, bytes]:
        """The manifest behind a tag or digest with its bytes, in one request.

        Raises ManifestNotFound, RepositoryNotFound, DigestMismatch, SizeMismatch, Denied,
        RegistryUnreachable.
        """
        request = Request("GET", self._url(f"manifests/{name}"), {"Accept": mediatypes.ACCEPT})
        answer = self._endpoint.request(request, self._read, expect={200})
        if answer.status != 200:
            raise self._error(answer, name)
        with answer:
            content = answer.content(limits.MAX_MANIFEST_BYTES)
        if len(content) > limits.MAX_MANIFEST_BYTES:
            raise SizeMismatch(f"{self._what(name)}: larger than {limits.MAX_MANIFEST_BYTES} bytes")
        pinned = _digest(name)
        found = Descriptor.of(stated_type(answer) or mediatypes.OCI_MANIFEST, content)
        if pinned is not None:
            found = Descriptor(found.media_type, pinned, len(content))
            read_verified(io.BytesIO(content), found)
        check_answered_digest(answer, found, what=self._what(name))
        return found, content

    def _head(self, name: str, scopes: tuple[str, ...]) -> Answer:
        request = Request("HEAD", self._url(f"manifests/{name}"), {"Accept": mediatypes.ACCEPT})
        answer = self._endpoint.request(request, scopes, expect={200, 404})
        answer.discard()
        return answer

    def _error(self, answer: Answer, name: str) -> AgentociError:
        error = self._endpoint.error(
            answer, what=self._what(name), missing=ManifestNotFound, rejected=ManifestRejected
        )
        if isinstance(error, ManifestNotFound) and ":" not in name:
            error.hint = f"agent tags {self._endpoint.host}/{self._name} lists what is there"
        return error

    def _url(self, path: str) -> str:
        return self._endpoint.url(f"{self._name}/{path}")

    def _what(self, name: str) -> str:
        return self._endpoint.named(self._name, name)


def _speaks_of_tags(problem: Problem) -> bool:
    words = f"{problem.code} {problem.message}".lower()
    return "immutab" in words or "overwrit" in words or "TAG_INVALID" in problem.code


def _described(answer: Answer, name: str) -> Descriptor | None:
    """The descriptor that the headers give; None when one of its parts is missing."""
    media_type = stated_type(answer)
    size = stated_size(answer)
    digest = _digest(name) or _digest(answer.headers.get("Docker-Content-Digest"))
    if not media_type or digest is None or not size:
        return None
    return Descriptor(media_type, digest, size, size_is_hint=True)


def stated_size(answer: Answer) -> int | None:
    """The Content-Length; None when there is none, or one that nothing can have."""
    length = answer.headers.get("Content-Length", "")
    return int(length) if _SIZE.fullmatch(length) else None


def stated_type(answer: Answer) -> str:
    """The Content-Type without its parameters; empty when there is none."""
    return answer.headers.get("Content-Type", "").partition(";")[0].strip()


def _digest(text: str | None) -> Digest | None:
    try:
        return Digest.parse(text)
    except InvalidDigest:
        return None
