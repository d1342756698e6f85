"""Where a URL leads: the origin, the border that credentials do not cross."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from agentoci.registry.errors import UnsafeDestination

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNSENDABLE: Final = re.compile(r"[^\x21-\x7e]")


class Reach(IntEnum):
    """How far away an IP address written in a URL is; a name counts as public."""

    LOOPBACK = 0
    LINK_LOCAL = 1
    PRIVATE = 2
    PUBLIC = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port; an implicit port equals the explicit one."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute http(s) URL; raises UnsafeDestination for anything else.

        User names in a URL are refused: they would be sent as credentials.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            host = host if host is None or host.isascii() else host.encode("idna").decode()
        except ValueError:  # its words may show a password; UnicodeError is one
            raise UnsafeDestination("an address is no URL") from None
        if parts.scheme not in _PORTS or not host:
            raise UnsafeDestination(f"not an http or https address: scheme {parts.scheme!r}")
        if "@" in parts.netloc:
            raise UnsafeDestination(f"{host}: an address with a user name in it is not followed")
        return cls(parts.scheme, host.lower(), port or _PORTS[parts.scheme])

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.scheme == "https"

    @property
    def netloc(self) -> str:
        """Host and port as people write them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def reach(self) -> Reach:
        """How far away it is; `localhost` and its subdomains are loopback."""
        host = self.host.rstrip(".")  # `localhost.` is the same name, written in full
        if host == "localhost" or host.endswith(".localhost"):
            return Reach.LOOPBACK
        address = _address(host)
        return Reach.PUBLIC if address is None else _reach(address)

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address rather than a name."""
        return _address(self.host) is not None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def joined(base: str, location: str) -> str:
    """Where a Location leads, seen from `base`; raises UnsafeDestination."""
    try:
        return urljoin(base, location)
    except ValueError:
        raise UnsafeDestination(f"{Origin.of(base).netloc} sends us to what is no URL") from None


def target_of(url: str) -> str:
    """Path and query of an http(s) URL as they are written: signatures cover their spelling.

    Only what cannot be sent, as a space, is escaped.
    """
    _, _, rest = url.partition("://")
    start = re.search(r"[/?#]", rest)
    found = rest[start.start() :].partition("#")[0] if start else ""
    if not found.startswith("/"):
        found = f"/{found}"
    return _UNSENDABLE.sub(_escape, found)


def _escape(match: re.Match[str]) -> str:
    """Header values are read as Latin-1, so that is what an odd Location is written back in."""
    return quote(match[0].encode("latin-1" if match[0] <= "\xff" else "utf-8"))


def check_step(start: Origin, target: Origin, *, nearest: Reach = Reach.PRIVATE) -> None:
    """Refuse to follow a server from `start` to `target`.

    Never from https to http. An address inside the user's machine or network is followed only when
    `start` is as near itself (or the same host); `nearest` is the nearest one that anybody may
    name. Link-local ones (cloud metadata) are for link-local servers only. Raises
    UnsafeDestination.
    """
    if start.secure and not target.secure:
        raise UnsafeDestination(f"{start.netloc} sends us to plain http at {target.netloc}")
    if target.host == start.host:
        return
    inward = target.reach < nearest and target.reach < start.reach
    if inward or (target.reach is Reach.LINK_LOCAL and start.reach is not Reach.LINK_LOCAL):
        raise UnsafeDestination(
            f"{start.netloc} sends us to {target.netloc}, an address inside this network"
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the system would connect to, in any of its spellings (`127.1`, `0x7f.1`)."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            found = ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
    return found if isinstance(found, ipaddress.IPv4Address) else _inner(found) or found


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """What an IPv6 address leads to that is one of IPv4: mapped, 6to4, NAT64, or compatible."""
    mapped = address.ipv4_mapped or address.sixtofour
    compatible = int(address) >> 32 == 0 and not (address.is_loopback or address.is_unspecified)
    if mapped is not None or not (compatible or address in _NAT64):
        return mapped
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _reach(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Reach:
    if address.is_loopback or address.is_unspecified:
        return Reach.LOOPBACK
    if address.is_link_local:
        return Reach.LINK_LOCAL
    old = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return Reach.PUBLIC if address.is_global and not old else Reach.PRIVATE
