"""How each kind of registry is searched.

What servers answer is read within limits and trusted in nothing: a name must be one, a description
becomes one plain line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlencode

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import Denied, Integrity
from agentoci.registry.client import RegistryClient
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.http.transport import Request
from agentoci.registry.listing import CatalogMissing, ListingIncomplete
from agentoci.registry.search.hits import Found, Hit, Query, first, plain
from agentoci.registry.search.repositories import Place, candidates, examine
from agentoci.spec.jsonio import Json, loads_object

HUB: Final = "hub.docker.com"
"""Where Docker Hub is searched; its registry is elsewhere."""

_MOST_HUB_PAGE: Final = 100
_ZOT_SEARCH: Final = "/v2/_zot/ext/search"


class SearchMissing(ContentNotFound):
    """The registry has no such search."""


class SearchFailed(Integrity):
    """A search API answered something else than results."""


def search_catalog(client: RegistryClient, place: Place, query: Query) -> Found:
    """By the list of all repositories (`_catalog`): finds by name alone.

    Raises CatalogMissing for the many registries without one, and registry errors.
    """
    warnings: tuple[str, ...] = ()
    try:
        names: Iterable[str] = client.catalog(place.host)
    except ListingIncomplete as exc:
        if not exc.found:
            raise
        names, warnings = exc.found, (exc.message,)
    except CatalogMissing as exc:
        exc.hint = f"search an index there that `agent index add` made: oci-index://{place.host}/…"
        raise
    matching = {name: "" for name in names if query.names(name)}
    found = examine(client, candidates(place, matching), query)
    return Found(found.hits, (*warnings, *found.warnings))


def search_registry(client: RegistryClient, place: Place, query: Query) -> Found:
    """By the best that the registry offers: zot's search, else the list of its repositories."""
    try:
        return search_zot(client, place, query)
    except (SearchMissing, Denied):
        return search_catalog(client, place, query)


def search_zot(client: RegistryClient, place: Place, query: Query) -> Found:
    """By zot's search extension (GraphQL); raises SearchMissing where it is not on."""
    endpoint = client.api(place.host)
    what = f"{place.host}: zot's search"
    if not _offers_zot_search(endpoint):
        raise SearchMissing(
            f"{place.host} does not offer zot's search", hint=f"try catalog://{place.host}"
        )
    wanted = (
        f"{{GlobalSearch(query:{json.dumps(query.text)},"
        f"requestedPage:{{limit:{limits.MAX_SEARCH_CANDIDATES},offset:0}})"
        "{Repos{Name NewestImage{Description}}}}"
    )
    document = _read(endpoint, f"{endpoint.origin}{_ZOT_SEARCH}?query={quote(wanted)}", what)
    if errors := document.get("errors"):
        raise SearchFailed(f"{what}: {plain(_first_message(errors)) or 'refused'}")
    result = _object(_object(document, "data"), "GlobalSearch")
    described = {
        plain(repository.get("Name")): plain(_object(repository, "NewestImage").get("Description"))
        for repository in _objects(result, "Repos", what)
    }
    return examine(client, candidates(place, described), query)


def search_harbor(client: RegistryClient, place: Place, query: Query) -> Found:
    """By Harbor's API, which shows what the user may see."""
    endpoint = client.api(place.host)
    what = f"{place.host}: Harbor's search"
    url = f"{endpoint.origin}/api/v2.0/search?{urlencode({'q': query.text})}"
    document = _read(endpoint, url, what, introduced=True)
    described = {
        plain(repository.get("repository_name")): ""
        for repository in _objects(document, "repository", what)
    }
    return examine(client, candidates(place, described), query)


def search_hub(client: RegistryClient, host: str, query: Query) -> Found:
    """By Docker Hub's public search, without credentials; it does not tell agents from others."""
    endpoint = client.api(host or HUB, anonymous=True)
    what = f"{endpoint.host}: Docker Hub's search"
    page = {"query": query.text, "page_size": min(query.limit, _MOST_HUB_PAGE)}
    url = f"{endpoint.origin}/v2/search/repositories/?{urlencode(page)}"
    document = _read(endpoint, url, what)
    place = Place("docker.io")
    hits: list[Hit] = []
    for repository in _objects(document, "results", what):
        reference = place.reference(plain(repository.get("repo_name")))
        if reference is not None:
            hits.append(Hit(reference.name, description=plain(repository.get("short_description"))))
    return Found(first(hits, query))


def _offers_zot_search(endpoint: Endpoint) -> bool:
    """Whether the registry names zot's search among its extensions (OCI extensions API)."""
    answer = endpoint.request(Request("GET", endpoint.url("_oci/ext/discover")), expect={200, 404})
    if answer.status != 200:
        answer.discard()
        return False
    with answer:
        content = answer.content(limits.MAX_SEARCH_ANSWER_BYTES)
    try:
        document = loads_object(content, what="extensions", limit=limits.MAX_SEARCH_ANSWER_BYTES)
        found = _objects(document, "extensions", "extensions")
    except Integrity:
        return False
    return any(_ZOT_SEARCH in _list(extension, "endpoints") for extension in found)


def _read(endpoint: Endpoint, url: str, what: str, *, introduced: bool = False) -> dict[str, Json]:
    """One JSON answer; raises SearchMissing, SearchFailed, and registry errors."""
    request = Request("GET", url, {"Accept": "application/json"})
    if introduced:
        request = endpoint.introduced(request)
    answer = endpoint.request(request, expect={200, 404})
    if answer.status != 200:
        raise endpoint.error(answer, what=what, missing=SearchMissing)
    with answer:
        content = answer.content(limits.MAX_SEARCH_ANSWER_BYTES)
    if len(content) > limits.MAX_SEARCH_ANSWER_BYTES:
        raise SearchFailed(f"{what}: answers more than {limits.MAX_SEARCH_ANSWER_BYTES} bytes")
    return loads_object(content, what=what, limit=limits.MAX_SEARCH_ANSWER_BYTES)


def _objects(document: dict[str, Json], key: str, what: str) -> list[dict[str, Json]]:
    """A list of objects; null is an empty one, and what is no object in it is left out."""
    found = document.get(key)
    if found is not None and not isinstance(found, list):
        raise SearchFailed(f"{what}: {key} is not a list")
    return [one for one in found or [] if isinstance(one, dict)]


def _object(document: dict[str, Json], key: str) -> dict[str, Json]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _list(document: dict[str, Json], key: str) -> list[Json]:
    found = document.get(key)
    return found if isinstance(found, list) else []


def _first_message(errors: Json) -> Json:
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return errors[0].get("message")
    return None
