"""docker's config.json and podman's auth.json, which is the same thing.

`credHelpers` beats `credsStore` beats what the file itself holds; a key with a name space
(`host/team`) beats all of them for the repositories below it.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentoci._internal import limits
from agentoci._internal.files import read_at_most, write_atomically
from agentoci._internal.locks import lock
from agentoci.registry.auth.credentials import DOCKER_HUB, Credential, canonical_host, keys_for
from agentoci.registry.auth.helpers import (
    CredentialHelper,
    CredentialHelperFailed,
    CredentialHelperMissing,
)
from agentoci.registry.errors import InvalidRegistryConfig
from agentoci.spec.jsonio import InvalidJson, Json, loads_object

logger = logging.getLogger(__name__)

_HUB_KEY: Final = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Held:
    """The registries (or name spaces) that a file holds logins for itself, and the programs that
    it names for others; the one under the empty name is for all that are left."""

    hosts: tuple[str, ...]
    helpers: Mapping[str, str]


class DockerConfig:
    """Credentials by a docker config file, or an auth.json of podman, which may be missing.

    `environment` is what credential helpers are run with (PATH, HOME, their own variables). A
    helper is asked once per registry. `warn` gets what the user should hear of; nothing in it is
    secret. `legacy`: the whole file is what others have under `auths`, as in `~/.dockercfg`.
    """

    def __init__(
        self,
        path: Path,
        *,
        environment: Mapping[str, str],
        warn: Callable[[str], None] = logger.warning,
        legacy: bool = False,
    ) -> None:
        self.path = path
        self._environment = environment
        self._warn = warn
        self._legacy = legacy
        self._answers: dict[tuple[str, str], Credential | CredentialHelperFailed | None] = {}
        self._lock = threading.Lock()

    def lookup(self, host: str, repository: str = "") -> Credential | None:
        """The credential for a registry; raises InvalidRegistryConfig, CredentialHelperFailed.

        The most special key wins, and helpers know of whole registries only. A helper that is not
        installed is a warning: what is public stays reachable.
        """
        host = canonical_host(host)
        document = self._read()
        *spaces, _ = keys_for(host, repository)
        for key in spaces:
            if found := self._inline(document, key):
                return found
        helper = self._helper(document, host)
        found = None if helper is None else self._ask(helper, host)
        return found or self._inline(document, host)

    def store(self, key: str, credential: Credential) -> str:
        """Keep a credential; returns where: the helper's program name or the file's path.

        One for a name space (`host/team`) is never given to a helper.
        """
        key = canonical_host(key)
        with self._changing() as document:
            helper = self._helper(document, key)
            auths = _auths(document, self.path)
            for old in [old for old in auths if canonical_host(old) == key]:
                del auths[old]
            if helper is None:
                auths[_key(key)] = _entry(credential)
            else:
                helper.store(key, credential)
                auths[_key(key)] = {}
            document["auths"] = auths
        self._answers.clear()
        return str(self.path) if helper is None else helper.program

    def erase(self, key: str) -> bool:
        """Forget a registry or a name space; whether there was anything to forget."""
        key = canonical_host(key)
        if not self.path.exists():
            return False
        with self._changing() as document:
            helper = self._helper(document, key)
            known = helper is not None and helper.get(key) is not None
            if helper is not None and known:
                helper.erase(key)
            auths = _auths(document, self.path)
            keys = [old for old in auths if canonical_host(old) == key]
            for old in keys:
                del auths[old]
        self._answers.clear()
        return known or bool(keys)

    def held(self) -> Held:
        """What the file has logins for, and by whom; asks no helper.

        Raises InvalidRegistryConfig.
        """
        document = self._read()
        auths = _auths(document, self.path)
        hosts = [
            canonical_host(key)
            for key, entry in auths.items()
            if not _credential(entry, what=f"{self.path}: {key}", source="").is_empty
        ]
        found = document.get("credHelpers")
        named = dict(found) if isinstance(found, dict) else {}
        named[""] = document.get("credsStore")
        helpers = {
            canonical_host(key): CredentialHelper(name, self._environment).program
            for key, name in named.items()
            if isinstance(name, str) and name
        }
        return Held(tuple(hosts), helpers)

    def _ask(self, helper: CredentialHelper, host: str) -> Credential | None:
        """The helper's answer, or its failure, from the first time that it was asked."""
        with self._lock:
            if (helper.name, host) not in self._answers:
                self._answers[helper.name, host] = self._run(helper, host)
            answer = self._answers[helper.name, host]
        if isinstance(answer, CredentialHelperFailed):
            raise answer
        return answer

    def _run(
        self, helper: CredentialHelper, host: str
    ) -> Credential | CredentialHelperFailed | None:
        try:
            return helper.get(host)
        except CredentialHelperMissing as exc:
            self._warn(f"{exc.message}; going on without its credentials")
            return None
        except CredentialHelperFailed as exc:
            return exc

    def _read(self) -> dict[str, Json]:
        try:
            content = read_at_most(self.path, limits.MAX_CONFIG_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as exc:
            if not os.access(self.path.parent, os.X_OK, effective_ids=True):
                return {}  # another user's folder, as /run/containers may be
            raise InvalidRegistryConfig(
                f"{self.path}: cannot be read: {exc.strerror}", hint="make it readable for yourself"
            ) from exc
        if not content.strip():
            return {}
        try:
            document = loads_object(content, what=str(self.path), limit=limits.MAX_CONFIG_BYTES)
        except InvalidJson as exc:
            raise InvalidRegistryConfig(exc.message, hint="repair the file, or move it") from exc
        return {"auths": document} if self._legacy else document

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Json]]:
        """Read, let the caller change, replace the file; every key that is not ours is kept."""
        target = self.path.resolve()
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(_lock_path(target)):
            document = self._read()
            before = json.dumps(document)
            yield document
            if json.dumps(document) != before:
                text = json.dumps(document, indent="\t", ensure_ascii=False) + "\n"
                write_atomically(target, text.encode(), mode=0o600)

    def _helper(self, document: Mapping[str, Json], host: str) -> CredentialHelper | None:
        if "/" in host:
            return None
        helpers = document.get("credHelpers")
        name: Json = None
        if isinstance(helpers, dict):
            name = next((n for key, n in helpers.items() if canonical_host(key) == host), None)
        name = name or document.get("credsStore")
        if not isinstance(name, str) or not name:
            return None
        return CredentialHelper(name, self._environment)

    def _inline(self, document: dict[str, Json], key: str) -> Credential | None:
        auths = _auths(document, self.path)
        exact = [one for one in auths if one == key]
        others = [one for one in auths if canonical_host(one) == key and one != key]
        for one in exact + others:
            found = _credential(auths[one], what=f"{self.path}: {one}", source=str(self.path))
            if not found.is_empty:
                return found
        return None


