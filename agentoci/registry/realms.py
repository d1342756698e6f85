"""Which token server a registry may name, and whether a password may go there.

A realm is chosen by the server that answers, so it is where a hostile or careless registry would
collect credentials, or make us knock at addresses inside the user's network (CVE-2026-48978).
"""

from __future__ import annotations

from urllib.parse import urljoin

from agentoci.registry.errors import UnsafeDestination
from agentoci.registry.origin import Origin, Reach, check_step


def resolve_realm(realm: str, registry: Origin, *, secret: bool) -> str:
    """The token server's URL; a relative realm belongs to the registry.

    https only, unless the registry itself is plain http; no address inside a network that the
    registry is not in. With `secret` (a password or token will be sent there) also: another host
    only by name, and only when a registry over https named it, or both are on this machine.
    Raises UnsafeDestination.
    """
    url = urljoin(f"{registry}/v2/", realm)
    try:
        target = Origin.of(url)
        check_realm_step(registry, target)
        if secret and target.host != registry.host:
            _check_stranger(registry, target)
    except UnsafeDestination as exc:
        raise UnsafeDestination(
            f"token server not trusted: {exc.message}",
            hint="nothing was sent there; ask who runs the registry",
        ) from None
    return url


def check_realm_step(start: Origin, target: Origin) -> None:
    """Where a registry may send us for a token, and a token server may redirect to."""
    check_step(start, target, nearest=Reach.PUBLIC)


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
