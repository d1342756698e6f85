"""Lists that a registry gives page by page: the tags of a repository, the repositories it has.

Every registry pages in its own way (distribution-spec, "Listing Tags"): some send a Link, some send
a wrong one, some cut the list and say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.errors import AgentociError, Integrity
from agentoci.registry.auth.authorizer import pull_scope
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import Rejected, RepositoryNotFound
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.links import next_page
from agentoci.spec.jsonio import InvalidJson, loads_object
from agentoci.spec.reference import is_tag

PAGE: Final = 1000
"""Names asked for at once; ECR refuses more."""

CATALOG_SCOPE: Final = "registry:catalog:*"
"""Leave to list the repositories of a registry."""

_ROUND: Final = 50
"""A page without a Link whose length is a multiple of this may have been cut by the registry."""


class InvalidListing(Integrity):
    """A list that a registry gave and that cannot be one."""


class CatalogMissing(ContentNotFound):
    """The registry does not list its repositories."""


class ListingIncomplete(AgentociError):
    """A registry's list did not end; `found` are the names that came before."""

    def __init__(self, what: str, reason: str, found: Iterable[str]) -> None:
        self.found = tuple(found)
        super().__init__(f"{what}: {reason}; {len(self.found)} names were read until then")


@dataclass(slots=True)
class _Names:
    """What one listing has gathered, in the order of the registry, each name once."""

    what: str
    found: dict[str, None] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def add(self, page: Iterable[str]) -> bool:
        """Whether any name of the page is news; raises ListingIncomplete above the limit."""
        before = len(self.found)
        self.found.update(dict.fromkeys(page))
        if len(self.found) > limits.MAX_LISTED_NAMES:
            raise self.incomplete(f"more than {limits.MAX_LISTED_NAMES} names")
        return len(self.found) > before

    def incomplete(self, reason: str) -> ListingIncomplete:
        """The error for a list that does not end as it should."""
        return ListingIncomplete(self.what, reason, self.found)


