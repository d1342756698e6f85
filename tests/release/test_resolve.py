"""Choosing versions that suit everybody."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from agentoci.errors import AgentociError
from agentoci.release.candidates import Candidate, Demand, Known, Requirement
from agentoci.release.conflicts import RequirementConflict, RequirementNotFound
from agentoci.release.resolve import Goal, ResolveTooHard, resolve
from agentoci.spec.ranges import VersionRange
from tests.release.shelf import Needs, Shelf, digest_of, requirements, solve, versions

T = TypeVar("T")

SHELF: dict[str, Needs] = {
    "psm_gen:1.0.0": {},
    "psm_gen:1.1.0": {},
    "psm_gen:2.0.0": {"template": "^1"},
    "code_gen:1.0.0": {"psm_gen": "^1"},
    "code_gen:1.1.0": {"psm_gen": "^1"},
    "code_gen:2.0.0": {"psm_gen": ">=1", "template": "?^1"},
    "template:1.0.0": {},
    "template:1.4.0": {"psm_gen": "*"},
}


def test_the_newest_that_fits_is_chosen_with_all_that_it_needs() -> None:
    found = solve(SHELF, {"code_gen": "*", "psm_gen": ">=1.0"})
    assert versions(found) == {"code_gen": "2.0.0", "psm_gen": "2.0.0", "template": "1.4.0"}
    [template] = [one for one in found.chosen if one.known.candidate.name == "template"]
    assert [str(want) for want in template.wants] == [
        "code_gen 2.0.0 wants ^1",
        "psm_gen 2.0.0 wants ^1",
    ]
    assert template.required


def test_older_versions_are_taken_where_the_newest_do_not_agree() -> None:
    assert versions(solve(SHELF, {"code_gen": "^1", "psm_gen": "*"})) == {
        "code_gen": "1.1.0",
        "psm_gen": "1.1.0",
    }


def test_what_the_search_chose_first_is_given_up() -> None:
    """`a` is chosen before `b` is looked at, and every `b` wants the old one."""
    table: dict[str, Needs] = {
        **{f"a:{n}.0.0": {} for n in range(1, 9)},
        **{f"between{n}:1.0.0": {} for n in range(9)},
        "b:1.0.0": {"a": "<=2"},
    }
    needs = dict.fromkeys(("a", "b", *(f"between{n}" for n in range(9))), "*")
    found = solve(table, needs)
    assert versions(found)["a"] == "2.0.0"


def test_a_conflict_says_who_wanted_what() -> None:
    with pytest.raises(RequirementConflict) as caught:
        solve(SHELF, {"psm_gen": ">=2", "code_gen": "^1.1"})
    assert caught.value.message == (
        "psm_gen: code_gen 1.1.0 wants ^1, coordinator 1.0.0 wants >=2; "
        "there are 1.0.0, 1.1.0, 2.0.0"
    )
    assert caught.value.exit_code == 7


def test_a_conflict_is_told_whoever_was_chosen_first() -> None:
    """The name that is chosen first is not the one that all choices of the other refuse."""
    table: dict[str, Needs] = {"a:1.0.0": {}, "a:2.0.0": {}, "b:1.0.0": {"a": "^1"}}
    with pytest.raises(
        RequirementConflict, match=r"a: b 1.0.0 wants \^1, coordinator 1.0.0 wants 2"
    ):
        solve(table, {"a": "2", "b": "*"})


def test_what_is_nowhere_is_not_found_and_a_near_name_is_told() -> None:
    with pytest.raises(RequirementNotFound) as caught:
        solve(SHELF, {"code_gne": "*"}, known_names=("code_gen",), sources=("the local store",))
    assert caught.value.message == "code_gne: coordinator 1.0.0 wants *; there is none"
    assert (caught.value.exit_code, caught.value.hint) == (6, "did you mean 'code_gen'?")


def test_a_version_that_is_nowhere_is_not_found() -> None:
    with pytest.raises(RequirementNotFound) as caught:
        solve(SHELF, {"template": "^2"}, sources=("the local store", "registry.example/team"))
    assert "template: coordinator 1.0.0 wants ^2; there are 1.0.0, 1.4.0" in caught.value.message
    assert "the local store, registry.example/team" in str(caught.value.hint)


def test_a_pre_release_is_taken_only_when_one_is_named() -> None:
    table: dict[str, Needs] = {"a:2.0.0-rc.1": {}, "a:2.0.0-rc.2": {}}
    with pytest.raises(RequirementNotFound) as caught:
        solve(table, {"a": "*"})
    assert caught.value.hint == "a pre-release must be named: a@>=2.0.0-rc.2"
    assert versions(solve(table, {"a": ">=2.0.0-rc.1"})) == {"a": "2.0.0-rc.2"}


def test_a_version_whose_needs_are_nowhere_is_passed_over() -> None:
    table: dict[str, Needs] = {"a:1.0.0": {}, "a:2.0.0": {"gone": "*"}}
    assert versions(solve(table, {"a": "*"})) == {"a": "1.0.0"}


def test_agents_may_need_each_other() -> None:
    table: dict[str, Needs] = {"a:1.0.0": {"b": "^1"}, "b:1.0.0": {"a": "^1", "coordinator": "*"}}
    found = solve(table, {"a": "*"}, own_name="coordinator")
    assert versions(found) == {"a": "1.0.0", "b": "1.0.0"}


def test_what_is_optional_may_be_missing() -> None:
    found = solve(SHELF, {"psm_gen": "1", "gone": "?*", "code_gen": "?>=2"})
    assert versions(found) == {"psm_gen": "1.1.0", "code_gen": "2.0.0", "template": "1.4.0"}
    [missing] = found.unresolved
    assert (missing.name, missing.reason) == (
        "gone",
        "gone: coordinator 1.0.0 wants *; there is none",
    )
    assert [one.required for one in found.chosen] == [False, True, False]


def test_what_is_optional_must_fit_when_it_is_there() -> None:
    found = solve(SHELF, {"psm_gen": ">=2", "code_gen": "?^1"})
    assert versions(found) == {"psm_gen": "2.0.0", "template": "1.4.0"}
    assert "code_gen 1.1.0 wants ^1" in found.unresolved[0].reason
    bounded = solve(SHELF, {"psm_gen": "?<1.1", "code_gen": "*"})
    assert versions(bounded)["psm_gen"] == "1.0.0"


def test_a_repository_that_is_named_is_where_it_comes_from() -> None:
    table: dict[str, Needs] = {
        "tool:2.0.0": {},
        "host.example/team/tool:1.0.0": {},
        "user:1.0.0": {"host.example/team/tool": "*"},
    }
    [one] = solve(table, {"host.example/team/tool": "*"}).chosen
    assert one.known.candidate.reference == "host.example/team/tool:1.0.0"
    late = solve(table, {"tool": "*", "user": "*"})
    assert {one.known.candidate.reference for one in late.chosen} == {
        "host.example/team/tool:1.0.0",
        "user:1.0.0",
    }


def test_what_is_kept_stays_as_long_as_it_fits() -> None:
    kept = {
        name: Candidate(name, Version.parse(version), f"{name}:{version}", name)
        for name, version in (("psm_gen", "1.0.0"), ("code_gen", "1.0.0"))
    }
    assert versions(solve(SHELF, {"code_gen": "*", "psm_gen": "*"}, kept=kept)) == {
        "code_gen": "1.0.0",
        "psm_gen": "1.0.0",
    }
    moved = versions(solve(SHELF, {"code_gen": ">1.0.0", "psm_gen": "*"}, kept=kept))
    assert moved == {"code_gen": "2.0.0", "psm_gen": "1.0.0", "template": "1.4.0"}


def test_a_tag_of_fewer_numbers_is_what_its_image_says() -> None:
    class Moving(Shelf):
        def versions(self, name: str, repository: str | None) -> list[Candidate]:
            span = VersionRange.parse("1.0")
            return [Candidate(name, Version(1, 0, 0), "tool:1.0.3", name, span=span)]

        def read(self, candidate: Candidate) -> Known | None:
            known = super().read(candidate)
            assert known is not None
            settled = candidate.settled(Version(1, 0, 3), known.digest)
            return Known(settled)

    shelf = Moving({"tool:1.0.3": {}})
    found = resolve(Goal("me", requirements({"tool": ">=1.0.2"})), shelf)
    assert versions(found) == {"tool": "1.0.3"}
    with pytest.raises(RequirementNotFound):
        resolve(Goal("me", requirements({"tool": ">=1.0.4,<1.1"})), shelf)
    shelf.reads.clear()
    with pytest.raises(RequirementNotFound):
        resolve(Goal("me", requirements({"tool": "^2"})), shelf)
    assert shelf.reads == [], "nothing is read that cannot fit"


class Matrix:
    """Says that code_gen 2 works with psm_gen 1 only."""

    def of(self, name: str, version: str) -> tuple[Requirement, ...]:
        if (name, version) != ("code_gen", "2.0.0"):
            return ()
        said = "works with psm_gen@1 only (compatibility.json)"
        return (Requirement("psm_gen", VersionRange.parse("1"), Demand.LIMIT, said=said),)


def test_limits_hold_and_ask_for_nothing() -> None:
    found = versions(solve(SHELF, {"code_gen": "2", "psm_gen": "*"}, limits=Matrix()))
    assert found["psm_gen"] == "1.1.0"
    alone: dict[str, Needs] = {"code_gen:2.0.0": {}}
    assert versions(solve(alone, {"code_gen": "*"}, limits=Matrix())) == {"code_gen": "2.0.0"}
    with pytest.raises(RequirementConflict, match=r"works with psm_gen@1 only"):
        solve(SHELF, {"code_gen": "2", "psm_gen": "2"}, limits=Matrix())


def test_needs_made_to_be_hard_end() -> None:
    """Pigeons and holes: no two names may share a number, and there is one number too few."""
    count = 8
    table: dict[str, Needs] = {
        f"p{n}:{hole}.0.0": {f"p{m}": f"!={hole}" for m in range(count) if m != n}
        for n in range(count)
        for hole in range(1, count)
    }
    with pytest.raises(ResolveTooHard, match="no answer after 2000 trials"):
        solve(table, {f"p{n}": "*" for n in range(count)}, max_trials=2_000)


NAMES = ["a", "b", "c", "d"]
RANGES = st.sampled_from(["*", "1", "2", ">=2", "<=2", "!=2", "3", "?*", "?1", "?>=2"])
NEEDS = st.dictionaries(st.sampled_from(NAMES), RANGES, max_size=3)
VERSIONS = ["1.0.0", "2.0.0", "3.0.0"]
TABLES = st.dictionaries(
    st.builds("{}:{}".format, st.sampled_from(NAMES), st.sampled_from(VERSIONS)), NEEDS, max_size=9
)


def outcome(table: dict[str, Needs], needs: Needs) -> object:
    try:
        found = solve(table, needs)
    except AgentociError as exc:
        return type(exc).__name__, exc.message
    return [
        (one.known.key, [(want.key, str(want)) for want in one.wants]) for one in found.chosen
    ], [(one.name, one.reason) for one in found.unresolved]


@given(TABLES, NEEDS, st.randoms(use_true_random=False))
def test_order_decides_nothing(
    table: dict[str, Needs], needs: Needs, random: random.Random
) -> None:
    def shuffled(mapping: Mapping[str, T]) -> dict[str, T]:
        items = list(mapping.items())
        random.shuffle(items)
        return dict(items)

    other = shuffled({key: shuffled(wants) for key, wants in table.items()})
    assert outcome(table, needs) == outcome(dict(other), shuffled(needs))


def suits(choice: dict[str, str], table: dict[str, Needs], needs: Needs) -> bool:
    """Whether all that the chosen ones and the agent want is as they want it."""
    wanted = [needs, *(table[f"{name}:{version}"] for name, version in choice.items())]
    for name, text in (item for one in wanted for item in one.items()):
        if name in choice:
            found = VersionRange.parse(text.removeprefix("?"))
            if not found.allows(Version.parse(choice[name])):
                return False
        elif not text.startswith("?"):
            return False
    return True


def every_choice(table: dict[str, Needs]) -> list[dict[str, str]]:
    by_name = [
        [None, *(key.partition(":")[2] for key in table if key.startswith(f"{name}:"))]
        for name in NAMES
    ]
    return [
        {name: version for name, version in zip(NAMES, chosen, strict=True) if version}
        for chosen in itertools.product(*by_name)
    ]


@given(TABLES, NEEDS)
def test_an_answer_is_found_exactly_when_there_is_one(
    table: dict[str, Needs], needs: Needs
) -> None:
    """Compared with all choices that could be made; a version may not want its own name's other."""
    table = {
        key: {name: text for name, text in wants.items() if name != key.partition(":")[0]}
        for key, wants in table.items()
    }
    possible = any(suits(choice, table, needs) for choice in every_choice(table))
    try:
        found = solve(table, needs)
    except (RequirementConflict, RequirementNotFound):
        found = None
    assert (found is not None) == possible
    if found is None:
        return
    assert suits(versions(found), table, needs)
    for one in found.chosen:
        assert one.wants, "nothing is chosen that nobody wants"
        assert all(want.takes(one.known.candidate) for want in one.wants)
        assert one.known.digest == digest_of(one.known.candidate.reference)
