"""How long at most a cron expression keeps quiet."""

from __future__ import annotations

import pytest

from atlas_dagster.quality.cron import longest_gap

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("* * * * *", MINUTE),
        ("*/15 * * * *", 15 * MINUTE),
        ("0,10,40 * * * *", 30 * MINUTE),
        ("0 */6 * * *", 6 * HOUR),
        ("0 8-18 * * *", 14 * HOUR),
        ("30 2 * * *", DAY),
        ("0 6 * * 1-5", 3 * DAY),
        ("0 6 * * MON-FRI", 3 * DAY),
        ("0 6 * * 5-7", 5 * DAY),
        ("0 6 * * 0", 7 * DAY),
        ("0 6 * * 7", 7 * DAY),
        ("0 0 1 * *", 31 * DAY),
        ("0 0 1,15 * 1", 7 * DAY),
        ("0 0 1 1 *", 366 * DAY),
        ("0 0 * dec *", 335 * DAY + DAY),
        ("@daily", DAY),
        ("@Weekly", 7 * DAY),
    ],
)
def test_the_longest_gap_of_a_cron_expression(expression: str, seconds: int) -> None:
    assert longest_gap(expression) == seconds


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("0 0 12 * * ?", DAY),
        ("0 0 12 * * ? UTC", DAY),
        ("0 0 0/4 * * ?", 4 * HOUR),
        ("0 0 6 ? * MON-FRI", 3 * DAY),
        ("0 0 6 ? * 2-6", 3 * DAY),
        ("0 0 6 ? * 1 2030", 7 * DAY),
    ],
)
def test_quartz_begins_with_seconds_and_its_week_with_sunday_as_one(
    expression: str, seconds: int
) -> None:
    assert longest_gap(expression) == seconds


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "hourly",
        "0 0 12 L * ?",
        "0 0 12 ? * 6#3",
        "0 0 15W * ?",
        "61 * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "0 0 30 2 *",
    ],
)
def test_what_is_beyond_the_reader_has_no_gap(expression: str) -> None:
    assert longest_gap(expression) is None
