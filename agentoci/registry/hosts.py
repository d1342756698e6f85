"""What the user has settled for one registry, beyond what counts for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentoci.registry.http.certificates import Certificates, Pair
from agentoci.registry.http.limiter import USUAL


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """A mirror's address; with `resolve` it is asked for tags too, not for digests only."""

    url: str
    resolve: bool = False


@dataclass(frozen=True, slots=True)
class HostOptions:
    """How to speak to one registry.

    `headers` go with every request to its own origin, and are secrets; so are certificate and key.
    `insecure` allows plain http. `mirrors` are asked first when something is read.
    """

    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    insecure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    mirrors: tuple[MirrorOptions, ...] = ()
    max_concurrency: int | None = None

    @property
    def certificates(self) -> Certificates:
        """What of it concerns TLS; the key may be in the certificate's file."""
        pair = None
        if self.client_cert is not None:
            pair = Pair(self.client_cert, self.client_key or self.client_cert)
        return Certificates((self.ca_file,) if self.ca_file else (), pair)


@dataclass(frozen=True, slots=True)
class Site:
    """What the transport has to know of an origin; the default counts for all that it meets."""

    certificates: Certificates = field(default_factory=Certificates)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    most: int = USUAL
