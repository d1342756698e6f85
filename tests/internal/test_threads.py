"""Work on many things at once."""

from __future__ import annotations

import threading

import pytest

from agentoci._internal.threads import each


@pytest.mark.parametrize("count", [0, 1, 2, 50])
@pytest.mark.parametrize("workers", [1, 4])
def test_results_are_in_the_order_of_the_items(count: int, workers: int) -> None:
    items = list(range(count))
    assert each(str, items, workers=workers, name="t") == [str(item) for item in items]


def test_as_many_at_once_as_workers() -> None:
    together = threading.Barrier(3, timeout=10)
    assert each(lambda _: together.wait() >= 0, range(9), workers=3, name="t") == [True] * 9


def test_first_failure_leaves_what_was_not_begun() -> None:
    begun: list[int] = []

    def act(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise ValueError(item)
        threading.Event().wait(0.001)

    with pytest.raises(ValueError, match="0"):
        each(act, range(10_000), workers=2, name="t")
    assert len(begun) < 10_000
