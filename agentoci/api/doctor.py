"""What a registry can do: found out by probes, remembered, and shown."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from agentoci._internal.clock import timestamp
from agentoci.api.repositories import as_written
from agentoci.errors import AgentociError
from agentoci.registry.auth.credentials import DOCKER_HUB, canonical_host
from agentoci.registry.probing import Finding, Ground, Probed, facts_from, look, probe
from agentoci.spec.reference import InvalidReference, Reference
from agentoci.spec.registrypath import RegistryPath

if TYPE_CHECKING:
    from agentoci.api.engine import Engine
    from agentoci.registry.client import RegistryClient

_REPOSITORY: Final = "agentoci-doctor"


_Ask = Callable[["RegistryClient"], tuple[Ground, Probed]]


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of a registry now.

    `findings` are this run's, `facts` all that is remembered, by name. `left` says in words what
    could not be removed again; `error` is why no more could be found out.
    """

    registry: str
    findings: tuple[Finding, ...]
    facts: dict[str, Any]
    left: tuple[str, ...] = ()
    error: AgentociError | None = None


def places_of(text: str) -> tuple[str, str]:
    """The repositories that probing `HOST[/PREFIX]` writes to; raises InvalidReference."""
    place = _writable(text)
    return place.name, f"{place.name}-mount"


def probe_registry(engine: Engine, text: str) -> Examined:
    """Probe `HOST[/PREFIX]` with content of our own, which is removed again, and remember.

    Raises InvalidReference; what else goes wrong is in the result.
    """
    place = _writable(text)

    def ask(client: RegistryClient) -> tuple[Ground, Probed]:
        endpoint = client.endpoint(str(place.registry))
        seed = secrets.token_bytes(16)
        ground = Ground(endpoint, place.repository, seed=seed, writes=True)
        return ground, probe(ground, who=_who(engine, place))

    return _examine(engine, place, ask)


def look_at_registry(engine: Engine, text: str, *, image: str | None = None) -> Examined:
    """Find out without writing; `image` is one at this registry to look at.

    Raises InvalidReference; what else goes wrong is in the result.
    """
    place = _place(text)
    seen = _image(image, place) if image else None

    def ask(client: RegistryClient) -> tuple[Ground, Probed]:
        endpoint = client.endpoint(str(place.registry))
        ground = Ground(endpoint, client.repository(seen).name if seen else None)
        selector = seen.selector if seen else None
        return ground, look(ground, who=_who(engine, seen or place), image=selector)

    return _examine(engine, place, ask)


def recall(engine: Engine, text: str) -> Examined:
    """What is remembered of a registry; asks nobody. Raises InvalidReference."""
    place = _place(text)
    endpoint = engine.client.endpoint(str(place.registry))
    return Examined(endpoint.host, (), asdict(endpoint.facts))


def _examine(engine: Engine, place: Reference, ask: _Ask) -> Examined:
    remembered = engine.client.endpoint(str(place.registry))
    with engine.client.unprejudiced() as client:
        ground, found = ask(client)
    facts = facts_from(found, remembered.facts, least=ground.least)
    if facts:
        remembered.learn(**facts, probed=timestamp(engine.clock.now()))
    findings = tuple(found.findings)
    return Examined(remembered.host, findings, asdict(remembered.facts), found.left, found.error)


def _who(engine: Engine, place: Reference) -> str:
    """Who we are there, in words, and who says so; raises what asking for credentials raises."""
    given = engine.access.credential()
    found = given or engine.keychain.lookup(canonical_host(str(place.registry)), place.repository)
    if found is None or found.is_empty:
        return ""
    name = found.username or "a token"
    return f"{name}, by {found.source}" if found.source else f"{name}, as told"


def _writable(text: str) -> Reference:
    """The repository of the probes, where there may be one."""
    found = _place(text)
    if canonical_host(str(found.registry)) == DOCKER_HUB and "/" not in found.repository:
        raise InvalidReference(f"{text}: say your name space", hint=f"agent doctor {text}/NAME")
    return found


def _place(text: str) -> Reference:
    return RegistryPath.parse(text).repository(_REPOSITORY)


def _image(text: str, place: Reference) -> Reference:
    found = as_written(text)
    if found.registry is None or canonical_host(found.registry) != canonical_host(
        str(place.registry)
    ):
        raise InvalidReference(
            f"{text!r} is not at {place.registry}", hint=f"write {place.registry}/NAME:TAG"
        )
    return Reference.parse(text)
