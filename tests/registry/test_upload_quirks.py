"""Uploads to stand-ins for the registries that people have, whatever was believed of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentoci._internal import limits
from agentoci.content.reader import BytesSource
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, UPLOAD_METHODS, RunMemory
from agentoci.spec.descriptor import Descriptor
from tests.quirks.profiles import PROFILES
from tests.quirks.server import QuirkRegistry
from tests.registry.conftest import Open
from tests.registry.faults import cuts_body

UPLOADS = "/blobs/uploads/"
OCTETS = "application/octet-stream"
CONTENT = bytes(range(256)) * (24 * limits.MIB // 256) + b"end"
BLOB = Descriptor.of(OCTETS, CONTENT)
MEDIUM = Descriptor.of(OCTETS, CONTENT[: 10 * limits.MIB])
SMALL = Descriptor.of(OCTETS, b"small")
LEARNED = {"acr": CHUNKED, "artifactory": STREAMED, "nginx": CHUNKED}


@pytest.fixture(params=sorted(PROFILES))
def quirky(request: pytest.FixtureRequest) -> Iterator[QuirkRegistry]:
    with QuirkRegistry(PROFILES[request.param]) as registry:
        yield registry


def test_unknown_registry_is_found_out(quirky: QuirkRegistry, open_repository: Open) -> None:
    memory = RunMemory()
    repository = open_repository(quirky, memory=memory, push=True)
    repository.push(BLOB, BytesSource(CONTENT))
    repository.push(SMALL, BytesSource(b"small"))
    assert quirky.blobs["team/bot", str(BLOB.digest)] == CONTENT
    assert quirky.blobs["team/bot", str(SMALL.digest)] == b"small"
    facts = memory.facts(quirky.host)
    assert facts.upload == LEARNED.get(quirky.profile.name, MONOLITHIC)
    assert quirky.received < 3 * BLOB.size


def test_what_was_found_out_is_right_the_next_time(
    quirky: QuirkRegistry, open_repository: Open
) -> None:
    memory = RunMemory()
    open_repository(quirky, memory=memory, push=True).push(BLOB, BytesSource(CONTENT))
    quirky.blobs.clear()
    received = quirky.received
    open_repository(quirky, memory=memory, push=True).push(BLOB, BytesSource(CONTENT))
    assert quirky.blobs["team/bot", str(BLOB.digest)] == CONTENT
    assert quirky.received - received < BLOB.size + limits.KIB  # and what asks for a token


@pytest.mark.parametrize("believed", UPLOAD_METHODS)
def test_wrong_belief_does_no_harm(
    quirky: QuirkRegistry, open_repository: Open, believed: str
) -> None:
    memory = RunMemory()
    memory.learn(quirky.host, upload=believed, chunk=8 * limits.MIB)
    repository = open_repository(quirky, memory=memory, push=True)
    for desc, content in ((SMALL, b"small"), (BLOB, CONTENT)):
        repository.push(desc, BytesSource(content))
        assert quirky.blobs["team/bot", str(desc.digest)] == content
    assert memory.facts(quirky.host).upload in UPLOAD_METHODS


@pytest.mark.parametrize("believed", UPLOAD_METHODS)
@pytest.mark.parametrize("resumes", [True, False])
def test_cut_is_survived(
    quirky: QuirkRegistry, open_repository: Open, believed: str, resumes: bool
) -> None:
    """fault 13, at every registry."""
    quirky.resumes = resumes
    memory = RunMemory()
    memory.learn(quirky.host, upload=believed, chunk=8 * limits.MIB)
    method = "PUT" if believed == MONOLITHIC else "PATCH"
    quirky.on(method, UPLOADS, cuts_body(5_000_000), cuts_body(3_000_000))
    repository = open_repository(quirky, memory=memory, push=True)
    repository.push(MEDIUM, BytesSource(CONTENT[: MEDIUM.size]))
    assert quirky.blobs["team/bot", str(MEDIUM.digest)] == CONTENT[: MEDIUM.size]


def test_blob_is_taken_over_or_sent(quirky: QuirkRegistry, open_repository: Open) -> None:
    """fault 27, at every registry."""
    quirky.put("team/base", b"small")
    repository = open_repository(quirky, push=True)
    if not repository.mount(SMALL, open_repository(quirky, "team/base")):
        repository.push(SMALL, BytesSource(b"small"))
    assert quirky.blobs["team/bot", str(SMALL.digest)] == b"small"
