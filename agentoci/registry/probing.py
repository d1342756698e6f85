"""Probing a registry: all questions in their order, and what the answers are worth remembering.

A question that fails leaves its lines unknown and the others alone; only a registry that is down,
or does not let us in, ends it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from agentoci.errors import AgentociError, Denied
from agentoci.registry.blobs.methods import CHUNK
from agentoci.registry.errors import RegistryFailing, RegistryUnreachable
from agentoci.registry.facts import CHUNKED, MONOLITHIC, STREAMED, HostFacts
from agentoci.registry.probes import artifacts, door, reading, removal, uploads
from agentoci.registry.probes.ground import Finding, Ground, Result

__all__ = ["Finding", "Ground", "Probed", "Result", "facts_from", "look", "probe"]

_FACTS: Final = {
    "upload resume": "resume",
    "blob ranges": "ranges",
    "mount": "mount",
    "referrers api": "referrers",
    "custom types": "custom_types",
    "tag delete": "delete_tags",
    "manifest delete": "delete_manifests",
    "catalog": "catalog",
}
"""Check → field of HostFacts."""

_METHODS: Final = {
    MONOLITHIC: "monolithic upload",
    STREAMED: "streamed upload",
    CHUNKED: "chunked upload",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One question: the lines that it answers, and how it is asked.

    `decisive` ones end the probing when they are denied.
    """

    checks: tuple[str, ...]
    ask: Callable[[Ground], Iterable[Finding]]
    decisive: bool = False


@dataclass(slots=True)
class Probed:
    """What was found; `error` is why it could not be finished, `left` what could not be removed."""

    findings: list[Finding] = field(default_factory=list)
    left: tuple[str, ...] = ()
    error: AgentociError | None = None

    def result(self, check: str) -> Result:
        """What became of a check; unknown when it was not made."""
        return next((each.result for each in self.findings if each.check == check), Result.UNKNOWN)


def probe(ground: Ground, *, who: str) -> Probed:
    """Ask everything; what that puts into the ground's repositories is removed again.

    `who` says in words as whom.
    """
    found = Probed()
    try:
        _ask_all((*_door(who), *_WRITING), ground, found)
    finally:
        found.left = removal.clean(ground)
    return found


def look(ground: Ground, *, who: str, image: str | None) -> Probed:
    """Ask what can be asked without writing; `image` is a tag or digest in the repository."""
    found = Probed()
    sample = partial(reading.find_sample, name=image) if image else None
    given = [Probe(("image",), sample, decisive=True)] if sample else []
    _ask_all((*_door(who), *given, *_READING), ground, found)
    return found


def facts_from(found: Probed, known: HostFacts, *, least: int = 0) -> dict[str, Any]:
    """Fields of HostFacts that the findings decide; what is unknown stays as it was."""
    facts: dict[str, Any] = {
        name: found.result(check) is Result.YES
        for check, name in _FACTS.items()
        if found.result(check) is not Result.UNKNOWN
    }
    results = {method: found.result(check) for method, check in _METHODS.items()}
    works = [method for method, result in results.items() if result is Result.YES]
    # A method that a large blob has taught stays, as long as it works: probes are small.
    if works and (known.upload is None or results[known.upload] is Result.NO):
        facts["upload"] = works[0]
    if least > (known.chunk or CHUNK):
        facts["chunk"] = least
    return facts


def _ask_all(probes: Sequence[Probe], ground: Ground, found: Probed) -> None:
    """Ask one after another, until there is nobody to ask any more."""
    for each in probes:
        try:
            for finding in each.ask(ground):
                found.findings.append(finding)  # one by one: what comes before an error counts
        except AgentociError as exc:
            _leave_open(each, found, exc.message)
            if _ends_it(exc, each, ground):
                found.error = exc
                return


def _leave_open(each: Probe, found: Probed, reason: str) -> None:
    answered = {finding.check for finding in found.findings}
    found.findings += [
        Finding(check, Result.UNKNOWN, reason) for check in each.checks if check not in answered
    ]


def _ends_it(exc: AgentociError, each: Probe, ground: Ground) -> bool:
    """Whether nothing more can be found out: denied where it matters, or down by now."""
    if each.decisive:
        return True
    if isinstance(exc, Denied) or not isinstance(exc, RegistryUnreachable):
        return False
    if isinstance(exc, RegistryFailing):
        return False
    try:
        ground.endpoint.knock()
    except RegistryUnreachable:
        return True
    return False


def _door(who: str) -> tuple[Probe, ...]:
    return (
        Probe(("tls",), door.shows_certificate, decisive=True),
        Probe(("registry api", "login needed"), door.greets, decisive=True),
        Probe(("login accepted",), partial(door.lets_in, who=who), decisive=True),
        Probe(("catalog",), door.lists_repositories),
    )


_READ: Final = (
    Probe(("manifest head", "conditional request"), reading.tells_of_manifests),
    Probe(("blob head",), reading.tells_of_blobs),
    Probe(("blob ranges", "open-ended ranges"), reading.serves_ranges),
    Probe(("tag list", "tag pages"), reading.lists_tags),
)

_READING: Final = (*_READ, Probe(("referrers api",), artifacts.looks_for_referrers))

_WRITING: Final = (
    Probe(("push access",), uploads.opens, decisive=True),
    Probe(("upload cancel",), uploads.cancels),
    Probe(("monolithic upload",), uploads.takes_one_piece),
    Probe(("streamed upload",), uploads.takes_a_stream),
    Probe(("chunked upload",), uploads.takes_chunks),
    Probe(("chunk offsets",), uploads.checks_offsets),
    Probe(("upload resume",), uploads.resumes),
    Probe(("mount",), uploads.mounts),
    Probe(("custom types",), artifacts.takes_types),
    Probe(("several tags at once",), artifacts.takes_several_tags),
    *_READ,
    Probe(("referrers api", "referrers filter"), artifacts.lists_referrers),
    Probe(("tag delete",), removal.deletes_tags),
    Probe(("manifest delete",), removal.deletes_manifests),
    Probe(("blob delete",), removal.deletes_blobs),
)
