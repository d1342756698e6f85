"""Which proxy a request goes through; the caller reads the environment, not this package."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from agentoci.registry.errors import InvalidRegistryConfig
from agentoci.registry.http.origin import Origin


@dataclass(frozen=True, slots=True)
class Proxies:
    """The values of HTTP_PROXY, HTTPS_PROXY and NO_PROXY; empty means none.

    `bypass` is comma-separated: `*`, a name (with its subdomains), an address, a network in CIDR
    form, each with or without a port. Loopback never goes through a proxy.
    """

    http: str = ""
    https: str = ""
    bypass: str = ""

    def select(self, origin: Origin) -> str | None:
        """The proxy's URL for this destination; None to go there directly.

        Raises InvalidRegistryConfig for what is no proxy that can be used.
        """
        proxy = self.https if origin.secure else self.http
        if not proxy or origin.reach == 0 or self._bypassed(origin):
            return None
        return _checked(proxy if "://" in proxy else f"http://{proxy}", origin)

    def _bypassed(self, origin: Origin) -> bool:
        entries = (entry.strip().lower() for entry in self.bypass.split(","))
        return any(_matches(entry, origin) for entry in entries if entry)


def _checked(proxy: str, origin: Origin) -> str:
    """The proxy's URL; it may hold a password, so that no more than its scheme is shown."""
    name = f"{origin.scheme.upper()}_PROXY"
    try:
        parts = urlsplit(proxy)
        usable = parts.hostname and parts.port != 0
    except ValueError:
        parts, usable = None, False
    if parts is None or not usable:
        raise InvalidRegistryConfig(f"{name} is no address", hint=f"as in {name}=http://HOST:PORT")
    if parts.scheme not in {"http", "https"}:
        raise InvalidRegistryConfig(
            f"{name} has the scheme {parts.scheme!r}: only http and https proxies can be used",
            hint=f"as in {name}=http://HOST:PORT",
        )
    return proxy


def _matches(entry: str, origin: Origin) -> bool:
    if entry == "*":
        return True
    if _in_network(entry, origin.host):
        return True
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and "]" not in port:
        if int(port) != origin.port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").removeprefix(".")
    return origin.host == entry or origin.host.endswith(f".{entry}")


def _in_network(entry: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
