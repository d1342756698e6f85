"""Quirks that several registries share, as functions that a profile strings together."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import quote, urlencode

from tests.quirks.server import Quirk, Visit
from tests.registry.faults import Reply
from tests.registry.service import MANIFEST, UPLOAD, document, error

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def when(method: str, pattern: str, quirk: Quirk) -> Quirk:
    """The quirk for requests of this method whose path and query match."""
    wanted = re.compile(pattern)

    def decide(visit: Visit) -> Reply:
        of_method = method == "*" or visit.seen.method in method.split("|")
        meant = of_method and wanted.search(visit.seen.target)
        return quirk(visit) if meant else visit.goes_on()

    return decide


def at(name: str, number: int, quirk: Quirk) -> Quirk:
    """The quirk for the so manieth request that comes here."""
    return lambda visit: quirk(visit) if visit.registry.happens(name) == number else visit.goes_on()


def refuses(status: int, code: str, message: str) -> Quirk:
    """Read the request and refuse it."""
    return lambda visit: visit.refuses(status, code, message)


def answers(status: int, body: str = "", **headers: str) -> Quirk:
    """Read the request, do nothing, answer this; underscores in names become dashes."""

    def answer(visit: Visit) -> Reply:
        visit.body()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Reply(status, body.encode(), named)

    return answer


def changes(change: Callable[[Visit, Reply], None]) -> Quirk:
    """Serve, then let `change` alter the reply."""

    def alter(visit: Visit) -> Reply:
        reply = visit.goes_on()
        change(visit, reply)
        return reply

    return alter


def limits_body(methods: str, limit: int, refusal: Reply, *, pattern: str = "/blobs/") -> Quirk:
    """Refuse longer bodies before they are read, and hang up."""

    def limit_it(visit: Visit) -> Reply:
        if visit.length <= limit:
            return visit.goes_on()
        return Reply(refusal.status, refusal.body, dict(refusal.headers), close=True)

    return when(methods, pattern, limit_it)


def allows_types(status: int, code: str, allowed: Collection[str]) -> Quirk:
    """Take manifests only of known config types, and without another artifactType."""

    def check(visit: Visit) -> Reply:
        found = manifest_of(visit)
        kinds = {(found.get("config") or {}).get("mediaType"), found.get("artifactType")} - {None}
        unknown = sorted(str(kind) for kind in kinds - set(allowed))
        if unknown:
            return error(status, code, f"unknown media type: {unknown[0]}")
        return visit.goes_on()

    return when("PUT", "/manifests/", check)


def wants_media_type(status: int, message: str) -> Quirk:
    """Take manifests only that say what they are."""

    def check(visit: Visit) -> Reply:
        if "mediaType" in manifest_of(visit):
            return visit.goes_on()
        return error(status, "MANIFEST_INVALID", message)

    return when("PUT", "/manifests/", check)


def refuses_empty_blobs(status: int, message: str) -> Quirk:
    """Never store a blob without bytes."""
    return when("PUT|POST", re.escape(quote(EMPTY, safe="")), refuses(status, "UNKNOWN", message))


def wants_layers(visit: Visit) -> Reply:
    """Take image manifests only that have layers."""
    found = manifest_of(visit)
    if "config" in found and not found.get("layers"):
        return error(400, "MANIFEST_INVALID", "manifest has no layers")
    return visit.goes_on()


def keeps_tags(visit: Visit) -> Reply:
    """Never move a tag, nor take the same digest for it again."""
    match = MANIFEST.fullmatch(visit.seen.path)
    if match and ":" not in match[2] and (match[1], match[2]) in visit.registry.manifests:
        message = f"the image tag '{match[2]}' already exists and cannot be overwritten"
        return visit.refuses(400, "TAG_INVALID", message)
    return visit.goes_on()


def wants_accept(missing: Callable[[], Reply]) -> Quirk:
    """Hand out OCI manifests only to those who say that they take them."""

    def check(visit: Visit) -> Reply:
        accepts = visit.seen.headers.get("accept", "")
        reply = visit.goes_on()
        told = reply.headers.get("Content-Type", "")
        if reply.status == 200 and "oci" in told and told not in accepts:
            return missing()
        return reply

    return when("GET|HEAD", "/manifests/", check)


def limits_pages(limit: int) -> Quirk:
    """Refuse lists that ask for longer pages."""

    def check(visit: Visit) -> Reply:
        if int(visit.seen.query.get("n", ["0"])[0]) > limit:
            return visit.refuses(400, "PAGINATION_NUMBER_INVALID", f"n is at most {limit}")
        return visit.goes_on()

    return when("GET", "/tags/list", check)


def pages_by_token(visit: Visit) -> Reply:
    """Quay's way: the Link is relative and holds a token instead of `last`."""
    query = visit.seen.query
    visit.body()
    name = visit.seen.path.removeprefix("/v2/").removesuffix("/tags/list")
    tags, start = visit.registry.tags(name), int(query.get("next_page", ["0"])[0].strip("_") or 0)
    if name not in visit.registry.names():
        return error(404, "NAME_UNKNOWN", "repository name not known to registry")
    size = min(int(query.get("n", ["100"])[0]), 100)
    reply = document({"name": name, "tags": tags[start : start + size]})
    if tags[start + size :] and size:
        rest = urlencode({"n": size, "next_page": f"_{start + size}_"})
        reply.headers["Link"] = f'</v2/{name}/tags/list?{rest}>; rel="next"'
    return reply


def empty_session(visit: Visit) -> bool:
    """Whether this request is the first to bring bytes to its upload."""
    match = UPLOAD.fullmatch(visit.seen.path)
    session = visit.registry.sessions.get(match[2]) if match else None
    return session is not None and not session.content


def manifest_of(visit: Visit) -> dict[str, Any]:
    """The manifest that a request brings."""
    try:
        found = json.loads(visit.body())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
