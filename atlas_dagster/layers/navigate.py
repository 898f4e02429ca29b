"""Navigate: business history, SCD Type 2, a function of the set of record versions in chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers import navigate_sql
from atlas_dagster.layers.chart import chart_table
from atlas_dagster.layers.chart_sql import add_column
from atlas_dagster.layers.definitions import is_outdated, save_definition
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.warehouse import (
    PgConnection,
    identifier,
    lock_transaction,
    table_columns,
    table_exists,
)


@dataclass(frozen=True)
class NavigateResult:
    """What a build did: segments opened, closed, reopened and removed.

    The last two are above zero only where late versions correct what was known before.
    """

    opened: int
    closed: int
    reopened: int
    removed: int
    rebuilt: bool


def navigate_table(stream: Stream) -> Table:
    """The navigate table of a stream."""
    return Table("navigate", stream.table_name)


def build_navigate(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    first: date,
    last: date,
    run_id: str,
) -> NavigateResult:
    """Bring navigate in line with chart's versions of the days from ``first`` to ``last``.

    One transaction. Days may come in any order, any number of times. Where there is no navigate
    yet, or the rules of history changed, all of chart is taken at once. Raises WarehouseError
    where chart has not been built.
    """
    with connection.transaction():
        lock_transaction(connection, f"navigate/{stream.table_name}")
        if not table_exists(connection, chart_table(stream)):
            raise WarehouseError(f"{stream.label}: chart is empty; materialize it first")
        if is_outdated(connection, navigate_table(stream), rules) or not table_exists(
            connection, navigate_table(stream)
        ):
            return _build_all(connection, stream, rules, run_id)
        _add_new_columns(connection, stream)
        return _apply_days(connection, stream, (first, last), run_id)


def _build_all(
    connection: PgConnection, stream: Stream, rules: HistoryRules, run_id: str
) -> NavigateResult:
    table = identifier(navigate_table(stream))
    rebuilt = table_exists(connection, navigate_table(stream))
    connection.execute(sql.SQL("drop table if exists {} cascade").format(table))
    connection.execute(navigate_sql.create_table(stream))
    opened = connection.execute(navigate_sql.insert_whole_history(stream, run_id)).rowcount
    connection.execute(navigate_sql.create_key(stream))
    connection.execute(navigate_sql.create_current_index(stream))
    connection.execute(navigate_sql.create_current_view(stream))
    connection.execute(sql.SQL("analyze {}").format(table))
    save_definition(connection, navigate_table(stream), rules)
    return NavigateResult(opened, closed=0, reopened=0, removed=0, rebuilt=rebuilt)


def _apply_days(
    connection: PgConnection, stream: Stream, days: tuple[date, date], run_id: str
) -> NavigateResult:
    connection.execute(navigate_sql.create_day_versions(stream, days))
    connection.execute("analyze day_version")
    changed = connection.execute(navigate_sql.create_changed_keys(stream)).rowcount
    if changed == 0:
        return NavigateResult(opened=0, closed=0, reopened=0, removed=0, rebuilt=False)
    connection.execute("analyze changed")
    connection.execute(navigate_sql.create_target(stream))
    connection.execute("analyze target")
    removed, _ = _counts(connection, navigate_sql.delete_segments(stream))
    closed, reopened = _counts(connection, navigate_sql.move_ends(stream, run_id))
    opened, _ = _counts(connection, navigate_sql.insert_segments(stream, run_id))
    return NavigateResult(opened, closed, reopened, removed, rebuilt=False)


def _counts(connection: PgConnection, query: sql.Composed) -> tuple[int, int]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _add_new_columns(connection: PgConnection, stream: Stream) -> None:
    present = table_columns(connection, navigate_table(stream))
    for column in stream.columns:
        if column.layer not in present:
            connection.execute(add_column(navigate_table(stream), column))
