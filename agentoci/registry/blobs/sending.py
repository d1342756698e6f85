"""One blob's way into a repository, through as many sessions and methods as it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agentoci._internal import limits
from agentoci.errors import AgentociError
from agentoci.registry.blobs.feed import Feed
from agentoci.registry.blobs.methods import Plan
from agentoci.registry.blobs.sessions import PROGRESS, Session
from agentoci.registry.blobs.verdicts import Failure, Verdict
from agentoci.registry.errors import RegistryUnreachable
from agentoci.registry.facts import CHUNKED, MONOLITHIC
from agentoci.registry.http.retry import RETRIED_STATUSES, Patience

_LONG_BODY: Final = 16 * limits.MIB
"""A cut after so many bytes may be the doing of something that limits bodies without saying so."""

_CUTS: Final = 2


class Sending:
    """Sends the blob of a feed, beginning by a plan.

    Bounded: plans only get narrower, and failures count until more of the blob is stored than ever
    before. `open_session` gives fresh sessions; `exists` tells whether the blob is there.
    """

    def __init__(
        self,
        feed: Feed,
        plan: Plan,
        *,
        open_session: Callable[[], Session],
        exists: Callable[[], bool],
        patience: Patience,
    ) -> None:
        self._feed = feed
        self._plan = plan
        self._open_session = open_session
        self._exists = exists
        self._patience = patience
        self._refusal: AgentociError | None = None
        self._rest_by_patch = False
        self._restarted = False
        self._failures = 0
        self._cuts = 0
        self._best = 0

    def run(self) -> Plan:
        """Send until the blob is stored; returns the plan that worked.

        A session that is given up is cancelled. Raises what a session raises, and the first
        refusal once no method is left.
        """
        session = self._open()
        try:
            while (failure := self._send(session)) is not None:
                if failure.ambiguous and self._exists():
                    break
                session = self._next(session, failure)
        except RegistryUnreachable:
            raise
        except BaseException:
            session.cancel()
            raise
        return self._plan

    def _open(self) -> Session:
        self._feed.restart()
        return self._open_session()

    def _send(self, session: Session) -> Failure | None:
        """What is left of the blob, by the plan; None: it is stored."""
        feed, size = self._feed, self._feed.desc.size
        while session.held < size:
            start = session.held
            if self._plan.method == MONOLITHIC and not (start and self._rest_by_patch):
                return session.put(feed.part(start, size))
            stop = self._plan.stop(start, size, least=session.least)
            ranged = self._plan.method == CHUNKED
            failure = session.patch(feed.part(start, stop), stop, ranged=ranged)
            if failure is not None:
                return failure
        return session.put(None if size else feed.part(0, 0))

    def _next(self, session: Session, failure: Failure) -> Session:
        """The session to go on with after a failure; raises when there is no way on."""
        if self._refuses_rest(session, failure):
            self._rest_by_patch = True
        elif failure.verdict is Verdict.FATAL:
            raise failure.error
        elif failure.verdict in {Verdict.SMALLER, Verdict.OTHER_METHOD}:
            plan = self._other_plan(session, failure)
            if plan is not None:
                self._plan = plan
                session.cancel()
                return self._open()
        elif failure.verdict is Verdict.WRONG:
            self._restart_once(failure)
            session.cancel()
        self._tire(session, failure)
        resumable = failure.verdict is Verdict.RESUME or self._refuses_rest(session, failure)
        return session if resumable and session.recover(self._feed.sent) else self._open()

    def _refuses_rest(self, session: Session, failure: Failure) -> bool:
        """Whether a PUT that was to carry the rest was refused: a PATCH may still do."""
        if failure.problem is None or failure.problem.status in RETRIED_STATUSES:
            return False
        return failure.closing and 0 < session.held < self._feed.desc.size

    def _other_plan(self, session: Session, failure: Failure) -> Plan | None:
        """The plan after a refusal; None when one that may not have been meant was the last."""
        self._refusal = self._refusal or failure.error
        if failure.verdict is Verdict.OTHER_METHOD:
            plan = self._plan.without()
        elif failure.closing and session.held:
            plan = None  # the request had no body
        else:
            plan = self._plan.smaller(str(failure.problem), least=session.least)
        if plan is None and not failure.doubtful:
            raise self._refusal
        return plan

    def _restart_once(self, failure: Failure) -> None:
        if self._restarted:
            raise failure.error
        self._restarted = True

    def _tire(self, session: Session, failure: Failure) -> None:
        """Count a failure and wait; raises it when patience is at its end."""
        if session.held >= self._best + PROGRESS:
            self._best, self._failures = session.held, 0
        self._failures += 1
        if self._failures >= self._patience.policy.tries:
            raise failure.error
        if failure.problem is None:
            self._heed_cut(self._feed.position - session.held)
        self._patience.wait(self._failures, order=failure.order)

    def _heed_cut(self, length: int) -> None:
        """After two cuts of long bodies, or of chunks, send shorter ones."""
        if self._plan.method == CHUNKED or length > _LONG_BODY:
            self._cuts += 1
        if self._cuts == _CUTS:
            self._cuts = 0
            self._plan = self._plan.gentler()
