"""What a well-behaved registry answers: the distribution-spec (1.1), with content in memory.

The attributes of `Service` switch off what many registries lack; the rest is what the specification
says. The conformance tests in tests/quirks hold this to the same rules as real registries.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

from tests.registry.faults import Reply, Seen

MANIFEST_LIMIT = 4 * 1024 * 1024

_NAME = r"([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_DIGEST = r"(sha(?:256|512):[0-9a-f]+)"
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
UPLOAD = re.compile(rf"/v2/{_NAME}/blobs/uploads/([0-9a-f-]*)")
BLOB = re.compile(rf"/v2/{_NAME}/blobs/{_DIGEST}")
MANIFEST = re.compile(rf"/v2/{_NAME}/manifests/([^/]+)")
TAGS = re.compile(rf"/v2/{_NAME}/tags/list")
REFERRERS = re.compile(rf"/v2/{_NAME}/referrers/([^/]+)")
_ROUTES = (UPLOAD, BLOB, MANIFEST, TAGS, REFERRERS)
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Session:
    """An upload that is going on; `turn` counts the PATCHes, and is part of the Location."""

    name: str
    content: bytearray = field(default_factory=bytearray)
    turn: int = 0
    sizes: list[int] = field(default_factory=list)

    @property
    def state(self) -> str:
        """What clients must give back as it is, escapes included."""
        return f"_state=a%2Fb%3D{self.turn or ''}"

    @property
    def range(self) -> str:
        """The `Range` header of an upload: inclusive, and `0-0` when nothing has arrived."""
        return f"0-{max(len(self.content) - 1, 0)}"


class Service:
    """Content by repository, and the answers to requests; not safe for threads by itself."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.sessions: dict[str, Session] = {}
        self.mounts = True
        self.resumes = True  # whether what arrived of a cut request is kept
        self.referrers = True
        self.catalog = True
        self.deletes = True
        self.deletes_tags = True
        self.multi_tags = False  # PUT manifests/DIGEST?tag=a&tag=b of the coming specification
        self.checks_children = False
        self.chunk_min: int | None = None
        self.page = 1000  # at most so many entries of a list in an answer

    def put(self, name: str, content: bytes) -> str:
        """Store a blob behind the client's back."""
        digest = digest_of(content)
        self.blobs[name, digest] = content
        return digest

    def put_manifest(self, name: str, tag: str, media_type: str, content: bytes) -> str:
        """Store a manifest behind the client's back."""
        digest = digest_of(content)
        self.manifests[name, tag] = self.manifests[name, digest] = (media_type, content)
        return digest

    def tags(self, name: str) -> list[str]:
        """The tags of a repository, sorted."""
        return sorted(tag for owner, tag in self.manifests if owner == name and ":" not in tag)

    def names(self) -> list[str]:
        """The repositories, sorted."""
        return sorted({name for name, _ in [*self.blobs, *self.manifests]})

    def respond(self, seen: Seen, body: bytes) -> Reply:
        """The answer to one request."""
        if seen.path in {"/v2/", "/v2"}:
            return document({})
        if seen.path == "/v2/_catalog":
            return self._catalog(seen)
        answers: dict[re.Pattern[str], Callable[..., Reply]] = {
            UPLOAD: self._upload,
            BLOB: self._blob,
            MANIFEST: self._manifest,
            TAGS: self._tags,
            REFERRERS: self._referrers,
        }
        for pattern, answer in answers.items():
            if match := pattern.fullmatch(seen.path):
                return answer(seen, match[1], *map(unquote, match.groups()[1:]), body)
        return error(404, "UNSUPPORTED", "no such route")

    def keep_part(self, seen: Seen, part: bytes) -> None:
        """A request ended early: keep what arrived of its body, or forget the session."""
        match = UPLOAD.fullmatch(seen.path)
        session = self.sessions.get(match[2]) if match else None
        if match is None or session is None:
            return
        if self.resumes:
            session.content += part
        else:
            del self.sessions[match[2]]

    def _upload(self, seen: Seen, name: str, number: str, body: bytes) -> Reply:
        if seen.method == "POST" and not number:
            return self._open_upload(seen, name, body)
        if "sig" in seen.query:  # a storage server takes what another registry signed
            return self._store(name, seen.query["digest"][0], body)
        session = self.sessions.get(number)
        if session is None or session.name != name:
            return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        if seen.method == "GET":
            return self._at(204, number, session)
        if seen.method == "DELETE":
            del self.sessions[number]
            return Reply(204)
        if session.state not in seen.target:
            return error(404, "BLOB_UPLOAD_UNKNOWN", "not the Location of the last answer")
        if not _continues(seen, session, body):
            return self._at(416, number, session)
        session.content += body
        if seen.method == "PUT":
            del self.sessions[number]
            return self._store(name, seen.query.get("digest", [""])[0], bytes(session.content))
        if seen.method != "PATCH":
            return error(405, "UNSUPPORTED", "the operation is unsupported")
        session.turn += 1
        session.sizes.append(len(body))
        return self._at(202, number, session)

    def _open_upload(self, seen: Seen, name: str, body: bytes) -> Reply:
        mount, source, digest = (seen.query.get(x, [""])[0] for x in ("mount", "from", "digest"))
        if self.mounts and (source, mount) in self.blobs:
            self.blobs[name, mount] = self.blobs[source, mount]
            return created(f"/v2/{name}/blobs/{mount}", mount)
        if digest:
            return self._store(name, digest, body)
        number = str(uuid.uuid4())
        self.sessions[number] = Session(name)
        return self._at(202, number, self.sessions[number])

    def _at(self, status: int, number: str, session: Session) -> Reply:
        location = f"/v2/{session.name}/blobs/uploads/{number}?{session.state}"
        headers = {
            "Location": location,
            "Range": session.range,
            "Docker-Upload-UUID": number,
        }
        if self.chunk_min is not None:
            headers["OCI-Chunk-Min-Length"] = str(self.chunk_min)
        return Reply(status, headers=headers)

    def _store(self, name: str, digest: str, content: bytes) -> Reply:
        if digest != digest_of(content, digest):
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[name, digest] = content
        return created(f"/v2/{name}/blobs/{digest}", digest)

    def _blob(self, seen: Seen, name: str, digest: str, body: bytes) -> Reply:
        content = self.blobs.get((name, digest))
        if content is None:
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if seen.method == "DELETE":
            if not self.deletes:
                return error(405, "UNSUPPORTED", "the operation is unsupported")
            del self.blobs[name, digest]
            return Reply(202)
        headers = {
            "Content-Type": "application/octet-stream",
            "Docker-Content-Digest": digest,
            "Accept-Ranges": "bytes",
        }
        return ranged(seen, content, headers)

    def _manifest(self, seen: Seen, name: str, tag: str, body: bytes) -> Reply:
        if seen.method == "PUT":
            return self._put_manifest(seen, name, tag, body)
        found = self.manifests.get((name, tag))
        if found is None:
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, content = found
        if seen.method == "DELETE":
            return self._delete_manifest(name, tag)
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content, tag)}
        return Reply(200, content, headers)

    def _put_manifest(self, seen: Seen, name: str, tag: str, body: bytes) -> Reply:
        refusal = self._unfit(seen, name, tag, body)
        if refusal is not None:
            return refusal
        digest = digest_of(body, tag)
        media_type = seen.headers.get("content-type", "")
        tags = [tag] + (seen.query.get("tag", []) if self.multi_tags else [])
        for each in {digest, *tags}:
            self.manifests[name, each] = (media_type, body)
        reply = created(f"/v2/{name}/manifests/{digest}", digest)
        if tags[1:]:
            reply.headers["OCI-Tag"] = ", ".join(tags[1:])
        subject = _parsed(body).get("subject")
        if self.referrers and isinstance(subject, dict):
            reply.headers["OCI-Subject"] = str(subject.get("digest"))
        return reply

    def _unfit(self, seen: Seen, name: str, tag: str, body: bytes) -> Reply | None:
        if len(body) > MANIFEST_LIMIT:
            return error(413, "MANIFEST_INVALID", "manifest too large")
        if ":" in tag:
            if tag != digest_of(body, tag):
                return error(400, "DIGEST_INVALID", "provided digest did not match content")
        elif not _TAG.fullmatch(tag):
            return error(400, "TAG_INVALID", "manifest tag did not match URI")
        found = _parsed(body)
        if found.get("mediaType", seen.headers.get("content-type")) != seen.headers["content-type"]:
            return error(400, "MANIFEST_INVALID", "mediaType is not the Content-Type")
        missing = list(self._missing(name, found)) if self.checks_children else []
        if missing:
            return error(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}")
        return None

    def _missing(self, name: str, manifest: dict[str, Any]) -> Iterable[str]:
        for each in [manifest.get("config"), *manifest.get("layers", [])]:
            if each and (name, each["digest"]) not in self.blobs:
                yield each["digest"]
        for each in manifest.get("manifests", []):
            if (name, each["digest"]) not in self.manifests:
                yield each["digest"]

    def _delete_manifest(self, name: str, tag: str) -> Reply:
        """By digest all tags go with it; by tag the tag alone."""
        if not self.deletes or (":" not in tag and not self.deletes_tags):
            return error(405, "UNSUPPORTED", "the operation is unsupported")
        content = self.manifests[name, tag]
        for key in [key for key, held in self.manifests.items() if held == content]:
            if key[0] == name and tag in (key[1], digest_of(content[1], tag)):
                del self.manifests[key]
        return Reply(202)

    def _tags(self, seen: Seen, name: str, body: bytes) -> Reply:
        if name not in self.names():
            return error(404, "NAME_UNKNOWN", "repository name not known to registry")
        return self._listed(seen, {"name": name}, "tags", self.tags(name))

    def _catalog(self, seen: Seen) -> Reply:
        if not self.catalog:
            return error(404, "UNSUPPORTED", "no such route")
        return self._listed(seen, {}, "repositories", self.names())

    def _listed(self, seen: Seen, head: dict[str, str], key: str, entries: list[str]) -> Reply:
        """One page: `n` entries after `last`, with a Link to the next where there are more."""
        query = seen.query
        asked = query.get("n", [str(self.page)])[0]
        count = min(int(asked), self.page)
        rest = [entry for entry in entries if entry > query.get("last", [""])[0]]
        reply = document({**head, key: rest[:count]})
        if count and rest[count:]:
            follow = urlencode({"n": asked, "last": rest[count - 1]}, quote_via=quote)
            reply.headers["Link"] = f'<{seen.path}?{follow}>; rel="next"'
        return reply

    def _referrers(self, seen: Seen, name: str, digest: str, body: bytes) -> Reply:
        if not self.referrers:
            return error(404, "UNSUPPORTED", "no such route")
        wanted = seen.query.get("artifactType", [])
        found = [
            _described(media_type, content)
            for (owner, key), (media_type, content) in sorted(self.manifests.items())
            if owner == name and ":" in key and _subject(content) == digest
        ]
        found = [each for each in found if not wanted or each.get("artifactType") in wanted]
        reply = document({"schemaVersion": 2, "mediaType": _INDEX, "manifests": found}, _INDEX)
        if wanted:
            reply.headers["OCI-Filters-Applied"] = "artifactType"
        return reply


