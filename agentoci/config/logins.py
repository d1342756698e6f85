"""Logins that environment variables give: ours, and those of CI systems.

`AGENTOCI_AUTH_<REGISTRY>` holds `USER:PASSWORD`, or that in base64. In the name, a dot or colon of
the registry is `_` and a hyphen `__`: `AGENTOCI_AUTH_REGISTRY_EXAMPLE_COM_5000`. No two registries
share a name, so that none gets what belongs to another. The user `<token>` means that the rest is
an identity token, as with credential helpers. `AGENTOCI_USERNAME` and `AGENTOCI_PASSWORD` belong to
`AGENTOCI_REGISTRY`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agentoci.errors import Invalid

_PREFIX: Final = "AGENTOCI_AUTH_"


class InvalidLogin(Invalid):
    """A variable that should give a login does not."""


@dataclass(frozen=True, slots=True)
class EnvironmentLogin:
    """A login by a variable: for `registry`, or for the one that the variable's name spells."""

    variable: str
    username: str
    password: str = field(repr=False)
    registry: str = ""

    def is_for(self, host: str) -> bool:
        """Whether it belongs to this registry (`host` or `host:port`)."""
        if self.registry:
            return self.registry == host
        return self.variable.removeprefix(_PREFIX).upper() == spelled(host)


def spelled(host: str) -> str:
    """A registry in the name of a variable.

    A hyphen never stands beside a dot, a colon or the end of a host, so this has one way back.
    """
    plain = host.replace("-", "__")
    for mark in ".:[]":
        plain = plain.replace(mark, "_")
    return plain.upper()


def own_logins(environment: Mapping[str, str]) -> tuple[EnvironmentLogin, ...]:
    """Those by our own variables; raises InvalidLogin."""
    found = [
        _parsed(name, value)
        for name, value in sorted(environment.items())
        if name.startswith(_PREFIX) and value
    ]
    username, password = (environment.get(f"AGENTOCI_{what}") for what in ("USERNAME", "PASSWORD"))
    if username or password:
        registry = environment.get("AGENTOCI_REGISTRY")
        if not (username and password and registry):
            raise InvalidLogin(
                "AGENTOCI_USERNAME and AGENTOCI_PASSWORD belong to AGENTOCI_REGISTRY, "
                "but not all three are set",
                hint="set AGENTOCI_REGISTRY to HOST[:PORT], or use AGENTOCI_AUTH_<REGISTRY>",
            )
        found.append(EnvironmentLogin("AGENTOCI_USERNAME", username, password, registry.lower()))
    return tuple(found)


def ci_logins(environment: Mapping[str, str]) -> tuple[EnvironmentLogin, ...]:
    """Those that a job of GitHub Actions or GitLab CI has for its own registry."""
    found = []
    if token := environment.get("GITHUB_TOKEN"):
        actor = environment.get("GITHUB_ACTOR") or "unset"
        found.append(EnvironmentLogin("GITHUB_TOKEN", actor, token, "ghcr.io"))
    registry = (environment.get("CI_REGISTRY") or "").lower()
    username, password = (environment.get(f"CI_REGISTRY_{what}") for what in ("USER", "PASSWORD"))
    token = environment.get("CI_JOB_TOKEN")
    if registry and username and password:
        found.append(EnvironmentLogin("CI_REGISTRY_PASSWORD", username, password, registry))
    elif registry and token:
        found.append(EnvironmentLogin("CI_JOB_TOKEN", "gitlab-ci-token", token, registry))
    return tuple(found)


def _parsed(variable: str, value: str) -> EnvironmentLogin:
    pair = value
    if ":" not in value:
        try:
            pair = base64.b64decode(value, validate=True).decode().rstrip("\0\n")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            pair = ""
    username, colon, password = pair.partition(":")
    if not (username and colon and password):
        raise InvalidLogin(
            f"{variable} is neither USER:PASSWORD nor that in base64",
            hint=f"{variable}=USER:PASSWORD",
        )
    return EnvironmentLogin(variable, username, password)
