"""What can go wrong with a registry, by what the user can do about it."""

from __future__ import annotations

from agentoci.content.protocols import ChildMissing, ContentNotFound
from agentoci.errors import AgentociError, Denied, Invalid, Unreachable


class RegistryUnreachable(Unreachable):
    """No usable answer from a host; `transient` says whether trying again may help."""

    transient = True

    def __init__(self, host: str, reason: str, *, hint: str | None = None) -> None:
        named = reason.startswith(host)
        super().__init__(reason if named else f"{host}: {reason}", hint=hint)
        self.host = host
        self.reason = reason


class RegistryTimeout(RegistryUnreachable):
    """The host did not answer, or stalled, for longer than the limit."""


class RegistryFailing(RegistryUnreachable):
    """The host answers, but with errors of its own, after all retries."""


class UntrustedCertificate(RegistryUnreachable):
    """TLS could not be set up: unknown issuer, wrong name, expired."""

    transient = False


class TlsWanted(RegistryUnreachable):
    """The host speaks TLS only, and was spoken to over plain http."""

    transient = False


class ProxyRefused(RegistryUnreachable):
    """The proxy does not let us through; only some refusals pass by themselves."""

    def __init__(
        self, host: str, reason: str, *, hint: str | None = None, transient: bool = False
    ) -> None:
        super().__init__(host, reason, hint=hint)
        self.transient = transient


class AuthenticationFailed(Denied):
    """The registry wants credentials that are missing or wrong."""


class AccessDenied(Denied):
    """The credentials are known, and do not allow this."""


class UnsafeDestination(Denied):
    """A server sent us to a place where credentials or content must not go."""


class BlobNotFound(ContentNotFound):
    """The repository has no such blob."""


class ManifestNotFound(ContentNotFound):
    """The repository has no such tag or manifest."""


class RepositoryNotFound(ContentNotFound):
    """The registry has no such repository, or hides it."""


class Rejected(AgentociError):
    """The registry understood and refused; the message shows its code and its words."""


class ManifestRejected(Rejected):
    """The registry does not take this manifest."""


class ManifestBlobUnknown(ManifestRejected, ChildMissing):
    """The registry says that something the manifest names is not there (yet, or any more)."""


class InvalidRegistryConfig(Invalid):
    """A docker config file, proxy or certificate file that cannot be used."""
