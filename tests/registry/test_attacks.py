"""What hostile registries, mirrors and authors try, beyond what the modules' own tests hold."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from agentoci.registry.challenges import parse_challenges
from agentoci.registry.links import next_page
from agentoci.registry.origin import Origin
from agentoci.registry.redaction import redacted
from agentoci.registry.retry import retry_after
from agentoci.registry.transport import Answer
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from tests.registry.conftest import Open
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import Fault, changes

CONTENT = b"what was asked for"
BLOB = Descriptor.of("application/octet-stream", CONTENT)


# Numbers that no machine holds


def states(length: str) -> Fault:
    """Serve, with this Content-Length."""
    return changes(lambda reply: reply.headers.update({"Content-Length": length}))


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 400, "1" + "0" * 16])
def test_manifest_of_an_absurd_length_is_read_to_know(
    fake: FakeRegistry, open_repository: Open, length: str
) -> None:
    """Python refuses to read such a number: that was an internal error."""
    digest = fake.put_manifest("team/bot", "latest", mediatypes.OCI_MANIFEST, CONTENT)
    fake.on("HEAD", "/manifests/", states(length))
    found = open_repository(fake).resolve("latest")
    assert (str(found.digest), found.size) == (digest, len(CONTENT))


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 400])
def test_blob_of_an_absurd_length_is_asked_for_again(
    fake: FakeRegistry, open_repository: Open, length: str
) -> None:
    fake.put("team/bot", CONTENT)
    fake.on("HEAD", "/blobs/", states(length))
    assert open_repository(fake).blob(BLOB.digest).size == BLOB.size


@pytest.mark.parametrize("life", [10**400, 10**18, 1e300, True, -(10**400), "9" * 5000])
def test_token_that_outlives_every_clock_is_used(open_repository: Open, life: object) -> None:
    """An integer that no float holds was an internal error."""
    with FakeRegistry(auth=Tokens(expires_in=life)) as fake:
        fake.put("team/bot", CONTENT)
        assert open_repository(fake).exists(BLOB)


# Texts that took minutes or hours to read, with every thread of the program standing still


def test_long_retry_after_is_no_order() -> None:
    assert retry_after("1" * 65_000, datetime.now(UTC)) is None
    assert retry_after("1h" * 30_000, datetime.now(UTC)) is None


def test_long_link_is_read_once() -> None:
    fake_next = '<x>; rel="' + "next " * 200_000
    answer = cast(Answer, SimpleNamespace(headers={"Link": fake_next}, url="http://a.example/"))
    assert next_page(answer, Origin.of("http://a.example")) is None


@pytest.mark.parametrize(
    "piece", ["http://", "x-amz-", "http://a@", "basic ", "token", "https://a"]
)
def test_long_words_of_a_registry_are_redacted_at_once(piece: str) -> None:
    text = piece * 20_000
    assert redacted(f"{text} ?_state=abc").endswith(" ?_state=…")


@pytest.mark.parametrize("words", ["a ", "Basic a ", 'Bearer a="', "a, "])
def test_long_list_of_challenges_is_read_once(words: str) -> None:
    parse_challenges(words * 60_000)
