"""Chart: every record version typed and validated, a row each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers import chart_sql
from atlas_dagster.layers.explore import explore_table
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.layer_tables import (
    RowCount,
    add_new_columns,
    add_rows,
    is_outdated,
    start_table,
)
from atlas_dagster.warehouse import (
    PgConnection,
    identifier,
    lock_transaction,
    table_exists,
)


@dataclass(frozen=True)
class ChartResult:
    """What a build did to a range of days, what those days now hold, and the table in all.

    ``invalid`` rows have a value that did not fit, or no natural key; ``rebuilt`` says that the
    whole table was built anew because the rules of history changed.
    """

    inserted: int
    rows: int
    invalid: int
    total: int
    rebuilt: bool


def chart_table(stream: Stream) -> Table:
    """The chart table of a stream."""
    return Table("chart", stream.table_name)


def build_chart(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    first: date,
    last: date,
    run_id: str,
) -> ChartResult:
    """Type the record versions of the days from ``first`` to ``last``, both included.

    One transaction; what is there already stays as it is. Raises WarehouseError where explore has
    not been loaded.
    """
    with connection.transaction():
        lock_transaction(connection, f"chart/{stream.table_name}")
        if not table_exists(connection, explore_table(stream)):
            raise WarehouseError(f"{stream.label}: explore is empty; materialize it first")
        rebuilt = _drop_outdated(connection, stream, rules)
        if table_exists(connection, chart_table(stream)):
            inserted = _add_versions(connection, stream, rules, (first, last), run_id)
            count = add_rows(connection, chart_table(stream), RowCount(inserted, None))
        else:
            days = (date.min, date.max) if rebuilt else (first, last)
            inserted = _first_build(connection, stream, rules, days, run_id)
            count = start_table(
                connection, chart_table(stream), rules.definition, RowCount(inserted, None)
            )
        row = connection.execute(chart_sql.summarize(stream, (first, last))).fetchone()
        assert row is not None
    return ChartResult(
        inserted, rows=int(row[0]), invalid=int(row[1]), total=count.rows, rebuilt=rebuilt
    )


def _add_versions(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    days: tuple[date, date],
    run_id: str,
) -> int:
    add_new_columns(connection, chart_table(stream), stream.columns)
    # Late rows of an old day would tempt the planner into a loop over that day for each of them.
    connection.execute("set local enable_nestloop = off")
    wanted = chart_sql.versions_without_row(stream, days)
    rows = chart_sql.typed_rows(stream, rules, wanted, run_id, connection.info.server_version)
    inserted = connection.execute(chart_sql.insert_rows(stream, rows)).rowcount
    connection.execute(chart_sql.move_to_snapshots(stream, days))
    return inserted


def _first_build(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    days: tuple[date, date],
    run_id: str,
) -> int:
    """Make the table out of its rows, and constrain it afterwards: far cheaper that way."""
    wanted = chart_sql.versions_of_days(days)
    rows = chart_sql.typed_rows(stream, rules, wanted, run_id, connection.info.server_version)
    inserted = connection.execute(chart_sql.create_table_from(stream, rows)).rowcount
    connection.execute(chart_sql.constrain_table(stream))
    connection.execute(chart_sql.create_version_index(stream))
    connection.execute(chart_sql.create_day_index(stream))
    connection.execute(
        sql.SQL(
            "analyze {} (_airbyte_raw_id, _atlas_natural_key, _atlas_instant, _atlas_partition)"
        ).format(identifier(chart_table(stream)))
    )
    return inserted


def _drop_outdated(connection: PgConnection, stream: Stream, rules: HistoryRules) -> bool:
    """Drop a chart that was built under other rules of history; navigate follows by itself."""
    if not is_outdated(connection, chart_table(stream), rules):
        return False
    connection.execute(sql.SQL("drop table if exists {}").format(identifier(chart_table(stream))))
    return True
