"""What the user says of a release's version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from semver import Version

from agentoci.errors import Invalid
from agentoci.release.history import Line, begins
from agentoci.spec.version import TagVersion

_WORD: Final = r"[A-Za-z][0-9A-Za-z-]*"


class InvalidVersionRequest(Invalid):
    """A version, part or word that no release can have."""


class Part(StrEnum):
    """The number of a version that is raised."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


@dataclass(frozen=True, slots=True)
class VersionRequest:
    """What the user says of the version: a whole one, or the part to raise; neither: what fits.

    `pre` is the word of a pre-release (`rc`); `line` the release line (`1`, `1.3`) to stay in.
    """

    version: Version | None = None
    part: Part | None = None
    pre: str | None = None
    line: Line = ()

    @classmethod
    def parse(
        cls,
        *,
        version: str | None = None,
        bump: str | None = None,
        pre: str | None = None,
        line: str | None = None,
    ) -> VersionRequest:
        """Read what was typed; raises InvalidVersionRequest."""
        if version is not None and bump is not None:
            raise InvalidVersionRequest("--version and --bump exclude each other")
        if pre is not None and re.fullmatch(_WORD, pre) is None:
            raise InvalidVersionRequest(f"--pre {pre!r}: letters, digits and '-', led by a letter")
        found = None if version is None else parse_version(version)
        if found is not None and found.prerelease and pre is not None:
            raise InvalidVersionRequest(f"--pre {pre}: {found} is a pre-release already")
        numbers = () if line is None else _line(line)
        if found is not None and not begins(found, numbers):
            raise InvalidVersionRequest(f"--version {found} is not in the line {line}")
        return cls(found, None if bump is None else Part(bump), pre, numbers)


def parse_version(text: str) -> Version:
    """A full version, `v` allowed.

    Raises InvalidVersionRequest for a partial one and for build metadata.
    """
    found = TagVersion.parse(text)
    if found is None or not found.is_full or found.build is not None:
        hint = "write MAJOR.MINOR.PATCH, or MAJOR.MINOR.PATCH-rc.1 for a pre-release"
        raise InvalidVersionRequest(f"{text!r} is not a version that can be released", hint=hint)
    return found.version


def _line(text: str) -> Line:
    if re.fullmatch(r"[vV]?\d{1,19}(\.\d{1,19})?", text) is None:
        raise InvalidVersionRequest(
            f"--line {text!r} is no release line", hint="write MAJOR or MAJOR.MINOR"
        )
    return tuple(int(part) for part in text.lstrip("vV").split("."))
