"""What can go wrong with an answer, as small functions that a test strings together."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Reply:
    """What goes back; with `cut`, the connection is reset after so many bytes of the body.

    A header with several lines is sent as several headers.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: bool = True
    close: bool = False


class Gone(Exception):
    """The connection ends here, without a (further) byte; `part` is what came of the body."""

    def __init__(self, part: bytes = b"") -> None:
        super().__init__()
        self.part = part


class BodyReader(Protocol):
    """The body of a request: read when it is asked for, and once."""

    def __call__(self, limit: int | None = None) -> bytes:
        """The whole, or its first `limit` bytes; raises Gone when the client hung up."""
        ...


class Serving(Protocol):
    """The registry behind an exchange."""

    def serve(self, seen: Seen, read_body: BodyReader) -> Reply:
        """The well-behaved answer."""
        ...


@dataclass
class Exchange:
    """What a fault gets to see and to decide."""

    registry: Serving
    seen: Seen
    read_body: BodyReader

    def serve(self) -> Reply:
        """What a well-behaved registry answers."""
        return self.registry.serve(self.seen, self.read_body)


Fault = Callable[[Exchange], Reply]


def answers(status: int, body: bytes | str = b"", **headers: str) -> Fault:
    """Read the request, do nothing, answer this; underscores in header names become dashes."""

    def fault(exchange: Exchange) -> Reply:
        exchange.read_body()
        content = body.encode() if isinstance(body, str) else body
        return Reply(status, content, {k.replace("_", "-"): v for k, v in headers.items()})

    return fault


def refuses(status: int, code: str, message: str) -> Fault:
    """An error in the form of the distribution-spec."""
    body = json.dumps({"errors": [{"code": code, "message": message}]})
    return answers(status, body, Content_Type="application/json")


def answers_early(status: int, code: str, message: str) -> Fault:
    """Answer without reading the body, and close."""

    def fault(exchange: Exchange) -> Reply:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        return Reply(status, body, {"Content-Type": "application/json"}, close=True)

    return fault


def changes(change: Callable[[Reply], None]) -> Fault:
    """Serve, then let `change` spoil the reply."""

    def fault(exchange: Exchange) -> Reply:
        reply = exchange.serve()
        change(reply)
        return reply

    return fault


def cuts(after: int) -> Fault:
    """Reset the connection after so many bytes of the body."""
    return changes(lambda reply: setattr(reply, "cut", after))


def spoils_body(change: Callable[[bytes], bytes]) -> Fault:
    """Serve other bytes."""
    return changes(lambda reply: setattr(reply, "body", change(reply.body)))


def adds(**headers: str) -> Fault:
    """Serve with further headers."""
    return changes(
        lambda reply: reply.headers.update({k.replace("_", "-"): v for k, v in headers.items()})
    )


def lacks(*names: str) -> Fault:
    """Serve without some headers."""

    def change(reply: Reply) -> None:
        for name in names:
            reply.headers.pop(name, None)

    return changes(change)


def ignores_range() -> Fault:
    """Serve the whole, whatever was asked for."""

    def fault(exchange: Exchange) -> Reply:
        exchange.seen.headers.pop("range", None)
        return exchange.serve()

    return fault


def drops() -> Fault:
    """Read the request and hang up."""

    def fault(exchange: Exchange) -> Reply:
        exchange.read_body()
        raise Gone

    return fault


def hangs_up_at_once() -> Fault:
    """Hang up before the body is read."""

    def fault(exchange: Exchange) -> Reply:
        raise Gone

    return fault


def cuts_body(after: int) -> Fault:
    """Take so many bytes of the body, and hang up; a registry may keep what it got."""

    def fault(exchange: Exchange) -> Reply:
        def read_part(limit: int | None = None) -> bytes:
            raise Gone(exchange.read_body(after))

        return exchange.registry.serve(exchange.seen, read_part)

    return fault


def loses_answer() -> Fault:
    """Do what was asked, and hang up without saying so."""

    def fault(exchange: Exchange) -> Reply:
        exchange.serve()
        raise Gone

    return fault


def redirects(url: str, status: int = 307) -> Fault:
    """Send the client elsewhere."""
    return answers(status, Location=url)


def waits(event: threading.Event) -> Fault:
    """Say nothing until the event is set."""

    def fault(exchange: Exchange) -> Reply:
        event.wait(30)
        raise Gone

    return fault
