"""Downloads that go on where a connection dropped."""

from __future__ import annotations

import re
from typing import Final

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import SizeMismatch
from agentoci.errors import AgentociError, Integrity
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import RegistryUnreachable
from agentoci.registry.http.transport import Answer, Request
from agentoci.spec.descriptor import Descriptor

_CONTENT_RANGE: Final = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_PROGRESS: Final = 64 * limits.KIB
"""Bytes after which a connection counts as useful, and the count of failures starts anew."""

_CAREFUL: Final = 64 * limits.KIB
"""Read size once a connection has broken: what one read has gathered is lost when it breaks."""


class ContentEncoded(Integrity):
    """Something on the way packs content, so that it is not what the digest speaks of."""


class NoRanges(AgentociError):
    """The server gives whole blobs only; never seen by a user, for whole ones do as well."""


class Download:
    """A raw stream of one blob or manifest from an offset on.

    A drop in the middle is mended by a Range request, or by reading from the start and skipping
    when the server knows no ranges; too many drops without progress raise RegistryUnreachable.
    With `end` it is a part of the blob that ends there, and a server that knows no ranges is
    NoRanges. Nothing is verified here: wrap it in VerifiedReader.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        desc: Descriptor,
        *,
        scopes: tuple[str, ...],
        what: str,
        missing: type[ContentNotFound],
        offset: int = 0,
        end: int | None = None,
    ) -> None:
        self._part = end is not None
        self._end = desc.size if end is None else end
        self._endpoint = endpoint
        self._request = request
        self._desc = desc
        self._scopes = scopes
        self._what = what
        self._missing = missing
        self._position = offset
        self._opened_at = offset
        self._skip = 0
        self._given = self._end
        self._failures = 0
        self._mended = False
        self._answer = self._open()

    @property
    def position(self) -> int:
        """The offset in the blob of the next byte."""
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        while True:
            try:
                chunk = self._read(size)
            except RegistryUnreachable as exc:
                if self._position >= self._end:
                    return b""
                self._mend(exc)
                continue
            if chunk or not self._ended_early():
                self._position += len(chunk)
                return chunk
            self._mend(RegistryUnreachable(self._endpoint.host, "the connection was cut"))

    def close(self) -> None:
        """Free the connection."""
        self._answer.close()

    def _read(self, size: int) -> bytes:
        while self._skip:
            passed = self._answer.read(min(self._skip, limits.NETWORK_BUFFER))
            if not passed:
                return b""
            self._skip -= len(passed)
        if self._part:
            left = self._end - self._position
            size = left if size < 0 else min(size, left)
        return self._answer.read(min(size, _CAREFUL) if self._mended and size > 0 else size)

    def _ended_early(self) -> bool:
        """Whether there is more to be had: after a cut that no length told of, or a short range."""
        if self._position >= self._end:
            return False
        if self._given < self._end:
            return True
        headers = self._answer.headers
        return "Content-Length" not in headers and "Transfer-Encoding" not in headers

    def _mend(self, trouble: RegistryUnreachable) -> None:
        self._answer.close()
        if self._position - self._opened_at >= _PROGRESS:
            self._failures = 0
        self._failures += 1
        patience = self._endpoint.patience
        if not trouble.transient or self._failures >= patience.policy.tries:
            raise RegistryUnreachable(
                self._endpoint.host,
                f"{self._what}: the download broke off at byte {self._position} of "
                f"{self._desc.size} ({trouble.reason})",
                hint="run it again; nothing half-done is left",
            ) from trouble
        patience.wait(self._failures)
        self._mended = True
        self._opened_at = self._position
        self._answer = self._open()

    def _open(self) -> Answer:
        if (self._position or self._part) and (answer := self._open_range()) is not None:
            return answer
        if self._part:
            raise NoRanges(f"{self._what}: {self._endpoint.host} gives no parts of blobs")
        self._given = self._end
        answer = self._get({}, expect={200})
        self._skip = self._position
        return answer

    def _open_range(self) -> Answer | None:
        """The rest by a Range request; None when the server does not give just that."""
        last = self._end - 1 if self._part else ""
        answer = self._get({"Range": f"bytes={self._position}-{last}"}, expect={200, 206, 416})
        self._skip, self._given = 0, self._end
        if answer.status == 200 and not self._part:
            self._skip = self._position
            return answer
        if answer.status == 200:
            self._endpoint.learn(ranges=False)
        match = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        if answer.status == 206 and match and int(match[1]) == self._position:
            if match[3] not in {"*", str(self._desc.size)}:
                answer.close()
                raise SizeMismatch(
                    f"{self._what}: {match[3]} bytes long, expected {self._desc.size}"
                )
            self._given = int(match[2]) + 1
            self._endpoint.learn(ranges=True)
            return answer
        answer.close()
        return None

    def _get(self, headers: dict[str, str], *, expect: set[int]) -> Answer:
        request = Request("GET", self._request.url, {**self._request.headers, **headers})
        answer = self._endpoint.request(request, self._scopes, expect=expect)
        if answer.status not in expect:
            raise self._endpoint.error(answer, what=self._what, missing=self._missing)
        self._check_encoding(answer)
        return answer

    def _check_encoding(self, answer: Answer) -> None:
        """A length that fits says that the mark is wrong and the bytes are as they should be."""
        part = answer.status == 206
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        length = answer.headers.get("Content-Length")
        fits = length == str((self._end - self._position) if part else self._desc.size)
        if encoding in {"", "identity"} or fits or answer.status == 416:
            return
        answer.close()
        raise ContentEncoded(
            f"{self._what}: arrives packed by {encoding!r}, though the plain bytes were asked for",
            hint="a proxy on the way compresses; let it leave the registry alone",
        )
