"""Lists of tags and repositories: every way in which registries page, and refuse to end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest

from agentoci._internal import limits
from agentoci.content.copy import copy
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import BytesSource
from agentoci.errors import AgentociError
from agentoci.registry.errors import AccessDenied, RepositoryNotFound, UnsafeDestination
from agentoci.registry.listing import CatalogMissing, InvalidListing, ListingIncomplete
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.manifest import Manifest
from agentoci.spec.reference import Reference
from tests.registries import Registry
from tests.registry.conftest import MakeClient, Open
from tests.registry.fake import FakeRegistry
from tests.registry.faults import Exchange, Fault, Reply, answers, refuses

TAGS = r"/v2/team/bot/tags/list"
CONFIG = b"{}"
MANIFEST = Manifest.build(config=Descriptor.of(mediatypes.OCI_EMPTY, CONFIG), layers=[])


def page(*tags: str, link: str | None = None) -> Fault:
    """A page of tags, and where the next one is."""
    headers = {"Link": link} if link else {}
    return answers(200, json.dumps({"name": "team/bot", "tags": tags}), **headers)


def paged(
    tags: list[str],
    *,
    link: Callable[[str], str] | None = None,
    most: int | None = None,
    heeds: bool = True,
) -> Fault:
    """A registry that pages by `n` and `last`; `link` writes its Link, `most` is its own limit."""

    def fault(exchange: Exchange) -> Reply:
        query = exchange.seen.query
        wanted = int(query.get("n", ["100"])[0]) if heeds else len(tags)
        size = min(wanted, most or wanted)
        last = query.get("last", [""])[0] if heeds else ""
        rest = [tag for tag in tags if tag > last]
        shown, left = rest[:size], rest[size:]
        headers = {}
        if link is not None and left:
            headers["Link"] = link(f"n={size}&last={shown[-1]}")
        return Reply(200, json.dumps({"tags": shown}).encode(), headers)

    return fault


def many(count: int) -> list[str]:
    return [f"v{number:06}" for number in range(count)]


@pytest.mark.parametrize(
    "link",
    [
        '</v2/team/bot/tags/list?{}>; rel="next"',
        "</v2/team/bot/tags/list?{}>; rel=next",
        '<?{}>;rel="next"',
        '<{url}/v2/team/bot/tags/list?{}>; rel="next"',
        '<{url}/repository/docker/v2/team/bot/tags/list?{}>; rel="next"',
        '</v2/team/bot/tags/list?n=1>; rel="first", </v2/team/bot/tags/list?{}>; rel="last next"',
        '<https://127.0.0.1/v2/team/bot/tags/list?{}>; title="a, b"; REL="next"',
    ],
)
def test_links_lead_to_all_tags(fake: FakeRegistry, open_repository: Open, link: str):
    tags = many(25)
    make = lambda query: link.replace("{}", query).replace("{url}", fake.url)  # noqa: E731
    fake.on("GET", TAGS, paged(tags, link=make, most=10), times=9)
    assert open_repository(fake).tags() == tags
    assert len(fake.seen) == 3
    assert {seen.path for seen in fake.seen} == {TAGS}


def test_query_of_a_link_is_kept_as_it_is(fake: FakeRegistry, open_repository: Open):
    link = '</v2/team/bot/tags/list?next_page=a%2Fb%3D%3D&x>; rel="next"'
    fake.on("GET", TAGS, page("1", link=link), page("2"))
    assert open_repository(fake).tags() == ["1", "2"]
    assert fake.seen[1].target == TAGS + "?next_page=a%2Fb%3D%3D&x"


def test_registry_without_links_is_asked_for_what_follows(
    fake: FakeRegistry, open_repository: Open
):
    tags = many(2520)
    fake.on("GET", TAGS, paged(tags), times=9)
    repository = open_repository(fake)
    assert repository.tags() == tags
    asked = [(seen.query["n"][0], seen.query.get("last")) for seen in fake.seen]
    rounds = [("1000", None), ("1000", ["v000999"]), ("1000", ["v001999"])]
    assert asked == [rounds[0], ("1", ["v000997"]), *rounds[1:]], "whether it sends a Link at all"
    fake.seen.clear()
    assert repository.tags() == tags
    assert len(fake.seen) == 3, "which is known from then on"


def test_registry_with_links_has_ended_where_it_sends_none(
    fake: FakeRegistry, open_repository: Open
):
    tags = many(1000)
    link = '</v2/team/bot/tags/list?{}>; rel="next"'
    fake.on("GET", TAGS, paged(tags, link=link.format), times=9)
    repository = open_repository(fake)
    assert repository.tags() == tags
    assert [seen.query["n"][0] for seen in fake.seen] == ["1000", "1"]
    fake.seen.clear()
    assert repository.tags() == tags
    assert len(fake.seen) == 1


@pytest.mark.parametrize(("whole", "first", "later"), [(True, 2, 1), (False, 4, 3)])
def test_registry_that_sends_all_at_once_is_asked_so(
    fake: FakeRegistry, open_repository: Open, whole: bool, first: int, later: int
) -> None:
    """Distribution does, when no number is named, and sends a Link with every full page."""
    tags = many(2000)

    def fault(exchange: Exchange) -> Reply:
        if whole and "n" not in exchange.seen.query:
            return Reply(200, json.dumps({"tags": tags}).encode(), {})
        return paged([*tags, "zz"], link='</v2/team/bot/tags/list?{}>; rel="next"'.format)(exchange)

    fake.on("GET", TAGS, fault, times=9)
    repository = open_repository(fake)
    assert repository.tags() == (tags if whole else [*tags, "zz"])
    assert len(fake.seen) == first
    fake.seen.clear()
    assert repository.tags() == (tags if whole else [*tags, "zz"])
    assert len(fake.seen) == later


def test_registry_with_a_smaller_page_of_its_own_is_asked_for_more(
    fake: FakeRegistry, open_repository: Open
):
    tags = many(230)
    fake.on("GET", TAGS, paged(tags, most=100), times=9)
    assert open_repository(fake).tags() == tags


def test_registry_that_ignores_pages_is_asked_twice_at_most(
    fake: FakeRegistry, open_repository: Open
):
    tags = ["b", "c", "a", *many(997)]
    fake.on("GET", TAGS, paged(tags, heeds=False), times=9)
    assert open_repository(fake).tags() == tags
    assert len(fake.seen) == 2


def test_registry_that_refuses_our_number_is_asked_without(
    fake: FakeRegistry, open_repository: Open
):
    fake.on("GET", r"n=1000", refuses(400, "PAGINATION_NUMBER_INVALID", "at most 100"))
    fake.on("GET", TAGS + "$", page("1", "2"))
    assert open_repository(fake).tags() == ["1", "2"]


@pytest.mark.parametrize("count", [50, 100, 10_000])
def test_list_of_one_tag_again_and_again(fake: FakeRegistry, open_repository: Open, count: int):
    """It ended in an internal error: there is no third name from its end."""
    fake.on("GET", TAGS, page(*["1.0.0"] * count), times=3)
    assert open_repository(fake).tags() == ["1.0.0"]


def test_spoilt_link_is_replaced_by_the_last_name(fake: FakeRegistry, open_repository: Open):
    link = '</v2/team/bot/tags/list?token=old>; rel="next"'
    fake.on("GET", "token=old", refuses(400, "BAD", "no such token"))
    fake.on("GET", TAGS, page("1", "2", link=link), page("3"))
    assert open_repository(fake).tags() == ["1", "2", "3"]
    assert fake.seen[-1].query["last"] == ["2"]


@pytest.mark.parametrize("body", ['{"tags": null}', '{"tags": []}', "{}"])
def test_repository_without_tags_has_none(fake: FakeRegistry, open_repository: Open, body: str):
    fake.on("GET", TAGS, answers(200, body))
    assert open_repository(fake).tags() == []


@pytest.mark.parametrize("code", ["NAME_UNKNOWN", "OTHER"])
def test_unknown_repository_is_not_found(fake: FakeRegistry, open_repository: Open, code: str):
    fake.on("GET", TAGS, refuses(404, code, "unknown"))
    with pytest.raises(RepositoryNotFound, match="team/bot"):
        open_repository(fake).tags()


@pytest.mark.parametrize(
    "host", ["http://registry.example.com:5000", "http://169.254.169.254", "//evil.example.com"]
)
def test_page_on_another_host_is_refused(fake: FakeRegistry, open_repository: Open, host: str):
    fake.on("GET", TAGS, page("1", link=f'<{host}/v2/team/bot/tags/list?n=9>; rel="next"'))
    with pytest.raises(UnsafeDestination, match="for the rest of a list"):
        open_repository(fake).tags()
    assert len(fake.seen) == 1


def test_circle_of_links_ends_with_what_was_read(fake: FakeRegistry, open_repository: Open):
    first, second = (f"<{TAGS}?token={name}>; rel=next" for name in "ab")
    fake.on("GET", TAGS, page("1", link=first), page("2", link=second), page("3", link=first))
    with pytest.raises(ListingIncomplete, match="3 names were read") as caught:
        open_repository(fake).tags()
    assert caught.value.found == ("1", "2", "3")
    assert caught.value.exit_code == AgentociError.exit_code


def test_page_that_repeats_under_new_links_ends(fake: FakeRegistry, open_repository: Open):
    links = iter(range(99))

    def again(exchange: Exchange) -> Reply:
        return page("1", "2", link=f"<{TAGS}?token={next(links)}>; rel=next")(exchange)

    fake.on("GET", TAGS, again, times=99)
    with pytest.raises(ListingIncomplete, match="again and again"):
        open_repository(fake).tags()
    assert len(fake.seen) == 2


def test_endless_list_of_empty_pages_ends(
    fake: FakeRegistry, open_repository: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "MAX_LIST_PAGES", 20)
    links = iter(range(999))

    def empty(exchange: Exchange) -> Reply:
        return page(link=f"<{TAGS}?token={next(links)}>; rel=next")(exchange)

    fake.on("GET", TAGS, empty, times=99)
    with pytest.raises(ListingIncomplete, match="more than 20 pages; 0 names"):
        open_repository(fake).tags()
    assert len(fake.seen) == 21


def test_endless_list_of_new_names_ends(
    fake: FakeRegistry, open_repository: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "MAX_LISTED_NAMES", 2000)
    fake.on("GET", TAGS, paged(many(9000)), times=99)
    with pytest.raises(ListingIncomplete, match="more than 2000 names"):
        open_repository(fake).tags()
    assert len(fake.seen) == 4


@pytest.mark.slow
@pytest.mark.parametrize("heeds", [True, False])
def test_hundred_thousand_tags_are_read(fake: FakeRegistry, open_repository: Open, heeds: bool):
    tags = many(100_000)
    fake.on("GET", TAGS, paged(tags, heeds=heeds), times=200)
    assert open_repository(fake).tags() == tags
    assert len(fake.seen) == (102 if heeds else 2)


def test_page_of_endless_bytes_is_refused(
    fake: FakeRegistry, open_repository: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "MAX_LIST_PAGE_BYTES", 1000)
    fake.on("GET", TAGS, page(*many(200)))
    with pytest.raises(InvalidListing, match="more than 1000 bytes"):
        open_repository(fake).tags()


@pytest.mark.parametrize(
    "body",
    [
        "<html>welcome</html>",
        '{"tags": {"1": 2}}',
        '{"tags": [1]}',
        '{"tags": ["../../other/manifests/1"]}',
        '{"tags": ["1?x"]}',
    ],
)
def test_what_is_no_list_of_tags_is_refused(fake: FakeRegistry, open_repository: Open, body: str):
    fake.on("GET", TAGS, answers(200, body))
    with pytest.raises(InvalidListing):
        open_repository(fake).tags()


# The catalog


def test_catalog_lists_repositories(fake: FakeRegistry, make_client: MakeClient):
    link = '</v2/_catalog?n=1000&last=a>; rel="next"'
    fake.on("GET", "/v2/_catalog", answers(200, '{"repositories": ["a"]}', Link=link))
    fake.on("GET", "/v2/_catalog", answers(200, '{"repositories": ["b/c"]}'))
    assert make_client().catalog(fake.host) == ["a", "b/c"]


@pytest.mark.parametrize("status", [400, 404, 405])
def test_registry_without_a_catalog_says_so(
    fake: FakeRegistry, make_client: MakeClient, status: int
):
    fake.on("GET", "/v2/_catalog", refuses(status, "UNSUPPORTED", "no"), times=2)
    with pytest.raises(CatalogMissing, match="does not list its repositories"):
        make_client().catalog(fake.host)


def test_catalog_for_others_is_denied(fake: FakeRegistry, make_client: MakeClient):
    fake.on("GET", "/v2/_catalog", refuses(403, "DENIED", "administrators only"))
    with pytest.raises(AccessDenied):
        make_client().catalog(fake.host)


# Real registries


@pytest.mark.integration
def test_real_registry_lists_its_tags(registry: Registry, repository: str, make_client: MakeClient):
    client = make_client()
    remote = client.repository(Reference.parse(registry.reference(f"{repository}:1")), push=True)
    image = MemoryTarget()
    image.push(MANIFEST.config, BytesSource(CONFIG))
    image.push(MANIFEST.descriptor, BytesSource(MANIFEST.raw))
    image.tag(MANIFEST.descriptor, "1")
    copy(image, "1", remote, "1")
    names = [f"v{number}" for number in range(53)]
    for name in names:
        remote.push_tagged(MANIFEST.descriptor, MANIFEST.raw, (name,))
    assert sorted(remote.tags()) == sorted(["1", *names])


@pytest.mark.integration
def test_real_registry_knows_no_such_repository(
    registry: Registry, repository: str, make_client: MakeClient
):
    remote = make_client().repository(Reference.parse(registry.reference(repository)))
    with contextlib.suppress(ContentNotFound):
        assert remote.tags() == []


@pytest.mark.integration
def test_real_registry_has_a_catalog_or_says_not(registry: Registry, make_client: MakeClient):
    try:
        assert isinstance(make_client().catalog(registry.host), list)
    except CatalogMissing:
        assert registry.kind == "olareg"
