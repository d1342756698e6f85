"""Searching registries of each kind, the friendly and the hostile ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentoci._internal import limits
from agentoci._internal.clock import SystemClock
from agentoci.content.memory import MemoryTarget
from agentoci.content.reader import BytesSource
from agentoci.errors import Denied, Unreachable
from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.client import RegistryClient
from agentoci.registry.errors import RegistryFailing, RegistryUnreachable, UnsafeDestination
from agentoci.registry.http.transport import Request
from agentoci.registry.listing import CatalogMissing, ListingIncomplete
from agentoci.registry.search.describe import describe, newest
from agentoci.registry.search.drivers import (
    SearchFailed,
    SearchMissing,
    search_catalog,
    search_harbor,
    search_hub,
    search_registry,
    search_zot,
)
from agentoci.registry.search.gather import gather
from agentoci.registry.search.hits import Hit, Query, first, plain
from agentoci.registry.search.repositories import Place
from agentoci.spec import annotations as keys
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, Descriptor
from agentoci.spec.jsonio import InvalidJson, canonical
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.reference import Reference
from tests.registries import Registry
from tests.registry.access import Basic, Tokens
from tests.registry.conftest import StepClock
from tests.registry.faults import answers, drops, waits
from tests.registry.searching import (
    SearchableRegistry,
    hub_result,
    put_agent,
    simple_agent,
)

MakeClient = Callable[..., RegistryClient]


@pytest.fixture
def fake() -> Iterator[SearchableRegistry]:
    with SearchableRegistry() as fake:
        yield fake


@pytest.fixture
def client(make_client: MakeClient) -> RegistryClient:
    return make_client()


def names(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.name.partition("/")[2] for hit in hits]


# What comes first


def test_names_come_before_descriptions_and_the_nearest_first():
    hits = [
        Hit("a.example/x/other", description="no Bot at all"),
        Hit("a.example/x/robot"),
        Hit("a.example/x/botany"),
        Hit("a.example/z/bot"),
        Hit("a.example/b/unlike"),
        Hit("a.example/y/thing", title="bot"),
    ]
    query = Query("BOT")
    assert names(first(hits, query)) == [
        "y/thing", "z/bot", "x/botany", "x/robot", "x/other", "b/unlike",
    ]  # fmt: skip
    assert names(first(hits, Query("bot", limit=2))) == ["y/thing", "z/bot"]
    assert query.relevance(hits[4]) is None
    assert query.relevance(Hit("a.example/x/bot", "1.0")) == 0
    assert Query("bot:1.0").relevance(Hit("a.example/x/bot", "1.0")) == 0
    assert Query("bot:1").relevance(Hit("a.example/x/bot", "1.0")) == 1


def test_words_of_servers_cannot_steer_a_terminal():
    assert plain("one\x1b[31m\ttwo\u202e\nthree  ") == "one [31m two three"
    assert plain(None) == plain(7) == ""
    assert plain("x" * 600) == "x" * 511 + "…"


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        ([], None),
        (["1.0", "1.10", "1.9"], "1.10"),
        (["1.0", "2.0-rc1", "latest"], "1.0"),
        (["2.0-rc1", "latest", "main"], "latest"),
        (["2.0-rc1", "main"], "2.0-rc1"),
        (["main", "dev"], "dev"),
        ([f"sha256-{'a' * 64}", f"sha256-{'a' * 64}.sig"], None),
    ],
)
def test_the_tag_that_is_shown_of_a_repository(tags: list[str], shown: str | None):
    assert newest(tags) == shown


def test_a_place_is_a_registry_or_a_part_of_it():
    place = Place("localhost:5000", "team/agents")
    assert place.holds("team/agents")
    assert place.holds("team/agents/bot")
    assert not place.holds("team/agents2")
    assert place.reference("team/agents/bot") == Reference(
        "localhost:5000", "team/agents/bot", "latest"
    )
    for name in ("UP", "bot:1.0", "bot@sha256:00", "../etc", "", "a b"):
        assert place.reference(name) is None


# What an artifact says of itself


def test_what_the_manifest_says_is_believed():
    memory = MemoryTarget()
    found = describe(memory, put_agent(memory, "1.0", simple_agent(description="says hello")))
    assert (found.kind, found.title, found.version) == (mediatypes.AGENT, "bot", "1.0.0")
    assert found.description == "says hello"


def config_of(**metadata: str) -> bytes:
    return canonical({"agentoci": {"definition": {"metadata": metadata}}})


@pytest.mark.parametrize("as_index", [False, True])
def test_what_the_manifest_leaves_open_is_in_the_config(as_index: bool):
    memory = MemoryTarget()
    content = config_of(name="bot", version="2.0.0", description="says bye")
    config = Descriptor.of(mediatypes.AGENT_CONFIG, content)
    manifest = Manifest.build(config=config, layers=(EMPTY,), artifact_type=mediatypes.AGENT)
    for desc, raw in ((config, content), (manifest.descriptor, manifest.raw)):
        memory.push(desc, BytesSource(raw))
    root = manifest.descriptor
    if as_index:
        index = Index.build([root])
        memory.push(index.descriptor, BytesSource(index.raw))
        root = index.descriptor
    found = describe(memory, root)
    assert (found.title, found.version, found.description) == ("bot", "2.0.0", "says bye")
    assert found.kind == mediatypes.AGENT


def test_other_artifacts_say_what_they_say():
    memory = MemoryTarget()
    other = Manifest.build(config=EMPTY, layers=(EMPTY,), artifact_type="application/x.cake")
    found = describe(memory, put_agent(memory, "1.0", other))
    assert (found.kind, found.title, found.description) == ("application/x.cake", None, None)
    index = Index.build([], annotations={keys.TITLE: "empty"})
    memory.push(index.descriptor, BytesSource(index.raw))
    assert describe(memory, index.descriptor).title == "empty"


# Catalogs


def test_a_catalog_is_searched_by_name_and_shows_the_newest_agent(
    fake: SearchableRegistry, client: RegistryClient
):
    fake.add("team/bot", "1.0")
    digest = fake.add("team/bot", "1.1", manifest=simple_agent(description="now\nbetter"))
    fake.add("team/other", "1.0")
    cake = simple_agent(title="bottle", kind="application/x.cake")
    fake.add("images/bottle", "1.0", manifest=cake)
    found = search_catalog(client, Place(fake.host), Query("bot"))
    assert found.warnings == ()
    [hit] = found.hits
    assert hit == Hit(f"{fake.host}/team/bot", "1.1", digest, "now better", "bot", mediatypes.AGENT)
    assert not fake.requests("GET", "team/other")
    everything = search_catalog(client, Place(fake.host), Query("bot", everything=True))
    assert names(everything.hits) == ["team/bot", "images/bottle"]


def test_only_a_part_of_a_registry_is_searched(fake: SearchableRegistry, client: RegistryClient):
    fake.add("team/bot", "1.0")
    fake.add("other/bot", "1.0")
    found = search_catalog(client, Place(fake.host, "team"), Query("bot"))
    assert names(found.hits) == ["team/bot"]
    assert not fake.requests("GET", "other/bot")


def test_looking_ends_when_there_are_hits_enough(fake: SearchableRegistry, client: RegistryClient):
    for number in range(6):
        fake.add(f"team/bot{number}", "1.0")
    found = search_catalog(client, Place(fake.host), Query("bot", limit=2))
    assert names(found.hits) == ["team/bot0", "team/bot1"]
    assert len(fake.requests("GET", "tags/list")) == 2


def test_other_artifacts_do_not_use_up_the_limit(fake: SearchableRegistry, client: RegistryClient):
    for number in range(4):
        fake.add(f"a/bot{number}", "1.0", manifest=simple_agent(kind="application/x.cake"))
    fake.add("b/bot", "1.0")
    found = search_catalog(client, Place(fake.host), Query("bot", limit=1))
    assert names(found.hits) == ["b/bot"]


def test_a_huge_registry_is_looked_at_in_part(fake: SearchableRegistry, client: RegistryClient):
    listed = [f"team/bot{number:03}" for number in range(limits.MAX_SEARCH_CANDIDATES + 20)]
    body = canonical({"repositories": listed}).decode()
    fake.on("GET", "_catalog", answers(200, body), times=2)
    found = search_catalog(client, Place(fake.host), Query("bot"))
    assert found.hits == ()
    assert found.warnings == ("120 repositories match, 100 were looked at",)
    assert len(fake.requests("GET", "tags/list")) == limits.MAX_SEARCH_CANDIDATES


def test_what_is_gone_or_not_for_us_is_left_out(fake: SearchableRegistry, client: RegistryClient):
    fake.add("team/bot", "1.0")
    fake.add("team/bot-gone", "1.0")
    fake.put("team/bot-empty", b"a blob")
    fake.add("team/bot-secret", "1.0")
    fake.on("GET", "bot-gone/tags", answers(404))
    fake.on("GET", "bot-secret/tags", answers(403))
    found = search_catalog(client, Place(fake.host), Query("bot"))
    assert (names(found.hits), found.warnings) == (["team/bot"], ())


def test_what_fails_otherwise_is_told(fake: SearchableRegistry, client: RegistryClient):
    fake.add("team/bot", "1.0")
    fake.add("team/bot-ill", "1.0")
    fake.on("GET", "bot-ill/tags", answers(500), times=9)
    found = search_catalog(client, Place(fake.host), Query("bot"))
    assert names(found.hits) == ["team/bot"]
    [warning] = found.warnings
    assert warning.startswith("1 repositories could not be looked at: ")
    assert "500" in warning


def test_when_all_of_it_fails_the_search_does(fake: SearchableRegistry, client: RegistryClient):
    fake.add("team/bot", "1.0")
    fake.on("GET", "bot/tags", answers(500), times=9)
    with pytest.raises(RegistryFailing):
        search_catalog(client, Place(fake.host), Query("bot"))


def test_a_registry_without_a_catalog_says_so(fake: SearchableRegistry, client: RegistryClient):
    fake.catalog = False
    with pytest.raises(CatalogMissing) as caught:
        search_catalog(client, Place(fake.host), Query("bot"))
    assert "oci-index://" in str(caught.value.hint)
    with pytest.raises(CatalogMissing):
        search_registry(client, Place(fake.host), Query("bot"))


def test_the_catalog_of_real_registries(
    registry: Registry, repository: str, make_client: MakeClient
):
    client = make_client()
    if registry.kind == "olareg":  # which has none
        with pytest.raises(CatalogMissing):
            search_registry(client, Place(registry.host), Query("bot"))
        return
    target = client.repository(Reference(registry.host, f"{repository}/bot"), push=True)
    put_agent(target, "1.0", simple_agent())
    desc = put_agent(target, "1.2", simple_agent(description="says hello"))
    for search in (search_catalog, search_registry):
        found = search(client, Place(registry.host, repository), Query("bot"))
        assert found.warnings == ()
        [hit] = found.hits
        assert (hit.name, hit.version) == (f"{registry.host}/{repository}/bot", "1.2")
        assert (hit.digest, hit.description) == (str(desc.digest), "says hello")


# zot


def test_zot_is_asked_by_its_search(fake: SearchableRegistry, client: RegistryClient):
    fake.offers.zot = {"team/bot": "from the \x1b[1mlist", "team/bottle": "", "UP": ""}
    fake.add("team/bot", "1.0")
    fake.add("team/bottle", "2.0", manifest=simple_agent(description="its own"))
    for search in (search_zot, search_registry):
        found = search(client, Place(fake.host), Query("bot"))
        assert [(h.name, h.version, h.description) for h in found.hits] == [
            (f"{fake.host}/team/bot", "1.0", "from the [1mlist"),
            (f"{fake.host}/team/bottle", "2.0", "its own"),
        ]
    assert not fake.requests("GET", "_catalog")


def test_a_query_of_quotes_stays_a_query(fake: SearchableRegistry, client: RegistryClient):
    fake.offers.zot = {'"){x}': ""}
    assert search_zot(client, Place(fake.host), Query('"){x}\\')).hits == ()
    [asked] = fake.requests("GET", "_zot/ext/search")
    assert 'query:"\\"){x}\\\\"' in asked.query["query"][0]


def test_where_zot_s_search_is_off_the_catalog_answers(
    fake: SearchableRegistry, client: RegistryClient
):
    fake.add("team/bot", "1.0")
    with pytest.raises(SearchMissing, match="does not offer zot's search"):
        search_zot(client, Place(fake.host), Query("bot"))
    assert names(search_registry(client, Place(fake.host), Query("bot")).hits) == ["team/bot"]


@pytest.mark.parametrize(
    "body", ["healthy", "[]", '{"extensions": 5}', '{"extensions": [1, {"endpoints": 2}]}']
)
def test_extensions_that_are_none(fake: SearchableRegistry, client: RegistryClient, body: str):
    fake.add("team/bot", "1.0")
    fake.on("GET", "_oci/ext/discover", answers(200, body))
    assert names(search_registry(client, Place(fake.host), Query("bot")).hits) == ["team/bot"]


def test_what_zot_refuses_is_told(fake: SearchableRegistry, client: RegistryClient):
    fake.offers.zot = {}
    refusal = '{"errors": [{"message": "no \\u001b[31msuch field"}], "data": null}'
    fake.on("GET", "_zot/ext/search", answers(200, refusal))
    with pytest.raises(SearchFailed, match=r"zot's search: no \[31msuch field"):
        search_zot(client, Place(fake.host), Query("bot"))
    fake.on("GET", "_zot/ext/search", answers(200, '{"errors": "?"}'))
    with pytest.raises(SearchFailed, match="refused"):
        search_zot(client, Place(fake.host), Query("bot"))


# Harbor


def ada(fake: SearchableRegistry, make_client: MakeClient) -> RegistryClient:
    return make_client(credentials=OneCredential(fake.host, Credential("ada", "secret")))


def test_harbor_shows_public_projects_to_strangers(
    fake: SearchableRegistry, client: RegistryClient
):
    fake.offers.harbor, fake.offers.private = ["team/bot", "team/other"], ["secret/bot"]
    for name in ("team/bot", "secret/bot"):
        fake.add(name, "1.0")
    found = search_harbor(client, Place(fake.host), Query("bot"))
    assert names(found.hits) == ["team/bot"]


@pytest.mark.parametrize("auth", [Basic(), Tokens(anonymous=frozenset())])
def test_harbor_shows_private_projects_to_those_who_may_see_them(
    make_client: MakeClient, auth: Basic | Tokens
):
    with SearchableRegistry(auth=auth) as fake:
        fake.offers.harbor, fake.offers.private = ["team/bot"], ["secret/bot"]
        for name in ("team/bot", "secret/bot"):
            fake.add(name, "1.0")
        found = search_harbor(ada(fake, make_client), Place(fake.host), Query("bot"))
        assert names(found.hits) == ["secret/bot", "team/bot"]


def test_an_introduction_is_for_its_own_registry_only(
    fake: SearchableRegistry, make_client: MakeClient
):
    endpoint = ada(fake, make_client).api(fake.host)
    with pytest.raises(UnsafeDestination):
        endpoint.introduced(Request("GET", "http://127.0.0.1:1/api"))
    with SearchableRegistry() as elsewhere:
        elsewhere.offers.harbor = []
        fake.on("GET", "api/v2.0", answers(302, Location=f"{elsewhere.url}/api/v2.0/search?q=x"))
        search_harbor(ada(fake, make_client), Place(fake.host), Query("bot"))
        [followed] = elsewhere.requests()
        assert "authorization" not in followed.headers
        assert "authorization" in fake.requests("GET", "api/v2.0")[0].headers


def test_a_registry_that_is_no_harbor_says_so(fake: SearchableRegistry, client: RegistryClient):
    with pytest.raises(SearchMissing, match="Harbor's search: not found"):
        search_harbor(client, Place(fake.host), Query("bot"))


# Docker Hub


def test_docker_hub_is_asked_without_credentials(fake: SearchableRegistry, make_client: MakeClient):
    fake.offers.hub = [
        hub_result("someone/bot", "a \x1b]0;bot"),
        hub_result("bot", "the official one"),
        hub_result("UP/../x"),
        hub_result("unlike/it", "found for reasons of its own"),
    ]
    found = search_hub(ada(fake, make_client), fake.host, Query("bot"))
    assert [(hit.name, hit.description) for hit in found.hits] == [
        ("docker.io/bot", "the official one"),
        ("docker.io/someone/bot", "a ]0;bot"),
        ("docker.io/unlike/it", "found for reasons of its own"),
    ]
    [asked] = fake.requests()
    assert asked.query == {"query": ["bot"], "page_size": ["25"]}
    assert "authorization" not in asked.headers


def test_a_search_that_wants_a_login_gets_none(fake: SearchableRegistry, make_client: MakeClient):
    challenge = f'Bearer realm="{fake.url}/token",service="fake"'
    fake.on("GET", "search/repositories", answers(401, WWW_Authenticate=challenge), times=3)
    with pytest.raises(Denied):
        search_hub(ada(fake, make_client), fake.host, Query("bot"))
    assert not [
        seen for seen in fake.requests() if "Basic" in seen.headers.get("authorization", "")
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>", InvalidJson),
        (b"[]", InvalidJson),
        (b'{"results": {}}', SearchFailed),
        (b" " * (limits.MAX_SEARCH_ANSWER_BYTES + 1), SearchFailed),
        (b"[" * 100_000, InvalidJson),
    ],
)
def test_answers_that_are_no_results(
    fake: SearchableRegistry, client: RegistryClient, body: bytes, error: type[Exception]
):
    fake.on("GET", "search/repositories", answers(200, body))
    with pytest.raises(error, match="Docker Hub's search"):
        search_hub(client, fake.host, Query("bot"))


def test_results_of_odd_shapes_are_left_out(fake: SearchableRegistry, client: RegistryClient):
    odd: list[Any] = [7, None, {}, {"repo_name": 5}, {"repo_name": "a/bot", "short_description": 5}]
    fake.offers.hub = odd
    assert [hit.name for hit in search_hub(client, fake.host, Query("bot")).hits] == [
        "docker.io/a/bot"
    ]
    fake.on("GET", "search/repositories", answers(200, '{"results": null}'))
    assert search_hub(client, fake.host, Query("bot")).hits == ()


def test_a_search_does_not_try_for_long(fake: SearchableRegistry, make_client: MakeClient):
    fake.on("GET", "search/repositories", drops(), times=9)
    with make_client().hasty(seconds=5) as client, pytest.raises(RegistryUnreachable):
        search_hub(client, fake.host, Query("bot"))
    assert len(fake.requests()) == 2


# Several at once


def test_outcomes_come_in_the_order_of_the_jobs(clock: StepClock):
    turn = threading.Event()

    def slow() -> str:
        turn.wait(10)
        return "slow"

    def quick() -> str:
        turn.set()
        return "quick"

    def failing() -> str:
        raise Unreachable("nobody there")

    found = gather([slow, failing, quick], workers=3, until=10, clock=clock)
    assert [one and one.value for one in found] == ["slow", None, "quick"]
    assert found[1] is not None
    assert isinstance(found[1].error, Unreachable)
    assert gather([], workers=3, until=10, clock=clock) == []


def test_nobody_waits_for_what_comes_too_late():
    clock, never = SystemClock(), threading.Event()

    def stuck() -> bool:
        return never.wait(30)

    found = gather([lambda: True, stuck], workers=2, until=clock.monotonic() + 0.3, clock=clock)
    never.set()
    assert [one is not None for one in found] == [True, False]


def test_faults_of_our_own_are_not_hidden(clock: StepClock):
    with pytest.raises(ZeroDivisionError):
        gather([lambda: 1 / 0], workers=1, until=10, clock=clock)


def test_a_registry_that_stalls_in_the_middle_gives_what_it_had(
    fake: SearchableRegistry, client: RegistryClient
):
    clock, never = SystemClock(), threading.Event()
    fake.add("team/bot", "1.0")
    fake.add("team/bot-stuck", "1.0")
    fake.on("GET", "bot-stuck/tags", waits(never))
    query = Query("bot", until=clock.monotonic() + 1.0, clock=clock)
    found = search_catalog(client, Place(fake.host), query)
    never.set()
    assert names(found.hits) == ["team/bot"]
    assert found.warnings == ("1 repositories could not be looked at: no answer in time",)


def test_a_catalog_that_never_ends_is_used_as_far_as_it_came(
    fake: SearchableRegistry, client: RegistryClient
):
    fake.add("team/bot", "1.0")
    more = {"Link": '</v2/_catalog?n=1&last=x>; rel="next"'}
    page = '{"repositories": ["team/bot"]}'
    fake.on("GET", "_catalog", answers(200, page, **more), times=5)
    found = search_catalog(client, Place(fake.host), Query("bot"))
    assert names(found.hits) == ["team/bot"]
    assert len(found.warnings) == 1


def test_a_catalog_that_says_nothing_for_ever_is_an_error(
    fake: SearchableRegistry, client: RegistryClient
):
    more = {"Link": '</v2/_catalog?n=1&last=x>; rel="next"'}
    fake.on("GET", "_catalog", answers(200, "{}", **more), times=9)
    with pytest.raises(ListingIncomplete):
        search_catalog(client, Place(fake.host), Query("bot"))
