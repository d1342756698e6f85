"""A registry that behaves like one of the hosted ones, as far as its oddities are known.

A `Profile` is the well-behaved service with things switched off and *quirks* in front: functions
that see each request and decide whether to answer themselves. Quirks are always there; *moods* are
what such a registry does now and then, here at fixed moments, and can be left out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from tests.registry.access import Basic, Tokens
from tests.registry.fake import FakeRegistry
from tests.registry.faults import BodyReader, Exchange, Reply, Seen
from tests.registry.service import error, ranged


@dataclass(frozen=True, slots=True)
class Profile:
    """One registry's ways; `deviates` names the rules of the specification that it breaks.

    `settings` are attributes of the service. `stores_elsewhere`: blobs are fetched from another
    origin by signed URLs. `takes_custom_types`: False where `push --profile image` is the way.
    """

    name: str
    auth: Callable[[], Basic | Tokens | None] = lambda: None
    settings: Mapping[str, object] = field(default_factory=dict)
    quirks: tuple[Quirk, ...] = ()
    moods: tuple[Quirk, ...] = ()
    deviates: Mapping[str, str] = field(default_factory=dict)
    stores_elsewhere: bool = False
    takes_custom_types: bool = True


class QuirkRegistry(FakeRegistry):
    """A fake registry of a profile; use it as a context manager."""

    def __init__(self, profile: Profile, *, moody: bool = True) -> None:
        super().__init__(auth=profile.auth())
        self.profile = profile
        self.counts: Counter[str] = Counter()
        for name, value in profile.settings.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        self._layers = (*profile.moods, *profile.quirks) if moody else profile.quirks
        self._storage = Storage(self) if profile.stores_elsewhere else None

    def __enter__(self) -> Self:
        if self._storage is not None:
            self._storage.__enter__()
        return super().__enter__()

    def __exit__(self, *arguments: object) -> None:
        super().__exit__(*arguments)
        if self._storage is not None:
            self._storage.__exit__(*arguments)

    @property
    def storage(self) -> Storage:
        """The other origin, where blobs come from."""
        assert self._storage is not None
        return self._storage

    def serve_known(self, seen: Seen, read_body: BodyReader) -> Reply:
        """Ask the quirks one after another, and the service behind them."""
        return _Layer(self, self._layers).serve(seen, read_body)

    def serve_plainly(self, seen: Seen, read_body: BodyReader) -> Reply:
        """What the service behind the quirks answers."""
        if self._storage is not None and seen.method == "GET" and "/blobs/sha" in seen.path:
            return self._storage.redirect(seen)
        return super().serve_known(seen, read_body)

    def happens(self, name: str) -> int:
        """Count something; returns how often it has happened."""
        with self._lock:
            self.counts[name] += 1
            return self.counts[name]


@dataclass(frozen=True, slots=True)
class Visit:
    """What a quirk sees: the registry, the request, and the way to go on."""

    registry: QuirkRegistry
    exchange: Exchange

    @property
    def seen(self) -> Seen:
        return self.exchange.seen

    @property
    def length(self) -> int:
        """The Content-Length of the request; 0 when it is not told."""
        return int(self.seen.headers.get("content-length", 0))

    def body(self) -> bytes:
        """The body of the request."""
        return self.exchange.read_body()

    def goes_on(self) -> Reply:
        """What the rest of the quirks and the service answer."""
        return self.exchange.serve()

    def refuses(self, status: int, code: str, message: str) -> Reply:
        """Read the request and answer with an error of the specification's form."""
        self.body()
        return error(status, code, message)


Quirk = Callable[[Visit], Reply]


@dataclass(frozen=True, slots=True)
class _Layer:
    registry: QuirkRegistry
    quirks: tuple[Quirk, ...]

    def serve(self, seen: Seen, read_body: BodyReader) -> Reply:
        if not self.quirks:
            return self.registry.serve_plainly(seen, read_body)
        behind = _Layer(self.registry, self.quirks[1:])
        return self.quirks[0](Visit(self.registry, Exchange(behind, seen, read_body)))


class Storage(FakeRegistry):
    """An object store on another address, which hands out blobs for signed URLs alone."""

    def __init__(self, registry: QuirkRegistry) -> None:
        super().__init__(address="127.0.0.2")
        self._registry = registry

    def redirect(self, seen: Seen) -> Reply:
        """Where a blob is; 404 for one that is nowhere."""
        name, _, digest = seen.path.removeprefix("/v2/").partition("/blobs/")
        if (name, digest) not in self._registry.blobs:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return Reply(307, headers={"Location": f"{self.url}{seen.path}?sig={_signature(seen)}"})

    def serve(self, seen: Seen, read_body: BodyReader) -> Reply:
        """The bytes; as S3, no word for those who also show a password or token."""
        if "authorization" in seen.headers or "cookie" in seen.headers:
            message = "<Error><Message>Only one auth mechanism allowed</Message></Error>"
            return Reply(400, message.encode(), {"Content-Type": "application/xml"})
        if seen.query.get("sig") != [_signature(seen)]:
            return Reply(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        name, _, digest = seen.path.removeprefix("/v2/").partition("/blobs/")
        content = self._registry.blobs[name, digest]
        return ranged(seen, content, {"Content-Type": "binary/octet-stream"})


def _signature(seen: Seen) -> str:
    return hashlib.sha256(seen.path.encode()).hexdigest()[:16]
