"""What the config file says of single registries: `[registries."HOST[:PORT]"]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_MIRROR: Final = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/.*)?"
)
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_OURS: Final = frozenset(
    {"authorization", "connection", "content-length", "content-type", "cookie", "host", "range"}
    | {"transfer-encoding", "proxy-authorization"}
)
_MOST: Final = 256


class BadRegistry(ValueError):
    """Names the key, and says what was expected; the reader of the file adds its name."""


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """Where a registry's content can be read as well; with `resolve` its tags too."""

    url: str
    resolve: bool = False


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How to speak to one registry; header values are secrets.

    `client_key` may be left out when the key is in `client_cert`'s file. Relative paths start at
    the config file's folder.
    """

    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    insecure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    mirrors: tuple[MirrorSettings, ...] = ()
    max_concurrency: int | None = None


def parse_registries(table: object, folder: Path) -> dict[str, RegistrySettings]:
    """The tables by host; raises BadRegistry."""
    if not isinstance(table, dict):
        raise BadRegistry('registries must be tables: [registries."HOST[:PORT]"]')
    found = {}
    for host, entry in table.items():
        if not _HOST.fullmatch(host):
            raise BadRegistry(f"registries: {host!r} is not a registry: write HOST or HOST:PORT")
        where = f'registries."{host}"'
        if not isinstance(entry, dict):
            raise BadRegistry(f"{where} must be a table")
        found[host] = _registry(entry, where, folder)
    return found


def _registry(entry: dict[str, Any], where: str, folder: Path) -> RegistrySettings:
    _check_keys(entry, [one.name for one in fields(RegistrySettings)], where)
    values = {key: _READERS[key](entry[key], f"{where}: {key}", folder) for key in entry}
    if "client_key" in values and "client_cert" not in values:
        raise BadRegistry(f"{where}: client_key needs the client_cert that it belongs to")
    return RegistrySettings(**values)


def _check_keys(entry: dict[str, Any], known: list[str], where: str) -> None:
    for key in entry:
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise BadRegistry(f"{where}: unknown key {key!r}; {hint}")


def _path(value: object, what: str, folder: Path) -> Path:
    if not isinstance(value, str) or not value:
        raise BadRegistry(f"{what} must be the path of a file")
    return folder / Path(value).expanduser()


def _flag(value: object, what: str, _: Path) -> bool:
    if not isinstance(value, bool):
        raise BadRegistry(f"{what} must be true or false")
    return value


def _count(value: object, what: str, _: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST:
        raise BadRegistry(f"{what} must be a number from 1 to {_MOST}")
    return value


def _headers(value: object, what: str, _: Path) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadRegistry(f"{what} must be a table of names and values")
    for name, text in value.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise BadRegistry(f"{what}: {name!r} is no name of a header that can be set here")
        if not isinstance(text, str) or not _VALUE.fullmatch(text):
            raise BadRegistry(f"{what}: the value of {name!r} must be one line of plain ASCII text")
    return dict(value)


def _mirrors(value: object, what: str, _: Path) -> tuple[MirrorSettings, ...]:
    if not isinstance(value, list):
        raise BadRegistry(f"{what} must be a list of addresses")
    return tuple(_mirror(one, what) for one in value)


def _mirror(value: object, what: str) -> MirrorSettings:
    table = {"url": value} if isinstance(value, str) else value
    if not isinstance(table, dict) or not isinstance(table.get("url"), str):
        raise BadRegistry(
            f'{what}: write "https://HOST" or {{url = "https://HOST", resolve = true}}'
        )
    _check_keys(table, ["url", "resolve"], what)
    url = table["url"]
    if not _MIRROR.fullmatch(url) or re.search(r"[?#@\s]", url):
        raise BadRegistry(f"{what}: {url!r} must be http(s)://HOST[:PORT][/PREFIX]")
    return MirrorSettings(url.rstrip("/"), _flag(table.get("resolve", False), what, Path()))


_READERS: Final[Mapping[str, Callable[[object, str, Path], Any]]] = {
    "ca_file": _path,
    "client_cert": _path,
    "client_key": _path,
    "insecure": _flag,
    "headers": _headers,
    "mirrors": _mirrors,
    "max_concurrency": _count,
}
