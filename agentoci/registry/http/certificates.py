"""Whom we trust and what we show over TLS: authorities and client certificates per registry.

Folders like `/etc/docker/certs.d/HOST[:PORT]` hold `*.crt` (authorities), and `*.cert` with the
`*.key` of the same name (containers-certs.d(5)).
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import requests.adapters

from agentoci.registry.errors import InvalidRegistryConfig

_PEM: Final = "give a file with one or more PEM certificates"


@dataclass(frozen=True, slots=True)
class Pair:
    """A client certificate and its key; both may be in one file."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Authorities beside the system's, and what to show when a server asks who we are."""

    authorities: tuple[Path, ...] = ()
    pair: Pair | None = None

    def __add__(self, other: Certificates) -> Certificates:
        """All authorities; the pair of the one that has one, ours first."""
        authorities = dict.fromkeys((*self.authorities, *other.authorities))
        return Certificates(tuple(authorities), self.pair or other.pair)

    @property
    def anonymous(self) -> Certificates:
        """The same trust, without showing who we are."""
        return replace(self, pair=None)


def find_certificates(host: str, folders: Iterable[Path]) -> Certificates:
    """What the first of the folders that knows the host holds for it.

    A folder that may not be looked into counts as not there. Raises InvalidRegistryConfig for a
    certificate without its key, and the other way round.
    """
    for folder in folders:
        try:
            names = sorted((folder / host).iterdir())
        except OSError:  # not there, or not for us: `/etc/docker` is root's on many machines
            continue
        return Certificates(tuple(path for path in names if path.suffix == ".crt"), _pair(names))
    return Certificates()


def _pair(paths: list[Path]) -> Pair | None:
    certificates = [path for path in paths if path.suffix == ".cert"]
    keys = [path for path in paths if path.suffix == ".key"]
    for path, other in [
        *((one, one.with_suffix(".key")) for one in certificates),
        *((one, one.with_suffix(".cert")) for one in keys),
    ]:
        if other not in paths:
            raise InvalidRegistryConfig(
                f"{path}: {other.name} is missing beside it",
                hint="a client certificate is NAME.cert with NAME.key; authorities are *.crt",
            )
    return Pair(certificates[0], certificates[0].with_suffix(".key")) if certificates else None


class Contexts:
    """TLS contexts, one per distinct set of certificates, made when first needed."""

    def __init__(self) -> None:
        self._made: dict[Certificates, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def get(self, certificates: Certificates) -> ssl.SSLContext:
        """The context; raises InvalidRegistryConfig for files that cannot be used."""
        with self._lock:
            if certificates not in self._made:
                self._made[certificates] = make_context(certificates)
            return self._made[certificates]


def make_context(certificates: Certificates) -> ssl.SSLContext:
    """Always verifying, by the system's authorities (SSL_CERT_FILE counts) and the given ones."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(requests.adapters.DEFAULT_CA_BUNDLE_PATH)
    for path in certificates.authorities:
        try:
            context.load_verify_locations(path)
        except OSError as exc:  # ssl.SSLError is one
            raise InvalidRegistryConfig(
                f"{path}: no certificates of an authority can be read: {exc.strerror or exc}",
                hint=_PEM,
            ) from exc
    if certificates.pair is not None:
        _load_pair(context, certificates.pair)
    return context


class _Locked(Exception):
    """The key wants a password."""


def _load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    def password() -> str:
        raise _Locked  # without this, OpenSSL would ask at the terminal

    for path in (pair.certificate, pair.key):
        try:
            path.open("rb").close()
        except OSError as exc:
            raise InvalidRegistryConfig(
                f"{path}: the client certificate's file cannot be read: {exc.strerror}"
            ) from exc
    try:
        context.load_cert_chain(pair.certificate, pair.key, password=password)
    except _Locked:
        raise InvalidRegistryConfig(
            f"{pair.key}: the key is encrypted, and nobody can be asked for its password",
            hint=f"decrypt it: openssl pkey -in {pair.key.name} -out plain.key",
        ) from None
    except ssl.SSLError as exc:
        if exc.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
            raise InvalidRegistryConfig(
                f"{pair.key}: is not the key of {pair.certificate}",
                hint="give the key that the certificate was made for",
            ) from exc
        raise InvalidRegistryConfig(
            f"{pair.certificate}, {pair.key}: no client certificate and key can be read",
            hint="both are PEM files",
        ) from exc
