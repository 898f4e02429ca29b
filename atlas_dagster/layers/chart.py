"""Chart: every record version typed and validated, a row each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers import chart_sql
from atlas_dagster.layers.dependents import replacing
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.layer_tables import (
    RowCount,
    add_new_columns,
    add_rows,
    outdated_by,
    start_table,
)
from atlas_dagster.layers.policy import charted_policy, use_key
from atlas_dagster.layers.policy_sql import changed_policy
from atlas_dagster.warehouse import (
    PgConnection,
    identifier,
    lock_transaction,
    table_columns,
    table_exists,
)


@dataclass(frozen=True)
class ChartResult:
    """What a build did to a range of days, what those days now hold, and the table in all.

    ``invalid`` rows have a value that did not fit, or no natural key; ``rebuilt`` says why the
    whole table was built anew, where it was.
    """

    inserted: int
    rows: int
    invalid: int
    total: int
    rebuilt: str | None


def build_chart(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    first: date,
    last: date,
    run_id: str,
) -> ChartResult:
    """Type the record versions of the days from ``first`` to ``last``, both included.

    One transaction; what is there already stays as it is, unless the rules of history changed or a
    column has widened: then all days are built anew. Raises WarehouseError where explore has not
    been loaded.
    """
    with connection.transaction():
        lock_transaction(connection, f"chart/{stream.table_name}")
        use_key(connection, rules.policy)
        if not table_exists(connection, stream.explore):
            raise WarehouseError(f"{stream.label}: explore is empty; materialize it first")
        table = stream.chart
        rebuilt = outdated_by(connection, table, rules, stream.columns)
        if rebuilt is None and table_exists(connection, table):
            inserted = _add_versions(connection, stream, rules, (first, last), run_id)
            count = add_rows(connection, table, RowCount(inserted, None))
        else:
            build = _build_anew if rebuilt else _first_build
            inserted = build(connection, stream, rules, (first, last), run_id)
            count = start_table(
                connection, table, rules.definition, RowCount(inserted, None), rules.policy
            )
        row = connection.execute(chart_sql.summarize(stream, (first, last))).fetchone()
        assert row is not None
    return ChartResult(
        inserted, rows=int(row[0]), invalid=int(row[1]), total=count.rows, rebuilt=rebuilt
    )


def replace_versions(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    raw_ids: sql.Composable,
    versions: sql.Composable | None,
    run_id: str,
) -> None:
    """Type some record versions of chart again, or take them out of it.

    In a transaction that holds chart's lock. ``raw_ids`` are those of chart that go; ``versions``
    what comes in their place, policed already.
    """
    change = -connection.execute(chart_sql.delete_versions(stream, raw_ids)).rowcount
    if versions is not None:
        rows = chart_sql.typed_rows(
            stream, rules, versions, sql.SQL("true"), run_id, connection.info.server_version
        )
        change += connection.execute(chart_sql.insert_rows(stream, rows)).rowcount
    add_rows(connection, stream.chart, RowCount(change, None))


def _add_versions(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    days: tuple[date, date],
    run_id: str,
) -> int:
    add_new_columns(connection, stream.chart, stream.columns)
    # Late rows of an old day would tempt the planner into a loop over that day for each of them.
    connection.execute("set local enable_nestloop = off")
    wanted = chart_sql.versions_without_row(stream, days)
    rows = chart_sql.typed_rows(
        stream,
        rules,
        chart_sql.explored(stream, rules.policy),
        wanted,
        run_id,
        connection.info.server_version,
    )
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
    rows = chart_sql.typed_rows(
        stream,
        rules,
        chart_sql.explored(stream, rules.policy),
        chart_sql.versions_of_days(days),
        run_id,
        connection.info.server_version,
    )
    return _create_table(connection, stream, rows)


def _build_anew(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    _days: tuple[date, date],
    run_id: str,
) -> int:
    """Type all versions again: those that explore has, and what the old chart has of the others.

    navigate follows by itself.
    """
    table = stream.chart
    versions = chart_sql.explored(stream, rules.policy)
    if table_exists(connection, table):
        present = table_columns(connection, table)
        left = changed_policy(charted_policy(connection, table), rules.policy)
        if connection.execute(chart_sql.keep_forgotten_versions(stream, present, left)).rowcount:
            versions = chart_sql.explored_and_forgotten(stream, rules.policy)
    rows = chart_sql.typed_rows(
        stream, rules, versions, sql.SQL("true"), run_id, connection.info.server_version
    )
    with replacing(connection, table):
        return _create_table(connection, stream, rows)


def _create_table(connection: PgConnection, stream: Stream, rows: sql.Composable) -> int:
    """Make the table out of its rows, and constrain it afterwards: far cheaper that way."""
    inserted = connection.execute(chart_sql.create_table_from(stream, rows)).rowcount
    connection.execute(chart_sql.constrain_table(stream))
    connection.execute(chart_sql.create_version_index(stream))
    connection.execute(chart_sql.create_day_index(stream))
    connection.execute(
        sql.SQL(
            "analyze {} (_airbyte_raw_id, _atlas_natural_key, _atlas_instant, _atlas_partition)"
        ).format(identifier(stream.chart))
    )
    return inserted