class Listing:
    """Reads one list of a registry to its end; bounded whatever the registry answers."""

    def __init__(
        self, endpoint: Endpoint, path: str, key: str, *, scopes: tuple[str, ...], what: str
    ) -> None:
        self._endpoint = endpoint
        self._url = endpoint.url(path)
        self._key = key
        self._scopes = scopes
        self._what = what

    def names(self) -> list[str]:
        """All names, in the order of the registry.

        Raises RepositoryNotFound, ListingIncomplete, InvalidListing, UnsafeDestination for a page
        on another host, Denied, RegistryUnreachable.
        """
        names = _Names(self._what)
        if self._endpoint.facts.whole_lists and self._is_whole(names):
            return list(names.found)
        answer = self._ask(f"n={PAGE}", expect={200, 400})
        if answer.status == 400:
            answer.discard()
            answer = self._ask("", expect={200})
        query = self._read(names, answer)
        facts = self._endpoint.facts
        is_new = facts.whole_lists is None and facts.links_pages is True
        if query is not None and is_new and len(names.found) == PAGE and self._is_whole(names):
            return list(names.found)
        while query is not None:
            if query in names.asked:
                raise names.incomplete("the registry sends the same page again and again")
            if len(names.asked) >= limits.MAX_LIST_PAGES:
                raise names.incomplete(f"more than {limits.MAX_LIST_PAGES} pages")
            names.asked.add(query)
            query = self._follow(names, query)
        return list(names.found)

    def _is_whole(self, names: _Names) -> bool:
        """Whether all tags come at once, as distribution sends them; then they are in `names`.

        It sends a Link with every full page, also with the last one.
        """
        if self._key != "tags":
            return False
        answer = self._ask("", expect={200})
        if answer.status != 200:
            raise self._endpoint.error(answer, what=self._what, missing=RepositoryNotFound)
        with answer:
            content = answer.content(limits.MAX_LIST_PAGE_BYTES)
        linked = next_page(answer, self._endpoint.origin) is not None
        if linked or len(content) > limits.MAX_LIST_PAGE_BYTES:
            self._endpoint.learn(whole_lists=False)
            return False
        page = self._parse(content)
        names.add(page)
        whole = len(page) == len(names.found) and self._endpoint.facts.links_pages is True
        self._endpoint.learn(whole_lists=whole)
        return whole

    def _follow(self, names: _Names, query: str) -> str | None:
        """Read a further page; one that the registry's own Link spoils is asked for by name."""
        by_name = _after(names)
        answer = self._ask(query, expect={200, 400, 404})
        if answer.status != 200 and query != by_name and by_name not in names.asked:
            answer.discard()
            names.asked.add(by_name)
            answer = self._ask(by_name, expect={200})
        return self._read(names, answer)

    def _read(self, names: _Names, answer: Answer) -> str | None:
        """Take a page in; returns the query of the next one."""
        if answer.status != 200:
            raise self._endpoint.error(answer, what=self._what, missing=RepositoryNotFound)
        with answer:
            content = answer.content(limits.MAX_LIST_PAGE_BYTES)
        page = self._parse(content)
        link = next_page(answer, self._endpoint.origin)
        news = names.add(page)
        if link is not None:
            if page and not news:
                raise names.incomplete("the registry sends the same page again and again")
            if news:
                self._endpoint.learn(links_pages=True)
            return urlsplit(link).query  # the path is ours in any case: Nexus sends another
        if not news or len(page) % _ROUND or len(names.found) < _ROUND:
            return None
        return self._after_round(names)

    def _after_round(self, names: _Names) -> str | None:
        """What to ask for after a page without a Link that may have been cut; None: it was not.

        A registry that nobody knows is asked for one name of which more follow: if it sends a Link
        then, it would have sent one before.
        """
        known = self._endpoint.facts.links_pages
        if known is None:
            before = list(names.found)[-3]
            answer = self._ask(f"n=1&last={quote(before, safe='')}", expect={200, 400, 404})
            if answer.status != 200:
                answer.discard()
                return _after(names)
            with answer:
                page = self._parse(answer.content(limits.MAX_LIST_PAGE_BYTES))
            known = next_page(answer, self._endpoint.origin) is not None
            if len(page) == 1:
                self._endpoint.learn(links_pages=known)
            elif not names.add(page):
                return None  # it heeds no numbers, and this was all
        return None if known else _after(names)

    def _parse(self, content: bytes) -> list[str]:
        if len(content) > limits.MAX_LIST_PAGE_BYTES:
            raise InvalidListing(
                f"{self._what}: a page of more than {limits.MAX_LIST_PAGE_BYTES} bytes"
            )
        try:
            document = loads_object(content, what=self._what, limit=limits.MAX_LIST_PAGE_BYTES)
        except InvalidJson as exc:
            raise InvalidListing(f"{exc.message} (where a list of {self._key} was due)") from exc
        found = document.get(self._key)
        if found is None:
            return []
        if not isinstance(found, list):
            raise InvalidListing(f"{self._what}: {self._key} is not a list")
        return [self._checked(name) for name in found]

    def _checked(self, name: object) -> str:
        """Names go into further requests, so they must be what they claim to be."""
        if not isinstance(name, str) or (self._key == "tags" and not is_tag(name)):
            shown = repr(name)[:80]
            raise InvalidListing(f"{self._what}: {shown} in the list of {self._key} is not one")
        return name

    def _ask(self, query: str, *, expect: set[int]) -> Answer:
        url = f"{self._url}?{query}" if query else self._url
        return self._endpoint.request(Request("GET", url), self._scopes, expect=expect)


def list_tags(endpoint: Endpoint, repository: str) -> list[str]:
    """The tags of a repository; raises what `Listing.names` raises."""
    return Listing(
        endpoint,
        f"{repository}/tags/list",
        "tags",
        scopes=(pull_scope(repository),),
        what=endpoint.named(repository),
    ).names()


def list_repositories(endpoint: Endpoint) -> list[str]:
    """The repositories of a registry that lists them.

    Raises CatalogMissing, and what `Listing.names` raises.
    """
    listing = Listing(
        endpoint,
        "_catalog",
        "repositories",
        scopes=(CATALOG_SCOPE,),
        what=f"{endpoint.host}: its list of repositories",
    )
    try:
        names = listing.names()
    except (ContentNotFound, Rejected) as exc:
        endpoint.learn(catalog=False)
        raise CatalogMissing(
            f"{endpoint.host} does not list its repositories ({exc.message})",
            hint="name a repository: agent tags HOST/REPOSITORY",
        ) from exc
    endpoint.learn(catalog=True)
    return names


def _after(names: _Names) -> str:
    """The query for what follows the last name."""
    last = quote(next(reversed(names.found), ""), safe="")
    return f"n={PAGE}&last={last}"
