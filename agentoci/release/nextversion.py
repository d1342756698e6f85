"""Which version a release gets: from what is released, what changed, and what was asked for.

The rules, in the order in which they are asked:

1. A version that was given (`--version`), or a part that was (`--bump`), is taken.
2. A version that the definition declares is taken when it is higher than the last release. One that
   is released already says nothing (its author leaves it to us to raise it). One that is neither
   may be meant for an older line, or be a mistake: it is refused.
   `1.2.0-dev` is work in progress and means 1.2.0, if that is higher than the last release and
   large enough for the change; else it says nothing. It is never refused.
3. Else the last release is raised by what changed; the first release is 0.1.0.

Whatever was chosen must be large enough for the change, and the highest of its minor line. Below
1.0.0 a breaking change raises the minor version and all others the patch (semver.org, item 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from semver import Version

from agentoci.errors import Conflict, Difference
from agentoci.release.history import History, Line, begins, count_of, is_same, release_of
from agentoci.release.rules import Level
from agentoci.release.versionrequest import InvalidVersionRequest, Part, VersionRequest
from agentoci.spec.version import TagVersion

FIRST: Final = Version(0, 1, 0)
"""The first release of an agent that declares no version."""

NOTHING: Final = Version(0, 0, 0)
"""What an agent has that declares none, and what comes before the first release."""


class VersionTooSmall(Difference):
    """The change needs a larger step of the version."""


class VersionTaken(Conflict):
    """The version, or a higher one of its line, is released already."""


class VersionUnclear(Conflict):
    """The definition declares a version that is older than what is released, and is not."""


def bump(last: Version, level: Level) -> Version:
    """The smallest release that may follow `last` with such a change; NONE: `last` itself."""
    settled = last.major > 0
    match level:
        case Level.NONE:
            return last
        case Level.PATCH:
            return last.bump_patch()
        case Level.MINOR:
            return last.bump_minor() if settled else last.bump_patch()
        case Level.MAJOR:
            return last.bump_major() if settled else last.bump_minor()


def last_before(request: VersionRequest, history: History) -> TagVersion | None:
    """The release that the next one is compared with."""
    return history.last(below=request.version, line=request.line)


def is_in_progress(declared: Version) -> bool:
    """Whether a declared version says that it is at work: `1.2.0-dev`, `1.2.0-dev.3`."""
    return (declared.prerelease or "").startswith("dev")


def is_news(declared: Version, last: TagVersion | None, line: Line = ()) -> bool:
    """Whether the version that a definition declares asks to be released.

    That of work in progress asks for its release, in its own line.
    """
    asked = _asked(declared)
    if asked == NOTHING or (is_in_progress(declared) and not begins(asked, line)):
        return False
    return last is None or asked > release_of(last)


def choose(
    request: VersionRequest,
    declared: Version,
    history: History,
    level: Level,
    reasons: Sequence[str] = (),
) -> Version:
    """The version of the release, by the rules above.

    `level` is that of the change since `last_before`, for which `reasons` are told when it is
    refused. Raises VersionTooSmall, VersionTaken, VersionUnclear, and InvalidVersionRequest for a
    line without a release.
    """
    last = last_before(request, history)
    if last is None and request.line and request.version is None:
        line = ".".join(map(str, request.line))
        raise InvalidVersionRequest(
            f"nothing of the line {line} is released yet",
            hint="give the line's first release by --version MAJOR.MINOR.PATCH",
        )
    chosen = _wanted(request, declared, history, last, level)
    if not begins(chosen, request.line):
        line = ".".join(map(str, request.line))
        raise VersionTooSmall(
            f"the change needs {chosen}, which is not in the line {line}{_listed(reasons)}",
            hint=f"leave out of {line} what breaks or adds something",
        )
    if request.pre is not None and not chosen.prerelease:
        chosen = _next_pre(chosen, request.pre, history)
    _check_free(chosen, history)
    if last is not None:
        _check_size(chosen, release_of(last), level, reasons)
    return chosen


def _wanted(
    request: VersionRequest,
    declared: Version,
    history: History,
    last: TagVersion | None,
    level: Level,
) -> Version:
    if request.version is not None:
        return request.version
    before = NOTHING if last is None else release_of(last)
    if request.part is not None:
        return _raised(before, request.part)
    computed = FIRST if last is None else bump(before, level)
    if is_news(declared, last, request.line):
        asked = _asked(declared)
        too_small = last is not None and asked < computed
        return computed if too_small and is_in_progress(declared) else asked
    if last is not None and _is_unclear(declared, history):
        raise VersionUnclear(
            f"the definition declares {declared}, which is not released, and {last.tag} is",
            hint=f"raise it above {last.tag}; --version {declared} releases it in its own line",
        )
    return computed


def _asked(declared: Version) -> Version:
    """The release that a declared version means."""
    return declared.finalize_version() if is_in_progress(declared) else declared.replace(build=None)


def _is_unclear(declared: Version, history: History) -> bool:
    return declared != NOTHING and not is_in_progress(declared) and history.named(declared) is None


def _raised(before: Version, part: Part) -> Version:
    match part:
        case Part.MAJOR:
            return before.bump_major()
        case Part.MINOR:
            return before.bump_minor()
        case Part.PATCH:
            return before.bump_patch()


def _check_free(chosen: Version, history: History) -> None:
    """No version is released twice, nor one below the newest of its minor line."""
    for one in history.versions:
        if is_same(one, chosen):
            raise VersionTaken(f"{one.tag} is released already", hint="choose a higher version")
        same_line = one.numbers[:2] == (chosen.major, chosen.minor)
        rival = one.is_release or one.numbers == chosen.to_tuple()[:3]
        if same_line and rival and one.version.replace(build=None) > chosen:
            raise VersionTaken(
                f"{chosen} would come after {one.tag}, which is released already",
                hint="choose a higher version",
            )


def _check_size(chosen: Version, last: Version, level: Level, reasons: Sequence[str]) -> None:
    least = bump(last, level)
    if chosen.finalize_version() < least:
        raise VersionTooSmall(
            f"{chosen} is too small for what changed since {last}: "
            f"it is {level.name}, so {least} at least{_listed(reasons)}",
            hint=f"--version {least}, or leave the version to the command",
        )


def _listed(reasons: Sequence[str]) -> str:
    return f" ({'; '.join(reasons)})" if reasons else ""


def _next_pre(base: Version, word: str, history: History) -> Version:
    newest = history.newest_pre(base, word)
    count = 0 if newest is None else count_of(newest, base, word) or 0
    return base.replace(prerelease=f"{word}.{count + 1}")
