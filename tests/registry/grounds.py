"""Grounds to probe, and the findings in short."""

from __future__ import annotations

from collections.abc import Callable

from agentoci.registry.auth.credentials import Credential, OneCredential
from agentoci.registry.probing import Ground, Probed, Result

MakeGround = Callable[..., Ground]
"""A repository at a host, by default as nobody; options as in ClientOptions."""


def ada(host: str, password: str = "secret", user: str = "ada") -> dict[str, OneCredential]:
    """The option that makes us somebody there."""
    return {"credentials": OneCredential(host, Credential(user, password))}


def results(found: Probed) -> dict[str, Result]:
    """Check → result."""
    return {finding.check: finding.result for finding in found.findings}


def detail(found: Probed, check: str) -> str:
    """What is said of a check."""
    return next(finding.detail for finding in found.findings if finding.check == check)
