"""Partitions: a UTC day of ``_airbyte_extracted_at``, for explore, chart and navigate alike."""

from __future__ import annotations

from datetime import date, datetime, timezone

import dagster as dg

FIRST_DAY = "2020-01-01"

daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)


def today() -> str:
    """The partition key of the current UTC day."""
    return datetime.now(timezone.utc).date().isoformat()


def day_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The days that a run is for, both included; today where the run names no partition.

    The first partition also holds what claims to be older, the last what claims to be from the
    future: no row is without a partition.
    """
    if not context.has_partition_key and not context.has_partition_key_range:
        first_key = last_key = today()
    else:
        keys = context.partition_key_range
        first_key, last_key = keys.start, keys.end
    first = date.min if first_key == FIRST_DAY else date.fromisoformat(first_key)
    last = date.max if last_key >= today() else date.fromisoformat(last_key)
    return first, last


def partition_of(day: date) -> str:
    """The partition key that a day's rows belong to."""
    return partition_of_key(day.isoformat())


def partition_of_key(day: str) -> str:
    """The partition key of an ISO day: the first or the last one for days beyond them."""
    return min(max(day, FIRST_DAY), today())
