"""What oras-py's users call `do_request` with, as a value that our client can send."""

from __future__ import annotations

import contextlib
import io
import json as jsonlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final
from urllib.parse import urlencode

from agentoci._internal import limits
from agentoci.content.protocols import Reader
from agentoci.content.reader import BytesSource, SizeMismatch
from agentoci.errors import Invalid
from agentoci.registry.http.transport import Body
from agentoci.spec.digest import Digest
from agentoci.spec.reference import InvalidReference, is_tag

BYTES: Final = "application/octet-stream"
_PATH: Final = re.compile(
    r"/v2/(.+)/(blobs/uploads(?=/)|manifests|blobs|tags|referrers)/((?<=/uploads/).*|[^/]+)"
)
OURS: Final = frozenset(
    {"accept-encoding", "authorization", "connection", "content-length", "cookie", "host"}
    | {"proxy-authorization", "transfer-encoding"}
)
"""Headers that the client decides about."""


class UnfitBody(Invalid):
    """A request's body cannot be sent again, should the registry want that."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address of the registry API: repository, kind (`manifests`, ...), and what follows."""

    repository: str
    kind: str
    rest: str

    @classmethod
    def of(cls, path: str) -> Place | None:
        """None for a path of another kind; raises InvalidDigest, InvalidReference."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        _, kind, rest = match.groups()
        if kind == "blobs" or (kind == "manifests" and ":" in rest):
            Digest.parse(rest)
        elif kind == "manifests" and not is_tag(rest):
            raise InvalidReference(f"{rest!r} is neither a tag nor a digest")
        return cls(*match.groups())


@dataclass(frozen=True, slots=True)
class Call:
    """What somebody called `do_request` with; header values are not shown."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: Body | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, method: str, url: str, headers: Mapping[str, Any] | None, data: object, json: object
    ) -> Call:
        """Leave out what the client decides about; raises UnfitBody."""
        kept = {
            str(name).title(): str(value)
            for name, value in (headers or {}).items()
            if value is not None and str(name).lower() not in OURS
        }
        media_type = kept.pop("Content-Type", "")
        return cls(method.upper(), url, kept, _body(data, json, media_type))

    def content(self) -> bytes:
        """A manifest that is to be stored; raises SizeMismatch above what registries take."""
        if self.body is None:
            return b""
        if self.body.length > limits.MAX_MANIFEST_BYTES:
            raise SizeMismatch(f"no registry takes a manifest of {self.body.length} bytes")
        with self.body.source.open() as stream:
            return stream.read(self.body.length)


def _body(data: object, json: object, media_type: str) -> Body | None:
    if json is not None:
        content = jsonlib.dumps(json, allow_nan=False).encode()
        return Body(BytesSource(content), len(content), media_type or "application/json")
    if data is None or data in (b"", ""):
        return None
    if isinstance(data, str):
        data = data.encode()
    elif isinstance(data, dict):
        data = urlencode(data, doseq=True).encode()
        media_type = media_type or "application/x-www-form-urlencoded"
    if isinstance(data, bytes | bytearray | memoryview):
        content = bytes(data)
        return Body(BytesSource(content), len(content), media_type or BYTES)
    return _file_body(data, media_type or BYTES)


def _file_body(stream: Any, media_type: str) -> Body:
    """A file from where it stands to its end."""
    try:
        start = stream.tell()
        length = stream.seek(0, io.SEEK_END) - start
        stream.seek(start)
    except (AttributeError, OSError) as exc:
        raise UnfitBody(
            f"a body of type {type(stream).__name__} can be sent once only",
            hint="give bytes, or a file that was opened for reading bytes",
        ) from exc
    return Body(_Seekable(stream, start), length, media_type)


@dataclass(frozen=True, slots=True)
class _Seekable:
    """Part of an open file as a source; the file stays open, for it is the caller's."""

    stream: IO[bytes]
    start: int

    @contextlib.contextmanager
    def open(self, offset: int = 0) -> Iterator[Reader]:
        self.stream.seek(self.start + offset)
        yield self.stream
