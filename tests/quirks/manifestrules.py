"""The distribution-spec on manifests: pull, push, list, referrers, delete."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from tests.quirks.site import EMPTY, INDEX, MANIFEST, Answer, Site, digest_of, manifest_of
from tests.quirks.table import MISSING, expect, rule


@rule
def manifest_is_pulled(site: Site) -> None:
    """Pulling manifests: by tag and digest the same bytes, type and digest."""
    image = site.push_image("1.0")
    for name in ("1.0", image["digest"]):
        answer = expect(site.ask("GET", f"manifests/{name}"), 200)
        assert digest_of(answer.body) == image["digest"]
        assert answer.headers["Content-Type"] == MANIFEST
        assert answer.headers["Docker-Content-Digest"] == image["digest"]


@rule
def manifest_is_looked_up(site: Site) -> None:
    """Checking if content exists: HEAD is 200 with the length of GET, and the digest."""
    image = site.push_image("1.0")
    answer = expect(site.ask("HEAD", "manifests/1.0"), 200)
    assert answer.headers["Docker-Content-Digest"] == image["digest"]
    assert answer.headers["Content-Length"] == str(image["size"])


@rule
def manifest_needs_no_accept(site: Site) -> None:
    """Pulling manifests: the Accept header is a SHOULD of clients."""
    site.push_image("1.0")
    answer = expect(site.ask("GET", "manifests/1.0", None, {"Accept": "*/*"}), 200)
    assert answer.headers["Content-Type"] == MANIFEST


@rule
def missing_manifest_is_not_found(site: Site) -> None:
    """Pulling manifests: 404, with MANIFEST_UNKNOWN (NAME_UNKNOWN) where there is a body."""
    site.push_image("1.0")
    for name in ("2.0", MISSING):
        answer = expect(site.ask("GET", f"manifests/{name}"), 404)
        assert set(answer.codes) & {"MANIFEST_UNKNOWN", "NAME_UNKNOWN"}
        expect(site.ask("HEAD", f"manifests/{name}"), 404)


@rule
def manifest_push_is_answered(site: Site) -> None:
    """Pushing manifests: 201 with a Location; pushing it again is no error."""
    site.push_blob(b"layer")
    site.push_blob(b"{}")
    for tag in ("1.0", "2.0", "1.0", ""):
        answer = site.push_manifest(manifest_of(layers=(b"layer",)), tag)
        assert expect(answer, 201).location


@rule
def manifest_of_another_digest_is_refused(site: Site) -> None:
    """Pushing manifests: under a digest only what has that digest."""
    site.push_image("1.0")
    content = site.ask("GET", "manifests/1.0").body
    answer = site.ask("PUT", f"manifests/{MISSING}", content, {"Content-Type": MANIFEST})
    expect(answer, 400)


@rule
def custom_types_are_taken(site: Site) -> None:
    """Guidelines for artifacts: any artifactType, any config type."""
    site.push_blob(b"layer")
    site.push_blob(b"{}")
    kind = "application/vnd.example.thing.v1"
    typed = manifest_of(layers=(b"layer",), artifactType=kind, config_type=EMPTY)
    expect(site.push_manifest(typed, "typed"), 201)
    by_config = manifest_of(layers=(b"layer",), config_type=f"{kind}+json")
    expect(site.push_manifest(by_config, "by-config"), 201)


@rule
def manifest_needs_no_layers(site: Site) -> None:
    """image-spec: `layers` SHOULD have an entry; none is not forbidden."""
    site.push_blob(b"{}")
    expect(site.push_manifest(manifest_of(), "bare"), 201)


@rule
def manifest_needs_no_media_type(site: Site) -> None:
    """image-spec: `mediaType` SHOULD be used; the Content-Type tells as well."""
    site.push_blob(b"layer")
    site.push_blob(b"{}")
    manifest = manifest_of(layers=(b"layer",))
    del manifest["mediaType"]
    expect(site.push_manifest(manifest, "1.0"), 201)


@rule
def index_is_kept(site: Site) -> None:
    """Pushing manifests: indexes too."""
    image = site.push_image("1.0")
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [image]}
    expect(site.push_manifest(index, "all"), 201)
    assert site.ask("GET", "manifests/all").headers["Content-Type"] == INDEX


@rule
def tag_moves(site: Site) -> None:
    """Pushing manifests: a tag names the last one."""
    site.push_image("1.0", b"first")
    second = site.push_image("1.0", b"second")
    answer = site.ask("HEAD", "manifests/1.0")
    assert answer.headers["Docker-Content-Digest"] == second["digest"]


@rule
def tags_are_listed(site: Site) -> None:
    """Listing tags: all of them, in lexical order."""
    for tag in ("b", "c", "a"):
        site.push_image(tag)
    answer = expect(site.ask("GET", "tags/list"), 200)
    assert answer.json() == {"name": site.name, "tags": ["a", "b", "c"]}


@rule
def tags_come_in_pages(site: Site) -> None:
    """Listing tags: `n` is the most there are, and a Link leads through all."""
    for tag in ("a", "b", "c", "d", "e"):
        site.push_image(tag)
    path, found = "tags/list?n=2", []
    for _ in range(5):
        answer = expect(site.ask("GET", path), 200)
        assert len(answer.json()["tags"]) <= 2
        found += answer.json()["tags"]
        link = re.fullmatch(r'<([^>]+)>; *rel="?next"?', answer.headers["Link"] or "")
        if link is None:
            break
        path = link[1]
    assert found == ["a", "b", "c", "d", "e"]


@rule
def tags_begin_after_last(site: Site) -> None:
    """Listing tags: `last` is where the list begins, exclusive."""
    for tag in ("a", "b", "c"):
        site.push_image(tag)
    assert expect(site.ask("GET", "tags/list?n=10&last=a"), 200).json()["tags"] == ["b", "c"]


@rule
def tags_of_nothing_are_not_found(site: Site) -> None:
    """Listing tags: 404 for a repository that does not exist."""
    expect(site.ask("GET", "tags/list"), 404)


@rule
def long_pages_may_be_asked_for(site: Site) -> None:
    """Listing tags: `n` has no upper bound; fewer may be returned."""
    site.push_image("1.0")
    assert expect(site.ask("GET", "tags/list?n=5000"), 200).json()["tags"] == ["1.0"]


@rule
def catalog_is_listed(site: Site) -> None:
    """Catalog: reserved by the specification, and many have it."""
    site.push_image("1.0")
    assert site.name in expect(site.ask("GET", "/v2/_catalog?n=1000"), 200).json()["repositories"]


@rule
def referrers_are_listed(site: Site) -> None:
    """Listing referrers: an index with type and annotations of those with this subject."""
    image = site.push_image("1.0")
    empty = expect(site.ask("GET", f"referrers/{image['digest']}"), 200)
    assert not empty.json()["manifests"]
    kind, notes = "application/vnd.example.sbom.v1", {"note": "x"}
    answer = push_referrer(site, image, artifactType=kind, annotations=notes)
    assert answer.headers["OCI-Subject"] == image["digest"]
    found = expect(site.ask("GET", f"referrers/{image['digest']}"), 200)
    assert found.headers["Content-Type"] == INDEX
    [only] = found.json()["manifests"]
    assert (only["artifactType"], only["annotations"]) == (kind, notes)


@rule
def referrers_are_filtered(site: Site) -> None:
    """Listing referrers: where filters are applied, OCI-Filters-Applied says so."""
    image = site.push_image("1.0")
    for kind in ("application/vnd.example.a", "application/vnd.example.b"):
        push_referrer(site, image, artifactType=kind)
    path = f"referrers/{image['digest']}?artifactType={quote('application/vnd.example.a')}"
    answer = expect(site.ask("GET", path), 200)
    assert "artifactType" in answer.headers["OCI-Filters-Applied"]
    assert len(answer.json()["manifests"]) == 1


@rule
def subject_may_be_missing(site: Site) -> None:
    """Pushing manifests with subject: a subject that is not there MUST be accepted."""
    push_referrer(site, {"mediaType": MANIFEST, "digest": MISSING, "size": 2})


def push_referrer(site: Site, subject: dict[str, Any], **more: Any) -> Answer:
    """Push an image that names its subject."""
    site.push_blob(b"layer")
    site.push_blob(b"{}")
    manifest = manifest_of(layers=(b"layer",), subject=subject, **more)
    return expect(site.push_manifest(manifest), 201)


@rule
def tag_is_deleted(site: Site) -> None:
    """Deleting tags: 202, and only that tag is gone."""
    site.push_image("1.0")
    site.push_image("2.0")
    expect(site.ask("DELETE", "manifests/1.0"), 202)
    expect(site.ask("GET", "manifests/1.0"), 404)
    expect(site.ask("GET", "manifests/2.0"), 200)


@rule
def manifest_is_deleted(site: Site) -> None:
    """Deleting manifests: 202, and its tags are gone with it."""
    image = site.push_image("1.0")
    site.push_image("2.0", b"another")
    expect(site.ask("DELETE", f"manifests/{image['digest']}"), 202)
    expect(site.ask("GET", f"manifests/{image['digest']}"), 404)
    expect(site.ask("GET", "manifests/1.0"), 404)
    expect(site.ask("GET", "manifests/2.0"), 200)


@rule
def errors_have_the_form(site: Site) -> None:
    """Error codes: JSON with a list of errors, each with a code."""
    for path in (f"blobs/{MISSING}", "manifests/none"):
        answer = site.ask("GET", path)
        assert "json" in answer.headers["Content-Type"]
        assert all(code.replace("_", "").isupper() for code in answer.codes)
        assert answer.codes
