"""What of a repository stays and what goes: the plan of `agent prune --remote`, a pure function.

A tag is kept by a rule; what is kept keeps all that it reaches: the manifests of an index, the
subject of an attachment, and every attachment (signature, SBOM, report) of what stays, whether a
`subject` says so or a tag such as `sha256-….sig`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from agentoci.api.remotegraph import Node, RemoteGraph
from agentoci.spec.digest import Digest
from agentoci.spec.digesttags import is_digest_tag, subject_of
from agentoci.spec.retention import Retention, upcoming
from agentoci.spec.version import TagVersion


@dataclass(frozen=True, slots=True)
class Rules:
    """What to keep.

    Releases by `semver`, pre-releases that come after all releases (`prereleases`: all of them),
    tags that match a pattern of `keep`. Tags that are no versions stay unless `unversioned`, and
    attachments of what is not in the repository unless `orphans`.
    """

    semver: tuple[Retention, ...] = ()
    keep: tuple[str, ...] = ()
    prereleases: bool = False
    unversioned: bool = False
    orphans: bool = False


class Action(StrEnum):
    """How something goes: a tag alone, or a manifest with its tags."""

    UNTAG = "untag"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing that goes, and why; `after` are the manifests that must be gone first."""

    action: Action
    digest: Digest
    tags: tuple[str, ...]
    why: str
    after: frozenset[Digest] = frozenset()


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """Why each tag stays, and what goes, in the order in which to remove it."""

    kept: Mapping[str, str]
    removals: tuple[Removal, ...]


def plan_prune(graph: RemoteGraph, rules: Rules) -> PrunePlan:
    """Decide what goes; planning again after it is gone plans nothing."""
    why = _kept_tags(graph, rules)
    kept = _reached(graph, {graph.tags[tag] for tag in why} | graph.pinned)
    for tag, subject in _attachments(graph):
        if subject in kept:
            why.setdefault(tag, f"speaks of {subject}")
    removals = [*_untag(graph, why, kept), *_delete(graph, kept)]
    return PrunePlan(why, tuple(removals))


def _kept_tags(graph: RemoteGraph, rules: Rules) -> dict[str, str]:
    """The tags that a rule keeps, and which one; attachments follow what they speak of."""
    attachments = dict(_attachments(graph))
    versions = {
        tag: found
        for tag in graph.tags
        if tag not in attachments and (found := TagVersion.parse(tag)) is not None
    }
    kept: dict[str, str] = {}
    for tag in graph.tags:
        pattern = next((each for each in rules.keep if fnmatchcase(tag, each)), None)
        if pattern is not None:
            kept[tag] = f"matches {pattern}"
        elif graph.tags[tag] in graph.pinned:
            kept[tag] = "is a checkpoint"
        elif tag in attachments:
            if attachments[tag] not in graph.nodes and not rules.orphans:
                kept[tag] = "speaks of something that is not here"
        elif is_digest_tag(tag):
            kept[tag] = "is made of a digest that it does not tell whole"
        elif tag not in versions and not rules.unversioned:
            kept[tag] = "is no version"
    _keep_versions(kept, list(versions.values()), rules)
    _keep_aliases(kept, graph, versions)
    return kept


def _keep_versions(kept: dict[str, str], versions: list[TagVersion], rules: Rules) -> None:
    releases = [found for found in versions if found.is_release]
    for rule in rules.semver:
        for tag in rule.select(releases):
            kept.setdefault(tag, f"is kept by {rule}")
    coming = upcoming(versions)
    for found in versions:
        if found.is_full and found.prerelease is not None:
            if rules.prereleases:
                kept.setdefault(found.tag, "is a pre-release")
            elif found.tag in coming:
                kept.setdefault(found.tag, "comes after all releases")


def _keep_aliases(
    kept: dict[str, str], graph: RemoteGraph, versions: Mapping[str, TagVersion]
) -> None:
    """Partial versions (`1`, `1.0`) go with the version that they mean, and stay without one."""
    full = {graph.tags[tag] for tag, found in versions.items() if found.is_full}
    held = {graph.tags[tag] for tag in kept}
    for tag, found in versions.items():
        if not found.is_full and (graph.tags[tag] in held or graph.tags[tag] not in full):
            kept.setdefault(tag, "moves along")


