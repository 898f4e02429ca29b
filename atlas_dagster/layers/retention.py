"""Retention: explore drops the record versions of days long past, once chart holds them.

Chart keeps its rows, and navigate is built from chart: what is dropped changes no history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.counted import counted
from atlas_dagster.days import of_days, readable_day
from atlas_dagster.layers.layer_tables import RowCount, add_rows
from atlas_dagster.layers.tombstones import landed_table
from atlas_dagster.warehouse import PgConnection, identifier, lock_transaction, table_exists

ROWS_A_BATCH = 500_000
"""About so many versions, and at least a day's, go in one transaction."""


@dataclass(frozen=True)
class OldVersions:
    """Versions of the days before a day: by day those that go, and how many stay.

    Those stay that chart does not hold yet, and where a deletion shows as an absence from landing,
    those that still lie there: a tombstone repeats them.
    """

    before: date
    going: Mapping[date, int]
    staying: int

    @property
    def rows(self) -> int:
        return sum(self.going.values())

    def told(self, verb: str) -> str:
        """A sentence; ``verb`` stands behind the versions that go."""
        stays = f"; {self.staying:,} stay: not in chart yet, or still in landing"
        going = f"{counted(self.rows, 'version')} of {counted(len(self.going), 'day')}"
        return f"{going} before {self.before} {verb}{stays if self.staying else ''}"


def first_kept_day(retention_days: int, today: date) -> date:
    """The first day of which all versions are kept."""
    earliest = date.min + timedelta(days=1)
    return max(earliest, date.fromordinal(max(1, today.toordinal() - retention_days)))


def find_old_versions(connection: PgConnection, table_name: str, before: date) -> OldVersions:
    """What there is to drop; a stream without explore has nothing."""
    if not table_exists(connection, _explore(table_name)):
        return OldVersions(before, {}, 0)
    needless = needless_versions(connection, table_name)
    rows = connection.execute(count_old_versions(table_name, before, needless)).fetchall()
    going = {day: held for day, held, _ in rows if held}
    return OldVersions(before, going, staying=sum(missing for *_, missing in rows))


def drop_old_versions(
    connection: PgConnection,
    table_name: str,
    old: OldVersions,
    report: Callable[[str], None],
    rows_a_batch: int = ROWS_A_BATCH,
) -> OldVersions:
    """Drop them batch by batch, a transaction each; returns what was dropped.

    Between two batches ``report`` is told how far it is.
    """
    dropped: dict[date, int] = {}
    for days in _batches(old, rows_a_batch):
        if dropped:
            report(f"{sum(dropped.values()):,} of {old.rows:,} versions dropped")
        with connection.transaction():
            dropped |= _drop_days(connection, table_name, days)
    return replace(old, going=dropped)


def _drop_days(
    connection: PgConnection, table_name: str, days: tuple[date, date]
) -> dict[date, int]:
    # Chart's lock as well: a chart that is being built anew is neither whole nor gone.
    lock_transaction(connection, f"explore/{table_name}")
    lock_transaction(connection, f"chart/{table_name}")
    if not table_exists(connection, _explore(table_name)):
        return {}
    needless = needless_versions(connection, table_name)
    rows = connection.execute(delete_versions(table_name, days, needless)).fetchall()
    dropped = {day: int(count) for day, count in rows}
    add_rows(connection, _explore(table_name), RowCount(-sum(dropped.values()), None))
    connection.execute(
        "update pipeline.layer_table set dropped_before = greatest(dropped_before, %s)"
        " where layer = 'explore' and table_name = %s",
        (days[1] + timedelta(days=1), table_name),
    )
    return dropped


def _batches(old: OldVersions, rows_a_batch: int) -> Iterator[tuple[date, date]]:
    """Ranges of days, oldest first, that leave out no day."""
    first, rows = date.min, 0
    for day in sorted(old.going):
        if rows and rows + old.going[day] > rows_a_batch:
            yield first, day - timedelta(days=1)
            first, rows = day, 0
        rows += old.going[day]
    if rows:
        yield first, old.before - timedelta(days=1)


def needless_versions(connection: PgConnection, table_name: str) -> sql.Composable:
    """SQL: the raw ids of the versions that nothing needs any more in explore."""
    chart, landed = _chart(table_name), landed_table(table_name)
    if not table_exists(connection, chart):
        return sql.SQL("(select null::text as _airbyte_raw_id)")
    if not table_exists(connection, landed):
        return identifier(chart)
    return sql.SQL(
        """(
            select chart._airbyte_raw_id
            from {chart} as chart
            where not exists (
                select from {landed} as landed where landed.raw_id = chart._airbyte_raw_id
            )
        )"""
    ).format(chart=identifier(chart), landed=identifier(landed))


def count_old_versions(table_name: str, before: date, needless: sql.Composable) -> sql.Composed:
    """SQL: by day, the versions that are needless and those that are not."""
    return sql.SQL(
        """
        select {day}, count(needless._airbyte_raw_id), count(*) - count(needless._airbyte_raw_id)
        from {explore} as explored
        left join {needless} as needless on needless._airbyte_raw_id = explored._airbyte_raw_id
        where explored._atlas_partition < {before}
        group by 1
        order by 1
        """
    ).format(
        day=readable_day(sql.SQL("explored._atlas_partition")),
        explore=identifier(_explore(table_name)),
        needless=needless,
        before=sql.Literal(before),
    )


def delete_versions(
    table_name: str, days: tuple[date, date], needless: sql.Composable
) -> sql.Composed:
    """SQL: delete the versions of some days that are needless; counts them by day."""
    return sql.SQL(
        """
        with dropped as (
            delete from {explore} as explored
            using {needless} as needless
            where {of_days} and needless._airbyte_raw_id = explored._airbyte_raw_id
            returning explored._atlas_partition
        )
        select {day}, count(*) from dropped group by 1 order by 1
        """
    ).format(
        explore=identifier(_explore(table_name)),
        needless=needless,
        of_days=of_days(sql.SQL("explored._atlas_partition"), days),
        day=readable_day(sql.SQL("_atlas_partition")),
    )


def _explore(table_name: str) -> Table:
    return Table("explore", table_name)


def _chart(table_name: str) -> Table:
    return Table("chart", table_name)
