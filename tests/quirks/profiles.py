"""The registries that people have, by their oddities.

The evidence is in brackets: [doc] a vendor's page, [issue] somebody's report, [src] a client's or
the registry's source, [guess] what nobody has told, filled in. Nothing was tried on the hosted
services themselves.
"""

from __future__ import annotations

from tests.quirks.manners import (
    allows_types,
    answers,
    at,
    changes,
    keeps_tags,
    limits_body,
    limits_pages,
    pages_by_token,
    refuses,
    refuses_empty_blobs,
    wants_accept,
    wants_layers,
    wants_media_type,
    when,
)
from tests.quirks.oddities import (
    UPLOADS,
    EitherWay,
    LastScope,
    adds_to_length,
    answers_201_with_an_old_range,
    counts_pulls,
    forgets_range,
    has_no_monolithic_put,
    links_elsewhere,
    lists_all,
    not_accepted,
    schema_1,
    streams_only_first,
    types_by_config,
    wants_big_parts,
)
from tests.quirks.server import Profile
from tests.registry.access import Basic, Tokens
from tests.registry.faults import Reply
from tests.registry.service import error

MIB = 1024 * 1024

IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
KNOWN_TYPES = (
    IMAGE_CONFIG,
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.cncf.helm.config.v1+json",
)

NO_REFERRERS = {"referrers": False}

_REFERRERS = {"referrers are listed": "no such API", "referrers are filtered": "no such API"}
_CATALOG = {"catalog is listed": "no such API"}
_CHUNKS = (
    "blob is pushed in chunks",
    "last chunk comes with the put",
    "blob is streamed",
    "chunk out of order is refused",
    "status of an upload is told",
    "upload goes on after its status",
)

HUB = Profile(
    "docker-hub",
    auth=lambda: Tokens(allowed=frozenset({"pull", "push", "delete"})),
    settings={**NO_REFERRERS, "catalog": False},  # [issue argocd-image-updater#1706]
    quirks=(
        when("GET|HEAD", "/manifests/", counts_pulls),
        when("*", r"^/v2/[^/]+/(?:blobs|manifests)", refuses(404, "NAME_INVALID", "no library/")),
    ),
    stores_elsewhere=True,
    deviates=_REFERRERS | _CATALOG,
)

GHCR = Profile(
    "ghcr",
    auth=Tokens,
    settings={**NO_REFERRERS, "catalog": False},  # [issue oras-go#621, community 208530]
    quirks=(
        limits_body(  # [issue ocx-sh/ocx#237, src kitops upload-format.go]
            "PATCH",
            4 * MIB,
            error(416, "RANGE_INVALID", "chunk size exceeds the maximum of 4.00MiB"),
        ),
        when("DELETE", UPLOADS, refuses(405, "UNSUPPORTED", "unsupported")),  # [issue radius#12623]
    ),
    moods=(
        when(  # [issue gardenlinux#2585]
            "POST",
            UPLOADS,
            at(
                "post",
                2,
                answers(429, retry_after="1.889377ms, allowed: 2000/minute"),
            ),
        ),
        when(  # [issue refchecker#67]
            "PUT",
            "/manifests/",
            at("manifest", 1, refuses(403, "DENIED", "You have exceeded a secondary rate limit.")),
        ),
    ),
    stores_elsewhere=True,
    deviates=_REFERRERS | _CATALOG | {"upload is cancelled": "405"},
)

ECR = Profile(
    "ecr",
    auth=lambda: Basic(  # [issue regclient#709]
        challenge='Basic realm="https://123.dkr.ecr.eu-west-1.amazonaws.com/",service="ecr.amazonaws.com"'
    ),
    settings={**NO_REFERRERS, "catalog": False},
    quirks=(
        when("PATCH", UPLOADS, changes(answers_201_with_an_old_range)),
        wants_big_parts(5 * MIB),
        refuses_empty_blobs(405, "Invalid parameter"),  # [issue containers-roadmap#1074]
        limits_pages(1000),  # [issue ggcr#1091]
        when("PUT", "/manifests/", keeps_tags),  # [issue containers-roadmap#2380]
        wants_media_type(405, "Invalid JSON syntax"),  # [issue containers/image#584]
    ),
    stores_elsewhere=True,
    deviates={
        **(_REFERRERS | _CATALOG),
        **dict.fromkeys(_CHUNKS, "201, with an old Range"),
        "empty blob is kept": "refused",
        "manifest push is answered": "a tag is never pushed again",
        "tag moves": "tags are immutable here",
        "manifest needs no media type": "refused",
        "long pages may be asked for": "at most 1000",
    },
)

GAR = Profile(
    "gar",
    auth=Tokens,
    settings=NO_REFERRERS,
    quirks=(  # [doc quoted in dotnet/sdk-container-builds#287; the status is a guess]
        when("PATCH", UPLOADS, refuses(405, "UNSUPPORTED", "chunked uploads are not supported")),
    ),
    deviates=_REFERRERS | dict.fromkeys(_CHUNKS, "no PATCH"),
)

