"""Agents as OCI artifacts: build, push, pull and run them from the registry you already have."""

from __future__ import annotations

from agentoci._internal.version import __version__

TYPE_CHECKING = False  # as in `typing`, whose import would cost every supervisor memory
if TYPE_CHECKING:
    from agentoci.api.builds import BuildOptions
    from agentoci.api.engine import Engine
    from agentoci.api.runs import RunOptions
    from agentoci.config.settings import Settings, read_settings
    from agentoci.errors import AgentociError
    from agentoci.spec.digest import Digest
    from agentoci.spec.reference import Reference

_HOMES = {
    "AgentociError": "agentoci.errors",
    "BuildOptions": "agentoci.api.builds",
    "Digest": "agentoci.spec.digest",
    "Engine": "agentoci.api.engine",
    "Reference": "agentoci.spec.reference",
    "RunOptions": "agentoci.api.runs",
    "Settings": "agentoci.config.settings",
    "read_settings": "agentoci.config.settings",
}

__all__ = [
    "AgentociError",
    "BuildOptions",
    "Digest",
    "Engine",
    "Reference",
    "RunOptions",
    "Settings",
    "__version__",
    "read_settings",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
