"""What the failure of a request of an upload calls for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from agentoci.errors import AgentociError
from agentoci.registry.blobs.methods import stated_limit
from agentoci.registry.http.retry import RETRIED_STATUSES
from agentoci.registry.problems import Problem

_OTHER_METHOD: Final = frozenset({405, 411, 415, 501})
_REFUSED_UNREAD: Final = frozenset({425, 429})
_ARRIVED_WRONG: Final = frozenset({"DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_INVALID"})


class Verdict(Enum):
    """What a failed request of a session calls for."""

    RESUME = auto()
    """The session may live: ask what it holds."""
    RESTART = auto()
    """The session is of no use; another one may be."""
    WRONG = auto()
    """The registry holds other bytes than were sent: once more from the start."""
    SMALLER = auto()
    """The body was too large."""
    OTHER_METHOD = auto()
    """The registry does not take blobs like this."""
    FATAL = auto()
    """No other way of sending will do."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a request of a session ended, when not as it should.

    `closing` tells that it was to close the session; without a problem it was not answered.
    """

    verdict: Verdict
    error: AgentociError
    problem: Problem | None = None
    closing: bool = False
    order: str | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether the blob may be stored all the same."""
        if not self.closing or self.problem is None:
            return self.closing
        passing = self.verdict in {Verdict.RESUME, Verdict.RESTART}
        return self.doubtful or (passing and self.problem.status not in _REFUSED_UNREAD)

    @property
    def doubtful(self) -> bool:
        """Whether a refusal may only mean that the session is lost."""
        return self.problem is not None and self.problem.status == HTTPStatus.NOT_FOUND


def judge(problem: Problem, *, first: bool, patch: bool) -> Verdict:
    """What an unwelcome answer calls for; `first`: the session had taken nothing before."""
    status, code = problem.status, problem.code
    if status in RETRIED_STATUSES or 200 <= status < 300:
        return Verdict.RESUME
    if status == 413 or (status == 416 and _too_large(problem, patch=patch and first)):
        return Verdict.SMALLER
    if status in _OTHER_METHOD or code == "UNSUPPORTED":
        return Verdict.OTHER_METHOD
    if first and _no_upload(problem, patch=patch):
        return Verdict.OTHER_METHOD
    if code in _ARRIVED_WRONG or status == 416:
        return Verdict.WRONG if code in _ARRIVED_WRONG else Verdict.RESUME
    if status == 404 and code != "NAME_UNKNOWN":
        return Verdict.RESTART
    return Verdict.FATAL


def _too_large(problem: Problem, *, patch: bool) -> bool:
    """Whether a 416 speaks of the size: the first part of a blob cannot be out of order."""
    return patch or stated_limit(problem.message) is not None


def _no_upload(problem: Problem, *, patch: bool) -> bool:
    """Whether the registry denies the upload that it has opened: not to be used like this."""
    missing = problem.status == 404 and problem.code.startswith("BLOB_UPLOAD_")
    return missing or (patch and problem.code == "BLOB_UPLOAD_INVALID")
