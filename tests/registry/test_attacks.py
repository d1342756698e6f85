"""What hostile registries, mirrors and authors try, beyond what the modules' own tests hold."""

from __future__ import annotations

import contextlib
import socket
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from agentoci.content.reader import BytesSource, fetch_bytes
from agentoci.errors import AgentociError
from agentoci.registry.auth.challenges import parse_challenges
from agentoci.registry.deletion import PLACEHOLDER
from agentoci.registry.errors import UnsafeDestination
from agentoci.registry.hosts import HostOptions
from agentoci.registry.http.dialing import Address
from agentoci.registry.http.origin import Origin, Reach
from agentoci.registry.http.redaction import redacted
from agentoci.registry.http.retry import retry_after
from agentoci.registry.http.transport import Answer
from agentoci.registry.links import next_page
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.manifest import Manifest
from agentoci.spec.reference import Reference
from tests.registry.conftest import MakeClient, Open
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import Fault, answers, changes, redirects

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
    found = parse_challenges(words * 60_000)
    assert len(found) <= 60_000
    assert all(len(each.scheme) < 10 for each in found)


# What one registry makes us do at another


@pytest.mark.parametrize("status", [400, 405, 500])
def test_location_does_not_act_with_our_rights_at_another_registry(
    fake: FakeRegistry, make_client: MakeClient, status: int
) -> None:
    """A Location may name a manifest of the registry that we copy from: PUT and DELETE hit it."""
    with FakeRegistry(address="127.0.0.2") as other:
        prey = f"{other.url}/v2/team/bot/manifests/{BLOB.digest}"
        fake.on("POST", "/uploads/", answers(202, Location=prey), times=9)
        other.on("*", "", answers(status), times=99)
        client = make_client(hosts={other.host: HostOptions(headers={"X-Key": "private"})})
        source = client.repository(Reference(other.host, "team/bot"))
        with contextlib.suppress(AgentociError):
            source.tags()
        assert all("x-key" in one.headers for one in other.seen)
        other.seen.clear()
        target = client.repository(Reference(fake.host, "team/bot"), push=True)
        with contextlib.suppress(AgentociError):
            target.push(BLOB, BytesSource(CONTENT))
        assert not [str(one) for one in other.seen if "x-key" in one.headers]


def test_what_changes_something_is_not_redirected_into_the_network(
    fake: FakeRegistry, make_client: MakeClient
) -> None:
    """A Location to a private address was refused, a redirect to it was not."""
    port = fake.host.rpartition(":")[2]

    def resolve(host: str, port: int) -> list[Address]:
        return [(socket.AF_INET, ("127.0.0.1", port))]

    client = make_client(insecure_hosts=frozenset({"registry.example"}), resolve=resolve)
    name = Reference(f"registry.example:{port}", "team/bot")
    away = redirects(f"http://10.0.0.9:{port}/v2/team/bot/manifests/1.0")
    fake.on("PUT", "/manifests/", away)
    manifest = Manifest.build(config=EMPTY, layers=[])
    repository = client.repository(name, push=True)
    with pytest.raises(UnsafeDestination, match=r"10\.0\.0\.9"):
        repository.push_tagged(manifest.descriptor, manifest.raw, ("1.0",))
    assert len(fake.requests("PUT")) == 1
    digest = fake.put("team/bot", CONTENT)
    fake.on("GET", "/blobs/", redirects(f"http://10.0.0.9:{port}/v2/team/bot/blobs/{digest}"))
    assert fetch_bytes(repository, BLOB) == CONTENT, "storage in the network is read from"


@pytest.mark.parametrize("host", ["localhost.", "x.localhost.", "127.0.0.1."])
def test_final_dot_does_not_hide_that_a_name_is_of_this_machine(host: str) -> None:
    assert Origin.of(f"http://{host}:5000/").reach is Reach.LOOPBACK


@pytest.mark.parametrize(
    "host", ["64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "fec0::1"]
)
def test_addresses_that_lead_inside_are_not_public(host: str) -> None:
    """NAT64, 6to4, the compatible form, and site-local ones."""
    assert Origin.of(f"http://[{host}]/").reach is not Reach.PUBLIC


# Deletion


@pytest.mark.parametrize("by_tag", [True, False])
def test_image_that_claims_to_be_a_placeholder_keeps_its_other_tags(
    fake: FakeRegistry, open_repository: Open, *, by_tag: bool
) -> None:
    """It was deleted by its digest, with every tag that it had."""
    forged = Manifest.build(config=EMPTY, layers=[EMPTY], artifact_type=PLACEHOLDER)
    fake.deletes_tags = by_tag
    fake.put("team/bot", EMPTY_CONTENT)
    for tag in ("1.0", "2.0"):
        fake.put_manifest("team/bot", tag, forged.media_type, forged.raw)
    open_repository(fake).deletion.tag("1.0")
    assert fake.tags("team/bot") == ["2.0"]


def test_broken_image_that_speaks_of_placeholders_loses_its_tag(
    fake: FakeRegistry, open_repository: Open
) -> None:
    """Its tag could not be taken away."""
    broken = b'{"schemaVersion": 2, "artifactType": "%s"}' % PLACEHOLDER.encode()
    fake.put_manifest("team/bot", "1.0", mediatypes.OCI_MANIFEST, broken)
    open_repository(fake).deletion.tag("1.0")
    assert fake.tags("team/bot") == []
