"""Partitions: UTC days, and none of them leaves a row out."""

import os
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone

import dagster as dg
import pytest

from atlas_dagster.assets.partitions import (
    FIRST_DAY,
    daily,
    day_range,
    partition_of,
    require_partition,
    run_days,
    today,
    utc_day,
)
from atlas_dagster.errors import ConfigError


def days_of_a_run(**tags: str) -> tuple[date, date]:
    """The days that a run with these tags is for, as an asset sees them."""
    seen: list[tuple[date, date]] = []

    @dg.asset(partitions_def=daily, backfill_policy=dg.BackfillPolicy.single_run())
    def layer(context: dg.AssetExecutionContext) -> None:
        require_partition(context)
        seen.append(day_range(context))

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([layer], tags=tags, instance=instance)
    return seen[0]


def one(day: str) -> tuple[date, date]:
    return days_of_a_run(**{"dagster/partition": day})


def test_the_days_begin_in_2020_and_end_with_today() -> None:
    assert daily.get_first_partition_key() == FIRST_DAY
    assert daily.get_last_partition_key() == today()


def test_the_first_day_is_a_choice() -> None:
    """In a process of its own: partitions are defined as their module is read."""
    program = (
        "from atlas_dagster.assets.partitions import daily, partition_of_key;"
        "print(daily.get_first_partition_key(), partition_of_key('2024-01-01'))"
    )
    done = subprocess.run(
        (sys.executable, "-c", program),
        env={**os.environ, "ATLAS_FIRST_DAY": "2025-03-01"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2025-03-01", "2025-03-01"]


def test_a_day_is_one_of_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert utc_day(datetime(2026, 3, 1, 8, 59, tzinfo=tokyo)) == "2026-02-28"
    assert utc_day(datetime(2026, 3, 1, 9, 0, tzinfo=tokyo)) == "2026-03-01"


def test_a_run_of_one_day_is_for_that_day() -> None:
    assert one("2024-02-29") == (date(2024, 2, 29), date(2024, 2, 29))


def test_a_run_of_a_range_is_for_both_ends_and_what_lies_between() -> None:
    tags = {
        "dagster/asset_partition_range_start": "2024-02-28",
        "dagster/asset_partition_range_end": "2024-03-02",
    }
    assert days_of_a_run(**tags) == (date(2024, 2, 28), date(2024, 3, 2))


def test_the_first_partition_holds_what_claims_to_be_older() -> None:
    assert one(FIRST_DAY) == (date.min, date.fromisoformat(FIRST_DAY))


def test_the_last_partition_holds_what_claims_to_be_from_the_future() -> None:
    assert one(today()) == (date.fromisoformat(today()), date.max)


@pytest.mark.parametrize(
    ("day", "partition"),
    [
        (date(1970, 1, 1), FIRST_DAY),
        (date(2024, 2, 29), "2024-02-29"),
        (date(2999, 1, 1), today()),
    ],
)
def test_each_day_belongs_to_a_partition_whose_run_is_for_it(day: date, partition: str) -> None:
    assert partition_of(day) == partition
    first, last = one(partition)
    assert first <= day <= last


def test_a_run_without_a_day_is_refused_in_one_sentence() -> None:
    context = dg.build_asset_context()
    with pytest.raises(ConfigError, match=f'choose a partition, or add --tags .*"{today()}"'):
        require_partition(context)


def run_of(**tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="shop", tags={f"dagster/{name}": tags[name] for name in tags})


def test_the_days_of_checks_are_in_the_tags_of_their_run() -> None:
    assert run_days(run_of()) is None
    assert run_days(run_of(partition="2024-02-28")) == ("2024-02-28", "2024-02-28")
    bounds = {
        "asset_partition_range_start": "2024-02-28",
        "asset_partition_range_end": "2024-03-02",
    }
    assert run_days(run_of(**bounds)) == ("2024-02-28", "2024-03-02")


def test_a_tag_that_is_no_day_is_refused_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match="the run is of the partition '2024-02-31', which is no"):
        run_days(run_of(partition="2024-02-31"))
