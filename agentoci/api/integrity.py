"""Checksums of files and images, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one thing: its sha256 in hex, and the one that the list says."""

    thing: str
    found: str
    wanted: str

    @property
    def ok(self) -> bool:
        """Whether it is what the list says."""
        return self.found == self.wanted


def compare(engine: Engine, checksums: Path, things: Sequence[str] = ()) -> list[Verdict]:
    """Compare things with the lines of a checksum file that name them; without any, every line.

    Raises BadChecksumFile, NotFound.
    """
    listed = _listed(checksums)
    if not things and not listed:
        raise BadChecksumFile(f"{checksums} lists nothing")
    wanted = {thing: _line_of(thing, listed, checksums) for thing in things} or listed
    return [Verdict(thing, checksum(engine, thing), hexes) for thing, hexes in wanted.items()]


def verify(engine: Engine, thing: str, checksums: Path) -> None:
    """Compare one thing; raises ChecksumMismatch, BadChecksumFile, NotFound."""
    [verdict] = compare(engine, checksums, [thing])
    require([verdict], checksums)


def require(verdicts: Sequence[Verdict], checksums: Path) -> None:
    """Raise ChecksumMismatch unless everything is as listed."""
    wrong = [verdict for verdict in verdicts if not verdict.ok]
    if wrong:
        first = wrong[0]
        more = f", and {len(wrong) - 1} more differ" if wrong[1:] else ""
        raise ChecksumMismatch(
            f"{first.thing}: its sha256 is {first.found}, {checksums} says {first.wanted}{more}",
            hint="it was changed, or the checksum belongs to another version",
        )


def _listed(checksums: Path) -> dict[str, str]:
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
    return listed


def _line_of(thing: str, listed: Mapping[str, str], checksums: Path) -> str:
    for name in (thing, Path(thing).name):
        if name in listed:
            return listed[name]
    names = ", ".join(list(listed)[:3]) or "nothing"
    raise BadChecksumFile(f"{checksums} has no line for {thing!r}", hint=f"it lists {names}")
