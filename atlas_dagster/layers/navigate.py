"""Navigate: business history, SCD Type 2, a function of the set of record versions in chart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers import navigate_changes_sql, navigate_ddl, navigate_sql
from atlas_dagster.layers.dependents import replacing
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.layer_tables import (
    RowCount,
    add_new_columns,
    add_rows,
    is_registered,
    known_rows,
    outdated_by,
    start_table,
)
from atlas_dagster.layers.snapshots import (
    create_snapshots,
    create_vanishing,
    forget_refused,
    refuse_earliest,
    refuse_snapshots,
)
from atlas_dagster.warehouse import (
    PgConnection,
    identifier,
    lock_transaction,
    table_columns,
    table_exists,
)

FEW = 0.1
"""The share of navigate's rows up to which reading them one by one is cheaper than reading all."""


@dataclass(frozen=True)
class KeyChanges:
    """How many keys a build found new, changed and deleted, as they are now."""

    new: int = 0
    changed: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class NavigateResult:
    """What a build did: segments opened, closed, reopened and removed; and the table in all.

    Segments are reopened and removed only where late versions correct what was known before.
    ``rebuilt`` says why the table was built anew, where it was, and then ``keys`` is None: nothing
    was compared. ``refused`` counts the snapshots that would have made too many keys vanish.
    """

    opened: int
    closed: int
    reopened: int
    removed: int
    count: RowCount
    rebuilt: str | None
    refused: int
    keys: KeyChanges | None


def takes_all_of_chart(connection: PgConnection, stream: Stream, rules: HistoryRules) -> bool:
    """Whether `build_navigate` would take all days of chart, whichever it is asked for."""
    table = stream.navigate
    if not table_exists(connection, table):
        return True
    columns = _as_charted(connection, stream).columns
    return outdated_by(connection, table, rules, columns) is not None


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
    where chart has not been built, or was built under other rules.
    """
    with connection.transaction():
        lock_transaction(connection, f"navigate/{stream.table_name}")
        connection.execute("set local work_mem = '64MB'")
        # What a day changes is found by index. By PostgreSQL's default, made for disks that turn,
        # reading the whole of chart and navigate looks cheaper.
        connection.execute("set local random_page_cost = 1.1")
        if not table_exists(connection, stream.chart):
            raise WarehouseError(f"{stream.label}: chart is empty; materialize it first")
        stream = _as_charted(connection, stream)
        stale = outdated_by(connection, stream.chart, rules, stream.columns)
        if stale:
            raise WarehouseError(f"{stream.label}: chart is stale: {stale}; materialize it first")
        table = stream.navigate
        rebuilt = outdated_by(connection, table, rules, stream.columns)
        if rebuilt or not table_exists(connection, table):
            return _build_all(connection, stream, rules, run_id, rebuilt)
        if add_new_columns(connection, stream.navigate, stream.columns):
            connection.execute(navigate_ddl.create_current_view(stream))
        return _apply_days(connection, stream, rules, (first, last), run_id)


def _as_charted(connection: PgConnection, stream: Stream) -> Stream:
    """The stream with the columns that chart has: a run beside this one may have found more."""
    present = table_columns(connection, stream.chart)
    return replace(stream, columns=tuple(c for c in stream.columns if c.layer in present))


def _build_all(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    run_id: str,
    rebuilt: str | None,
) -> NavigateResult:
    table = stream.navigate
    # A snapshot that was believed once stays so, however late versions would make it look now.
    is_first = not is_registered(connection, table)
    _create_table(connection, stream, run_id)
    refused = 0
    while is_first and connection.execute(refuse_earliest(stream, rules.most_vanishing)).rowcount:
        refused += 1
        _create_table(connection, stream, run_id)
    rows, current = _counts(connection, navigate_sql.count_segments(stream))
    count = start_table(connection, table, rules.definition, RowCount(rows, current), rules.policy)
    return NavigateResult(
        opened=rows,
        closed=rows - current,
        reopened=0,
        removed=0,
        count=count,
        rebuilt=rebuilt,
        refused=refused,
        keys=None if rebuilt else KeyChanges(new=current),
    )


def _create_table(connection: PgConnection, stream: Stream, run_id: str) -> None:
    """Make the table out of all of chart, and what people read it by."""
    table = stream.navigate
    view = Table("navigate", navigate_ddl.current_view_name(stream))
    function = navigate_ddl.as_of_function_name(stream)
    with replacing(connection, table, ours=[view], function=function):
        snapshots = _load_snapshots(connection, stream)
        connection.execute(
            navigate_sql.create_table_from_chart(stream, run_id, with_snapshots=snapshots > 0)
        )
        connection.execute(navigate_ddl.constrain_table(stream))
        connection.execute(navigate_sql.forget_dirty_keys(stream))
        connection.execute(navigate_ddl.create_current_index(stream))
        connection.execute(navigate_ddl.create_current_view(stream))
        connection.execute(navigate_ddl.create_as_of_function(stream))
        connection.execute(
            sql.SQL("analyze {} (_atlas_natural_key, _atlas_valid_from, _atlas_valid_to)").format(
                identifier(table)
            )
        )


def _apply_days(
    connection: PgConnection,
    stream: Stream,
    rules: HistoryRules,
    days: tuple[date, date],
    run_id: str,
) -> NavigateResult:
    known = known_rows(connection, stream.navigate)
    versions = connection.execute(navigate_sql.create_day_versions(stream, days)).rowcount
    connection.execute("analyze day_version (natural_key)")
    snapshots = _load_snapshots(connection, stream)
    connection.execute(create_vanishing(stream, days))
    refused = connection.execute(refuse_snapshots(stream, rules.most_vanishing)).rowcount
    if refused:
        connection.execute(forget_refused(stream))
    removed = removed_current = closed = reopened = opened = opened_current = 0
    keys = KeyChanges()
    few = versions < known * FEW
    changed = connection.execute(navigate_sql.create_changed_keys(stream, few=few)).rowcount
    if changed:
        connection.execute("analyze changed")
        few = changed < known * FEW
        connection.execute(navigate_sql.create_stored(stream, few=few))
        connection.execute("analyze stored (natural_key)")
        connection.execute(navigate_sql.create_difference(stream, with_snapshots=snapshots > 0))
        connection.execute("analyze difference (is_wanted, is_stored)")
        keys = KeyChanges(*_numbers(connection, navigate_changes_sql.count_changed_keys()))
        removed, removed_current = _counts(connection, navigate_changes_sql.delete_segments(stream))
        closed, reopened = _counts(connection, navigate_changes_sql.move_ends(stream, run_id))
        opened, opened_current = _counts(
            connection, navigate_changes_sql.insert_segments(stream, run_id)
        )
    change = RowCount(opened - removed, opened_current - removed_current + reopened - closed)
    count = add_rows(connection, stream.navigate, change)
    return NavigateResult(
        opened, closed, reopened, removed, count=count, rebuilt=None, refused=refused, keys=keys
    )


def _load_snapshots(connection: PgConnection, stream: Stream) -> int:
    connection.execute("drop table if exists pg_temp.snapshot")
    snapshots = connection.execute(create_snapshots(stream)).rowcount
    if snapshots:
        connection.execute("create index on snapshot (instant)")
        connection.execute("analyze snapshot")
    return snapshots


def _counts(connection: PgConnection, query: sql.Composed) -> tuple[int, int]:
    first, second = _numbers(connection, query)
    return first, second


def _numbers(connection: PgConnection, query: sql.Composed) -> list[int]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return [int(number) for number in row]
