"""The SQL that reads the record versions of a stream for a scan."""

from __future__ import annotations

from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.days import of_days
from atlas_dagster.warehouse import identifier


def copy_records(stream: Stream, days: tuple[date, date]) -> sql.Composed:
    """SQL: the records of some partitions, as JSON, one a row."""
    return sql.SQL(
        """
        copy (
            select data from {explore}
            where {chosen}
        ) to stdout
        """
    ).format(
        explore=identifier(stream.explore),
        chosen=of_days(sql.SQL("_atlas_partition"), days),
    )
