"""Ranges as npm's own program and Python's packaging understand them."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from semver import Version

from agentoci.spec.ranges import VersionRange

RELEASES = [".".join(map(str, numbers)) for numbers in itertools.product(range(4), repeat=3)]
VERSIONS = [
    *RELEASES,
    *(f"{one}-{pre}" for one in RELEASES[::3] for pre in ("0", "alpha", "rc.1", "rc.2", "rc.10")),
]
OPERATORS = ["", "=", ">", ">=", "<", "<=", "^", "~", "~>", ">= ", "^ "]
WRITTEN = ["1", "1.2", "0", "0.0", "0.1", "2.x", "1.2.*", "*", "x", "v1.2", "v2.1.3"]
WRITTEN += ["1.2.3", "0.0.0", "0.0.3", "0.2.1", "3.3.3", "1.0.0-rc.1", "0.0.3-alpha", "2.1.0-0"]
EVERYTHING = VersionRange.parse("*")


def npm_semver() -> Path | None:
    """The package that npm resolves with, where npm is installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return None
    asked = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False)
    found = Path(asked.stdout.strip()) / "npm" / "node_modules" / "semver"
    return found if found.is_dir() else None


def some_ranges(count: int) -> list[str]:
    """Single comparisons all, and a choice of their combinations.

    An alternative that is `*`, or `>=0`, makes npm forget the others, and with them what they say
    of pre-releases; here each counts.
    """
    chance = random.Random(20)
    single = [operator + text for operator in OPERATORS for text in WRITTEN]
    bounded = [text for text in single if not VersionRange.parse(text).includes(EVERYTHING)]
    return [
        *single,
        *(f"{one} - {other}" for one, other in itertools.product(WRITTEN, repeat=2)),
        *(" ".join(chance.choices(single, k=2)) for _ in range(count)),
        *(" || ".join(chance.choices(bounded, k=2)) for _ in range(count)),
    ]


def test_npm_allows_the_same_versions() -> None:
    package = npm_semver()
    if package is None:
        pytest.skip("no npm with its semver package on this machine")
    ranges = some_ranges(400)
    script = (
        f"const semver = require({json.dumps(str(package))});"
        "const [ranges, versions] = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(ranges.map("
        "range => versions.filter(one => semver.satisfies(one, range)))));"
    )
    done = subprocess.run(
        ["node", "-e", script],
        input=json.dumps([ranges, VERSIONS]),
        capture_output=True,
        text=True,
        check=True,
    )
    parsed = [(one, Version.parse(one)) for one in VERSIONS]
    for text, theirs in zip(ranges, json.loads(done.stdout), strict=True):
        found = VersionRange.parse(text)
        assert [one for one, version in parsed if found.allows(version)] == theirs, text


PIP_RANGES = [
    *["~=1.2", "~=1.2.3", "~=0.0.1", "==1.2.*", "==1.*", "!=1.2.*", "==1.2.3", "!=1.2.3"],
    *[">=1.0,<2", ">=1.2.3,!=1.3.*,<3", ">1.2.3", "<=1.2.3", "~=1.2,!=1.2.1", "<3,>=1"],
]


@pytest.mark.parametrize("text", PIP_RANGES)
def test_pip_allows_the_same_releases(text: str) -> None:
    """Its forms that name their numbers whole; `>1.2` and `==1.2` are npm's here: all of 1.2.z."""
    theirs = SpecifierSet(text)
    found = VersionRange.parse(text)
    allowed = [one for one in RELEASES if found.allows(Version.parse(one))]
    assert allowed == [one for one in RELEASES if theirs.contains(one)]
