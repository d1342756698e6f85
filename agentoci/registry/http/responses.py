"""What http.client makes of an answer, told apart from one that breaks off or cannot be framed.

http.client takes the end of the connection for the end of a head, and leaves it to its caller to
see that a body is short. Its errors quote what came, and some servers send back what they were
sent; ours do not.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Final

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

from agentoci._internal import limits

_INTERIM: Final = range(100, 200)
_CODINGS: Final = frozenset({"", "chunked", "identity"})


class NotHttp(ConnectionError):
    """What came back cannot be read as an answer."""


class Cut(ConnectionError):
    """The connection ended before the answer did."""


class _Lines(io.BufferedReader):
    """The connection, which must not end within a head or between chunks.

    `left` are the lines that may still come before they are too many.
    """

    left = limits.MAX_ANSWER_LINES
    _begun = False

    def readline(self, size: int | None = -1, /) -> bytes:
        """A line with its end, or `size` bytes; nothing only before the first one."""
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size and (line or self._begun):
            raise Cut("within a head")
        self._begun = True
        self.left -= 1
        if self.left < 0:
            raise NotHttp("no end of lines")
        return line


class Response(http.client.HTTPResponse):
    """An answer; `isclosed` tells when all of its body was read.

    Beside NotHttp and Cut, reading raises http.client.RemoteDisconnected when there is no answer
    at all, and what the socket raises.
    """

    def __init__(self, sock: socket.socket, method: str) -> None:
        super().__init__(sock, method=method)
        self._lines = _Lines(self.fp.detach())
        self.fp = self._lines

    def has_begun(self) -> bool:
        """Whether it is coming, as far as the socket's timeout lets us see; 1xx is not yet it."""
        start = self._lines.peek(1)
        return bool(start) and start[len("HTTP/1.1 ") :][:1] != b"1"

    def begin(self) -> None:
        """Read the head; answers of the 1xx kind before it are passed over."""
        try:
            super().begin()
            while self.status in _INTERIM:
                self.headers = None  # type: ignore[assignment]  # it would not begin twice
                super().begin()
        except http.client.RemoteDisconnected:
            raise
        except http.client.HTTPException as exc:
            raise NotHttp(type(exc).__name__) from None
        self._check()
        if self.length == 0:
            self.close()

    def _check(self) -> None:
        """What http.client lets pass, and what would make us wait for bytes that never come."""
        try:
            assert_header_parsing(self.msg)
        except HeaderParsingError:
            raise NotHttp("a header without a name") from None
        if self.headers.get("Transfer-Encoding", "").lower() not in _CODINGS:
            raise NotHttp("an unknown transfer coding")
        lengths = set(self.headers.get_all("Content-Length", ()))
        unread = self.length is None and not self.chunked
        if len(lengths) > 1 or (lengths and unread):
            raise NotHttp("no telling how long it is")

    def fields(self) -> HTTPHeaderDict:
        """Its headers, found in any case; several of one name are joined by commas."""
        return HTTPHeaderDict((name, _unfolded(value)) for name, value in self.headers.items())

    def read1(self, n: int = -1) -> bytes:
        """What is there of the body, waiting for the first byte only; nothing at its end."""
        self._lines.left = limits.MAX_ANSWER_LINES
        try:
            chunk = super().read1(n)
        except http.client.IncompleteRead:
            raise Cut("within a chunk") from None
        except http.client.HTTPException as exc:
            raise NotHttp(type(exc).__name__) from None
        if not chunk and n and self.length:
            raise Cut(f"{self.length} bytes short")
        if 0 <= n < len(chunk):
            raise NotHttp("a chunk of less than nothing")
        if self.length == 0 or (n and not chunk):
            self.close()  # some versions of http.client do, some do not
        return chunk


def _unfolded(value: str) -> str:
    """A value on several lines, which are one (RFC 9112, section 5.2)."""
    return " ".join(line.strip() for line in value.split("\n")) if "\n" in value else value
