"""The laws of splitting: names decide, a change stays local, sizes and numbers stay bounded."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal.limits import GIB, KIB, MIB
from agentoci.layers.split import HUGE, Scale, split
from agentoci.layers.tar import TarEntry

Files = dict[str, int]

NAMES = st.text(st.sampled_from("abcdé/"), min_size=1, max_size=12)
SIZES = st.one_of(st.integers(0, 64 * KIB), st.integers(0, 3 * MIB), st.integers(7 * MIB, 9 * MIB))


def entries(files: Files) -> list[TarEntry]:
    return [TarEntry(path, size=size) for path, size in sorted(files.items())]


def cut(files: Files) -> list[tuple[str, ...]]:
    """The layers of one COPY, as paths."""
    made = entries(files)
    return [tuple(e.path for e in group) for group in split(made, Scale.of(made))]


def many(count: int, size: int, *, spread: int = 0, seed: int = 1) -> Files:
    """Files of about one size with names as people give them."""
    chance = random.Random(seed)
    return {
        f"knowledge/{chance.choice(['flow', 'rules', 'notes'])}/{number:06d}.md": max(
            0, size + chance.randint(-spread, spread)
        )
        for number in range(count)
    }


def changed(before: Iterable[object], after: Iterable[object]) -> int:
    """Layers that have to be packed and sent anew."""
    return len(set(after) - set(before))


@given(st.dictionaries(NAMES, SIZES, max_size=60))
def test_every_entry_is_in_one_layer_in_order(files: Files) -> None:
    made = cut(files)
    assert all(made)
    small = [path for group in made for path in group if len(group) > 1 or files[group[0]] <= HUGE]
    assert small == sorted(small)
    assert sorted(path for group in made for path in group) == sorted(files)


@given(st.dictionaries(NAMES, SIZES, max_size=60))
def test_no_layer_of_small_files_outgrows_the_ceiling(files: Files) -> None:
    made = entries(files)
    scale = Scale.of(made)
    for group in split(made, scale):
        size = sum(entry.size for entry in group)
        assert len(group) == 1 or size <= 2 * scale.mean
        if any(entry.size > scale.huge for entry in group):
            assert len(group) == 1


@given(st.dictionaries(NAMES, SIZES, min_size=1, max_size=60), st.randoms())
def test_the_order_of_discovery_does_not_matter(files: Files, chance: random.Random) -> None:
    items = list(files.items())
    chance.shuffle(items)
    assert cut(dict(items)) == cut(files)


def test_huge_files_stand_alone_and_first() -> None:
    files = {**many(50, 10 * KIB), "a/model.bin": HUGE + 1, "z/other.bin": 3 * GIB}
    assert cut(files)[:2] == [("a/model.bin",), ("z/other.bin",)]
    assert len(cut({"a": HUGE, "b": 1})) <= 2


def test_a_huge_file_moves_no_other_boundary() -> None:
    files = many(3000, 10 * KIB)
    assert changed(cut(files), cut({**files, "knowledge/flow/model.bin": 512 * MIB})) == 1


def test_nothing_is_no_layer() -> None:
    assert cut({}) == []


def test_empty_files_and_folders_are_one_layer() -> None:
    assert len(cut(many(20_000, 0))) == 1


@pytest.mark.parametrize("count", [600, 2000, 5000])
@pytest.mark.parametrize(("edit", "usual"), [("edit", 1), ("add", 2), ("remove", 2), ("rename", 4)])
def test_one_change_changes_few_layers(count: int, edit: str, usual: int) -> None:
    """A rename is a change at two places, and at the end of each may be a layer that was full."""
    files = many(count, 10 * KIB, spread=9 * KIB)
    before = {(group, tuple(files[path] for path in group)) for group in cut(files)}
    chance = random.Random(7)
    counts = []
    for _ in range(30):
        after = dict(files)
        path = chance.choice(sorted(files))
        if edit == "edit":
            after[path] += 100
        elif edit == "add":
            after[path + ".new.md"] = 5 * KIB
        else:
            size = after.pop(path)
            if edit == "rename":
                after[path.replace("/", "/renamed-", 1)] = size
        now = {(group, tuple(after[p] for p in group)) for group in cut(after)}
        counts.append(len(now - before))
    assert max(counts) <= 6
    assert statistics.median(counts) <= usual


def test_boundaries_depend_on_names_not_on_sizes() -> None:
    files = many(2000, 10 * KIB)
    chance = random.Random(3)
    shuffled = list(files.values())
    chance.shuffle(shuffled)
    swapped = dict(zip(files, shuffled, strict=True))
    assert cut(files) == cut(swapped)


def test_growth_keeps_most_boundaries() -> None:
    """Twice as many files: the masks are nested, so the ends of layers stay ends of layers."""
    files = many(8000, 10 * KIB)
    half = dict(list(files.items())[: len(files) // 2])
    ends = {group[-1] for group in cut(half)}
    later = {group[-1] for group in cut(files)}
    assert len(later - ends - (files.keys() - half.keys())) <= len(later) // 2


SHAPES: list[tuple[str, Files]] = [
    ("5000-markdown", many(5000, 10 * KIB, spread=9 * KIB)),
    ("100000-tiny", many(100_000, 300, spread=300)),
    ("40-of-4-MiB", many(40, 4 * MIB)),
    ("47-of-4.2-MiB", many(47, 4_400_000)),
    ("1000-of-8-MiB", many(1000, 8 * MIB)),
    ("30-of-9-MiB", many(30, 9 * MIB)),
    ("130-of-10-MiB", many(130, 10 * MIB)),
    ("1000-of-1-GiB", many(1000, GIB, spread=GIB - 1)),
    ("mixed", {**many(5000, 10 * KIB), **{f"m/{n}": n * 7 * MIB for n in range(200)}}),
    ("one-byte-and-512-MiB", {"a": 1, "b": 512 * MIB}),
    ("doubling", {f"d/{n:02d}": 2**n for n in range(38)}),
]


@pytest.mark.parametrize("files", [pytest.param(files, id=name) for name, files in SHAPES])
def test_the_number_of_layers_is_bounded(files: Files) -> None:
    made = cut(files)
    assert len(made) <= 96
    assert sum(map(len, made)) == len(files)


@given(
    st.lists(st.tuples(st.integers(1, 120), st.integers(0, 40 * MIB)), min_size=1, max_size=6),
    st.integers(),
)
def test_the_number_of_layers_is_bounded_for_any_mixture(
    groups: Sequence[tuple[int, int]], seed: int
) -> None:
    chance = random.Random(seed)
    files = {
        f"{chance.random()}/{index}-{number}": chance.randint(0, size)
        for index, (count, size) in enumerate(groups)
        for number in range(count)
    }
    assert len(cut(files)) <= 96


def test_kinds_share_one_scale() -> None:
    """Four kinds in one COPY make no four times as many layers."""
    kinds = [entries({f"{kind}/{n}": 9 * MIB for n in range(60)}) for kind in "fklt"]
    scale = Scale.of(entry for kind in kinds for entry in kind)
    assert sum(len(split(kind, scale)) for kind in kinds) <= 96


def test_the_boundaries_of_version_1() -> None:
    """Pinned: another cut of the same files changes every digest; change it with FORMAT only."""
    files = {f"k/{number:04d}.md": 40 * KIB for number in range(400)}
    assert [(len(group), group[-1]) for group in cut(files)] == PINNED


PINNED = [
    (102, "k/0101.md"),
    (39, "k/0140.md"),
    (8, "k/0148.md"),
    (61, "k/0209.md"),
    (91, "k/0300.md"),
    (99, "k/0399.md"),
]
