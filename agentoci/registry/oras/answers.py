"""Requests as oras-py words them, sent by our client; answers as `requests` words them.

Whatever has a name of its own takes its proper way: manifests and whole blobs are verified,
manifests that are stored are listed among the referrers of their subject.
"""

from __future__ import annotations

import contextlib
import io
import json as jsonlib
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from agentoci._internal import limits
from agentoci.content.protocols import ContentNotFound
from agentoci.content.reader import SizeMismatch, VerifiedReader, fetch_bytes, read_verified
from agentoci.registry.auth.authorizer import pull_scope, push_scope
from agentoci.registry.blobs.sessions import check_answered_digest
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.http.retry import RETRIED_STATUSES
from agentoci.registry.http.transport import Answer, Request
from agentoci.registry.oras.calls import BYTES, Call, Place
from agentoci.registry.repository import Repository
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.reference import is_tag

_READS: Final = frozenset({"GET", "HEAD"})
_ONCE: Final = frozenset({"PATCH", "PUT"})
"""Sent again, these could store their bytes twice."""


def send(call: Call, place: Place, repository: Repository, *, stream: bool) -> requests.Response:
    """Answer a call to an address of the repository's.

    Raises DigestMismatch, SizeMismatch, Denied, RegistryUnreachable, and for a manifest to be
    stored what `Repository.push_tagged` raises.
    """
    match call.method, place.kind:
        case "GET", "manifests":
            return _manifest(call, repository, place.rest)
        case "PUT", "manifests":
            media_type = call.body.media_type if call.body else BYTES
            return store_manifest(repository, call.content(), media_type, place.rest)
        case "GET", "blobs" if "Range" not in call.headers:
            return _blob(call, repository, Digest.parse(place.rest), stream=stream)
        case _:
            query = urlsplit(call.url).query
            path = f"{repository.name}/{place.kind}/{place.rest}"
            url = repository.endpoint.url(f"{path}?{query}" if query else path)
            scopes = (_scope(call.method, place, repository.name),)
            if place.kind == "manifests":  # old registries hide new types from who asks for none
                call = replace(call, headers={"Accept": mediatypes.ACCEPT, **call.headers})
            return forward(call, url, repository.endpoint, scopes, stream=stream)


def _scope(method: str, place: Place, name: str) -> str:
    if method in _READS:
        return pull_scope(name)
    if method == "DELETE" and place.kind != "blobs/uploads":
        return f"repository:{name}:*"
    return push_scope(name)


def forward(
    call: Call, url: str, endpoint: Endpoint, scopes: tuple[str, ...], *, stream: bool
) -> requests.Response:
    """Send a call as it is; to another origin than the registry's nothing of the user's goes."""
    headers = dict(call.headers)
    request = Request(call.method, url, headers, call.body)
    if request.origin != endpoint.origin:
        allowed = {"Accept", "Range", "Content-Range"}
        headers = {name: value for name, value in headers.items() if name in allowed}
        request = Request(call.method, url, headers, call.body)
    if call.method in _ONCE:
        answer = endpoint.exchange(request, scopes)
    else:
        answer = endpoint.request(request, scopes, expect=range(200, 300))
    if answer.origin != endpoint.origin:
        url = answer.url.partition("?")[0]  # signatures are secrets
    return _respond(call, url, answer, stream=stream)


def _respond(call: Call, url: str, answer: Answer, *, stream: bool) -> requests.Response:
    if stream and call.method != "HEAD":
        return response(call.method, url, answer.status, answer.headers, answer)
    with answer:
        content = answer.content(limits.MAX_LIST_PAGE_BYTES)
    if len(content) > limits.MAX_LIST_PAGE_BYTES:
        raise SizeMismatch(
            f"{url}: an answer of more than {limits.MAX_LIST_PAGE_BYTES} bytes",
            hint="ask for it with stream=True",
        )
    return response(call.method, url, answer.status, answer.headers, io.BytesIO(content))


