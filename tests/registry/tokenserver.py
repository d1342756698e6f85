"""A token server for real registries: distribution's token authentication, with signed tokens.

It gives exactly what is asked for and allowed, over GET and POST, so that a client that asks for
too little is found out. Tokens are JSON Web Tokens by ES256; openssl signs them.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.certificates import Authority, Certificate
from tests.registries import KINDS, PASSWORD, USER, Registry, serve

ISSUER, SERVICE = "agentoci tests", "tests"
CONFIG = """\
auth:
  token: {{realm: {realm}, service: {service}, issuer: {issuer}, rootcertbundle: {bundle}}}
"""


@dataclass
class Asked:
    """One request for a token."""

    method: str
    scopes: tuple[str, ...]
    user: str
    grant: str = ""


@dataclass
class TokenServer:
    """Users: `registries.USER` may do everything; nobody may pull what lies below `public/`.

    Tokens live for `seconds` (registries allow 60 more), and are said to live for `told`. `only` is
    which of several scopes counts: "first", "last" or all. A server without `get` knows POST only;
    one that `refreshes` hands refresh tokens out.
    """

    certificate: Certificate
    bundle: Path
    seconds: int = 300
    told: int = 300
    only: str = ""
    get: bool = True
    refreshes: bool = False
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    _refresh: set[str] = field(default_factory=set)

    @property
    def config(self) -> str:
        """What distribution's configuration says of it."""
        return CONFIG.format(
            realm=f"{self.url}/auth", service=SERVICE, issuer=ISSUER, bundle=self.bundle
        )

    @contextmanager
    def serving(self) -> Iterator[TokenServer]:
        """Listen on loopback."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(
        self, method: str, fields: dict[str, list[str]], authorization: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and document for one request."""
        if method == "GET" and not self.get:
            return 405, {}
        user, grant = self._user(fields, authorization), fields.get("grant_type", [""])[0]
        scopes = fields.get("scope", [])
        scopes = scopes[0].split() if method == "POST" and scopes else scopes
        self.asked.append(Asked(method, tuple(scopes), user or "", grant))
        if user is None:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]}
        document = {"access_token": self._token(user, self._heard(scopes))}
        document |= {} if method == "POST" else {"token": document["access_token"]}
        if self.refreshes and user:
            document["refresh_token"] = uuid.uuid4().hex
            self._refresh.add(document["refresh_token"])
        return 200, {**document, "expires_in": self.told}

    def _heard(self, scopes: list[str]) -> list[str]:
        chosen = {"first": scopes[:1], "last": scopes[-1:]}.get(self.only, scopes)
        return " ".join(chosen).split()

    def _user(self, fields: dict[str, list[str]], authorization: str) -> str | None:
        """The user's name, empty for nobody; None when somebody lies."""
        given = {key: values[0] for key, values in fields.items()}
        match given.get("grant_type"):
            case "refresh_token":
                return USER if given["refresh_token"] in self._refresh else None
            case "password":
                pair = f"{given['username']}:{given['password']}"
            case _ if not authorization:
                return ""
            case _:
                pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        return USER if pair == f"{USER}:{PASSWORD}" else None

    def _token(self, user: str, scopes: list[str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "jti": uuid.uuid4().hex,
        }
        claims |= {"nbf": now - 60, "iat": now - 60, "exp": now + self.seconds}
        claims["access"] = [grant for scope in scopes if (grant := _grant(scope, user))]
        return self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        pem = self.certificate.cert.read_text().split("-----")[2]
        header = {"typ": "JWT", "alg": "ES256", "x5c": ["".join(pem.split())]}
        text = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.certificate.key)]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        return f"{text}.{_base64url(_both_numbers(done.stdout))}"


def _grant(scope: str, user: str) -> dict[str, Any] | None:
    kind, name, actions = scope.split(":")
    wanted = actions.split(",")
    if not user:
        wanted = ["pull"] if "pull" in wanted and name.startswith("public/") else []
    return {"type": kind, "name": name, "actions": wanted} if wanted else None


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _both_numbers(der: bytes) -> bytes:
    """The two numbers of an ECDSA signature, which openssl writes in DER, 32 bytes each."""
    first = der[4 : 4 + der[3]]
    second = der[6 + der[3] :]
    return b"".join(int.from_bytes(each).to_bytes(32) for each in (first, second))


def _handler(tokens: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._reply("POST", body.decode())

        def _reply(self, method: str, text: str) -> None:
            given = self.headers.get("Authorization", "")
            status, document = tokens.answer(method, parse_qs(text), given)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serve_with_tokens(
    kind: str, folder: Path, authority: Authority
) -> Iterator[tuple[Registry, TokenServer]]:
    """A real registry behind a token server."""
    tokens = TokenServer(authority.issue(f"tokens-{uuid.uuid4().hex[:6]}"), authority.cert)
    with tokens.serving(), serve(KINDS[kind], folder, config=tokens.config) as registry:
        yield registry, tokens
