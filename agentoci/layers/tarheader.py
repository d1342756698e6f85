"""Tar headers, read: what a 512-byte block and the records before it say, and nothing lenient.

Where two tar readers could understand an archive differently, it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from agentoci.errors import Integrity

BLOCK: Final = 512

REGULAR: Final = b"0"
REGULAR_OLD: Final = b"\0"
SYMLINK: Final = b"2"
FOLDER: Final = b"5"
PAX: Final = b"x"
PAX_GLOBAL: Final = b"g"
GNU_NAME: Final = b"L"
GNU_LINK: Final = b"K"

_POSIX: Final = b"ustar\x0000"
_GNU: Final = b"ustar  \0"
_NO_CHECKSUM: Final = 8 * 0x20
_REFUSED: Final = {
    b"1": "a hard link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
    b"S": "a sparse file",
}


class RefusedArchive(Integrity):
    """A layer's tar is damaged, or holds what this program never unpacks."""


@dataclass(slots=True)
class Overrides:
    """What the records before a header say instead of it."""

    name: str | None = None
    link: str | None = None
    size: int | None = None


def refuse(reason: str) -> NoReturn:
    """Raise RefusedArchive; whoever knows the layer's and entry's name adds them."""
    raise RefusedArchive(reason)


def check(block: bytes) -> bytes:
    """Verify a header's checksum and magic; returns its type."""
    if sum(block) - sum(block[148:156]) + _NO_CHECKSUM != number(block[148:156]):
        refuse("a header's checksum is wrong")
    if block[257:265] not in (_POSIX, _GNU):
        refuse("a header is neither POSIX (ustar) nor GNU")
    return block[156:157]


def number(field: bytes) -> int:
    """A numeric field: octal digits, or base 256 when its first bit is set."""
    digits = field.strip(b" \0")
    if digits.isdigit():
        try:
            return int(digits, 8)
        except ValueError:
            refuse(f"{digits!r} is not an octal number")
    if not digits:
        return 0
    if field[0] & 0x80:
        if field[0] & 0x40:
            refuse("a number is negative")
        return int.from_bytes(bytes((field[0] & 0x3F,)) + field[1:], "big")
    refuse(f"{digits!r} is not an octal number")


def text(field: bytes) -> str:
    """A text field, up to its first NUL."""
    return decode(field.partition(b"\0")[0])


def decode(raw: bytes) -> str:
    """UTF-8, as PAX has it; other spellings of a name are refused."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        refuse(f"the name {raw[:100]!r} is not UTF-8")


def name(block: bytes) -> str:
    """The name in a header, with the prefix that POSIX has for long ones."""
    short = block[:100].partition(b"\0")[0]
    if block[345] and block[257:265] == _POSIX:
        return decode(block[345:500].partition(b"\0")[0] + b"/" + short)
    return decode(short)


def refuse_type(kind: bytes) -> NoReturn:
    """Say what an entry of a type that is not unpacked is."""
    what = _REFUSED.get(kind, f"an entry of the unknown type {kind.decode('latin-1')!r}")
    refuse(f"is {what}, which is never unpacked")


def read_long(body: bytes) -> str:
    """The content of a GNU long name or long link."""
    raw = body.rstrip(b"\0")
    if b"\0" in raw or not raw:
        refuse("a long name is empty or holds a NUL")
    return decode(raw)


def read_pax(body: bytes) -> Overrides:
    """The records of a PAX header that we honour: path, linkpath and size; sparse ones refuse."""
    found = Overrides()
    for key, value in _records(body):
        match key:
            case b"path":
                found.name = _pax_text(value)
            case b"linkpath":
                found.link = _pax_text(value)
            case b"size":
                found.size = _pax_size(value)
            case _ if key.startswith(b"GNU.sparse"):
                refuse_type(b"S")
            case _:
                pass
    return found


def _records(body: bytes) -> list[tuple[bytes, bytes]]:
    """`LENGTH key=value` lines, where the length counts itself and the line's end."""
    records: list[tuple[bytes, bytes]] = []
    at = 0
    while at < len(body):
        space = body.find(b" ", at, at + 8)
        digits = body[at:space]
        end = at + int(digits) if space > at and digits.isdigit() else 0
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if end <= space or body[end - 1 : end] != b"\n" or not key or not equals:
            refuse("a PAX record is damaged")
        records.append((key, value))
        at = end
    return records


def _pax_text(value: bytes) -> str:
    if not value or b"\0" in value:
        refuse("a name in a PAX record is empty or holds a NUL")
    return decode(value)


def _pax_size(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        refuse(f"the size {value[:20]!r} in a PAX record is not a number")
    return int(value)
