"""docker's config.json: `credHelpers` beats `credsStore` beats what the file itself holds."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agentoci._internal import limits
from agentoci._internal.files import read_at_most, write_atomically
from agentoci._internal.locks import lock
from agentoci.registry.credentials import DOCKER_HUB, Credential, canonical_host
from agentoci.registry.errors import InvalidRegistryConfig
from agentoci.registry.helpers import CredentialHelper, CredentialHelperMissing
from agentoci.spec.jsonio import InvalidJson, Json, loads_object

logger = logging.getLogger(__name__)

_HUB_KEY: Final = "https://index.docker.io/v1/"


class DockerConfig:
    """Credentials by a docker config file, which may be missing.

    `environment` is what credential helpers are run with (PATH, HOME, their own variables).
    `warnings` collects what the user should hear of; nothing in it is secret.
    """

    def __init__(self, path: Path, *, environment: Mapping[str, str]) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._environment = environment

    def lookup(self, host: str) -> Credential | None:
        """The credential for a registry; raises InvalidRegistryConfig, CredentialHelperFailed.

        A helper that is not installed is a warning: what is public stays reachable.
        """
        host = canonical_host(host)
        document = self._read()
        helper = self._helper(document, host)
        if helper is not None:
            try:
                found = helper.get(host)
            except CredentialHelperMissing as exc:
                self._warn(f"{exc.message}; going on without its credentials")
                found = None
            if found is not None:
                return found
        return self._inline(document, host)

    def store(self, host: str, credential: Credential) -> str:
        """Keep a credential; returns where: the helper's program name or the file's path."""
        host = canonical_host(host)
        with self._changing() as document:
            helper = self._helper(document, host)
            auths = _auths(document, self.path)
            for key in [key for key in auths if canonical_host(key) == host]:
                del auths[key]
            if helper is None:
                auths[_key(host)] = _entry(credential)
            else:
                helper.store(host, credential)
                auths[_key(host)] = {}
            document["auths"] = auths
        return str(self.path) if helper is None else helper.program

    def erase(self, host: str) -> bool:
        """Forget a registry; whether there was anything to forget."""
        host = canonical_host(host)
        if not self.path.exists():
            return False
        with self._changing() as document:
            helper = self._helper(document, host)
            known = helper is not None and helper.get(host) is not None
            if helper is not None and known:
                helper.erase(host)
            auths = _auths(document, self.path)
            keys = [key for key in auths if canonical_host(key) == host]
            for key in keys:
                del auths[key]
        return known or bool(keys)

    def _read(self) -> dict[str, Json]:
        try:
            content = read_at_most(self.path, limits.MAX_CONFIG_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as exc:
            raise InvalidRegistryConfig(f"{self.path}: cannot be read: {exc.strerror}") from exc
        if not content.strip():
            return {}
        try:
            return loads_object(content, what=str(self.path), limit=limits.MAX_CONFIG_BYTES)
        except InvalidJson as exc:
            raise InvalidRegistryConfig(exc.message, hint="repair the docker config") from exc

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
        helpers = document.get("credHelpers")
        name: Json = None
        if isinstance(helpers, dict):
            name = next((n for key, n in helpers.items() if canonical_host(key) == host), None)
        name = name or document.get("credsStore")
        if not isinstance(name, str) or not name:
            return None
        return CredentialHelper(name, self._environment)

    def _inline(self, document: dict[str, Json], host: str) -> Credential | None:
        auths = _auths(document, self.path)
        exact = [key for key in auths if key == host]
        others = [key for key in auths if canonical_host(key) == host and key != host]
        for key in exact + others:
            found = _credential(auths[key], what=f"{self.path}: {key}")
            if not found.is_empty:
                return found
        return None

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)
            logger.warning("%s", text)


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
    if credential.identity_token:
        return {"identitytoken": credential.identity_token}
    pair = f"{credential.username}:{credential.password}"
    return {"auth": base64.b64encode(pair.encode()).decode()}


def _credential(entry: Json, *, what: str) -> Credential:
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
    )


def _text(entry: Mapping[str, Json], key: str) -> str:
    found = entry.get(key)
    return found if isinstance(found, str) else ""
