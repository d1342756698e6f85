"""The quirk server against the rules of the specification, beside the real registries.

Each breaks the rules that it is known to break, and no others: so the fakes cannot lie, neither by
being kinder than a registry nor by being worse.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.quirks.profiles import PROFILES
from tests.quirks.rules import RULES, broken_rules, title
from tests.quirks.server import Profile, QuirkRegistry
from tests.registries import Registry

_REFERRERS = ("referrers are listed", "referrers are filtered")

REAL: Mapping[str, frozenset[str]] = {
    "docker-registry": frozenset(
        {
            *_REFERRERS,
            "manifest needs no accept",
            "chunk out of order is refused",
            "tags are listed",
            "tags come in pages",
            "tags begin after last",
            "tag is deleted",
        }
    ),
    "distribution": frozenset({*_REFERRERS, "manifest needs no accept"}),
    "ggcr": frozenset(
        {
            *_REFERRERS,
            "rest of a blob is served",
            "blob is pushed in one piece",
            "status of an upload is told",
            "upload goes on after its status",
            "upload is cancelled",
            "blob is mounted",
            "manifest push is answered",
            "manifest of another digest is refused",
            "tags come in pages",
            "manifest is deleted",
            "errors have the form",
        }
    ),
    "olareg": frozenset(
        {"tags of nothing are not found", "catalog is listed", "errors have the form"}
    ),
}
"""What the real ones break: probed, and so are the fakes' models of what may be missing."""


def test_plain_service_keeps_every_rule() -> None:
    with QuirkRegistry(PROFILES["plain"]) as registry:
        assert not broken_rules(registry.host)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_profile_breaks_the_rules_that_it_declares(profile: Profile) -> None:
    with QuirkRegistry(profile, moody=False) as registry:
        broken = broken_rules(registry.host)
    assert broken.keys() == profile.deviates.keys(), broken


@pytest.mark.integration
def test_real_registry_breaks_the_rules_that_are_known(registry: Registry) -> None:
    broken = broken_rules(registry.host)
    assert broken.keys() == REAL[registry.kind], broken


def test_rules_have_names_and_say_where_they_come_from() -> None:
    assert len(RULES) >= 40
    assert len({title(rule) for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert ": " in (rule.__doc__ or ""), title(rule)


def test_deviations_are_of_rules_that_exist() -> None:
    known = {title(rule) for rule in RULES}
    for profile in PROFILES.values():
        assert set(profile.deviates) <= known, profile.name
    for kind, broken in REAL.items():
        assert broken <= known, kind