def _attachments(graph: RemoteGraph) -> Iterator[tuple[str, Digest]]:
    for tag in graph.tags:
        if (subject := subject_of(tag)) is not None:
            yield tag, subject


def _reached(graph: RemoteGraph, roots: Iterable[Digest]) -> set[Digest]:
    """The roots and everything that hangs on them, in either direction."""
    speaking = _speaking(graph)
    kept: set[Digest] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest in kept:
            continue
        kept.add(digest)
        node = graph.nodes.get(digest, Node())
        waiting += node.children
        waiting += speaking.get(digest, ())
        if node.subject is not None:
            waiting.append(node.subject)
    return kept


def _speaking(graph: RemoteGraph) -> dict[Digest, list[Digest]]:
    """For each manifest, those that speak of it: by `subject`, or by their tag."""
    found: dict[Digest, list[Digest]] = {}
    for digest, node in graph.nodes.items():
        if node.subject is not None:
            found.setdefault(node.subject, []).append(digest)
    for tag, subject in _attachments(graph):
        found.setdefault(subject, []).append(graph.tags[tag])
    return found


def _untag(graph: RemoteGraph, why: Mapping[str, str], kept: set[Digest]) -> Iterator[Removal]:
    """Tags that go while others need the manifest."""
    staying: dict[Digest, list[str]] = {}
    for tag in sorted(why):
        staying.setdefault(graph.tags[tag], []).append(tag)
    for tag, digest in sorted(graph.tags.items()):
        if tag not in why and digest in kept:
            others = staying.get(digest)
            reason = f"stays as {', '.join(others)}" if others else "is needed by what stays"
            yield Removal(Action.UNTAG, digest, (tag,), reason)


def _delete(graph: RemoteGraph, kept: set[Digest]) -> Iterator[Removal]:
    """Manifests that go, indexes before what they list, subjects before what speaks of them."""
    tags: dict[Digest, list[str]] = {}
    for tag, digest in sorted(graph.tags.items()):
        tags.setdefault(digest, []).append(tag)
    doomed = {digest for digest in {*graph.nodes, *tags} if digest not in kept}
    after = _prerequisites(graph, doomed)
    for digest in _ordered(doomed, after):
        names = tuple(tags.get(digest, ()))
        yield Removal(Action.DELETE, digest, names, _reason(graph, digest, names), after[digest])


def _reason(graph: RemoteGraph, digest: Digest, tags: tuple[str, ...]) -> str:
    subject = graph.nodes.get(digest, Node()).subject
    subject = subject or next(filter(None, map(subject_of, tags)), None)
    if subject is not None:
        return f"speaks of {subject}"
    return "no rule keeps it" if tags else "is part of what goes"


def _prerequisites(graph: RemoteGraph, doomed: set[Digest]) -> dict[Digest, frozenset[Digest]]:
    """What must be gone before each: the indexes that list it, the manifest that it speaks of.

    Registries refuse to delete what an index lists; and what stays whole until then can be pruned
    again when something fails.
    """
    before: dict[Digest, set[Digest]] = {digest: set() for digest in doomed}
    for digest in doomed:
        for child in graph.nodes.get(digest, Node()).children:
            if child in before:
                before[child].add(digest)
    for subject, speakers in _speaking(graph).items():
        for speaker in speakers:
            if subject in before and speaker in before:
                before[speaker].add(subject)
    return {digest: frozenset(needed - {digest}) for digest, needed in before.items()}


def _ordered(doomed: set[Digest], after: Mapping[Digest, frozenset[Digest]]) -> list[Digest]:
    """Each after what it waits for; a circle is broken at its lowest digest."""
    done: dict[Digest, None] = {}
    waiting = sorted(doomed)
    while waiting:
        ready = [digest for digest in waiting if after[digest] <= done.keys()] or waiting[:1]
        done.update(dict.fromkeys(ready))
        waiting = [digest for digest in waiting if digest not in done]
    return list(done)
