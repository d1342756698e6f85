"""How long to wait, and how often."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentoci.registry.http.retry import Patience, RetryPolicy, retry_after
from tests.registry.conftest import StepClock

NOW = datetime(2024, 1, 15, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 3 ", 3.0),
        ("1.5", 1.5),
        ("1.889377ms, allowed: 2000/minute", 0.001889377),
        ("1m30s", 90.0),
        ("2h", 7200.0),
        ("250µs", 0.00025),
        ("Mon, 15 Jan 2024 10:00:30 GMT", 30.0),
        ("Mon, 15 Jan 2024 09:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_every_form_of_retry_after(text: str, seconds: float | None) -> None:
    found = retry_after(text, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_waits_double_up_to_the_longest(clock: StepClock) -> None:
    patience = Patience(RetryPolicy(first_wait=1, longest_wait=5), clock, lambda: 1.0)
    for failures in range(1, 6):
        patience.wait(failures)
    assert clock.sleeps == [1, 2, 4, 5, 5]


def test_waits_are_spread_by_chance(clock: StepClock) -> None:
    Patience(RetryPolicy(first_wait=1), clock, lambda: 0.25).wait(1)
    assert clock.sleeps == [0.25]


def test_orders_are_obeyed_within_reason(clock: StepClock) -> None:
    patience = Patience(RetryPolicy(first_wait=1), clock, lambda: 1.0)
    for order in ("3600", "0", "7", "nonsense"):
        patience.wait(1, order=order)
    assert clock.sleeps == [60, 1, 7, 1]
