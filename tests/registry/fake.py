"""A registry on loopback that keeps content in memory and misbehaves on demand.

It speaks the distribution protocol as far as agents need it, records every request, and lets a test
say what goes wrong: `fake.on("PUT", "/blobs/uploads/", answers(503), loses_answer())` spoils the
first two matching requests and leaves the rest alone.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.registry.faults import Exchange, Fault, Gone, Reply, Seen

_UPLOAD = re.compile(r"/v2/(.+)/blobs/uploads/([0-9a-f-]*)")
_BLOB = re.compile(r"/v2/(.+)/blobs/(sha(?:256|512):[0-9a-f]+)")
_MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")


@dataclass
class Basic:
    """Wants this user and password with every request."""

    username: str = "ada"
    password: str = "secret"


@dataclass
class Tokens:
    """Wants tokens, and issues them: exactly what was asked for and is allowed.

    `anonymous` are the actions that a token without credentials may have.
    """

    username: str = "ada"
    password: str = "secret"
    anonymous: frozenset[str] = frozenset({"pull"})
    allowed: frozenset[str] = frozenset({"pull", "push"})
    identity_token: str = "identity"
    expires_in: object = 300
    key: str = "token"
    realm: str | None = None
    asked: list[list[str]] = field(default_factory=list)
    issued: dict[str, frozenset[str]] = field(default_factory=dict)

    def expire(self) -> None:
        """Every token issued so far is refused from now on."""
        self.issued.clear()


class FakeRegistry:
    """Use it as a context manager; `host` is what references name."""

    def __init__(
        self,
        *,
        auth: Basic | Tokens | None = None,
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.auth = auth
        self.challenges: list[str] | None = None
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.seen: list[Seen] = []
        self.mounts = True
        self._faults: list[tuple[str, re.Pattern[str], list[Fault]]] = []
        self._lock = threading.RLock()
        self._server = _Server((address, 0), self.answer)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        self.host = f"{address}:{self._server.server_address[1]}"
        self.url = f"{self.scheme}://{self.host}"

    def __enter__(self) -> FakeRegistry:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return self._server.connections

    def on(self, method: str, pattern: str, *faults: Fault, times: int = 1) -> None:
        """Spoil the next requests whose path and query match `pattern`, one fault each."""
        self._faults.append((method, re.compile(pattern), list(faults) * times))

    def requests(self, method: str = "", pattern: str = "") -> list[Seen]:
        """What arrived, filtered."""
        return [
            one
            for one in self.seen
            if (not method or one.method == method) and re.search(pattern, one.target)
        ]

    def put(self, name: str, content: bytes) -> str:
        """Store a blob behind the client's back."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[name, digest] = content
        return digest

    def put_manifest(self, name: str, tag: str, media_type: str, content: bytes) -> str:
        """Store a manifest behind the client's back."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.manifests[name, tag] = self.manifests[name, digest] = (media_type, content)
        return digest

    def answer(self, seen: Seen, read_body: Callable[[], bytes]) -> Reply:
        """The reply to one request, spoiled or not."""
        with self._lock:
            self.seen.append(seen)
            fault = self._fault(seen)
        exchange = Exchange(self, seen, read_body)
        return fault(exchange) if fault else exchange.serve()

    def _fault(self, seen: Seen) -> Fault | None:
        for method, pattern, faults in self._faults:
            if faults and method in {seen.method, "*"} and pattern.search(seen.target):
                return faults.pop(0)
        return None

    def serve(self, seen: Seen, read_body: Callable[[], bytes]) -> Reply:
        """What a well-behaved registry answers."""
        body = read_body()
        with self._lock:
            if seen.path == "/token":
                return self._token(seen, body)
            refusal = self._refusal(seen)
            if refusal is not None:
                return refusal
            return self._serve(seen, body)

    def _serve(self, seen: Seen, body: bytes) -> Reply:
        if seen.path in {"/v2/", "/v2"}:
            return Reply(200, b"{}", {"Content-Type": "application/json"})
        if match := _UPLOAD.fullmatch(seen.path):
            return self._upload(seen, match[1], match[2], body)
        if match := _BLOB.fullmatch(seen.path):
            return self._blob(seen, match[1], match[2])
        if match := _MANIFEST.fullmatch(seen.path):
            return self._manifest(seen, match[1], unquote(match[2]), body)
        return _error(404, "UNSUPPORTED", "no such route")

    def _upload(self, seen: Seen, name: str, session: str, body: bytes) -> Reply:
        if seen.method == "POST":
            return self._open_upload(seen, name)
        if seen.method == "DELETE":
            return Reply(204)
        [digest] = seen.query["digest"]
        if digest != f"sha256:{hashlib.sha256(body).hexdigest()}":
            return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[name, digest] = body
        return Reply(201, headers={"Docker-Content-Digest": digest})

    def _open_upload(self, seen: Seen, name: str) -> Reply:
        digest, source = (seen.query.get(key, [""])[0] for key in ("mount", "from"))
        if self.mounts and (source, digest) in self.blobs:
            self.blobs[name, digest] = self.blobs[source, digest]
            return Reply(201, headers={"Docker-Content-Digest": digest})
        state = "_state=a%2Fb%3D"  # what clients must give back as it is
        return Reply(202, headers={"Location": f"/v2/{name}/blobs/uploads/{uuid.uuid4()}?{state}"})

    def _blob(self, seen: Seen, name: str, digest: str) -> Reply:
        content = self.blobs.get((name, digest))
        if content is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        match = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        if match is None:
            return Reply(200, content, headers)
        start = int(match[1])
        if start >= len(content):
            return Reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(206, content[start:], headers)

    def _manifest(self, seen: Seen, name: str, tag: str, body: bytes) -> Reply:
        if seen.method == "PUT":
            digest = self.put_manifest(name, tag, seen.headers["content-type"], body)
            return Reply(201, headers={"Docker-Content-Digest": digest})
        found = self.manifests.get((name, tag))
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, content = found
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return Reply(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _refusal(self, seen: Seen) -> Reply | None:
        given = seen.headers.get("authorization", "")
        match self.auth:
            case Basic(username, password):
                if given == _basic(username, password):
                    return None
                return self._unauthorized('Basic realm="fake"')
            case Tokens() as tokens:
                needed = _needed(seen)
                granted = tokens.issued.get(given.removeprefix("Bearer "))
                if granted is not None and needed <= granted:
                    return None
                scope = _scope_text(needed)
                realm = tokens.realm or f"{self.url}/token"
                return self._unauthorized(f'Bearer realm="{realm}",service="fake",scope="{scope}"')
            case None:
                return None

    def _unauthorized(self, challenge: str) -> Reply:
        reply = _error(401, "UNAUTHORIZED", "authentication required")
        reply.headers["WWW-Authenticate"] = ", ".join(self.challenges or [challenge])
        return reply

    def _token(self, seen: Seen, body: bytes) -> Reply:
        tokens = self.auth
        if not isinstance(tokens, Tokens):
            return _error(404, "UNSUPPORTED", "no tokens here")
        form = parse_qs(body.decode())
        scopes = form.get("scope", [""])[0].split() if form else seen.query.get("scope", [])
        tokens.asked.append(scopes)
        given = seen.headers.get("authorization", "")
        if form:
            known = form.get("refresh_token") == [tokens.identity_token]
        else:
            known = given == _basic(tokens.username, tokens.password)
        if (given or form) and not known:
            return _error(401, "UNAUTHORIZED", "wrong user name or password")
        allowed = tokens.allowed if known else tokens.anonymous
        value = f"tok-{uuid.uuid4()}"
        tokens.issued[value] = frozenset(
            grant for grant in _grants(scopes) if grant.rpartition(":")[2] in allowed
        )
        document: dict[str, Any] = {tokens.key: value}
        if tokens.expires_in is not None:
            document["expires_in"] = tokens.expires_in
        return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _needed(seen: Seen) -> frozenset[str]:
    match = _UPLOAD.fullmatch(seen.path) or _BLOB.fullmatch(seen.path)
    match = match or _MANIFEST.fullmatch(seen.path)
    if match is None:
        return frozenset()
    needed = {f"repository:{match[1]}:{'pull' if seen.method in {'GET', 'HEAD'} else 'push'}"}
    needed |= {f"repository:{source}:pull" for source in seen.query.get("from", [])}
    return frozenset(needed)


def _grants(scopes: Sequence[str]) -> frozenset[str]:
    return frozenset(
        f"{scope.rpartition(':')[0]}:{action}"
        for scope in scopes
        for action in scope.rpartition(":")[2].split(",")
    )


def _scope_text(needed: frozenset[str]) -> str:
    return " ".join(
        grant if grant.endswith(":pull") else f"{grant.rpartition(':')[0]}:pull,push"
        for grant in sorted(needed)
    )


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _error(status: int, code: str, message: str) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, body, {"Content-Type": "application/json; charset=utf-8"})


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], answer: Callable[[Seen, Callable[[], bytes]], Reply]
    ) -> None:
        super().__init__(address, _Handler)
        self.answer = answer
        self.open: set[socket.socket] = set()
        self.connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        self.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End connections that clients keep for later."""
        for request in list(self.open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no error of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 20
    server: _Server

    def handle_request(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers)
        try:
            self._send(self.server.answer(seen, self._body_reader()))
        except Gone:
            self.close_connection = True

    def _body_reader(self) -> Callable[[], bytes]:
        taken: list[bytes] = []

        def read_body() -> bytes:
            if not taken:
                length = int(self.headers.get("Content-Length", 0))
                taken.append(self.rfile.read(length))
                if len(taken[0]) < length:
                    raise Gone
            return taken[0]

        return read_body

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.length and reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        if reply.close or not reply.length:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: reply.cut])
            if reply.cut is not None:
                self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silence."""

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request  # noqa: N815
