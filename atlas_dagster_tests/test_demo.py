"""What the demo prints, and what it makes of the log of a run."""

from __future__ import annotations

import pytest

from atlas_dagster.demo import StreamReport, format_table, step_message


def test_the_table_is_aligned_and_counts_closed_segments() -> None:
    reports = [
        StreamReport("users", 1300, 1300, 1300, 1300, 1000, 9, 99.96, 0.754),
        StreamReport("products", 200, 200, 200, 100, 100, 0, None, 12.0),
    ]
    assert format_table(reports) == [
        "stream    synced  explore  chart  navigate  current  closed  personal  score  seconds",
        "users      1,300    1,300  1,300     1,300    1,000     300         9   99.9     0.75",
        "products     200      200    200       100      100       0         0      -    12.00",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "2026-11-23 01:00:00 +0000 - dagster - INFO - faker - 0f3a - sync_faker - "
            "users: 12,000 records, 24 states\n",
            "sync_faker  users: 12,000 records, 24 states",
        ),
        (
            "2026-11-23 01:00:00 +0000 - dagster - WARNING - faker - 0f3a - chart__faker__users - "
            "a - b\n",
            "chart       a - b",
        ),
        (
            "2026-11-23 01:00:00 +0000 - dagster - DEBUG - faker - 0f3a - 42 - RUN_START - x\n",
            None,
        ),
        (
            "2026-11-23 01:00:00 +0000 - dagster - ERROR - faker - 0f3a - 42 - chart__faker__users"
            " - STEP_FAILURE - x\n",
            None,
        ),
        ('  File "x.py", line 1\n', None),
    ],
)
def test_only_what_steps_say_is_shown(line: str, told: str | None) -> None:
    assert step_message(line) == told
