"""Checksums of files and images, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentoci._internal import files, limits
from agentoci.errors import Integrity, Invalid, NotFound

if TYPE_CHECKING:
    from agentoci.api.engine import Engine

_LINE: Final = re.compile(r"([0-9a-fA-F]{64})(?: [ *])(.+)")


class ChecksumMismatch(Integrity):
    """The thing has another checksum than the list says."""


class BadChecksumFile(Invalid):
    """Not a list of checksums, or none for this thing."""


def checksum(engine: Engine, thing: str) -> str:
    """The sha256 in hex: of the file's bytes, or the manifest digest of the image of this name.

    A file comes first; raises ImageNotFound when it is neither.
    """
    path = Path(thing)
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    if path.exists():
        raise Invalid(f"{thing} is a folder", hint="name a file, or an image")
    return engine.images.find(thing).digest.hex


def checksum_line(engine: Engine, thing: str) -> str:
    """`HEX  NAME`, as sha256sum writes it."""
    return f"{checksum(engine, thing)}  {thing}"


def verify(engine: Engine, thing: str, checksums: Path) -> None:
    """Compare with the line of a checksum file that names the thing.

    Raises ChecksumMismatch, BadChecksumFile, NotFound.
    """
    wanted = _wanted(checksums, thing)
    found = checksum(engine, thing)
    if found != wanted:
        raise ChecksumMismatch(
            f"{thing}: its sha256 is {found}, {checksums} says {wanted}",
            hint="it was changed, or the checksum belongs to another version",
        )


def _wanted(checksums: Path, thing: str) -> str:
    try:
        text = files.read_at_most(checksums, limits.MIB).decode("utf-8")
    except OSError as exc:
        raise NotFound(f"{checksums}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadChecksumFile(f"{checksums}: not a list of checksums") from exc
    listed: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadChecksumFile(
                f"{checksums}: {line[:80]!r} is not `SHA256  NAME`",
                hint="`agent checksum` and `sha256sum` write such files",
            )
        listed[match[2]] = match[1].lower()
    for name in (thing, Path(thing).name):
        if name in listed:
            return listed[name]
    names = ", ".join(list(listed)[:3]) or "nothing"
    raise BadChecksumFile(f"{checksums} has no line for {thing!r}", hint=f"it lists {names}")
