"""What is found out without writing, and which findings are worth remembering."""

from __future__ import annotations

import pytest

from agentoci._internal import limits
from agentoci.errors import NotFound
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, HostFacts
from agentoci.registry.probing import Finding, Ground, Probed, Result, facts_from, look
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.manifest import Index, Manifest
from tests.quirks.profiles import PROFILES
from tests.quirks.server import QuirkRegistry
from tests.registry.conftest import MakeClient
from tests.registry.fake import FakeRegistry, Tokens
from tests.registry.faults import answers
from tests.registry.grounds import MakeGround, ada, detail, results

YES, NO, UNKNOWN = Result.YES, Result.NO, Result.UNKNOWN


def stock(fake: FakeRegistry) -> Manifest:
    """An image under three tags, and an index of it."""
    content = bytes(range(256)) * 16
    layer = Descriptor.of("application/octet-stream", content)
    image = Manifest.build(config=EMPTY, layers=[layer], artifact_type="x/y")
    fake.put("team/bot", EMPTY_CONTENT)
    fake.put("team/bot", content)
    for tag in ("1.0", "1.1", "2.0"):
        fake.put_manifest("team/bot", tag, mediatypes.OCI_MANIFEST, image.raw)
    index = Index.build([image.descriptor])
    fake.put_manifest("team/bot", "all", mediatypes.OCI_INDEX, index.raw)
    return image


READ = ("manifest head", "blob head", "blob ranges", "open-ended ranges", "tag list", "tag pages")


@pytest.mark.parametrize("name", ["1.0", "all"])
def test_looking_writes_nothing(fake: FakeRegistry, ground: MakeGround, name: str):
    stock(fake)
    found = look(ground(fake.host, "team/bot", writes=False), who="", image=name)
    assert {check: results(found)[check] for check in READ} == dict.fromkeys(READ, YES)
    assert results(found)["referrers api"] is YES
    assert {seen.method for seen in fake.seen} <= {"GET", "HEAD"}
    assert (found.error, found.left) == (None, ())
    facts = facts_from(found, HostFacts(upload=CHUNKED))
    assert facts == {"ranges": True, "referrers": True, "catalog": True}


def test_looking_takes_a_repository_of_the_catalog(fake: FakeRegistry, ground: MakeGround):
    stock(fake)
    found = look(ground(fake.host, None, writes=False), who="", image=None)
    assert results(found)["tag list"] is YES
    assert results(found)["blob ranges"] is UNKNOWN
    assert detail(found, "blob ranges") == "no image to look at: give one by --image REF"


def test_looking_at_nothing_leaves_it_open(fake: FakeRegistry, ground: MakeGround):
    fake.catalog = False
    found = look(ground(fake.host, None, writes=False), who="", image=None)
    assert results(found)["tag list"] is UNKNOWN
    assert "--image REF" in detail(found, "tag list")
    assert found.error is None


def test_name_of_the_catalog_that_is_none_is_not_asked_for(fake: FakeRegistry, ground: MakeGround):
    fake.on("GET", "/_catalog", answers(200, '{"repositories": ["../../etc?x", 5]}'))
    found = look(ground(fake.host, None, writes=False), who="", image=None)
    assert results(found)["catalog"] is YES
    assert results(found)["tag list"] is UNKNOWN
    assert not fake.requests("GET", "etc")


def test_image_that_is_not_there_ends_it(fake: FakeRegistry, ground: MakeGround):
    stock(fake)
    found = look(ground(fake.host, "team/bot", writes=False), who="", image="9.9")
    assert isinstance(found.error, NotFound)


def test_reader_asks_for_leave_to_read_only(ground: MakeGround):
    with FakeRegistry(auth=Tokens()) as fake:
        stock(fake)
        there = ground(fake.host, "team/bot", writes=False)
        found = look(there, who="", image="1.0")
        asked = {scope for scopes in fake.auth.asked for scope in scopes}  # type: ignore[union-attr]
    assert results(found)["blob ranges"] is YES
    assert results(found)["login accepted"] is UNKNOWN
    assert asked == {"repository:team/bot:pull", "registry:catalog:*"}


def test_head_that_tells_another_length_is_noted(ground: MakeGround):
    with QuirkRegistry(PROFILES["harbor"]) as registry:
        image = stock(registry)
        there = ground(registry.host, "team/bot", writes=False, **ada(registry.host))
        found = look(there, who="ada", image="1.0")
    size = image.descriptor.size
    assert detail(found, "manifest head") == f"tells {size + 1} bytes, and there are {size}"


def test_questions_are_given_up_sooner_and_asked_without_prejudice(
    fake: FakeRegistry, make_client: MakeClient
):
    client = make_client()
    client.endpoint(fake.host).learn(ranges=False)
    fake.on("GET", "/tags/list", answers(503), times=9)
    with client.unprejudiced() as asking:
        there = Ground(asking.endpoint(fake.host), "team/bot")
        found = look(there, who="", image=None)
    assert results(found)["tag list"] is UNKNOWN
    assert len(fake.requests("GET", "/tags/list")) == 3
    assert there.endpoint.facts.ranges is None
    assert client.endpoint(fake.host).facts.ranges is False


# What is worth remembering


def of(**found: Result) -> Probed:
    return Probed([Finding(check.replace("_", " "), result) for check, result in found.items()])


UPLOADS = [
    (HostFacts(), (YES, YES, YES), MONOLITHIC),
    (HostFacts(), (NO, YES, YES), STREAMED),
    (HostFacts(), (NO, NO, YES), CHUNKED),
    (HostFacts(), (NO, NO, NO), None),
    (HostFacts(upload=CHUNKED), (YES, YES, YES), None),  # a large blob has taught it
    (HostFacts(upload=CHUNKED), (YES, YES, UNKNOWN), None),
    (HostFacts(upload=CHUNKED), (YES, NO, NO), MONOLITHIC),
]


@pytest.mark.parametrize(("known", "seen", "learned"), UPLOADS)
def test_upload_method_is_learned(known: HostFacts, seen: tuple[Result, ...], learned: str | None):
    names = ("monolithic_upload", "streamed_upload", "chunked_upload")
    found = of(**dict(zip(names, seen, strict=True)))
    assert facts_from(found, known).get("upload") == learned


def test_what_is_unknown_is_not_learned():
    found = of(mount=UNKNOWN, blob_ranges=NO, tag_delete=YES)
    assert facts_from(found, HostFacts(mount=True)) == {"ranges": False, "delete_tags": True}


def test_chunk_is_learned_where_usual_ones_are_too_small():
    assert "chunk" not in facts_from(of(), HostFacts(), least=limits.MIB)
    assert facts_from(of(), HostFacts(), least=9 * limits.MIB) == {"chunk": 9 * limits.MIB}
