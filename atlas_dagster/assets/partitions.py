"""Partitions: a UTC day of ``_airbyte_extracted_at``, for explore, chart and navigate alike."""

from __future__ import annotations

from datetime import date, datetime, timezone

import dagster as dg

from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import load_first_day

FIRST_DAY = load_first_day().isoformat()

PARTITION_TAG = "dagster/partition"
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")

daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)


def today() -> str:
    """The partition key of the current UTC day."""
    return utc_day(datetime.now(timezone.utc))


def utc_day(moment: datetime) -> str:
    """The partition key of the UTC day of an instant."""
    return moment.astimezone(timezone.utc).date().isoformat()


def day_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The days that a run is for, both included."""
    keys = context.partition_key_range
    return days_between(keys.start, keys.end)


def run_days(run: dg.DagsterRun) -> tuple[str, str] | None:
    """The partition keys that a run is for, first and last; None where it names none.

    Checks have no partitions of their own: what a run names is in its tags. Raises ConfigError
    where that is no day.
    """
    alone = run.tags.get(PARTITION_TAG)
    first, last = (run.tags.get(tag, alone) for tag in RANGE_TAGS)
    if first is None or last is None:
        return None
    for key in (first, last):
        _require_day(key)
    return first, last


def is_day(key: str) -> bool:
    """Whether a partition key is a day, as those of the layers are."""
    try:
        return date.fromisoformat(key).isoformat() == key
    except ValueError:
        return False


def _require_day(key: str) -> None:
    if not is_day(key):
        raise ConfigError(f"the run is of the partition {key!r}, which is no day")


def named_days(start: str, end: str) -> tuple[date, date]:
    """The days that two partition keys name, both included."""
    return date.fromisoformat(start), date.fromisoformat(end)


def days_between(start: str, end: str) -> tuple[date, date]:
    """The days of the partitions from one key to another, both included.

    The first partition also holds what claims to be older, the last what claims to be from the
    future: no row is without a partition.
    """
    first = date.min if start <= FIRST_DAY else date.fromisoformat(start)
    last = date.max if end >= today() else date.fromisoformat(end)
    return first, last


def require_partition(context: dg.AssetExecutionContext) -> None:
    """Refuse a run of partitioned assets that names no partition, before it does any work.

    Raises ConfigError that says how to name one: Dagster's own error comes late, and does not.
    """
    if not context.has_partition_key and not context.has_partition_key_range:
        tags = f'{{"dagster/partition": "{today()}"}}'
        raise ConfigError(f"this run names no day: choose a partition, or add --tags '{tags}'")


def partition_of(day: date) -> str:
    """The partition key that a day's rows belong to."""
    return partition_of_key(day.isoformat())


def partition_of_key(day: str) -> str:
    """The partition key of an ISO day: the first or the last one for days beyond them."""
    return min(max(day, FIRST_DAY), today())