GITLAB = Profile(
    "gitlab",
    auth=LastScope,
    settings={**NO_REFERRERS, "catalog": False},  # [issue container-registry#968]
    quirks=(
        allows_types(400, "MANIFEST_INVALID", KNOWN_TYPES),  # [issue ocx-sh/ocx#480]
        wants_accept(not_accepted),
    ),
    takes_custom_types=False,
    deviates={
        **(_REFERRERS | _CATALOG),
        "manifest needs no accept": "404",
        "blob is mounted": "the token has one of the two scopes",
        "failed mount opens an upload": "the token has one of the two scopes",
        "custom types are taken": "allow-list",
    },
)

QUAY = Profile(
    "quay",
    auth=Tokens,
    settings=NO_REFERRERS,
    quirks=(
        allows_types(415, "MANIFEST_INVALID", KNOWN_TYPES),  # [doc Quay 3.11, issue oras#738]
        when("PUT", "/manifests/", wants_layers),  # [issue image-spec#1025]
        refuses_empty_blobs(500, "Internal Server Error"),  # [issue oras#260]
        when("POST", r"mount=(?!.*from=)", refuses(400, "UNKNOWN", "no from")),  # [src ggcr]
        wants_accept(schema_1),
        when("GET", "/tags/list", pages_by_token),  # [issue dkregistry-rs#236]
    ),
    moods=(  # [issue kubevirt#17064]
        when("POST", UPLOADS, at("post", 2, answers(200, "Healthcheck requested"))),
    ),
    takes_custom_types=False,
    deviates={
        **_REFERRERS,
        "manifest needs no accept": "schema 1",
        "empty blob is kept": "500",
        "mount without from is no error": "400",
        "custom types are taken": "allow-list",
        "manifest needs no layers": "refused",
        "tags begin after last": "pages have tokens",
    },
)

ACR = Profile(
    "acr",
    auth=lambda: Tokens(path="/oauth2/token", key="access_token", anonymous=frozenset()),
    quirks=(  # [issue goharbor/harbor#23015]
        limits_body("PUT", 20 * MIB, Reply(413, b"Request Entity Too Large")),
    ),
    stores_elsewhere=True,
)

ARTIFACTORY = Profile(
    "artifactory",
    auth=lambda: Basic(challenge='Basic realm="Artifactory Realm"'),
    settings=NO_REFERRERS,
    quirks=(when("PUT", UPLOADS, has_no_monolithic_put),),
    deviates={
        **_REFERRERS,
        "blob is pushed in one piece": "404",
        "failed mount opens an upload": "404 to the PUT",
    },
)

NEXUS = Profile(
    "nexus",
    auth=lambda: Basic(
        challenge='BASIC realm="Sonatype Nexus Repository Manager"'
    ),  # [issue dotnet#527]
    settings=NO_REFERRERS,
    quirks=(
        when("GET", "/tags/list|/_catalog", changes(links_elsewhere)),
        when("GET", "^/repository/", refuses(400, "UNKNOWN", "not a repository")),
    ),
    deviates=_REFERRERS | {"tags come in pages": "the Link leads astray"},
)

GITEA = Profile(
    "gitea",
    auth=EitherWay,
    settings=NO_REFERRERS,
    quirks=(
        when("GET", "/blobs/", forgets_range),
        when("PATCH", UPLOADS, streams_only_first),
        wants_media_type(501, "Schema version is not supported"),  # [issue go-gitea#25846]
    ),
    deviates={
        **_REFERRERS,
        "range is served": "the whole, always",
        "rest of a blob is served": "the whole, always",
        "range behind the end is refused": "the whole, always",
        "manifest needs no media type": "501",
    },
)

HARBOR = Profile(
    "harbor",
    auth=Tokens,
    settings={"catalog": False},
    quirks=(
        when("POST", "mount=", refuses(401, "UNAUTHORIZED", "project not found")),  # [harbor#17097]
        when("HEAD", "/manifests/", changes(adds_to_length)),
        when("GET", "/referrers/", lists_all),
        when("GET", "/referrers/", changes(types_by_config)),
    ),
    deviates={
        **_CATALOG,
        **dict.fromkeys(
            (
                "blob is mounted",
                "failed mount opens an upload",
                "mount without from is no error",
            ),
            "401 for another project",
        ),
        "manifest is looked up": "HEAD tells another length",
        "referrers are listed": "with the type of the config",
        "referrers are filtered": "unfiltered",
    },
)

NGINX = Profile(
    "nginx",  # any registry behind a proxy with a small limit [issue distribution#2042]
    quirks=(
        limits_body(
            "PUT|PATCH|POST",
            6 * MIB,
            Reply(
                413,
                b"<html><head><title>413 Request Entity Too Large</title></head></html>",
                {"Content-Type": "text/html"},
            ),
        ),
    ),
)

PLAIN = Profile("plain")

PROFILES = {
    profile.name: profile
    for profile in (
        *(PLAIN, HUB, GHCR, ECR, GAR, GITLAB, QUAY, ACR, ARTIFACTORY, NEXUS, GITEA, HARBOR, NGINX),
    )
}