def _manifest(call: Call, repository: Repository, selector: str) -> requests.Response:
    """Fetch a manifest by one request, verified; with its digest, whether the server says it."""
    endpoint = repository.endpoint
    url = endpoint.url(f"{repository.name}/manifests/{selector}")
    request = Request("GET", url, {"Accept": mediatypes.ACCEPT, **call.headers})
    content = b""

    def attempt() -> Answer:
        nonlocal content
        answer = endpoint.exchange(request, (pull_scope(repository.name),))
        with answer:
            content = answer.content(limits.MAX_MANIFEST_BYTES)
        return answer

    answer = endpoint.patience.run(attempt, done=_is_final)
    headers = dict(answer.headers)
    if answer.status == HTTPStatus.OK:
        desc = _described(answer, content, selector, what=url)
        headers["docker-content-digest"] = str(desc.digest)
    return response(call.method, url, answer.status, headers, io.BytesIO(content))


def _is_final(answer: Answer) -> bool:
    unexpected = 200 < answer.status < 300
    return answer.status not in RETRIED_STATUSES and not unexpected


def _described(answer: Answer, content: bytes, selector: str, *, what: str) -> Descriptor:
    """The verified descriptor of a manifest; raises DigestMismatch, SizeMismatch."""
    if len(content) > limits.MAX_MANIFEST_BYTES:
        raise SizeMismatch(f"{what}: larger than {limits.MAX_MANIFEST_BYTES} bytes")
    desc = Descriptor.of(answer.headers.get("Content-Type", ""), content)
    if not is_tag(selector):
        desc = Descriptor(desc.media_type, Digest.parse(selector), desc.size)
        read_verified(io.BytesIO(content), desc)
    check_answered_digest(answer, desc, what=what)
    return desc


def store_manifest(
    repository: Repository, content: bytes, media_type: str, selector: str
) -> requests.Response:
    """Store the very bytes under a tag or their digest; raises as `Repository.push_tagged`."""
    desc = Descriptor.of(media_type, content)
    if not is_tag(selector):
        desc = Descriptor(media_type, Digest.parse(selector), len(content))
    repository.push_tagged(desc, content, (selector,))
    url = repository.endpoint.url(f"{repository.name}/manifests/{desc.digest}")
    return stored("PUT", url, desc)


def stored(method: str, url: str, desc: Descriptor) -> requests.Response:
    """What a registry answers to content that it has taken."""
    headers = {"Location": url, "Docker-Content-Digest": str(desc.digest)}
    return response(method, url, HTTPStatus.CREATED, headers, io.BytesIO())


def _blob(call: Call, repository: Repository, digest: Digest, *, stream: bool) -> requests.Response:
    """A whole blob, verified while it is read."""
    url = repository.endpoint.url(f"{repository.name}/blobs/{digest}")
    try:
        desc = repository.blob(digest)
        raw: Any = VerifiedStream(repository, desc) if stream else None
    except ContentNotFound as exc:
        error = {"errors": [{"code": "BLOB_UNKNOWN", "message": exc.message}]}
        headers = {"Content-Type": "application/json"}
        body = io.BytesIO(jsonlib.dumps(error).encode())
        return response(call.method, url, HTTPStatus.NOT_FOUND, headers, body)
    raw = raw or io.BytesIO(fetch_bytes(repository, desc, limit=desc.size))
    headers = {"Content-Type": BYTES, "Content-Length": str(desc.size)}
    headers["Docker-Content-Digest"] = str(digest)
    return response(call.method, url, HTTPStatus.OK, headers, raw)


class VerifiedStream:
    """A blob as `requests.Response.raw`: the read that reaches the end raises when it is wrong."""

    def __init__(self, repository: Repository, desc: Descriptor) -> None:
        self._closing = contextlib.ExitStack()
        self._reader = VerifiedReader(self._closing.enter_context(repository.fetch(desc)), desc)

    def read(self, size: int | None = -1, **_: object) -> bytes:
        """Up to `size` bytes, all that are left when it is negative or None."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(limits.NETWORK_BUFFER), b""))
        chunk = self._reader.read(size)
        if not chunk and size:
            self.close()
        return chunk

    def close(self) -> None:
        """Free the connection."""
        self._closing.close()


def response(
    method: str, url: str, status: int, headers: Mapping[str, str], raw: object
) -> requests.Response:
    """A response whose body is `raw`, which is read once."""
    made = requests.Response()
    made.status_code = int(status)
    with contextlib.suppress(ValueError):
        made.reason = HTTPStatus(status).phrase
    made.url = url
    made.headers = CaseInsensitiveDict(headers)
    made.encoding = get_encoding_from_headers(made.headers)
    made.raw = raw
    made.request = requests.Request(method, url).prepare()
    return made
