"""One request's way past a registry's doorkeeper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from agentoci.errors import Denied
from agentoci.registry.auth.authorizer import Authorizer, reads_only
from agentoci.registry.auth.challenges import Challenge, misses_scope, parse_challenges
from agentoci.registry.auth.realms import UntrustedRealm
from agentoci.registry.auth.tokens import LoginRefused
from agentoci.registry.errors import AuthenticationFailed, RegistryUnreachable
from agentoci.registry.http.origin import Origin
from agentoci.registry.http.transport import Answer

_DENIALS: Final = frozenset({401, 403})
_HIDDEN: Final = _DENIALS | {404}
"""What registries say to strangers about what is not public."""


class Negotiation:
    """Sends a request until it is let in or there is nothing else to show.

    At most four times: as well as is known ahead; with what a 401 asks for; with exactly the scope
    that the registry misses; and, when it only reads and a stored login is refused, as nobody.
    `send` sends the request with an Authorization header or without, and opens its body anew;
    `greeting` gives the challenges of the registry's door.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        scopes: Sequence[str],
        *,
        send: Callable[[str | None], Answer],
        greeting: Callable[[], Sequence[Challenge]],
        home: Origin,
    ) -> None:
        self._authorizer = authorizer
        self._scopes = scopes
        self._deliver = send
        self._greeting = greeting
        self._home = home
        self._shown: list[str | None] = []

    def answer(self) -> Answer:
        """The last answer, good or bad; raises AuthenticationFailed, UntrustedRealm."""
        try:
            answer = self._identified()
        except (AuthenticationFailed, UntrustedRealm) as exc:
            everywhere = isinstance(exc, LoginRefused | UntrustedRealm)
            found = self._anonymous(exc.message, everywhere=everywhere)
            if found is None:
                raise
            return found
        if not self._denies(answer) or self._shown[-1] is None:
            return answer
        said = f"{self._authorizer.host} answers {answer.status} to a known user"
        found = self._anonymous(said, everywhere=False)
        if found is None:
            return answer
        answer.discard()
        return found

    def _identified(self) -> Answer:
        """As the user, with what the registry asks for."""
        header = self._authorizer.ahead(self._scopes)
        answer = self._send(header)
        asked = _challenges(answer)
        if not self._denies(answer) or (answer.status == 403 and not misses_scope(asked)):
            return answer
        answer.discard()
        asked = asked or tuple(self._greeting())
        header = self._authorizer.after(asked, self._scopes, rejected=header)
        answer = self._send(header)
        if self._denies(answer):
            wider = self._authorizer.wider(_challenges(answer), self._scopes, rejected=header)
            if wider is not None:
                answer.discard()
                answer = self._send(wider)
        if answer.status == 401:
            self._authorizer.forget(self._shown[-1])
        return answer

    def _anonymous(self, reason: str, *, everywhere: bool) -> Answer | None:
        """As nobody, in place of a stored login; None when that opens nothing either."""
        credential = self._authorizer.credential(self._scopes)
        if not reads_only(self._scopes) or credential is None or not credential.source:
            return None
        try:
            header = self._authorizer.without(self._scopes)
            if header in self._shown:
                return None
            answer = self._send(header)
        except (Denied, RegistryUnreachable):
            return None
        if answer.status in _HIDDEN:
            answer.discard()
            return None
        self._authorizer.leave_out(self._scopes, reason, everywhere=everywhere)
        return answer

    def _send(self, header: str | None) -> Answer:
        self._shown.append(header)
        return self._deliver(header)

    def _denies(self, answer: Answer) -> bool:
        return answer.status in _DENIALS and answer.origin == self._home


def _challenges(answer: Answer) -> tuple[Challenge, ...]:
    return parse_challenges(answer.headers.get("WWW-Authenticate", ""))
