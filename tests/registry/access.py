"""Who may do what at the fake registry: nobody asks, a password, or tokens."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.registry.faults import Reply, Seen
from tests.registry.service import UPLOAD, error, repository_of


@dataclass
class Basic:
    """Wants this user and password with every request."""

    username: str = "ada"
    password: str = "secret"
    challenge: str = 'Basic realm="fake"'

    def refuses(self, seen: Seen, url: str) -> str | None:
        """The challenge for a request that may not be; None lets it pass."""
        given = seen.headers.get("authorization", "")
        return None if given == _basic(self.username, self.password) else self.challenge


@dataclass
class Tokens:
    """Wants tokens, and issues them: exactly what was asked for and is allowed.

    `anonymous` are the actions that a token without credentials may have.
    """

    username: str = "ada"
    password: str = "secret"
    anonymous: frozenset[str] = frozenset({"pull"})
    allowed: frozenset[str] = frozenset({"pull", "push", "delete", "*"})
    identity_token: str = "identity"
    expires_in: object = 300
    key: str = "token"
    path: str = "/token"
    realm: str | None = None
    asked: list[list[str]] = field(default_factory=list)
    issued: dict[str, frozenset[str]] = field(default_factory=dict)

    def expire(self) -> None:
        """Every token issued so far is refused from now on."""
        self.issued.clear()

    def refuses(self, seen: Seen, url: str) -> str | None:
        """The challenge for a request that may not be; None lets it pass."""
        needed = _needed(seen)
        given = seen.headers.get("authorization", "")
        granted = self.issued.get(given.removeprefix("Bearer "))
        if granted is not None and needed <= granted:
            return None
        scope = _scope_text(needed)
        realm = self.realm or f"{url}{self.path}"
        return f'Bearer realm="{realm}",service="fake",scope="{scope}"'

    def heard(self, scopes: list[str]) -> list[str]:
        """The scopes that count: all, except at servers with less attention."""
        return scopes

    def answer(self, seen: Seen, body: bytes) -> Reply:
        """The token endpoint: GET with a password, or POST with an identity token."""
        form = parse_qs(body.decode())
        scopes = form.get("scope", [""])[0].split() if form else seen.query.get("scope", [])
        scopes = self.heard(scopes)
        self.asked.append(scopes)
        given = seen.headers.get("authorization", "")
        if form:
            known = form.get("refresh_token") == [self.identity_token]
        else:
            known = given == _basic(self.username, self.password)
        if (given or form) and not known:
            return error(401, "UNAUTHORIZED", "wrong user name or password")
        allowed = self.allowed if known else self.anonymous
        value = f"tok-{uuid.uuid4()}"
        self.issued[value] = frozenset(
            grant for grant in _grants(scopes) if grant.rpartition(":")[2] in allowed
        )
        document: dict[str, Any] = {self.key: value}
        if self.expires_in is not None:
            document["expires_in"] = self.expires_in
        return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _needed(seen: Seen) -> frozenset[str]:
    """The grants that a request takes, as distribution's token authentication sees it."""
    if seen.path == "/v2/_catalog":
        return frozenset({"registry:catalog:*"})
    name = repository_of(seen.path)
    if name is None:
        return frozenset()
    needed = {f"repository:{name}:{_action(seen)}"}
    needed |= {f"repository:{source}:pull" for source in seen.query.get("from", [])}
    return frozenset(needed)


def _action(seen: Seen) -> str:
    if seen.method in {"GET", "HEAD"}:
        return "pull"
    return "delete" if seen.method == "DELETE" and not UPLOAD.fullmatch(seen.path) else "push"


def _grants(scopes: Sequence[str]) -> frozenset[str]:
    return frozenset(
        f"{scope.rpartition(':')[0]}:{action}"
        for scope in scopes
        for action in scope.rpartition(":")[2].split(",")
    )


def _scope_text(needed: frozenset[str]) -> str:
    return " ".join(
        f"{grant}:pull,push" if action == "push" else f"{grant}:{action}"
        for grant, _, action in (each.rpartition(":") for each in sorted(needed))
    )


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