def _key(host: str) -> str:
    return _HUB_KEY if host == DOCKER_HUB else host


def _lock_path(target: Path) -> Path:
    """Beside the file; docker takes no lock, so this guards us from ourselves only."""
    return target.with_name(f".{target.name}.lock")


def _auths(document: dict[str, Json], path: Path) -> dict[str, Json]:
    auths = document.get("auths", {})
    if not isinstance(auths, dict):
        raise InvalidRegistryConfig(f"{path}: auths must be an object")
    return auths


def _entry(credential: Credential) -> dict[str, Json]:
    """An entry as docker writes it: base64 of `user:password`, which hides nothing."""
    pair = f"{credential.username}:{credential.password}"
    entry: dict[str, Json] = {"auth": base64.b64encode(pair.encode()).decode()}
    if credential.identity_token:
        entry = entry if credential.username else {}
        entry["identitytoken"] = credential.identity_token
    return entry


def _credential(entry: Json, *, what: str, source: str) -> Credential:
    if not isinstance(entry, dict):
        raise InvalidRegistryConfig(f"{what}: expected an object")
    username, password = _text(entry, "username"), _text(entry, "password")
    if auth := _text(entry, "auth"):
        try:
            pair = base64.b64decode(auth, validate=True).decode("utf-8").rstrip("\0")
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidRegistryConfig(
                f"{what}: auth is not base64 of USER:PASSWORD", hint="log in again"
            ) from None
        username, _, password = pair.partition(":")
    return Credential(
        username,
        password,
        _text(entry, "identitytoken") or None,
        _text(entry, "registrytoken") or None,
        source,
    )


def _text(entry: Mapping[str, Json], key: str) -> str:
    found = entry.get(key)
    return found if isinstance(found, str) else ""
