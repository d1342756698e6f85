"""agent.lock: its bytes, its faults, and whether it fits."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.errors import AgentociError, SourceFaults
from agentoci.release.candidates import ROOT, Demand, Requirement
from agentoci.release.drift import Needs, changes, drift, ruled_out
from agentoci.release.lock import Lock, Missing, Pin, PinKind
from agentoci.release.requirements import SkillRequirement
from agentoci.release.resolve import Resolution
from agentoci.spec.digest import Digest
from agentoci.spec.ranges import VersionRange
from tests.release.shelf import Needs as ByName
from tests.release.shelf import requirements, solve


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


def agent_pin(name: str, version: str, where: str = "", **wanted_by: str) -> Pin:
    reference = f"{where}{name}:{version}"
    wanted = {key.replace("_at_", "@"): text for key, text in wanted_by.items()} or {ROOT: "*"}
    return Pin(
        PinKind.AGENT, name, reference, digest(reference), version, required=True, wanted_by=wanted
    )


def image_pin(reference: str, content: str = "") -> Pin:
    return Pin(PinKind.IMAGE, reference, reference, digest(content or reference))


LOCK = Lock.of(
    [
        image_pin("base_agent:latest"),
        agent_pin("psm_gen", "1.1.0", "host.example/team/"),
        Pin(PinKind.SKILL, "review", "oci:skills:review", digest("review"), required=False),
    ],
    [Missing("debug", {ROOT: "*"})],
)

NAMES = st.from_regex(r"\A[a-z0-9]{1,6}(-[a-z0-9]{1,3})?\Z", alphabet="abc019-")
RANGES = st.sampled_from(["*", "^1", ">=1.0,<2", "1 || 2"])
WANTED = st.dictionaries(st.just(ROOT) | NAMES.map("{}@1.0.0".format), RANGES, max_size=3)
PINS = st.builds(
    Pin,
    st.sampled_from(PinKind),
    NAMES,
    NAMES.map("host.example/{}:1".format),
    st.binary(max_size=4).map(Digest.of),
    st.none() | st.sampled_from(["1.0.0", "2.1.0-rc.1+b"]),
    st.booleans(),
    WANTED,
)
LOCKS = st.builds(
    Lock.of,
    st.lists(PINS, unique_by=lambda pin: (pin.kind, pin.name), max_size=6),
    st.lists(st.builds(Missing, NAMES, WANTED), unique_by=lambda one: one.name, max_size=2),
)


@given(LOCKS)
def test_what_is_written_is_read(lock: Lock) -> None:
    content = lock.encode()
    assert Lock.parse(content, file="agent.lock") == lock
    assert Lock.parse(content, file="agent.lock").encode() == content


@given(LOCKS, st.randoms(use_true_random=False))
def test_order_changes_no_byte(lock: Lock, order: random.Random) -> None:
    pins, missing = list(lock.pins), list(lock.missing)
    order.shuffle(pins)
    order.shuffle(missing)
    assert Lock.of(pins, missing).encode() == lock.encode()


def test_skills_may_be_in_a_layout() -> None:
    assert Lock.parse(LOCK.encode(), file="agent.lock") == LOCK


def test_a_change_is_a_change_of_few_lines() -> None:
    newer = Lock.of(
        [*LOCK.pins[1:], agent_pin("psm_gen", "1.2.0", "host.example/team/")], LOCK.missing
    )
    before, after = LOCK.encode().splitlines(), newer.encode().splitlines()
    assert len(before) == len(after)
    differing = [line for line in before if line not in after]
    assert [line.split(b'"')[1] for line in differing] == [b"version", b"reference", b"digest"]


def document(**changed: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(LOCK.encode())
    made["pins"][0] |= changed
    return made


def without(key: str) -> dict[str, Any]:
    made = document()
    del made["pins"][0][key]
    return made


@pytest.mark.parametrize(
    ("changed", "line", "message"),
    [
        (document() | {"version": 2}, 2, "a lock of version 2, this program reads 1"),
        (document() | {"version": "1"}, 2, "expected 1, found '1'"),
        (document() | {"pinned": []}, 36, "unknown key 'pinned'"),
        (document(vresion="1.0.0"), 13, "unknown key 'vresion'"),
        (document(kind="agnet"), 5, "expected 'image', 'agent' or 'skill'"),
        (document(digest="sha256:0"), 9, "is not a digest"),
        (document(reference="host.example/X:1"), 8, "'X' is not a name"),
        (document(version="1.0"), 7, "'1.0' is not a full version"),
        (document(required="yes"), 13, "expected true or false, found 'yes'"),
        (document(wanted_by={".": "newest"}), 11, "is not a version or a range of versions"),
        (document(wanted_by=[]), 10, "expected a mapping, found a list"),
        (without("digest"), 4, "'digest' is missing"),
        (document() | {"pins": document()["pins"] * 2}, 29, "is pinned twice"),
        ([], 1, "expected a lock"),
    ],
)
def test_faults_are_told_with_their_line(changed: Any, line: int, message: str) -> None:
    with pytest.raises(SourceFaults) as caught:
        Lock.parse(json.dumps(changed, indent=2).encode(), file="agent.lock")
    fault = caught.value.faults[0]
    assert message in fault.message
    assert fault.line == line
    assert fault.render().startswith(f"agent.lock:{line}:")


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1', b"\xff", b"{version: 1}"])
def test_what_is_no_lock_at_all(content: bytes) -> None:
    with pytest.raises(SourceFaults):
        Lock.parse(content, file="agent.lock")


# Whether it fits


def wanted(name: str, text: str = "*", **more: Any) -> Requirement:
    return Requirement(name, VersionRange.parse(text), **more)


FITTING = Needs(
    images=("base_agent:latest",),
    requirements=(wanted("psm_gen", "^1"), wanted("debug", demand=Demand.OPTIONAL)),
    skills=(SkillRequirement("review", "oci:skills:review"),),
)


def test_a_lock_that_fits() -> None:
    assert drift(LOCK, FITTING) == []


@pytest.mark.parametrize(
    ("needs", "reasons"),
    [
        ({"images": ()}, ["base_agent:latest is locked, and not used any more"]),
        (
            {"images": ("base_agent:latest", "other:1")},
            ["other:1 is not locked"],
        ),
        (
            {"requirements": (wanted("psm_gen", "^2"), FITTING.requirements[1])},
            ["psm_gen ^2 is required, 1.1.0 is locked"],
        ),
        (
            {"requirements": (wanted("psm_gen", repository="a.example/psm_gen"),)},
            [
                "psm_gen * from a.example/psm_gen is required, 1.1.0 is locked",
                "debug is noted as missing, and not required any more",
            ],
        ),
        (
            {"requirements": (FITTING.requirements[0], wanted("debug"))},
            ["debug * is not locked"],
        ),
        (
            {"requirements": FITTING.requirements[1:]},
            ["psm_gen is locked, and nothing requires it any more"],
        ),
        (
            {"skills": (SkillRequirement("review", "oci:skills:other"),)},
            ["the skill review is oci:skills:other, oci:skills:review is locked"],
        ),
        (
            {"skills": (*FITTING.skills, SkillRequirement("more", "host.example/more:1"))},
            ["the skill more is not locked"],
        ),
        ({"skills": ()}, ["the skill review is locked, and not used any more"]),
    ],
)
def test_drift_is_told(needs: dict[str, Any], reasons: list[str]) -> None:
    changed = {field: getattr(FITTING, field) for field in FITTING.__slots__} | needs
    assert drift(LOCK, Needs(**changed)) == reasons


def test_pins_count_as_long_as_somebody_leads_to_them() -> None:
    chain = [
        agent_pin("a", "1.0.0"),
        agent_pin("b", "1.0.0", **{"a_at_1.0.0": "*"}),
        agent_pin("c", "1.0.0", **{"b_at_1.0.0": "*"}),
    ]
    needs = Needs(requirements=(wanted("a"),))
    assert drift(Lock.of(chain), needs) == []
    assert drift(Lock.of(chain[::2]), needs) == ["c is locked, and nothing requires it any more"]


def test_skills_in_a_range_may_be_any_of_it() -> None:
    pin = Pin(PinKind.SKILL, "review", "host.example/review:1.2", digest("x"), "1.2")
    need = SkillRequirement("review", "host.example/review:latest", "^1")
    assert drift(Lock.of([pin]), Needs(skills=(need,))) == []
    later = SkillRequirement("review", "host.example/review:latest", "^2")
    assert drift(Lock.of([pin]), Needs(skills=(later,))) != []


@pytest.mark.parametrize(
    ("pinned", "written", "fit"),
    [
        ("host.example/team/review:1.2", "review:1.2", True),
        ("host.example/team/review:1.2", "team/review:1.2", True),
        ("host.example/team/review:1.2", "host.example/team/review:1.2", True),
        ("host.example/preview:1.2", "review:1.2", False),
        ("host.example/team/review:1.2", "review:1.3", False),
        ("review:1.2", "host.example/review:1.2", False),
        ("other.example/host.example/review:1.2", "host.example/review:1.2", False),
        ("oci:skills/review:1.2", "review:1.2", False),
        ("oci:skills:review", "oci:skills:review", True),
    ],
)
def test_a_short_name_may_be_pinned_at_any_registry(
    pinned: str, written: str, *, fit: bool
) -> None:
    pin = Pin(PinKind.SKILL, "review", pinned, digest("x"))
    found = drift(Lock.of([pin]), Needs(skills=(SkillRequirement("review", written),)))
    assert (found == []) is fit


def test_changes_are_told_by_version_and_by_digest_where_that_is_all() -> None:
    old = Lock.of([agent_pin("a", "1.0.0"), image_pin("base:1", "x"), agent_pin("b", "1.0.0")])
    new = Lock.of([agent_pin("a", "1.1.0"), image_pin("base:1", "y"), agent_pin("c", "2.0.0")])
    assert [str(change) for change in changes(old, new)] == [
        f"base:1: {digest('x').short} → {digest('y').short}",
        "a: 1.0.0 → 1.1.0",
        "b: 1.0.0 → none",
        "c: none → 2.0.0",
    ]
    assert changes(old, old) == []


TABLE: dict[str, ByName] = {
    f"{name}:{version}.0.0": ({"d": "*"} if name == "c" else {})
    for name in "abcd"
    for version in (1, 2, 3)
}


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["*", "1", ">=2", "?<3"])))
def test_what_was_resolved_fits_what_asked_for_it(needs: ByName) -> None:
    """Every pin satisfies all its wants, and the lock made of them does not drift."""
    found = solve(TABLE, needs)
    assert drift(lock_of(found), Needs(requirements=requirements(needs))) == []


def lock_of(found: Resolution) -> Lock:
    return Lock.of(
        Pin(
            PinKind.AGENT,
            one.known.candidate.name,
            one.known.candidate.reference,
            one.known.digest,
            str(one.known.candidate.version),
            one.required,
            {want.key: str(want.requirement.range) for want in one.wants},
        )
        for one in found.chosen
    )


@dataclass
class TableLimits:
    """Which versions of others a version allows: `NAME@VERSION` → name → range."""

    table: dict[str, dict[str, str]]

    def of(self, name: str, version: str) -> tuple[Requirement, ...]:
        return tuple(
            Requirement(other, VersionRange.parse(text), Demand.LIMIT, said=f"works with {text}")
            for other, text in self.table.get(f"{name}@{version}", {}).items()
        )


PAIRS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "<3", "2 || 3"]))
VERSIONS_LIMITED = [f"{name}@{version}.0.0" for name in "abcd" for version in (1, 2, 3)]
WANTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["*", ">=2", "<3"]), min_size=2)


@given(WANTS, st.dictionaries(st.sampled_from(VERSIONS_LIMITED), PAIRS))
def test_what_is_resolved_by_a_matrix_is_never_ruled_out_by_it(
    needs: ByName, table: dict[str, dict[str, str]]
) -> None:
    """And what it rules out, resolving by it does not choose."""
    limits = TableLimits(table)
    free = lock_of(solve(TABLE, needs))
    against = list(ruled_out(free, "coordinator", "1.0.0", limits))
    try:
        limited = lock_of(solve(TABLE, needs, limits=limits))
    except AgentociError:
        assert against
        return
    assert list(ruled_out(limited, "coordinator", "1.0.0", limits)) == []
    assert changes(free, limited) == [] or against
