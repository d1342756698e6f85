# ruff: noqa: SIM905
"""Names of instances: the grammar, and names for those who give none."""

from __future__ import annotations

import re
from typing import Final

from agentoci.errors import Invalid

NAME_PATTERN: Final = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"
MAX_NAME_LENGTH: Final = 128

_NAME: Final = re.compile(NAME_PATTERN)
_MANNERS: Final = (
    "able amber ample bold brave brisk calm candid clever cosmic crisp daring deft eager early "
    "exact fair fleet fond frank fresh gentle glad golden grand happy honest humble jolly keen "
    "kind lively loyal lucid lucky mellow merry mild modest neat nimble noble patient plucky "
    "polite proud quick quiet ready robust serene sharp silent silver smart snappy solid spry "
    "steady sunny swift tidy tranquil upbeat vivid warm wise witty young zesty"
).split()
_PEOPLE: Final = (
    "abel allen babbage bartik boole borg cantor cerf church clarke codd cook dijkstra engelbart "
    "erdos euler fermat floyd gauss godel goldberg hamilton hamming hilbert hoare holberton "
    "hopper iverson johnson karp kay kepler kernighan knuth kolmogorov lamport leibniz liskov "
    "lovelace mccarthy mccluskey meitner milner minsky moore naur neumann newell noether pascal "
    "perlis perlman postel rabin ritchie rivest scott shannon simon snyder stallman sutherland "
    "tarjan thompson turing ulam valiant wiener wilkes wing wirth yao zuse"
).split()


class InvalidName(Invalid):
    """Not a name for an instance."""


def check_name(name: str) -> str:
    """The name itself; raises InvalidName."""
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidName(f"{name[:24]!r}…: the name is longer than {MAX_NAME_LENGTH} characters")
    # `$` would also match before a newline at the end.
    if not _NAME.match(name) or name.endswith("\n"):
        raise InvalidName(
            f"{name!r} is not a name for an instance",
            hint="a name is letters, digits, '_', '.' and '-', led by a letter or a digit",
        )
    return name


def random_name(entropy: bytes) -> str:
    """A name made of at least four random bytes; the fifth and sixth add a number."""
    manner = _MANNERS[int.from_bytes(entropy[:2], "big") % len(_MANNERS)]
    person = _PEOPLE[int.from_bytes(entropy[2:4], "big") % len(_PEOPLE)]
    number = str(int.from_bytes(entropy[4:6], "big")) if len(entropy) > 4 else ""
    return f"{manner}_{person}{number}"
