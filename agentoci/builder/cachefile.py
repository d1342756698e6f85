"""Cache files that can be trusted or are not there: damage of any kind only costs time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Final

from agentoci._internal import files
from agentoci.spec.jsonio import Json

_SEAL_LENGTH: Final = 64


def read_cache(path: Path, *, limit: int) -> dict[str, Json] | None:
    """The document that was kept; None when it is missing, damaged or larger than `limit`."""
    try:
        raw = files.read_at_most(path, limit)
    except OSError:
        return None
    seal, body = raw[:_SEAL_LENGTH], raw[_SEAL_LENGTH:]
    if len(raw) > limit or seal != _seal(body):
        return None
    document: dict[str, Json] = json.loads(body)
    return document


def write_cache(path: Path, document: dict[str, Json]) -> None:
    """Keep a document under a checksum, unless the disk does not let us.

    Not synced: what a crash leaves of it fails the checksum.
    """
    body = json.dumps(document, separators=(",", ":")).encode()
    temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(_seal(body) + body)
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _seal(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
