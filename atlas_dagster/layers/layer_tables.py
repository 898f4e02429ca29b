"""What Atlas knows of a layer's table: the rules it was built under, and how many rows it has.

The counts change in the transaction that changes the rows, so that nobody has to count a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from atlas_dagster.catalog import Column, Table
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.layers.history_rules import HistoryRules
from atlas_dagster.layers.policy import NO_POLICY, StreamPolicy, parse_policy, policy_json
from atlas_dagster.warehouse import PgConnection, identifier, table_columns


@dataclass(frozen=True)
class RowCount:
    """Rows of a layer's table; ``current`` is None except in navigate."""

    rows: int
    current: int | None


def outdated_by(
    connection: PgConnection, table: Table, rules: HistoryRules, columns: Iterable[Column]
) -> str | None:
    """Why a table has to be built anew: other rules or policy, or a column that has widened."""
    row = connection.execute(
        "select definition, policy from pipeline.layer_table where layer = %s and table_name = %s",
        (table.schema, table.name),
    ).fetchone()
    if row is not None and row[0] != rules.definition:
        return "its rules of history changed"
    if row is not None and parse_policy(row[1]) != rules.policy:
        return "its policy for personal data changed"
    present = table_columns(connection, table)
    for column in columns:
        old = present.get(column.layer)
        if old is not None and old != stored_type(column.type):
            return f"column {column.layer} became {column.type.value}"
    return None


def stored_type(kind: ColumnType) -> str:
    """A column type as PostgreSQL spells it."""
    return "character varying" if kind is ColumnType.TEXT else kind.value


def is_registered(connection: PgConnection, table: Table) -> bool:
    """Whether a table was ever built, even if it has been dropped since."""
    row = connection.execute(
        "select exists (select from pipeline.layer_table where layer = %s and table_name = %s)",
        (table.schema, table.name),
    ).fetchone()
    return bool(row and row[0])


def known_rows(connection: PgConnection, table: Table) -> int:
    """How many rows a table has; 0 where it is not registered."""
    row = connection.execute(
        "select rows from pipeline.layer_table where layer = %s and table_name = %s",
        (table.schema, table.name),
    ).fetchone()
    return int(row[0]) if row else 0


def start_table(
    connection: PgConnection,
    table: Table,
    definition: str,
    count: RowCount,
    policy: StreamPolicy = NO_POLICY,
) -> RowCount:
    """Record a table that was just built anew."""
    connection.execute(
        """
        insert into pipeline.layer_table
            (layer, table_name, definition, rows, current_rows, policy)
        values (%s, %s, %s, %s, %s, %s)
        on conflict (layer, table_name) do update
        set definition = excluded.definition, rows = excluded.rows,
            current_rows = excluded.current_rows, policy = excluded.policy, built_at = now(),
            dropped_before = null
        """,
        (table.schema, table.name, definition, count.rows, count.current, policy_json(policy)),
    )
    return count


def add_rows(connection: PgConnection, table: Table, change: RowCount) -> RowCount:
    """Add to the counts of a table, and return what they are now."""
    row = connection.execute(
        """
        update pipeline.layer_table
        set rows = rows + %s, current_rows = current_rows + %s
        where layer = %s and table_name = %s
        returning rows, current_rows
        """,
        (change.rows, change.current, table.schema, table.name),
    ).fetchone()
    assert row is not None, f"{table} is not registered"
    return RowCount(*row)


def add_new_columns(connection: PgConnection, table: Table, columns: Iterable[Column]) -> bool:
    """Add the columns that a source has gained; returns whether there were any."""
    present = table_columns(connection, table)
    new = [column for column in columns if column.layer not in present]
    for column in new:
        connection.execute(
            sql.SQL("alter table {} add column {} {}").format(
                identifier(table), sql.Identifier(column.layer), sql.SQL(column.type.value)
            )
        )
    return bool(new)
