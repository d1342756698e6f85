"""Stamps of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from agentoci._internal.clock import timestamp


@pytest.mark.parametrize(
    ("moment", "stamp"),
    [
        (datetime(2024, 1, 15, 10, tzinfo=UTC), "2024-01-15T10:00:00Z"),
        (datetime(2024, 1, 15, 10, 0, 0, 999_999, tzinfo=UTC), "2024-01-15T10:00:00Z"),
        (
            datetime(2024, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2023-12-31T20:00:00Z",
        ),
        (datetime.fromtimestamp(0, UTC), "1970-01-01T00:00:00Z"),
    ],
)
def test_a_stamp_is_rfc_3339_in_utc(moment: datetime, stamp: str) -> None:
    assert timestamp(moment) == stamp
    assert datetime.fromisoformat(stamp) == moment.replace(microsecond=0)
