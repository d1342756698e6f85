"""Uploads of blobs: open a session, send the bytes in one streamed PUT, check what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from agentoci.content.protocols import Reader, Source
from agentoci.content.reader import DigestMismatch, VerifiedReader
from agentoci.errors import AgentociError, Denied
from agentoci.registry.auth import pull_scope, push_scope
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import BlobNotFound, RegistryFailing, RegistryUnreachable
from agentoci.registry.problems import Problem
from agentoci.registry.retry import RETRIED_STATUSES
from agentoci.registry.transport import Answer, Body, Request
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest, InvalidDigest

_STORED: Final = frozenset({201, 204})
_SESSION_LOST: Final = frozenset({404, 416})
_ARRIVED_WRONG: Final = frozenset({"BLOB_UPLOAD_INVALID", "DIGEST_INVALID", "SIZE_INVALID"})


@dataclass(frozen=True, slots=True)
class _Verified:
    """A source whose readers fail before the last byte unless size and digest are right."""

    inner: Source
    desc: Descriptor

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        """From the start only: the digest of a rest cannot be checked."""
        if offset:
            raise ValueError("a verified source is read from its start")
        with self.inner.open() as stream:
            yield VerifiedReader(stream, self.desc)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """An attempt that failed in a way that another session may mend."""

    error: AgentociError
    order: str | None = None


class Uploads:
    """Blob uploads into one repository; safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name
        self._scopes = (push_scope(name),)
        self._sessions: dict[Digest, str] = {}

    def exists(self, desc: Descriptor) -> bool:
        """Whether the repository has the blob."""
        request = Request("HEAD", self._url(f"blobs/{desc.digest}"))
        answer = self._endpoint.request(request, self._scopes, expect={200, 404})
        answer.discard()
        if answer.status in {200, 404}:
            return answer.status == 200
        raise self._endpoint.error(answer, what=self._what(desc), missing=BlobNotFound)

    def mount(self, desc: Descriptor, source_name: str) -> bool:
        """Take a blob over from another repository of this registry; False: it must be sent.

        Asks for leave to read the other repository; whatever goes wrong is for `push` to meet. A
        session that the registry opened instead is kept for `push`.
        """
        query = f"mount={quote(str(desc.digest), safe='')}&from={quote(source_name, safe='/')}"
        request = Request("POST", self._url(f"blobs/uploads/?{query}"))
        try:
            answer = self._endpoint.exchange(request, (*self._scopes, pull_scope(source_name)))
        except (RegistryUnreachable, Denied):
            return False
        answer.discard()
        location = self._endpoint.located(answer)
        if answer.status == 202 and location:
            self._sessions[desc.digest] = location
        return answer.status == 201

    def push(self, desc: Descriptor, source: Source) -> None:
        """Send a blob, with fresh sessions after failures.

        After a failure that may have come behind a success the registry is asked for the digest,
        so that nothing is sent twice. Raises DigestMismatch, SizeMismatch, RegistryUnreachable,
        Denied, Rejected, and what the source raises.
        """
        patience = self._endpoint.patience
        for failures in range(1, patience.policy.tries + 1):
            trouble = self._attempt(desc, source)
            if trouble is None or self.exists(desc):
                return
            if failures == patience.policy.tries:
                raise trouble.error
            patience.wait(failures, order=trouble.order)

    def _attempt(self, desc: Descriptor, source: Source) -> _Trouble | None:
        location = self._sessions.pop(desc.digest, None) or self._open()
        body = Body(_Verified(source, desc), desc.size)
        try:
            answer = self._endpoint.exchange(
                Request("PUT", _with_digest(location, desc.digest), body=body), self._scopes
            )
        except RegistryUnreachable as exc:
            if not exc.transient:
                raise
            return _Trouble(exc)
        except BaseException:
            self._cancel(location)
            raise
        if answer.status in _STORED:
            check_answered_digest(answer, desc, what=self._what(desc))
            answer.discard()
            return None
        return self._judge(answer, desc, location)

    def _judge(self, answer: Answer, desc: Descriptor, location: str) -> _Trouble:
        """What an unwelcome answer to the bytes means; raises when another session is no use."""
        foreign = answer.origin != self._endpoint.origin
        problem = Problem.read(answer)
        error = self._endpoint.error(problem, what=self._what(desc), missing=BlobNotFound)
        passing = (
            problem.status in RETRIED_STATUSES | _SESSION_LOST
            or problem.code in _ARRIVED_WRONG
            or 200 <= problem.status < 300
            or foreign
        )
        if passing and problem.code != "NAME_UNKNOWN":
            return _Trouble(error, answer.headers.get("Retry-After"))
        self._cancel(location)
        raise error

    def _open(self) -> str:
        request = Request("POST", self._url("blobs/uploads/"))
        answer = self._endpoint.request(request, self._scopes, expect={202})
        what = f"{self._endpoint.host}/{self._name}"
        if answer.status != 202:
            raise self._endpoint.error(answer, what=what, missing=BlobNotFound)
        answer.discard()
        location = self._endpoint.located(answer)
        if location is None:
            raise RegistryFailing(
                self._endpoint.host, f"{what}: opened an upload without saying where (no Location)"
            )
        return location

    def _cancel(self, location: str) -> None:
        """Tell the registry that nothing more comes; many do not care."""
        with contextlib.suppress(AgentociError):
            self._endpoint.exchange(Request("DELETE", location), self._scopes).discard()

    def _url(self, path: str) -> str:
        return self._endpoint.url(f"{self._name}/{path}")

    def _what(self, desc: Descriptor) -> str:
        return f"{self._endpoint.host}/{self._name}@{desc.digest}"


def check_answered_digest(answer: Answer, desc: Descriptor, *, what: str) -> None:
    """Compare Docker-Content-Digest, when it is there and of the same algorithm."""
    try:
        said = Digest.parse(answer.headers.get("Docker-Content-Digest"))
    except InvalidDigest:
        return
    if said.algorithm == desc.digest.algorithm and said != desc.digest:
        answer.close()
        raise DigestMismatch(f"{what}: the registry answers with digest {said}")


def _with_digest(location: str, digest: Digest) -> str:
    """The query of a Location is not to be spelled anew: registries sign it."""
    return f"{location}{'&' if '?' in location else '?'}digest={quote(str(digest), safe='')}"
