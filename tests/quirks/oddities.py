"""What one registry alone does; the evidence is labelled as in profiles.py."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.quirks.manners import empty_session, when
from tests.quirks.server import Quirk, Visit
from tests.registry.access import Basic, Tokens
from tests.registry.faults import Reply, Seen
from tests.registry.service import UPLOAD, error, repository_of

UPLOADS = "/blobs/uploads/"
PULL_LIMIT = 100
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


@dataclass
class LastScope(Tokens):
    """Hears the last of several scopes only [issue estesp/manifest-tool#53]."""

    def heard(self, scopes: list[str]) -> list[str]:
        """What was said last."""
        return scopes[-1:]


@dataclass
class EitherWay(Tokens):
    """Two challenges in two headers, the second one bare; a token is good for everything."""

    path: str = "/v2/token"

    def refuses(self, seen: Seen, url: str) -> str | None:
        """The challenges, unless there is a token or a password."""
        given = seen.headers.get("authorization", "")
        known = given.removeprefix("Bearer ") in self.issued
        if known or Basic(self.username, self.password).refuses(seen, url) is None:
            return None
        return f'Bearer realm="{url}{self.path}",service="container_registry",scope="*"\nBasic'


def counts_pulls(visit: Visit) -> Reply:
    """GET of a manifest is a pull, HEAD is none [doc docker.com download-rate-limit]."""
    reply = visit.goes_on()
    if visit.seen.method == "GET" and reply.status == 200:
        left = PULL_LIMIT - visit.registry.happens("pulls")
        if left < 0:
            reply = error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
    left = max(PULL_LIMIT - visit.registry.counts["pulls"], 0)
    reply.headers["ratelimit-limit"] = f"{PULL_LIMIT};w=21600"
    reply.headers["ratelimit-remaining"] = f"{left};w=21600"
    return reply


def answers_201_with_an_old_range(visit: Visit, reply: Reply) -> None:
    """A PATCH is stored, and Range stays at the first [issue aws/containers-roadmap#2831]."""
    match = UPLOAD.fullmatch(visit.seen.path)
    session = visit.registry.sessions.get(match[2]) if match else None
    if reply.status == 202 and session is not None:
        reply.status = 201
        reply.headers["Range"] = f"0-{session.sizes[0] - 1}"


def wants_big_parts(limit: int) -> Quirk:
    """All parts but the last have a least size [issue jdx/mise#11376]."""

    def check(visit: Visit) -> Reply:
        match = UPLOAD.fullmatch(visit.seen.path)
        session = visit.registry.sessions.get(match[2]) if match else None
        if session is not None and session.sizes and min(session.sizes) < limit and visit.length:
            return visit.refuses(400, "BLOB_UPLOAD_INVALID", "layer part is too small")
        return visit.goes_on()

    return when("PATCH|PUT", UPLOADS, check)


def has_no_monolithic_put(visit: Visit) -> Reply:
    """Old versions know no upload that begins with its PUT [issue containerd#3533]."""
    if empty_session(visit) and visit.length:
        return visit.refuses(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    return visit.goes_on()


def links_elsewhere(visit: Visit, reply: Reply) -> None:
    """An absolute Link below another path [issue sonatype/nexus-public#1011]."""
    if "Link" in reply.headers:
        wrong = f"<{visit.registry.url}/repository/docker/v2/"
        reply.headers["Link"] = reply.headers["Link"].replace("</v2/", wrong)


def streams_only_first(visit: Visit) -> Reply:
    """A PATCH without Content-Range only as the first one [src go-gitea]."""
    if "content-range" not in visit.seen.headers and not empty_session(visit):
        return visit.refuses(416, "BLOB_UPLOAD_INVALID", "range missing")
    return visit.goes_on()


def forgets_range(visit: Visit) -> Reply:
    """Always the whole blob [src go-gitea, an older version]."""
    visit.seen.headers.pop("range", None)
    return visit.goes_on()


def adds_to_length(visit: Visit, reply: Reply) -> None:
    """HEAD tells another length than GET has [src oras-go; by how much is a guess]."""
    if reply.status == 200:
        reply.headers["Content-Length"] = str(len(reply.body) + 1)


def types_by_config(visit: Visit, reply: Reply) -> None:
    """Referrers have the type of their config [issue goharbor/harbor#19867]."""
    found = json.loads(reply.body)
    for each in found.get("manifests", []):
        key = (repository_of(visit.seen.path) or "", each["digest"])
        each["artifactType"] = json.loads(visit.registry.manifests[key][1])["config"]["mediaType"]
    reply.body = json.dumps(found).encode()


def lists_all(visit: Visit) -> Reply:
    """Filters of referrers are not heard of."""
    asked, exchange = visit.seen, visit.exchange
    unfiltered = Seen(asked.method, asked.path, asked.headers)
    return exchange.registry.serve(unfiltered, exchange.read_body)


def schema_1() -> Reply:
    """The old form, for clients that do not say what they take [issue che-plugin-registry#2082]."""
    return Reply(200, b'{"schemaVersion": 1}', {"Content-Type": SCHEMA_1})


def not_accepted() -> Reply:
    """[issue devcontainers.github.io#726]."""
    message = "OCI manifest found, but accept header does not support OCI manifests"
    return error(404, "MANIFEST_UNKNOWN", message)
