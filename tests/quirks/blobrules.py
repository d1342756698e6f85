"""The distribution-spec on blobs: pull, push in every way, mount, delete."""

from __future__ import annotations

from urllib.parse import quote

from tests.quirks.site import Site, digest_of
from tests.quirks.table import CONTENT, MISSING, expect, rule


@rule
def version_check_is_answered(site: Site) -> None:
    """Determining support: GET /v2/ is 200."""
    expect(site.ask("GET", "/v2/"), 200)


@rule
def blob_is_pulled(site: Site) -> None:
    """Pulling blobs: GET and HEAD agree on 200 and the length."""
    digest = site.push_blob(CONTENT)
    assert expect(site.ask("GET", f"blobs/{digest}"), 200).body == CONTENT
    assert expect(site.ask("HEAD", f"blobs/{digest}"), 200).headers["Content-Length"] == str(
        len(CONTENT)
    )


@rule
def missing_blob_is_not_found(site: Site) -> None:
    """Pulling blobs: 404, with BLOB_UNKNOWN (NAME_UNKNOWN) where there is a body."""
    site.push_blob(CONTENT)
    assert set(expect(site.ask("GET", f"blobs/{MISSING}"), 404).codes) & {
        "BLOB_UNKNOWN",
        "NAME_UNKNOWN",
    }
    expect(site.ask("HEAD", f"blobs/{MISSING}"), 404)


@rule
def range_is_served(site: Site) -> None:
    """Pulling blobs: a Range SHOULD be honoured."""
    assert ask_range(site, "100-199") == ("100-199", CONTENT[100:200])


@rule
def rest_of_a_blob_is_served(site: Site) -> None:
    """Pulling blobs: a Range without an end is one to the end."""
    assert ask_range(site, "16000-") == (f"16000-{len(CONTENT) - 1}", CONTENT[16000:])


def ask_range(site: Site, asked: str) -> tuple[str, bytes]:
    """Push the content and ask for a range; which range came, and its bytes."""
    path = f"blobs/{site.push_blob(CONTENT)}"
    answer = expect(site.ask("GET", path, None, {"Range": f"bytes={asked}"}), 206)
    unit, _, total = answer.headers["Content-Range"].partition("/")
    assert total == str(len(CONTENT))
    return unit.removeprefix("bytes "), answer.body


@rule
def range_behind_the_end_is_refused(site: Site) -> None:
    """Pulling blobs: 416 for a range that begins where nothing is."""
    digest = site.push_blob(CONTENT)
    past = {"Range": f"bytes={len(CONTENT) + 10}-"}
    expect(site.ask("GET", f"blobs/{digest}", None, past), 416)


@rule
def blob_is_pushed_in_one_piece(site: Site) -> None:
    """Monolithic: 202 with a Location, 201 with another."""
    answer = site.close_upload(site.open_upload().location, digest_of(CONTENT), CONTENT)
    assert expect(answer, 201).location
    assert site.ask("GET", f"blobs/{digest_of(CONTENT)}").body == CONTENT


@rule
def blob_is_pushed_in_one_request(site: Site) -> None:
    """Monolithic: one POST is 201, or 202 from those who do not know it."""
    path = f"blobs/uploads/?digest={quote(digest_of(CONTENT))}"
    octets = {"Content-Type": "application/octet-stream"}
    if expect(site.ask("POST", path, CONTENT, octets), 201, 202).status == 201:
        assert site.ask("GET", f"blobs/{digest_of(CONTENT)}").body == CONTENT


@rule
def blob_is_pushed_in_chunks(site: Site) -> None:
    """Chunked: 202 with Location and Range for each chunk, 201 for the closing PUT."""
    location = site.open_upload().location
    for start in range(0, len(CONTENT), 5000):
        chunk = CONTENT[start : start + 5000]
        answer = expect(site.patch(location, chunk, start), 202)
        assert answer.headers["Range"].removeprefix("bytes=") == f"0-{start + len(chunk) - 1}"
        location = answer.location
    expect(site.close_upload(location, digest_of(CONTENT)), 201)
    assert site.ask("GET", f"blobs/{digest_of(CONTENT)}").body == CONTENT


