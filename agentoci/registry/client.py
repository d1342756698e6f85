"""The client of remote registries: from a reference to a repository."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from agentoci._internal.clock import Clock, SystemClock
from agentoci.registry.auth.authorizer import Authorizer
from agentoci.registry.auth.credentials import (
    DOCKER_HUB,
    Credential,
    CredentialProvider,
    NoCredentials,
    OneCredential,
    canonical_host,
)
from agentoci.registry.auth.tokens import TokenServer
from agentoci.registry.endpoint import Endpoint
from agentoci.registry.errors import (
    AuthenticationFailed,
    InvalidRegistryConfig,
    RegistryFailing,
    UnsafeDestination,
)
from agentoci.registry.facts import Memory, RunMemory
from agentoci.registry.hosts import HostOptions, MirrorOptions, Site
from agentoci.registry.http.certificates import Certificates, find_certificates
from agentoci.registry.http.dialing import Resolver, system_addresses
from agentoci.registry.http.limiter import USUAL
from agentoci.registry.http.origin import Origin, Reach
from agentoci.registry.http.proxies import Proxies
from agentoci.registry.http.retry import Patience, RetryPolicy
from agentoci.registry.http.transport import Request, Timeouts, Transport
from agentoci.registry.listing import list_repositories
from agentoci.registry.mirrors import Mirror, MirroredRepository, MirrorEndpoint
from agentoci.registry.repository import Repository
from agentoci.registry.turns import Turns
from agentoci.spec.reference import InvalidReference, Reference

logger = logging.getLogger(__name__)

_WRONG_LOGIN: Final = "check user name and password"
_HUB_API: Final = "registry-1.docker.io"
_SOON: Final = 20.0
_FEW: Final = 3
"""Seconds without a byte, and tries, after which a question is left open."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What a client needs from the world.

    Plain http is spoken to loopback hosts and to `insecure_hosts` only; `secure_hosts` are spoken
    to over TLS though they are loopback. Both hold `host` or `host:port`. With `plain_http` it is
    spoken to every registry that a reference leads to, yet to no host that a server names.
    `given` is a credential for the registry that is opened first, and for no other. `ca_file` adds
    certificate authorities to those of the system. `realm_hosts` are token servers that may get
    credentials of registries elsewhere. `hosts` settles more for single registries, and
    `certificate_folders` hold certificates in folders by their names. `warn` gets what the user
    should hear of. `chance` gives numbers from 0 to 1; `memory` is what is known of registries. In
    `lock_folder` the processes of this host take turns.
    """

    credentials: CredentialProvider = field(default_factory=NoCredentials)
    given: Credential | None = None
    plain_http: bool = False
    insecure_hosts: frozenset[str] = frozenset()
    secure_hosts: frozenset[str] = frozenset()
    ca_file: Path | None = None
    realm_hosts: frozenset[str] = frozenset()
    hosts: Mapping[str, HostOptions] = field(default_factory=dict)
    certificate_folders: tuple[Path, ...] = ()
    warn: Callable[[str], None] = logger.warning
    proxies: Proxies = field(default_factory=Proxies)
    resolve: Resolver = system_addresses
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] | None = None
    user_agent: str = "agentoci"
    memory: Memory = field(default_factory=RunMemory)
    lock_folder: Path | None = None


class RegistryClient:
    """Opens repositories; connections and tokens are shared between them. Close it."""

    def __init__(self, options: ClientOptions | None = None) -> None:
        self._options = options or ClientOptions()
        self._transport = Transport(
            user_agent=self._options.user_agent,
            timeouts=self._options.timeouts,
            proxies=self._options.proxies,
            common=Certificates((self._options.ca_file,) if self._options.ca_file else ()),
            clock=self._options.clock,
            longest_order=self._options.retry.longest_order,
            warn=self._options.warn,
            resolve=self._options.resolve,
        )
        self._turns = Turns(self._options.lock_folder, self._options.clock)
        hosts = self._options.hosts.items()
        self._hosts = {_settled_name(host): settled for host, settled in hosts}
        self._endpoints: dict[str, Endpoint] = {}
        self._mirrors: dict[str, tuple[Mirror, ...]] = {}
        self._lock = threading.Lock()

    def repository(self, reference: Reference, *, push: bool = False) -> Repository:
        """The repository that a reference names; `push` when content will be pushed to it.

        One that is only read is read from the registry's mirrors, if it has any. Raises
        InvalidReference for a reference without a registry, InvalidRegistryConfig.
        """
        if reference.registry is None:
            raise InvalidReference(
                f"{str(reference)!r} names no registry", hint=f"write HOST/{reference}"
            )
        host = canonical_host(reference.registry)
        name = reference.repository
        if host == DOCKER_HUB and "/" not in name:
            name = f"library/{name}"
        mirrors = () if push else self._mirrors_of(host)
        if mirrors:
            return MirroredRepository(self._endpoint(host), name, mirrors)
        return Repository(self._endpoint(host), name, push=push)

    def catalog(self, host: str) -> list[str]:
        """The repositories of a registry that lists them.

        Raises CatalogMissing, ListingIncomplete, Denied, RegistryUnreachable.
        """
        return list_repositories(self._endpoint(_registry(host)))

    def api(self, host: str, *, anonymous: bool = False) -> Endpoint:
        """What else a registry's server offers beside the distribution API, with tokens of its own.

        An anonymous one has no credentials to send.
        """
        credentials = NoCredentials() if anonymous else self._options.credentials
        return self._connect(_registry(host), credentials)

    def hasty(self, *, seconds: float) -> RegistryClient:
        """A client of the same options for looking around: it gives up early. Close it too."""
        timeouts = Timeouts(*[float(seconds)] * 3)
        retry = replace(self._options.retry, tries=2, longest_order=seconds)
        return RegistryClient(replace(self._options, timeouts=timeouts, retry=retry))

    def endpoint(self, host: str) -> Endpoint:
        """The registry itself, as its repositories are asked; raises InvalidReference."""
        return self._endpoint(_registry(host))

    def unprejudiced(self) -> RegistryClient:
        """A client of the same options that knows nothing of any registry yet. Close it too.

        It is for questions, and gives up on an answer sooner than who has work to save.
        """
        known = self._options
        timeouts = replace(known.timeouts, read=min(known.timeouts.read, _SOON))
        retry = replace(known.retry, tries=min(known.retry.tries, _FEW))
        options = replace(known, memory=RunMemory(), timeouts=timeouts, retry=retry)
        return RegistryClient(options)

    def check_login(self, registry: str, credential: Credential) -> None:
        """Ask a registry (`HOST[:PORT]`, with or without a name space) whether it takes these.

        Raises AuthenticationFailed, RegistryUnreachable. A registry that asks for none takes any.
        """
        host = _registry(registry, with_space=True)
        endpoint = self._connect(host, OneCredential(host, credential))
        try:
            answer = endpoint.request(Request("GET", endpoint.url("")), expect={200})
        except AuthenticationFailed as exc:
            raise AuthenticationFailed(
                f"login at {host} failed: {exc.message}", hint=_WRONG_LOGIN
            ) from exc
        if answer.status in {401, 403}:
            answer.discard()
            raise AuthenticationFailed(
                f"login at {host} failed: it does not accept the credentials", hint=_WRONG_LOGIN
            )
        answer.discard()
        if answer.status != 200:
            raise RegistryFailing(
                host,
                f"answers {answer.status} to /v2/, which a registry does not",
                hint="is the name of the registry right?",
            )

    @property
    def requests(self) -> int:
        """How many requests were sent so far: a measure of what an operation costs."""
        return self._transport.requests

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _endpoint(self, host: str) -> Endpoint:
        with self._lock:
            if host not in self._endpoints:
                credentials, given = self._options.credentials, self._options.given
                if given is not None and not self._endpoints:
                    credentials = OneCredential(host, given)
                self._endpoints[host] = self._connect(host, credentials)
            return self._endpoints[host]

    def _mirrors_of(self, host: str) -> tuple[Mirror, ...]:
        """The registry's mirrors; each is left out for all repositories once it has failed."""
        settled = self._hosts.get(_settled_name(host))
        if settled is None or not settled.mirrors:
            return ()
        with self._lock:
            if host not in self._mirrors:
                self._mirrors[host] = tuple(self._mirror(one, host) for one in settled.mirrors)
            return self._mirrors[host]

    def _mirror(self, settled: MirrorOptions, upstream: str) -> Mirror:
        """A mirror is given up soon: the registry itself can be asked instead."""
        origin = Origin.of(settled.url)
        host = canonical_host(origin.netloc)
        if not origin.secure and self._origin(host).secure:
            raise InvalidRegistryConfig(
                f"mirror {settled.url} of {upstream}: plain http is for this machine only",
                hint=f'or allow it: [registries."{host}"] insecure = true',
            )
        parts = self._parts(host, origin, self._options.credentials, tries=2)
        endpoint = MirrorEndpoint(host, origin, address=settled.url, upstream=upstream, **parts)
        return Mirror(endpoint, resolves=settled.resolve, warn=self._options.warn)

    def _connect(self, host: str, credentials: CredentialProvider) -> Endpoint:
        origin = self._origin(host)
        return Endpoint(host, origin, **self._parts(host, origin, credentials))

    def _settle(self, host: str, origin: Origin) -> None:
        """Tell the transport what is special about a registry."""
        settled = self._hosts.get(_settled_name(host), HostOptions())
        certificates = settled.certificates
        if origin.secure:
            certificates += find_certificates(host, self._options.certificate_folders)
        most = settled.max_concurrency or USUAL
        self._transport.settle(origin, Site(certificates, settled.headers, most))

    def _parts(
        self,
        host: str,
        origin: Origin,
        credentials: CredentialProvider,
        *,
        tries: int | None = None,
    ) -> dict[str, Any]:
        """What an endpoint is made of."""
        options = self._options
        self._settle(host, origin)
        policy = options.retry
        policy = replace(policy, tries=min(policy.tries, tries or policy.tries))
        patience = Patience(policy, options.clock, options.chance)
        server = TokenServer(
            origin, self._transport, patience, options.clock, realm_hosts=options.realm_hosts
        )
        authorizer = Authorizer(
            host,
            lambda repository: credentials.lookup(host, repository),
            server,
            options.clock,
            warn=options.warn,
        )
        return {
            "transport": self._transport,
            "authorizer": authorizer,
            "patience": patience,
            "memory": options.memory,
            "turns": self._turns,
        }

    def _origin(self, host: str) -> Origin:
        api = _HUB_API if host == DOCKER_HUB else host
        try:
            secure = Origin.of(f"https://{api}")
        except UnsafeDestination as exc:
            raise InvalidReference(f"{host!r} is not a registry's address") from exc
        names = {host, secure.host}
        settled = self._hosts.get(_settled_name(host))
        insecure = names & self._options.insecure_hosts or (settled and settled.insecure)
        if self._options.plain_http or insecure:
            return Origin.of(f"http://{api}")
        if secure.reach is Reach.LOOPBACK and not names & self._options.secure_hosts:
            return Origin.of(f"http://{api}")
        return secure


def _settled_name(host: str) -> str:
    """The name under which a registry is settled: with or without its usual port it is the same."""
    return canonical_host(host).removesuffix(":443")


def _registry(text: str, *, with_space: bool = False) -> str:
    """The registry that a user means by `HOST[:PORT]`; one that references can name.

    `with_space` lets a name space stand behind it.
    """
    host, slash, space = canonical_host(text).partition("/")
    if with_space or not slash:
        try:
            found = Reference.parse(f"{host}/{space or 'x'}")
        except InvalidReference:
            found = None
        if found is not None and (found.registry, found.repository) == (host, space or "x"):
            return host
    form = "HOST, HOST:PORT or HOST/NAMESPACE" if with_space else "HOST or HOST:PORT"
    raise InvalidReference(f"{text!r} is not a registry", hint=f"write {form}")
