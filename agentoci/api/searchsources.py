"""Where agents are searched: the local store, index artifacts, and registries of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentoci.api.locations import Location, parse_location
from agentoci.errors import Invalid
from agentoci.spec.reference import InvalidReference
from agentoci.spec.registrypath import RegistryPath

LOCAL: Final = "local"
INDEX: Final = "oci-index"
HUB: Final = "hub"
REGISTRIES: Final = ("registry", "catalog", "zot", "harbor")
KINDS: Final = (LOCAL, INDEX, *REGISTRIES, HUB)
"""`local`, and the schemes in front of `://`."""


class InvalidSource(Invalid):
    """Not a place to search."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place to search: its kind, and where it is."""

    kind: str
    where: str = ""

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read `local` or `KIND://WHERE`; raises InvalidSource."""
        kind, scheme, where = text.strip().partition("://")
        if kind not in KINDS or (kind == LOCAL) == bool(scheme):
            raise InvalidSource(
                f"{text!r} is not a place to search",
                hint="local, oci-index://HOST/NAME:TAG, registry://HOST, catalog://HOST, "
                "zot://HOST, harbor://HOST or hub://",
            )
        source = cls(kind, where.strip("/") if kind != INDEX else where)
        source.check()
        return source

    def check(self) -> None:
        """Raises InvalidSource when it does not say where."""
        try:
            if self.kind == INDEX:
                parse_location(self.where)
            elif self.kind in REGISTRIES or self.where:
                RegistryPath.parse(self.where)
        except InvalidReference as exc:
            raise InvalidSource(f"{self}: {exc.message}", hint=exc.hint) from exc

    @property
    def location(self) -> Location:
        """Where an index artifact is."""
        return parse_location(self.where)

    @property
    def host(self) -> str:
        """The registry, without the prefix of its repositories."""
        return self.where.partition("/")[0]

    @property
    def prefix(self) -> str:
        """What the names of its repositories must begin with."""
        return self.where.partition("/")[2]

    def __str__(self) -> str:
        return self.kind if self.kind == LOCAL else f"{self.kind}://{self.where}"


def default_sources(default_registry: str | None, configured: Sequence[str]) -> list[Source]:
    """The local store, the default registry, and what is configured; each once.

    Raises InvalidSource for a configured one that is none.
    """
    named = [LOCAL]
    if default_registry is not None:
        hub = default_registry.partition("/")[0] == "docker.io"
        named.append(f"{HUB}://" if hub else f"registry://{default_registry}")
    return list(dict.fromkeys(map(Source.parse, [*named, *configured])))
