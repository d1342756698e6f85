"""A plain HTTP client for checking registries, without the package that they test."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

USER, PASSWORD = "ada", "secret"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ACCEPT = f"{MANIFEST}, {INDEX}"


def digest_of(content: bytes) -> str:
    """The digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    """The descriptor of bytes."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def manifest_of(
    config: bytes = b"{}", layers: tuple[bytes, ...] = (), **more: Any
) -> dict[str, Any]:
    """An image manifest; `config_type` and further fields as keywords."""
    config_type = more.pop("config_type", IMAGE_CONFIG)
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(config, config_type),
        "layers": [descriptor(layer, LAYER) for layer in layers],
        **more,
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def location(self) -> str:
        """Where to go on."""
        return self.headers["Location"]

    def json(self) -> Any:
        """The document in the body."""
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        """The codes of an error in the specification's form."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return [each["code"] for each in self.json()["errors"]]
        return []


@dataclass(slots=True)
class Site:
    """A repository of a registry; answers challenges as any client does."""

    host: str
    name: str
    tokens: dict[str, str]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request: to a path below the repository, or to an absolute one."""
        url = urljoin(f"http://{self.host}/v2/{self.name}/", path)
        key = f"{urlsplit(url).path.rpartition('/')[0]} {method} {'mount' in url}"
        given = dict(headers or {})
        if key in self.tokens:
            given["Authorization"] = self.tokens[key]
        answer = send(method, url, body, given)
        if answer.status == 401 and answer.headers["WWW-Authenticate"]:
            self.tokens[key] = given["Authorization"] = _login(answer)
            answer = send(method, url, body, given)
        if answer.status == 307:
            answer = send(method, answer.location, body, dict(headers or {}))
        return answer

    def other(self, name: str) -> Site:
        """Another repository of the registry."""
        return Site(self.host, name, self.tokens)

    def open_upload(self, query: str = "") -> Answer:
        """Open a session."""
        answer = self.ask("POST", f"blobs/uploads/{query}", b"")
        assert answer.status == 202, answer
        return answer

    def patch(
        self, location: str, content: bytes, start: int | None, *, name: str = "Content-Range"
    ) -> Answer:
        """Send a chunk; without `start`, one that says nothing of its place."""
        told = {name: f"{start}-{start + len(content) - 1}"} if start is not None else {}
        octets = {"Content-Type": "application/octet-stream"}
        return self.ask("PATCH", location, content, {**told, **octets})

    def close_upload(self, location: str, digest: str, content: bytes = b"") -> Answer:
        """End an upload, with the last bytes or without."""
        mark = "&" if "?" in location else "?"
        octets = {"Content-Type": "application/octet-stream"}
        return self.ask("PUT", f"{location}{mark}digest={quote(digest)}", content, octets)

    def push_blob(self, content: bytes) -> str:
        """Store a blob in one piece, in chunks where that is refused."""
        digest = digest_of(content)
        answer = self.close_upload(self.open_upload().location, digest, content)
        if answer.status != 201:
            moved = self.patch(self.open_upload().location, content, 0)
            answer = self.close_upload(moved.location, digest)
        assert answer.status == 201, answer
        return digest

    def push_manifest(self, manifest: Mapping[str, Any] | bytes, tag: str = "") -> Answer:
        """Store a manifest under a tag, else under its digest."""
        content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        kind = json.loads(content).get("mediaType", MANIFEST)
        path = f"manifests/{tag or digest_of(content)}"
        return self.ask("PUT", path, content, {"Content-Type": kind})

    def push_image(self, tag: str, *layers: bytes, **more: Any) -> dict[str, Any]:
        """Store an image with its blobs; returns its descriptor."""
        manifest = manifest_of(b'{"os": "linux"}', layers or (b"layer",), **more)
        for content in {b'{"os": "linux"}', *(layers or (b"layer",))}:
            self.push_blob(content)
        content = json.dumps(manifest).encode()
        assert self.push_manifest(content, tag).status == 201
        return descriptor(content, MANIFEST)


def send(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    """One request, as it is."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    with contextlib.closing(connection):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, path, body, {"Accept": ACCEPT, **headers})
        found = connection.getresponse()
        try:
            content = found.read()
        except http.client.IncompleteRead as cut:  # 2.8.2 tells the blob's length with a 416
            content = cut.partial
        return Answer(found.status, found.headers, content)


def _login(refusal: Answer) -> str:
    """What to show after a challenge."""
    password = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    told = re.search(r"Bearer (.*?)(?:, Basic|$)", refusal.headers["WWW-Authenticate"])
    if told is None:
        return password
    fields = dict(re.findall(r'(\w+)="([^"]*)"', told[1]))
    scopes = [("scope", scope) for scope in fields.get("scope", "").split()]
    query = urlencode([("service", fields["service"]), *scopes])
    answer = send("GET", f"{fields['realm']}?{query}", None, {"Authorization": password})
    found = answer.json()
    return f"Bearer {found.get('token') or found['access_token']}"
