"""Which versions a repository's tags stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from agentoci.release.candidates import Candidate, newest_first
from agentoci.spec.ranges import VersionRange
from agentoci.spec.reference import DEFAULT_TAG
from agentoci.spec.version import TagVersion

if TYPE_CHECKING:
    from agentoci.spec.digest import Digest


def candidates_of(
    name: str,
    repository: str,
    tags: Iterable[str],
    *,
    rank: int,
    digests: Mapping[str, Digest] | None = None,
) -> list[Candidate]:
    """The versions that a repository's tags offer.

    A tag of fewer numbers (`1.0`) counts when no fuller tag is of its numbers, and `latest` when no
    tag is a version at all; what they are the image tells.
    """
    known = digests or {}
    tags = list(tags)
    versions = [found for tag in tags if (found := TagVersion.parse(tag)) is not None]
    offered = {found.tag: found for found in versions if _is_exact(found)}
    stable = [found for found in versions if found.prerelease is None]
    covered = {found.numbers[:given] for found in stable for given in range(1, found.given)}
    moving = [f for f in versions if not _is_exact(f) and f.numbers[: f.given] not in covered]
    made = [
        Candidate(
            name, found.version, f"{repository}:{tag}", repository, rank, None, known.get(tag)
        )
        for tag, found in offered.items()
    ]
    for found in moving:
        span = VersionRange.parse(".".join(map(str, found.numbers[: found.given])))
        reference = f"{repository}:{found.tag}"
        digest = known.get(found.tag)
        made.append(Candidate(name, found.version, reference, repository, rank, span, digest))
    if not versions and DEFAULT_TAG in tags:
        made.append(_latest(name, repository, rank, known.get(DEFAULT_TAG)))
    return made


def in_range(wanted: VersionRange, repository: str, tags: Iterable[str]) -> Iterator[Candidate]:
    """The versions of a range among the tags, the newest first.

    A tag of fewer numbers counts only if all that it can mean is in the range.
    """
    versions = [tag for tag in tags if TagVersion.parse(tag) is not None]
    for candidate in newest_first(candidates_of("", repository, versions, rank=0)):
        span = candidate.span
        if wanted.allows(candidate.version) if span is None else wanted.includes(span):
            yield candidate


def _is_exact(found: TagVersion) -> bool:
    return found.is_full or found.prerelease is not None


def _latest(name: str, repository: str, rank: int, digest: Digest | None) -> Candidate:
    from semver import Version

    reference = f"{repository}:{DEFAULT_TAG}"
    return Candidate(name, Version(0), reference, repository, rank, VersionRange.parse("*"), digest)