@rule
def last_chunk_comes_with_the_put(site: Site) -> None:
    """Chunked: the closing PUT may bring the last chunk."""
    answer = expect(site.patch(site.open_upload().location, CONTENT[:9000], 0), 202)
    expect(site.close_upload(answer.location, digest_of(CONTENT), CONTENT[9000:]), 201)


@rule
def blob_is_streamed(site: Site) -> None:
    """Chunked: a PATCH without Content-Range may bring the whole."""
    answer = expect(site.patch(site.open_upload().location, CONTENT, None), 202)
    expect(site.close_upload(answer.location, digest_of(CONTENT)), 201)


@rule
def chunk_out_of_order_is_refused(site: Site) -> None:
    """Chunked: 416 for a chunk that does not continue."""
    answer = expect(site.patch(site.open_upload().location, CONTENT[:5000], 0), 202)
    expect(site.patch(answer.location, CONTENT[9000:], 9000), 416)


@rule
def status_of_an_upload_is_told(site: Site) -> None:
    """Chunked: GET of the Location is 204 with Range and Location."""
    moved = expect(site.patch(site.open_upload().location, CONTENT[:5000], 0), 202)
    answer = expect(site.ask("GET", moved.location), 204)
    assert answer.headers["Range"].removeprefix("bytes=") == "0-4999"
    assert answer.location


@rule
def upload_goes_on_after_its_status(site: Site) -> None:
    """Chunked: what the status says is where the next chunk begins."""
    moved = expect(site.patch(site.open_upload().location, CONTENT[:5000], 0), 202)
    answer = expect(site.ask("GET", moved.location), 204)
    moved = expect(site.patch(answer.location, CONTENT[5000:], 5000), 202)
    expect(site.close_upload(moved.location, digest_of(CONTENT)), 201)


@rule
def upload_is_cancelled(site: Site) -> None:
    """Chunked: DELETE of the Location is 204, and the session is gone."""
    location = site.open_upload().location
    expect(site.ask("DELETE", location), 204)
    assert 400 <= site.ask("GET", location).status < 500


@rule
def wrong_digest_is_refused(site: Site) -> None:
    """PUT: bytes of another digest are an error, and not stored."""
    answer = site.close_upload(site.open_upload().location, MISSING, CONTENT)
    assert 400 <= answer.status < 500, answer.status
    expect(site.ask("HEAD", f"blobs/{MISSING}"), 404)


@rule
def empty_blob_is_kept(site: Site) -> None:
    """Pushing blobs: nothing says that a blob has bytes."""
    assert site.ask("GET", f"blobs/{site.push_blob(b'')}").body == b""


@rule
def blob_is_mounted(site: Site) -> None:
    """Mounting: 201, and the blob is there."""
    digest = site.push_blob(CONTENT)
    other = site.other(f"{site.name}-other")
    expect(other.ask("POST", f"blobs/uploads/?mount={digest}&from={site.name}", b""), 201)
    assert other.ask("GET", f"blobs/{digest}").body == CONTENT


@rule
def failed_mount_opens_an_upload(site: Site) -> None:
    """Mounting: what cannot be mounted is 202 with a Location that works."""
    site.push_blob(b"so that the repository is there")
    other = site.other(f"{site.name}-other")
    digest = digest_of(CONTENT)
    path = f"blobs/uploads/?mount={digest}&from={site.name}"
    answer = expect(other.ask("POST", path, b""), 202)
    expect(other.close_upload(answer.location, digest, CONTENT), 201)


@rule
def mount_without_from_is_no_error(site: Site) -> None:
    """Mounting: `from` may be missing; 201 or 202."""
    expect(site.ask("POST", f"blobs/uploads/?mount={MISSING}", b""), 201, 202)


@rule
def blob_is_deleted(site: Site) -> None:
    """Deleting blobs: 202, then 404."""
    digest = site.push_blob(CONTENT)
    expect(site.ask("DELETE", f"blobs/{digest}"), 202)
    expect(site.ask("GET", f"blobs/{digest}"), 404)
