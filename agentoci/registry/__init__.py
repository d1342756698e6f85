"""The client of remote registries: challenges, credentials, uploads, downloads that verify.

From the wire up: `http` sends requests, `auth` says who we are, `endpoint` is one registry and
`repository` a target of content, whose blobs are moved by `blobs`; `client` puts them together.
`probes` find out what a registry can do, `search` what it holds.

May import `content` and everything below. Opens sockets. `OrasRegistry` (`oras`) is oras-py's API
on this client; it, and oras-py with it, is imported when it is first asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, whose import would cost every command time
if TYPE_CHECKING:
    from agentoci.registry.oras.bridge import OrasRegistry

__all__ = ["OrasRegistry"]


def __getattr__(name: str) -> object:
    """Import OrasRegistry when it is first asked for (PEP 562)."""
    if name != "OrasRegistry":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from agentoci.registry.oras.bridge import OrasRegistry

    return OrasRegistry
