"""One registry: where it is, who we are there, and how patient we are with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError
from agentoci.registry.auth.authorizer import Authorizer
from agentoci.registry.auth.challenges import Challenge, parse_challenges
from agentoci.registry.auth.negotiation import Negotiation
from agentoci.registry.auth.tokens import basic
from agentoci.registry.errors import RegistryUnreachable, Rejected, UnsafeDestination
from agentoci.registry.facts import HostFacts, Memory
from agentoci.registry.http.origin import Origin, Reach, check_step, joined
from agentoci.registry.http.retry import RETRIED_STATUSES, Patience
from agentoci.registry.http.transport import Answer, Request, Transport, check_redirect
from agentoci.registry.problems import Problem, error_from, speaks_of_tls, tls_wanted
from agentoci.registry.turns import Turns

_READING: Final = frozenset({"GET", "HEAD"})
_SPARE_STREAMS: Final = 6
"""Connections that all downloads of a registry together may add to one each."""


class Endpoint:
    """Sends authorised requests to one registry.

    Credentials go to its own origin only: what a server sends us to elsewhere is asked without.
    """

    def __init__(
        self,
        host: str,
        origin: Origin,
        *,
        transport: Transport,
        authorizer: Authorizer,
        patience: Patience,
        memory: Memory,
        turns: Turns | None = None,
    ) -> None:
        self.host = host
        self.origin = origin
        self.patience = patience
        self.spare_streams = threading.BoundedSemaphore(_SPARE_STREAMS)
        self.turns = turns or Turns()
        self._memory = memory
        self._transport = transport
        self._authorizer = authorizer
        self._understood = False

    @property
    def facts(self) -> HostFacts:
        """What is known of the registry, from this run and earlier ones."""
        return self._memory.facts(self.host)

    def learn(self, **changes: Any) -> None:
        """Remember something about the registry (fields of HostFacts)."""
        self._memory.learn(self.host, **changes)

    def url(self, path: str) -> str:
        """The URL of a path below `/v2/`."""
        return f"{self.origin}/v2/{path}"

    def named(self, repository: str, name: str = "") -> str:
        """What messages call a repository, or what has a tag or a digest in it."""
        mark = ("@" if ":" in name else ":") if name else ""
        return f"{self.host}/{repository}{mark}{name}"

    def located(self, answer: Answer) -> str | None:
        """Where an answer's Location leads, by the URL that really answered."""
        location = answer.headers.get("Location")
        return joined(answer.url, location) if location else None

    def exchange(self, request: Request, scopes: Sequence[str] = ()) -> Answer:
        """One exchange, tried again when the registry asks for (other) credentials.

        Raises RegistryUnreachable, Denied, and what the body's source raises.
        """
        check = check_redirect if request.method in _READING else _check_writing
        if request.origin != self.origin:
            _check_writing(self.origin, request.origin)
            return self._transport.send(request, check=check, behalf=self.origin)
        answer = Negotiation(
            self._authorizer,
            scopes,
            send=lambda header: self._transport.send(_authorized(request, header), check=check),
            greeting=self._greeting,
            home=self.origin,
        ).answer()
        self._understood = self._understood or answer.status < HTTPStatus.BAD_REQUEST
        return answer

    def introduced(self, request: Request) -> Request:
        """With user name and password ahead, for an API that tells strangers less than it could.

        Unchanged when there are none. Raises UnsafeDestination for a request to another origin.
        """
        if request.origin != self.origin:
            raise UnsafeDestination(f"{request.origin.netloc} is not {self.origin.netloc}")
        found = self._authorizer.credential(())
        return _authorized(request, basic(found) if found and found.has_password else None)

    def request(
        self, request: Request, scopes: Sequence[str] = (), *, expect: Collection[int]
    ) -> Answer:
        """An exchange, tried again while the registry or the network is unwell.

        A success that nobody expects (a proxy's "healthy" page) counts as unwell. The last answer
        is returned whatever it says. Raises RegistryUnreachable, Denied.
        """

        def done(answer: Answer) -> bool:
            if answer.status in expect:
                return True
            return answer.status not in RETRIED_STATUSES and not 200 <= answer.status < 300

        return self.patience.run(lambda: self.exchange(request, scopes), done=done)

    def error(
        self,
        answer: Answer | Problem,
        *,
        what: str,
        missing: type[ContentNotFound] = ContentNotFound,
        rejected: type[Rejected] = Rejected,
    ) -> AgentociError:
        """The error that an unwelcome answer means; closes the answer."""
        speaker = self.host
        if isinstance(answer, Answer):
            if answer.origin != self.origin:
                speaker = answer.origin.netloc
            answer = Problem.read(answer)
        if answer.status == HTTPStatus.BAD_REQUEST and not answer.code and self._wants_tls():
            return tls_wanted(self.origin, self.host)
        return error_from(answer, host=speaker, what=what, missing=missing, rejected=rejected)

    def _wants_tls(self) -> bool:
        """Whether the server speaks TLS only; the answer to a HEAD has no room to say so."""
        if self.origin.secure or self._understood:
            return False
        request = Request("GET", self.url(""))
        with contextlib.suppress(RegistryUnreachable), self._transport.send(request) as answer:
            return speaks_of_tls(answer.content(limits.MAX_ERROR_BODY_BYTES))
        return False

    def knock(self) -> Answer:
        """What `/v2/` answers to a stranger, closed already; raises RegistryUnreachable."""
        answer = self._transport.send(Request("GET", self.url("")))
        answer.discard()
        return answer

    def certificate(self) -> Mapping[str, Any] | None:
        """What the registry shows over TLS, as `ssl.SSLSocket.getpeercert` has it; None: plain.

        Raises RegistryUnreachable, for a certificate that nobody trusts too.
        """
        return self._transport.certificate(self.origin) if self.origin.secure else None

    def _greeting(self) -> tuple[Challenge, ...]:
        """The challenges of `/v2/`, for a registry that refuses without saying what it wants."""
        answer = self.knock()
        if answer.origin != self.origin:
            return ()
        return parse_challenges(answer.headers.get("WWW-Authenticate", ""))


def _check_writing(start: Origin, target: Origin) -> None:
    """Where a registry may send what changes something: to nothing inside the user's network."""
    check_step(start, target, nearest=Reach.PUBLIC)


def _authorized(request: Request, header: str | None) -> Request:
    if header is None:
        return request
    return replace(request, headers={**request.headers, "Authorization": header})
