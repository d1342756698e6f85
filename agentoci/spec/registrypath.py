"""A registry, and what stands before the names of repositories there."""

from __future__ import annotations

from dataclasses import dataclass

from agentoci.spec.reference import InvalidReference, Reference


@dataclass(frozen=True, slots=True)
class RegistryPath:
    """`HOST[:PORT][/PREFIX]`; prints back to what it was read from."""

    registry: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> RegistryPath:
        """Read it, a `/` at the end allowed; raises InvalidReference."""
        registry, _, prefix = text.rstrip("/").partition("/")
        found = cls(registry, prefix)
        try:
            known = found.repository("name").registry
        except InvalidReference:
            known = None
        if known != registry:
            hint = "write HOST, HOST:PORT or HOST/PREFIX"
            raise InvalidReference(f"{text!r} is no registry", hint=hint)
        return found

    def repository(self, name: str) -> Reference:
        """The repository of a name; raises InvalidReference for one that no repository can have."""
        return Reference.parse(f"{self}/{name}")

    def __str__(self) -> str:
        return f"{self.registry}/{self.prefix}" if self.prefix else self.registry
