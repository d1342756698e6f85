"""Pages of a listing: where the next one is (RFC 8288, as registries write it)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from agentoci.registry.errors import UnsafeDestination
from agentoci.registry.http.origin import Origin, joined
from agentoci.registry.http.transport import Answer

_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION: Final = re.compile(r""";\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))""", re.IGNORECASE)


def next_page(answer: Answer, home: Origin) -> str | None:
    """The URL of the next page, always at `home`; None on the last one.

    A link with another scheme or port comes from a registry that does not know its proxy; one to
    another host raises UnsafeDestination.
    """
    for target, parameters in _LINK.findall(answer.headers.get("Link", "")):
        if "next" not in _relations(parameters):
            continue
        url = joined(answer.url, target)
        if Origin.of(url).host != home.host:
            raise UnsafeDestination(
                f"{home.netloc} sends us to {Origin.of(url).netloc} for the rest of a list"
            )
        parts = urlsplit(url)
        return f"{home}{parts.path}?{parts.query}"
    return None


def _relations(parameters: str) -> list[str]:
    """What a link leads to; several relations may stand in quotes."""
    found = _RELATION.findall(parameters)
    return [word for quoted, bare in found for word in (quoted or bare).lower().split()]
