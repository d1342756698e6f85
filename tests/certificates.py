"""A certificate authority of the tests' own, made with openssl."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = ("IP:127.0.0.1", "DNS:localhost")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, in files of their own."""

    cert: Path
    key: Path

    def server_context(self, *, clients: Path | None = None) -> ssl.SSLContext:
        """For a server; with `clients`, the authority that clients' certificates must be of."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        return context


class Authority:
    """Issues certificates; `cert` is what those who trust it are given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.cert, self._key = folder / "ca.pem", folder / "ca.key"
        _openssl(
            *("req", "-x509", "-days", "2", "-subj", f"/CN={folder.name} authority", *_NEW_KEY),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),  # Python 3.13 insists
            *("-keyout", self._key, "-out", self.cert),
        )

    def issue(
        self, name: str, *, hosts: Sequence[str] = LOOPBACK, days: int = 2, client: bool = False
    ) -> Certificate:
        """A certificate for servers at `hosts`, or for a client; `days` may lie in the past."""
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        use = "clientAuth" if client else "serverAuth"
        names = "" if client else f"subjectAltName={','.join(hosts)}\n"
        extensions.write_text(f"{names}extendedKeyUsage={use}\nauthorityKeyIdentifier=keyid\n")
        _openssl("req", "-subj", f"/CN={name}", *_NEW_KEY, "-keyout", made.key, "-out", request)
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key),
            *("-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", made.cert),
        )
        return made


_NEW_KEY = ("-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def missing() -> str | None:
    """Why no certificate can be made here."""
    return None if shutil.which("openssl") else "no openssl on this machine to make certificates"


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(
        ["openssl", *map(str, arguments)], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
