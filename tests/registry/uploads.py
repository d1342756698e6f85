"""What the tests of uploads share: a blob of three chunks, and fakes opened by one method."""

from __future__ import annotations

from agentoci._internal import limits
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, RunMemory
from agentoci.registry.repository import Repository
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open
from tests.registry.fake import FakeRegistry

UPLOADS = "/blobs/uploads/"
ALWAYS = 500
CHUNK = limits.MIB
CONTENT = bytes(range(256)) * (5 * CHUNK // 512) + b"end"
BLOB = Descriptor.of("application/octet-stream", CONTENT)
BODY = {MONOLITHIC: "PUT", STREAMED: "PATCH", CHUNKED: "PATCH"}


class Opener:
    """Opens a fake by one upload method."""

    def __init__(self, open_repository: Open) -> None:
        self._open = open_repository

    def __call__(self, fake: FakeRegistry, method: str, **options: object) -> Repository:
        memory = RunMemory()
        memory.learn(fake.host, upload=method, chunk=CHUNK)
        return self._open(fake, memory=memory, **options)


def stored(fake: FakeRegistry) -> bytes | None:
    """The blob, when it is there."""
    return fake.blobs.get(("team/bot", str(BLOB.digest)))
