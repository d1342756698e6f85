"""Uploads of blobs into one repository, and what it takes over from its neighbours."""

from __future__ import annotations

import contextlib
from typing import Final
from urllib.parse import quote

from agentoci._internal import limits
from agentoci.content.protocols import Presence, Source
from agentoci.errors import Denied
from agentoci.registry.auth.authorizer import pull_scope, push_scope
from agentoci.registry.blobs.feed import Feed
from agentoci.registry.blobs.methods import SMALL, Plan, first_plan
from agentoci.registry.blobs.sending import Sending
from agentoci.registry.blobs.sessions import Session
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import BlobNotFound, RegistryFailing, RegistryUnreachable
from agentoci.registry.facts import CHUNKED, MONOLITHIC
from agentoci.registry.http.transport import Request
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest

_ABSENT_FOR_EMPTY: Final = 8
"""Blobs that a repository must lack, one after another, to be taken for one that lacks all."""


class Uploads:
    """Blob uploads into one repository; safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name
        self._scopes = (push_scope(name),)
        self._sessions: dict[Digest, Session] = {}
        self._small_by_put = True
        self._absent = 0
        self._looks_empty = False

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
        session that the registry opened instead is kept for `push`. The first success is checked:
        some registries only say so.
        """
        if self._endpoint.facts.mount is False:
            return False
        query = f"mount={quote(str(desc.digest), safe='')}&from={quote(source_name, safe='/')}"
        request = Request("POST", self._url(f"blobs/uploads/?{query}"))
        try:
            answer = self._endpoint.exchange(request, (*self._scopes, pull_scope(source_name)))
            answer.discard()
            if answer.status == 201:
                return self._is_mounted(desc)
        except (RegistryUnreachable, Denied):
            return False
        session = self._session(desc)
        if answer.status == 202 and session.begin(answer):
            self._sessions[desc.digest] = session
        return False

    def take_over(self, desc: Descriptor, neighbour: str | None) -> Presence | None:
        """Have the blob without its bytes, from a neighbour or because it is there; None: push it.

        Asks by HEAD; in a repository that lacked everything so far, a small blob is mounted from
        the repository itself: that is found when it is there, and else opens the upload, so one
        request does for two. Where mounting is known to work, the neighbour is asked first.
        """
        if neighbour and self._endpoint.facts.mount:
            if self.mount(desc, neighbour):
                return Presence.MOUNTED
            return Presence.EXISTS if self.exists(desc) else None
        guess = self._looks_empty and neighbour is None and desc.size <= limits.MIB
        if guess and self._begun(desc):
            return None
        if self.exists(desc):
            self._looks_empty, self._absent = False, 0
            return Presence.EXISTS
        self._absent += 1
        self._looks_empty = self._absent >= _ABSENT_FOR_EMPTY
        if neighbour and self.mount(desc, neighbour):
            return Presence.MOUNTED
        return None

    def _begun(self, desc: Descriptor) -> bool:
        """Whether the upload is open now; False leaves it to HEAD to tell what is there."""
        session = self._session(desc)
        query = f"mount={quote(str(desc.digest), safe='')}&from={quote(self._name, safe='/')}"
        request = Request("POST", self._url(f"blobs/uploads/?{query}"))
        try:
            answer = self._endpoint.exchange(request, self._scopes)
            answer.discard()
        except (RegistryUnreachable, Denied):
            return False
        if answer.status == 202 and session.begin(answer):
            self._sessions[desc.digest] = session
            return True
        self._looks_empty, self._absent = False, 0
        return False

    def push(self, desc: Descriptor, source: Source, *, plan: Plan | None = None) -> None:
        """Send a blob by the method that the registry takes, and remember which that was.

        A `plan` of the caller's is begun with instead, and nothing is learned from it.
        After a failure the upload goes on where the registry says it stands, else in a fresh
        session; after one that may hide a success the registry is asked for the digest, so that
        nothing is sent twice. Raises DigestMismatch, SizeMismatch, RegistryUnreachable, Denied,
        Rejected, and what the source raises.
        """
        facts = self._endpoint.facts
        given, by_put = plan, self._small_by_put
        plan = given or first_plan(self._endpoint.host, facts, desc.size, small_by_put=by_put)
        with contextlib.closing(Feed(source, desc)) as feed:
            worked = Sending(
                feed,
                plan,
                open_session=lambda: self._sessions.pop(desc.digest, None) or self._open(desc),
                exists=lambda: self.exists(desc),
                patience=self._endpoint.patience,
            ).run()
        if given is not None:
            return
        if facts.upload == CHUNKED and plan.method == MONOLITHIC and worked != plan:
            self._small_by_put = False
        if worked != plan or desc.size > SMALL:
            self._learn(worked)

    def _learn(self, plan: Plan) -> None:
        if plan.method == CHUNKED:
            self._endpoint.learn(upload=CHUNKED, chunk=plan.chunk)
        else:
            self._endpoint.learn(upload=plan.method)

    def _is_mounted(self, desc: Descriptor) -> bool:
        if self._endpoint.facts.mount:
            return True
        if not self.exists(desc):
            return False
        self._endpoint.learn(mount=True)
        return True

    def _open(self, desc: Descriptor) -> Session:
        request = Request("POST", self._url("blobs/uploads/"))
        answer = self._endpoint.request(request, self._scopes, expect={202})
        what = self._endpoint.named(self._name)
        if answer.status != 202:
            raise self._endpoint.error(answer, what=what, missing=BlobNotFound)
        answer.discard()
        session = self._session(desc)
        if not session.begin(answer):
            raise RegistryFailing(
                self._endpoint.host, f"{what}: opened an upload without saying where (no Location)"
            )
        return session

    def _session(self, desc: Descriptor) -> Session:
        return Session(self._endpoint, self._scopes, desc, what=self._what(desc))

    def _url(self, path: str) -> str:
        return self._endpoint.url(f"{self._name}/{path}")

    def _what(self, desc: Descriptor) -> str:
        return self._endpoint.named(self._name, str(desc.digest))
