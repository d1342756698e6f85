"""Which token server a registry may name, and whether a password may go there.

A realm is chosen by the server that answers, so it is where a hostile or careless registry would
collect credentials, or make us knock at addresses inside the user's network (CVE-2026-48978).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from agentoci.registry.errors import UnsafeDestination
from agentoci.registry.http.origin import Origin, Reach, check_step, joined

_ELSEWHERE: Final = {
    "nvcr.io": "authn.nvidia.com",
    "fr-par.scw.cloud": "api.scaleway.com",
    "nl-ams.scw.cloud": "api.scaleway.com",
    "pl-waw.scw.cloud": "api.scaleway.com",
}
"""Public registries whose token server is known to live in another domain."""

_SECOND_LEVEL: Final = frozenset(
    {"ac", "co", "com", "edu", "gob", "gov", "gv", "ne", "net", "nom", "or", "org"}
)
"""What countries sell names below, as in `co.uk`."""

_SHARED: Final = frozenset({"azurecr.io", "jfrog.io", "github.io", "herokuapp.com", "fly.dev"})
"""Domains in which every customer has a name."""


class UntrustedRealm(UnsafeDestination):
    """A registry named a token server that must not get credentials."""


def resolve_realm(
    realm: str, registry: Origin, *, secret: bool, allowed: Collection[str] = ()
) -> str:
    """The token server's URL; a relative realm belongs to the registry.

    https only, unless the registry itself is plain http; no address inside a network that the
    registry is not in. With `secret` (a password or token will be sent there) also: another host
    only when it is plainly of the same house and named over https, or both are on this machine.
    Hosts (`host` or `host:port`) that the user has `allowed` need no more than https. Raises
    UntrustedRealm.
    """
    url = joined(f"{registry}/v2/", realm)
    try:
        target = Origin.of(url)
        if _is_allowed(target, registry, allowed):
            return url
        check_realm_step(registry, target)
        if secret and target.host != registry.host:
            _check_stranger(registry, target)
    except UnsafeDestination as exc:
        raise UntrustedRealm(
            f"token server not trusted: {exc.message}",
            hint="no credentials were sent there; if they belong there, name it in realm_hosts "
            "of the config file",
        ) from None
    return url


def check_realm_step(start: Origin, target: Origin) -> None:
    """Where a registry may send us for a token, and a token server may redirect to."""
    check_step(start, target, nearest=Reach.PUBLIC)


def _is_allowed(target: Origin, registry: Origin, allowed: Collection[str]) -> bool:
    named = target.netloc in allowed or target.host in allowed
    return named and (target.secure or not registry.secure)


def _check_stranger(registry: Origin, target: Origin) -> None:
    if registry.reach is Reach.LOOPBACK and target.reach is Reach.LOOPBACK:
        return
    if not registry.secure:
        raise UnsafeDestination(
            f"{registry.netloc} is spoken to over plain http, so its word that credentials "
            f"belong to {target.netloc} cannot be believed"
        )
    if target.is_address:
        raise UnsafeDestination(
            f"{registry.netloc} wants credentials sent to the bare address {target.netloc}"
        )
    house = _house(registry.host)
    known = _ELSEWHERE.get(house) == target.host
    if not known and target.host != house and not target.host.endswith(f".{house}"):
        raise UnsafeDestination(
            f"{registry.netloc} wants credentials sent to {target.netloc}, outside of {house}"
        )


def _house(host: str) -> str:
    """The domain whose hosts share an owner with a registry: `docker.io` of registry-1.docker.io.

    The parent, unless that is a place where anybody may have a name (`io`, `co.uk`): then the host.
    """
    parent = host.partition(".")[2]
    first, dot, rest = parent.partition(".")
    national = first in _SECOND_LEVEL and "." not in rest
    return host if not dot or national or parent in _SHARED else parent
