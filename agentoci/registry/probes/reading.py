"""How content can be read: HEAD, conditions, ranges, pages of lists. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agentoci._internal import limits
from agentoci.content.graph import fetch_manifest
from agentoci.registry.errors import ManifestNotFound
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.links import next_page
from agentoci.registry.manifests import stated_type
from agentoci.registry.probes.ground import Finding, Ground, NothingToLookAt, Result, Sample
from agentoci.registry.problems import Problem
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.jsonio import loads_object
from agentoci.spec.manifest import AnyManifest, Manifest, parse_manifest

_PIECE: Final = 1024
_FEW: Final = 2
_NOT_MODIFIED: Final = 304
_PARTIAL: Final = 206


def find_sample(ground: Ground, name: str) -> Iterator[Finding]:
    """Look an image of the user's up; raises ContentNotFound, Denied and what else is wrong."""
    request = Request("GET", ground.url(f"manifests/{name}"), {"Accept": mediatypes.ACCEPT})
    answer = ground.ask(request, expect={200})
    if answer.status != 200:
        raise ground.endpoint.error(answer, what=ground.what(name), missing=ManifestNotFound)
    with answer:
        content = answer.content(limits.MAX_MANIFEST_BYTES)
    found = parse_manifest(content, media_type=stated_type(answer) or None, what=name)
    manifest = Descriptor.of(found.media_type, content)
    ground.sample = Sample(name, manifest, _largest_blob(ground, found))
    yield Finding("image", Result.YES, f"{ground.what()}@{manifest.digest}")


def _largest_blob(ground: Ground, found: AnyManifest) -> Descriptor | None:
    """A blob of an image, or of the first one of an index."""
    for _ in range(limits.MAX_INDEX_DEPTH):
        if isinstance(found, Manifest):
            return max(found.children, key=lambda desc: desc.size)
        if not found.manifests:
            break
        found = fetch_manifest(ground.repository, found.manifests[0])
    return None


def tells_of_manifests(ground: Ground) -> Iterator[Finding]:
    """HEAD of a manifest, and GET on the condition that it has changed."""
    sample = ground.seen()
    url = ground.url(f"manifests/{sample.name}")
    headers = {"Accept": mediatypes.ACCEPT}
    answer = ground.ask(Request("HEAD", url, headers), expect={200})
    answer.discard()
    yield _head("manifest head", answer, sample.manifest)
    known = answer.headers.get("ETag") or f'"{sample.manifest.digest}"'
    condition = {**headers, "If-None-Match": known}
    answer = ground.ask(Request("GET", url, condition), expect={200, _NOT_MODIFIED})
    answer.discard()
    heeded = answer.status == _NOT_MODIFIED
    detail = "" if heeded else f"{answer.status} to If-None-Match"
    yield Finding("conditional request", Result.YES if heeded else Result.NO, detail)


def tells_of_blobs(ground: Ground) -> Iterator[Finding]:
    """HEAD of a blob."""
    blob = _blob(ground)
    answer = ground.ask(Request("HEAD", ground.url(f"blobs/{blob.digest}")), expect={200})
    answer.discard()
    yield _head("blob head", answer, blob)


def serves_ranges(ground: Ground) -> Iterator[Finding]:
    """A piece of a blob out of its middle, and its end, as downloads that go on ask for it."""
    blob = _blob(ground)
    middle, last = blob.size // 2, blob.size - 1
    first = max(0, blob.size - _PIECE)
    bounded = f"{middle}-{min(middle + _PIECE - 1, last)}"
    yield _range(ground, "blob ranges", blob, bounded, bounded)
    yield _range(ground, "open-ended ranges", blob, f"{first}-", f"{first}-{last}")


def lists_tags(ground: Ground) -> Iterator[Finding]:
    """The list of tags as a whole, and page by page."""
    tags = ground.repository.tags()
    missing = set(ground.tags) - set(tags)
    detail = f"lacks {', '.join(sorted(missing))}" if missing else f"{len(tags)} tags"
    yield Finding("tag list", Result.NO if missing else Result.YES, detail)
    yield _pages(ground, len(tags))


def _pages(ground: Ground, total: int) -> Finding:
    if total <= _FEW:
        return Finding("tag pages", Result.UNKNOWN, f"{total} tags are too few for pages")
    answer = ground.ask(Request("GET", ground.url(f"tags/list?n={_FEW}")), expect={200})
    if answer.status != 200:
        return Finding("tag pages", Result.NO, str(Problem.read(answer)))
    with answer:
        content = answer.content(limits.MAX_LIST_PAGE_BYTES)
    found = loads_object(content, what="the list of tags", limit=limits.MAX_LIST_PAGE_BYTES)
    page = found.get("tags")
    if not isinstance(page, list) or len(page) > _FEW:
        return Finding("tag pages", Result.NO, f"all at once, though {_FEW} were asked for")
    if next_page(answer, ground.endpoint.origin) is None:
        return Finding("tag pages", Result.NO, "lists are cut without a Link to the rest")
    return Finding("tag pages", Result.YES)


def _blob(ground: Ground) -> Descriptor:
    blob = ground.seen().blob
    if blob is None or blob.size == 0:
        raise NothingToLookAt("the image has no blob to look at")
    return blob


def _head(check: str, answer: Answer, desc: Descriptor) -> Finding:
    """What the headers tell, beside what is known."""
    if answer.status != 200:
        return Finding(check, Result.NO, f"{answer.status} to HEAD")
    length = answer.headers.get("Content-Length", "")
    digest = answer.headers.get("Docker-Content-Digest", "")
    notes = []
    if length != str(desc.size):
        notes.append(f"tells {length or 'no'} bytes, and there are {desc.size}")
    if digest != str(desc.digest):
        notes.append(f"tells {digest or 'no digest'}")
    return Finding(check, Result.YES, "; ".join(notes))


def _range(ground: Ground, check: str, blob: Descriptor, asked: str, due: str) -> Finding:
    """Whether just these bytes come; of a whole blob no more is read than the first of them."""
    headers = {"Range": f"bytes={asked}"}
    request = Request("GET", ground.url(f"blobs/{blob.digest}"), headers)
    with ground.ask(request, expect={200, _PARTIAL, 416}) as answer:
        if answer.status != _PARTIAL:
            words = "the whole blob, always" if answer.status == 200 else f"{answer.status}"
            return Finding(check, Result.NO, words)
        told = answer.headers.get("Content-Range", "")
        content = answer.content(_PIECE)
    first, last = map(int, due.split("-"))
    if told != f"bytes {due}/{blob.size}" or len(content) != last - first + 1:
        return Finding(check, Result.NO, f"asked for {asked}, got {told or 'no Content-Range'}")
    return Finding(check, Result.YES)
