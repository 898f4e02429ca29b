"""Which days of a stream its gate holds back: their newest scan failed, or has not ended."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.quality.check_sql import in_days
from atlas_dagster.quality.database_errors import is_usable
from atlas_dagster.quality.spec import Status
from atlas_dagster.warehouse import PgConnection, identifier, lock_key, lock_transaction

BLOCKING = (Status.FAIL, Status.ERROR)
"""What keeps rows from navigate; a warning does not, and nor does what was not checked."""


@dataclass(frozen=True)
class HeldDay:
    """A day that is held back, by which scan, and the checks that failed in it.

    Without checks the scan has not ended: it is yet to come, goes on, or was killed.
    """

    day: date
    scan_id: int
    checks: tuple[str, ...]


@contextmanager
def scanning(connection: PgConnection, table_name: str) -> Generator[None]:
    """Let others know, for a block, that a stream's chart is scanned; a killed scan lets go too."""
    key = lock_key(_scope(table_name))
    connection.execute("select pg_advisory_lock_shared(%s)", (key,))
    try:
        yield
    finally:
        if is_usable(connection):
            connection.execute("select pg_advisory_unlock_shared(%s)", (key,))


def await_scans(connection: PgConnection, table_name: str) -> None:
    """Wait until nobody scans a stream's chart."""
    with connection.transaction():
        lock_transaction(connection, _scope(table_name))


def _scope(table_name: str) -> str:
    return f"checks/{table_name}"


def held_days(
    connection: PgConnection, table_name: str, days: tuple[date, date]
) -> Sequence[HeldDay]:
    """The days among some, both ends included, that the gate holds back, in order.

    The newest scan of a day counts, be it of that day alone, of more days, or of all of chart. A
    day that was never scanned is not held back.
    """
    rows = connection.execute(
        _HELD_DAYS, {"table_name": table_name, "first": days[0], "last": days[1]}
    ).fetchall()
    return [HeldDay(day, int(scan_id), tuple(checks)) for day, scan_id, checks in rows]


def has_rows(connection: PgConnection, chart: Table, days: tuple[date, date]) -> bool:
    """Whether a chart table has rows of some days, deleted ones included."""
    query = sql.SQL("select exists (select from {} where {})").format(
        identifier(chart), in_days(days)
    )
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


_HELD_DAYS = """
with scope as (
    select distinct on (scan.first_day, scan.last_day)
        scan_id,
        status,
        greatest(scan.first_day, %(first)s::date) as first_day,
        least(scan.last_day, %(last)s::date) as last_day
    from pipeline.quality_score as scan
    where table_name = %(table_name)s
        and layer = 'chart'
        and coalesce(scan.first_day <= %(last)s::date and scan.last_day >= %(first)s::date, true)
    order by scan.first_day, scan.last_day, scan_id desc
)
select
    day::date,
    held.scan_id,
    array(
        select check_name
        from pipeline.quality_result as result
        where result.scan_id = held.scan_id and result.status in ('fail', 'error')
        order by check_name
    )
from scope as held
cross join lateral generate_series(held.first_day, held.last_day, interval '1 day') as day
where held.status in ('fail', 'error')
    and not exists (
        select from scope as later
        where later.scan_id > held.scan_id and day between later.first_day and later.last_day
    )
order by day
"""
