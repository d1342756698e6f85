"""One upload session of a registry: where it is, and what it holds already.

distribution-spec, "Pushing blobs". Whatever a registry answers, the newest Location counts, and its
own word on what it holds counts more than what was sent.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final
from urllib.parse import quote

from agentoci._internal import limits
from agentoci.content.protocols import Source
from agentoci.content.reader import BytesSource, DigestMismatch
from agentoci.errors import AgentociError
from agentoci.registry.blobs.methods import MAX_MIN_CHUNK
from agentoci.registry.blobs.verdicts import Failure, Verdict, judge
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import BlobNotFound, RegistryFailing, RegistryUnreachable
from agentoci.registry.http.transport import Answer, Body, Request
from agentoci.registry.problems import Problem
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest, InvalidDigest

PROGRESS: Final = 64 * limits.KIB
"""Bytes that count as progress: a registry that takes less at a time fails."""

_STORED: Final = frozenset({201, 204})
_TAKEN: Final = frozenset({201, 202, 204})
_RANGE: Final = re.compile(r"(?:bytes[ =])?0-([0-9]{1,18})")


class Session:
    """Sends parts of one blob; `held` is how much of it the registry has."""

    def __init__(
        self, endpoint: Endpoint, scopes: tuple[str, ...], desc: Descriptor, *, what: str
    ) -> None:
        self.least = 0
        self.held = 0
        self._endpoint = endpoint
        self._scopes = scopes
        self._desc = desc
        self._what = what
        self._location = ""
        self._acknowledged = 0
        self._stale = False

    def begin(self, answer: Answer) -> bool:
        """Begin where the answer to a POST says; False when it does not say."""
        with contextlib.suppress(ValueError):
            asked = int(answer.headers.get("OCI-Chunk-Min-Length", ""))
            self.least = max(0, min(asked, MAX_MIN_CHUNK))
        return self._move(answer)

    def patch(self, source: Source, stop: int, *, ranged: bool) -> Failure | None:
        """Send the bytes from `held` to before `stop`; what the registry took is in `held` then.

        Raises what the source raises, Denied, RegistryUnreachable that will last.
        """
        start = self.held
        headers = {"Content-Range": f"{start}-{stop - 1}"} if ranged or start else {}
        body = Body(source, stop - start)
        answer = self._send(Request("PATCH", self._location, headers, body), _TAKEN)
        if isinstance(answer, Failure):
            return answer
        self._move(answer)
        self._believe(answer, stop)
        answer.discard()
        if self.held - start >= min(stop - start, PROGRESS):
            return None
        words = f"{self._what}: took {self.held - start} of {stop - start} bytes"
        return Failure(Verdict.RESUME, RegistryFailing(self._endpoint.host, words))

    def put(self, source: Source | None = None) -> Failure | None:
        """Send the rest, if any, and close the session; None: the blob is stored.

        Raises what `patch` raises, and DigestMismatch.
        """
        headers = {}
        body = Body(BytesSource(b""), 0)
        if source is not None:
            body = Body(source, self._desc.size - self.held)
        if self.held and source is not None:
            headers["Content-Range"] = f"{self.held}-{self._desc.size - 1}"
        url = _with_digest(self._location, self._desc.digest)
        answer = self._send(Request("PUT", url, headers, body), _STORED)
        if isinstance(answer, Failure):
            return answer
        check_answered_digest(answer, self._desc, what=self._what)
        answer.discard()
        return None

    def recover(self, sent: int) -> bool:
        """Ask what the registry holds after a failure; False: nothing to go on from.

        An answer is believed between what was acknowledged before and what was `sent`, unless the
        registry's answers were out of date before. One that is known not to tell is not asked.
        Raises RegistryUnreachable, Denied.
        """
        if self._stale or self._endpoint.facts.resume is False:
            return False
        request = Request("GET", self._location)
        answer = self._endpoint.request(request, self._scopes, expect={204})
        answer.discard()
        held = self._told(answer)
        if answer.status != 204 or not held or not self._acknowledged <= held <= sent:
            return False
        self._move(answer)
        self.held = self._acknowledged = held
        return True

    def cancel(self) -> None:
        """Tell the registry that nothing more comes; many do not care."""
        with contextlib.suppress(AgentociError):
            self._endpoint.exchange(Request("DELETE", self._location), self._scopes).discard()

    def _believe(self, answer: Answer, stop: int) -> None:
        """Take over what the answer to a PATCH says is held.

        One that did not move since the last part is out of date (ECR) rather than true: such bytes
        are stored, and sending them again would store them twice.
        """
        told = self._told(answer)
        if told is None or told > stop or (told <= self.held and self.held > 0):
            self._stale = self._stale or told is not None
            self.held = stop
            return
        self.held = self._acknowledged = told

    def _told(self, answer: Answer) -> int | None:
        """How many bytes a Range says are held; `0-0` is none, unless it can only be one."""
        match = _RANGE.fullmatch(answer.headers.get("Range", ""))
        if match is None:
            return None
        last = int(match[1])
        if last == 0 and not self._acknowledged and self._desc.size > 1:
            return 0
        return last + 1

    def _move(self, answer: Answer) -> bool:
        location = self._endpoint.located(answer)
        self._location = location or self._location
        return location is not None

    def _send(self, request: Request, expected: frozenset[int]) -> Answer | Failure:
        closing = request.method == "PUT"
        try:
            answer = self._endpoint.exchange(request, self._scopes)
        except RegistryUnreachable as exc:
            if not exc.transient:
                raise
            return Failure(Verdict.RESUME, exc, closing=closing)
        if answer.status in expected:
            return answer
        problem = Problem.read(answer)
        error = self._endpoint.error(problem, what=self._what, missing=BlobNotFound)
        verdict = judge(problem, first=self.held == 0, patch=not closing)
        if verdict is Verdict.FATAL and answer.origin != self._endpoint.origin:
            verdict = Verdict.RESTART  # a signed address that has expired, say
        order = answer.headers.get("Retry-After")
        return Failure(verdict, error, problem, closing=closing, order=order)


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