def repository_of(path: str) -> str | None:
    """The repository that a path is about."""
    matches = (pattern.fullmatch(path) for pattern in _ROUTES)
    return next((match[1] for match in matches if match), None)


def digest_of(content: bytes, like: str = "sha256:") -> str:
    """The digest of content, by the algorithm of another one."""
    algorithm = "sha512" if like.startswith("sha512:") else "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def document(content: object, media_type: str = "application/json") -> Reply:
    """A JSON answer."""
    return Reply(200, json.dumps(content).encode(), {"Content-Type": media_type})


def error(status: int, code: str, message: str) -> Reply:
    """An error in the form of the distribution-spec."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, body, {"Content-Type": "application/json; charset=utf-8"})


def created(location: str, digest: str) -> Reply:
    """It is stored."""
    return Reply(201, headers={"Location": location, "Docker-Content-Digest": digest})


def ranged(seen: Seen, content: bytes, headers: dict[str, str]) -> Reply:
    """A whole blob or the one range of it that was asked for; several ranges get the whole."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", seen.headers.get("range", ""))
    if match is None or not (match[1] or match[2]):
        return Reply(200, content, headers)
    size = len(content)
    start = int(match[1]) if match[1] else max(size - int(match[2]), 0)
    end = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if start > end:
        return Reply(416, b"", {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Reply(206, content[start : end + 1], headers)


def _continues(seen: Seen, session: Session, body: bytes) -> bool:
    """Whether a body goes on where the last one ended, as far as the request says."""
    told = seen.headers.get("content-range")
    if told is None:
        return True
    match = re.fullmatch(r"(?:bytes )?(\d+)-(\d+)(?:/.*)?", told)
    if match is None:
        return False
    start, end = int(match[1]), int(match[2])
    return start == len(session.content) and end - start + 1 == len(body)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _subject(content: bytes) -> str | None:
    subject = _parsed(content).get("subject")
    return subject.get("digest") if isinstance(subject, dict) else None


def _described(media_type: str, content: bytes) -> dict[str, Any]:
    """The descriptor of a referrer, with its type and annotations."""
    found = _parsed(content)
    described: dict[str, Any] = {
        "mediaType": media_type,
        "digest": digest_of(content),
        "size": len(content),
    }
    kind = found.get("artifactType") or (found.get("config") or {}).get("mediaType")
    if kind:
        described["artifactType"] = kind
    if found.get("annotations"):
        described["annotations"] = found["annotations"]
    return described
