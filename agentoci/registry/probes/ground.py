"""Where a registry is probed: a repository of its own, and a note of all that is put there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agentoci.content.reader import BytesSource
from agentoci.content.standing import meant_by
from agentoci.errors import AgentociError
from agentoci.registry.auth.authorizer import pull_scope, push_scope
from agentoci.registry.blobs.sessions import Session
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import BlobNotFound, RegistryFailing
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Manifest

OCTETS: Final = "application/octet-stream"


class Result(StrEnum):
    """What became of a check; the values are shown."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the table."""

    check: str
    result: Result
    detail: str = ""


class NothingToLookAt(AgentociError):
    """A probe lacks what an earlier one should have brought; never seen but as a detail."""


@dataclass(slots=True)
class Sample:
    """Content of a repository that is read: a manifest under a name, and a blob of it."""

    name: str
    manifest: Descriptor
    blob: Descriptor | None


@dataclass(slots=True)
class Litter:
    """What was put into repositories and is there still."""

    blobs: dict[tuple[str, Digest], Descriptor] = field(default_factory=dict)
    manifests: dict[Digest, tuple[str, ...]] = field(default_factory=dict)
    """Digest → tags, all in the first repository."""


class Ground:
    """A repository at a registry that is probed; content is unlike any other, by the `seed`.

    `name` is None when there is none to look at. Into `beside` blobs are mounted. `writes` tells
    that leave to write is asked for.
    """

    def __init__(
        self, endpoint: Endpoint, name: str | None, *, seed: bytes = b"", writes: bool = False
    ) -> None:
        self.endpoint = endpoint
        self.writes = writes
        self.sample: Sample | None = None
        self.image: Manifest | None = None
        self.tags: tuple[str, ...] = ()
        self.litter = Litter()
        self.least = 0
        self.mark = hashlib.sha256(seed).hexdigest()[:12]
        self._name = name
        self._seed = seed
        self._made = 0

    @property
    def name(self) -> str:
        """The repository; raises NothingToLookAt."""
        if self._name is None:
            raise NothingToLookAt("no repository to look at: give one by --image REF")
        return self._name

    def look_at(self, name: str) -> None:
        """Take a repository that the registry has named, when none was given."""
        self._name = self._name or name

    @property
    def beside(self) -> str:
        """The repository that blobs are mounted into."""
        return f"{self.name}-mount"

    @property
    def repository(self) -> Repository:
        """The repository as the client's verbs have it, without mirrors."""
        return Repository(self.endpoint, self.name, push=self.writes)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What leave to ask for."""
        return ((push_scope if self.writes else pull_scope)(self.name),)

    def url(self, path: str) -> str:
        """The URL of a path below the repository."""
        return self.endpoint.url(f"{self.name}/{path}")

    def what(self, name: str = "") -> str:
        """What an error speaks of."""
        return self.endpoint.named(self.name, name)

    def content(self, size: int) -> bytes:
        """Bytes that nobody has stored before."""
        self._made += 1
        return hashlib.shake_256(self._seed + self._made.to_bytes(4)).digest(size)

    def tag(self, name: str) -> str:
        """A tag of this run alone: a registry may keep tags from moving."""
        return f"probe-{self.mark}-{name}"

    def ask(self, request: Request, *, expect: set[int]) -> Answer:
        """Send a request with the repository's scopes, patiently; any answer is returned."""
        return self.endpoint.request(request, self.scopes, expect=expect)

    def opened(self) -> Answer:
        """The (closed) answer to the opening of an upload; raises what the registry says."""
        answer = self.ask(Request("POST", self.url("blobs/uploads/")), expect={202})
        if answer.status != 202:
            raise self.endpoint.error(answer, what=self.what(), missing=BlobNotFound)
        answer.discard()
        return answer

    def session(self, desc: Descriptor) -> Session:
        """A fresh upload of a blob."""
        session = Session(self.endpoint, self.scopes, desc, what=self.what(str(desc.digest)))
        if not session.begin(self.opened()):
            raise RegistryFailing(
                self.endpoint.host, f"{self.what()}: opened an upload without a Location"
            )
        return session

    def push(self, content: bytes, media_type: str) -> Descriptor:
        """Store a blob as the client does it."""
        desc = Descriptor.of(media_type, content)
        self.note(desc)
        self.repository.push(desc, BytesSource(content))
        return desc

    def note(self, desc: Descriptor, repository: str = "") -> None:
        """Remember that a blob is to be removed again."""
        self.litter.blobs[repository or self.name, desc.digest] = desc

    def note_manifest(self, desc: Descriptor, *tags: str) -> None:
        """Remember that a manifest is to be removed again, with tags that it was given."""
        known = self.litter.manifests.get(desc.digest, ())
        self.litter.manifests[desc.digest] = tuple(dict.fromkeys((*known, *tags)))

    def stored(self) -> Descriptor:
        """A blob that an upload has left; raises NothingToLookAt."""
        found = next((d for (name, _), d in self.litter.blobs.items() if name == self.name), None)
        if found is None:
            raise NothingToLookAt("no blob could be stored")
        return found

    def taken(self) -> Manifest:
        """The image that the registry has taken; raises NothingToLookAt."""
        if self.image is None:
            raise NothingToLookAt("no image could be stored")
        return self.image

    def seen(self) -> Sample:
        """What is there to be read; raises NothingToLookAt."""
        if self.sample is None:
            raise NothingToLookAt("no image to look at: give one by --image REF")
        return self.sample

    def is_there(self, name: str) -> bool:
        """Whether a manifest is there."""
        return meant_by(self.repository, name) is not None
