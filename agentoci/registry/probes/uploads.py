"""How blobs can be sent: each method by itself, what a session remembers, mounting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote

from agentoci._internal import limits
from agentoci.content.reader import BytesSource
from agentoci.errors import Denied
from agentoci.registry.auth.authorizer import pull_scope, push_scope
from agentoci.registry.blobs.sessions import Session
from agentoci.registry.blobs.verdicts import Failure
from agentoci.registry.errors import RegistryFailing
from agentoci.registry.http.retry import RETRIED_STATUSES
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.probes.ground import OCTETS, Finding, Ground, NothingToLookAt, Result
from agentoci.registry.problems import Problem
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor

SIZE: Final = 64 * limits.KIB
"""Of a blob, or of a chunk where the registry does not ask for more."""

_LARGEST: Final = 256 * limits.KIB
"""Of a chunk: all probes together send less than 2 MiB."""

_TRIES: Final = 3
_SMALL: Final = re.compile(r"small|minimum|at least|too short", re.IGNORECASE)
_CANCELLED: Final = frozenset({200, 202, 204})

Send = Callable[[Session, bytes], Failure | None]


def opens(ground: Ground) -> Iterator[Finding]:
    """Whether we may push at all; raises Denied when we may not."""
    session = ground.session(Descriptor.of(OCTETS, b""))
    ground.least = session.least
    session.cancel()
    yield Finding("push access", Result.YES, "an upload could be opened")


def cancels(ground: Ground) -> Iterator[Finding]:
    """Whether an upload can be given up."""
    answer = _cancelled(ground, ground.opened())
    if answer.status in _CANCELLED:
        answer.discard()
        yield Finding("upload cancel", Result.YES)
    else:
        yield Finding("upload cancel", Result.NO, str(Problem.read(answer)))


def takes_one_piece(ground: Ground) -> Iterator[Finding]:
    """POST, then the whole blob by PUT."""

    def send(session: Session, content: bytes) -> Failure | None:
        return session.put(BytesSource(content))

    yield _judged("monolithic upload", _sent(ground, ground.content(SIZE), send))


def takes_a_stream(ground: Ground) -> Iterator[Finding]:
    """The whole blob by a PATCH that says nothing of its place, and a closing PUT."""

    def send(session: Session, content: bytes) -> Failure | None:
        return session.patch(BytesSource(content), len(content), ranged=False) or session.put()

    yield _judged("streamed upload", _sent(ground, ground.content(SIZE), send))


def takes_chunks(ground: Ground) -> Iterator[Finding]:
    """Two chunks, each with its place, and a closing PUT."""
    size = _chunk(ground)

    def send(session: Session, content: bytes) -> Failure | None:
        return (
            _chunked(session, content, 0, size)
            or _chunked(session, content, size, len(content))
            or session.put()
        )

    least = f"in chunks of at least {ground.least} bytes" if ground.least else ""
    yield _judged("chunked upload", _sent(ground, ground.content(2 * size), send), least)


def checks_offsets(ground: Ground) -> Iterator[Finding]:
    """Whether a chunk that leaves a gap is refused."""
    size = _chunk(ground)
    content = ground.content(3 * size)
    session = ground.session(Descriptor.of(OCTETS, content))
    failure = _chunked(session, content, 0, size)
    if failure is not None:
        session.cancel()
        yield Finding("chunk offsets", Result.UNKNOWN, _words(failure))
        return
    start = session.held = size + size // 2
    failure = _chunked(session, content, start, start + size)
    session.cancel()
    if failure is None or (failure.problem is None and isinstance(failure.error, RegistryFailing)):
        yield Finding("chunk offsets", Result.NO, "a chunk that leaves a gap is taken")
    elif failure.problem is None or _wants_larger(failure) or _passes(failure):
        yield Finding("chunk offsets", Result.UNKNOWN, _words(failure))
    else:
        yield Finding("chunk offsets", Result.YES, _words(failure))


def resumes(ground: Ground) -> Iterator[Finding]:
    """Whether the registry tells how much of an upload it has, and takes the rest then."""
    size = _chunk(ground)
    content = ground.content(2 * size)
    desc = Descriptor.of(OCTETS, content)
    session = ground.session(desc)
    failure = _chunked(session, content, 0, size)
    if failure is not None:
        session.cancel()
        yield Finding("upload resume", Result.UNKNOWN, _words(failure))
        return
    if not session.recover(size):
        session.cancel()
        yield Finding("upload resume", Result.NO, "it does not tell what it has of an upload")
        return
    failure = session.put(BytesSource(content[session.held :]))
    ground.note(desc)
    if failure is not None:
        session.cancel()
    yield _judged("upload resume", failure)


def mounts(ground: Ground) -> Iterator[Finding]:
    """Whether a blob can be taken over from the repository beside, and is there then."""
    desc = ground.stored()
    beside = Repository(ground.endpoint, ground.beside, push=True)
    query = f"mount={quote(str(desc.digest), safe='')}&from={quote(ground.name, safe='/')}"
    url = ground.endpoint.url(f"{ground.beside}/blobs/uploads/?{query}")
    scopes = (push_scope(ground.beside), pull_scope(ground.name))
    try:
        answer = ground.endpoint.request(Request("POST", url), scopes, expect={201, 202})
    except Denied as exc:
        yield Finding("mount", Result.NO, exc.message)
        return
    if answer.status == 201:
        answer.discard()
        ground.note(desc, ground.beside)
        there = beside.exists(desc)
        yield Finding("mount", Result.YES if there else Result.NO, "" if there else "only said so")
    elif answer.status == 202:
        answer.discard()
        _cancelled(ground, answer, scopes).discard()
        yield Finding("mount", Result.NO, "an upload is opened instead")
    else:
        yield Finding("mount", Result.NO, str(Problem.read(answer)))


def _chunk(ground: Ground) -> int:
    """The size of chunks; raises NothingToLookAt where they would be too large for a probe."""
    if ground.least > _LARGEST:
        raise NothingToLookAt(f"wants chunks of at least {ground.least} bytes: not tried")
    return max(SIZE, ground.least)


def _chunked(session: Session, content: bytes, start: int, stop: int) -> Failure | None:
    return session.patch(BytesSource(content[start:stop]), stop, ranged=True)


def _sent(ground: Ground, content: bytes, send: Send) -> Failure | None:
    """Send a blob in sessions of their own until it is stored or refused for good."""
    desc = Descriptor.of(OCTETS, content)
    count = 0
    while True:
        session = ground.session(desc)
        failure = send(session, content)
        if failure is None or (failure.ambiguous and ground.repository.exists(desc)):
            ground.note(desc)
            return None
        session.cancel()
        count += 1
        if not _passes(failure) or count == _TRIES:
            return failure
        ground.endpoint.patience.wait(count, order=failure.order)


def _judged(check: str, failure: Failure | None, detail: str = "") -> Finding:
    """Whether that went; raises Denied, and leaves open what a larger blob would have decided."""
    if failure is None:
        return Finding(check, Result.YES, detail)
    if isinstance(failure.error, Denied):
        raise failure.error
    unknown = _passes(failure) or _wants_larger(failure)
    return Finding(check, Result.UNKNOWN if unknown else Result.NO, _words(failure))


def _passes(failure: Failure) -> bool:
    """Whether it may be the line or the moment."""
    return failure.problem is None or failure.problem.status in RETRIED_STATUSES


def _wants_larger(failure: Failure) -> bool:
    """Whether the parts were too small: object stores have a least size, probes a largest."""
    return failure.problem is not None and bool(_SMALL.search(failure.problem.message))


def _words(failure: Failure) -> str:
    return str(failure.problem or failure.error.message)


def _cancelled(ground: Ground, opened: Answer, scopes: tuple[str, ...] = ()) -> Answer:
    """The answer to giving up an upload; raises NothingToLookAt when nobody knows where it is."""
    location = ground.endpoint.located(opened)
    if location is None:
        raise NothingToLookAt("an upload was opened without a Location")
    return ground.endpoint.exchange(Request("DELETE", location), scopes or ground.scopes)
