"""How one command reaches registries: what its user said beyond settings and stored logins."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentoci.registry.auth.credentials import Credential


@dataclass(frozen=True, slots=True)
class Access:
    """Given by flags, for one engine; the default says nothing.

    User name and password, or an identity token, belong to the registry that the command addresses
    first, and to no other. `authfile` is asked before all other files of credentials, and is where
    a login is kept. `plain_http` is for the registries that the command names; what a server sends
    us to is no such registry. `ca_file` adds certificate authorities.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    authfile: Path | None = None
    plain_http: bool = False
    ca_file: Path | None = None

    def credential(self) -> Credential | None:
        """Who the user said they are; None when they did not."""
        from agentoci.registry.auth.credentials import Credential

        if not (self.username or self.identity_token):
            return None
        return Credential(self.username, self.password, self.identity_token or None)
